// Histogram equalization of the luma: RGB in 0-1 to 8-bit YUV (OpenCV's coefficients), Y through `table`, back to RGB.
// Reads and writes `pixels` [count, 3], one invocation per pixel; reads `table` [256] of levels.

struct Params {
    count: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> pixels: array<f32>;
@group(0) @binding(2) var<storage, read> table: array<f32>;

fn byte(v: f32) -> f32 {
    return clamp(floor(v + 0.5), 0.0, 255.0);
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
    let rgb = floor(vec3(pixels[3u * i], pixels[3u * i + 1u], pixels[3u * i + 2u]) * 255.0 + 0.5);
    let luma = dot(rgb, vec3(0.299, 0.587, 0.114));
    let u = byte(0.492 * (rgb.b - luma) + 128.0) - 128.0;
    let v = byte(0.877 * (rgb.r - luma) + 128.0) - 128.0;
    let y = table[u32(byte(luma))];
    let out = clamp(vec3(y + 1.140 * v, y - 0.395 * u - 0.581 * v, y + 2.032 * u) / 255.0, vec3(0.0), vec3(1.0));
    pixels[3u * i] = out.r;
    pixels[3u * i + 1u] = out.g;
    pixels[3u * i + 2u] = out.b;
}
