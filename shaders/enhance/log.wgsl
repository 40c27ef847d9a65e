// The logarithmic response y = log(1 + x/s) / log(1 + 1/s) (NAKA-GS 3.1), odd around black.
// Reads and writes `values` [count], one invocation each.

struct Params {
    count: u32,
    scale: f32,
    // 1 / log(1 + 1/s)
    gain: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> values: array<f32>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = (group.x + group.y * groups.x) * 256u + local;
    if i >= params.count {
        return;
    }
    let x = values[i];
    let y = log(1.0 + abs(x) / params.scale) * params.gain;
    values[i] = select(y, -y, x < 0.0);
}
