// A range to 0-1: y = clamp((x - low) * scale, 0, 1) with scale = 1 / (high - low), or 0 for an empty range.
// Reads and writes `values` [count], one invocation each.

struct Params {
    count: u32,
    low: f32,
    scale: f32,
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
    values[i] = clamp((values[i] - params.low) * params.scale, 0.0, 1.0);
}
