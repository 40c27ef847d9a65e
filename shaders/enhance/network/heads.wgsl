// The two heads' last step: mul = 1 + MUL_RANGE·tanh(x + bias), add = ADD_RANGE·tanh(x + bias).
// Reads `source` (planes of 4 channels: mul, then add in red, green, blue); writes `maps` [rows][width] as vec4, mul
// first. Values that are not finite become the identity (1, 0). An invocation makes one pixel.
#import common/planes
#import common/finite

struct Params {
    source: Plane,
    bias: vec4f,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> source: array<f32>;
@group(0) @binding(2) var<storage, read_write> maps: array<vec4f>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group_id: vec3u,
    @builtin(num_workgroups) group_count: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let i = (group_id.x + group_id.y * group_count.x) * 64u + local;
    let plane = params.source;
    if i >= plane.width * plane.rows {
        return;
    }
    let at = plane_at(plane, i / plane.width + 1u, 0u, i % plane.width + 1u);
    let pitch = plane.width + 2u;
    var x = params.bias;
    x += vec4f(
        finite(source[at]),
        finite(source[at + pitch]),
        finite(source[at + 2u * pitch]),
        finite(source[at + 3u * pitch]),
    );
    // Some drivers' tanh overflows.
    let t = tanh(clamp(x, vec4f(-15.0), vec4f(15.0)));
    maps[i] = vec4f(1.0, 0.0, 0.0, 0.0) + vec4f(MUL_RANGE, ADD_RANGE, ADD_RANGE, ADD_RANGE) * t;
}
