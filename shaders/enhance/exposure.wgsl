// A longer exposure under the plain sRGB curve (IEC 61966-2-1): a 3x3 matrix, then y = srgb(ratio * srgb^-1(x)),
// with a ratio for each channel.
// Reads and writes `pixels` [count, 3], one invocation per pixel.
#import common/camera_matrix

struct Params {
    red: vec4<f32>,
    green: vec4<f32>,
    blue: vec4<f32>,
    ratios: vec3<f32>,
    count: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> pixels: array<f32>;

// The straight parts of both curves continue below 0. `max` keeps pow's base valid where its result is not used.
fn decode(v: f32) -> f32 {
    return select(pow(max((v + 0.055) / 1.055, 0.0), 2.4), v / 12.92, v <= 0.04045);
}

fn encode(v: f32) -> f32 {
    return select(1.055 * pow(max(v, 0.0), 1.0 / 2.4) - 0.055, v * 12.92, v <= 0.0031308);
}

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
    let x = vec3(pixels[3u * i], pixels[3u * i + 1u], pixels[3u * i + 2u]);
    let y = mixed(params.red, params.green, params.blue, x);
    pixels[3u * i] = encode(params.ratios.x * decode(y.x));
    pixels[3u * i + 1u] = encode(params.ratios.y * decode(y.y));
    pixels[3u * i + 2u] = encode(params.ratios.z * decode(y.z));
}
