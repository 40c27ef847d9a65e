// The Naka-Rushton response y = x^n / (x^n + sigma^n) (NAKA-GS 3.1), odd around black, as r^n / (r^n + 1) with
// r = x / sigma, which rounds less.
// Reads and writes `values` [count], one invocation each.

struct Params {
    count: u32,
    n: f32,
    sigma: f32,
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
    let ratio = abs(x / params.sigma);
    // No `if`: see common/unspecialized.
    let power = select(select(pow(ratio, params.n), 0.0, ratio == 0.0), ratio, params.n == 1.0);
    let y = power / (power + 1.0);
    values[i] = select(y, -y, x < 0.0);
}
