// A measured camera response: a 3x3 matrix, then a monotone curve per channel.
// Between knots (u, y, dy/du) the curve is the cubic Hermite polynomial in u = asinh(255 x); below the first knot it
// continues straight, above the last as a hyperbola toward 1.
// Reads and writes `pixels` [count, 3], one invocation per pixel; reads `knots` [ends.z] as vec4 (u, y, dy/du, 0):
// red's first, up to ends.x, then green's up to ends.y, then blue's.
#import common/camera_matrix
#import common/unspecialized

struct Params {
    red: vec4<f32>,
    green: vec4<f32>,
    blue: vec4<f32>,
    // ends of the channels in `knots`, then the number of pixels
    ends: vec4<u32>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> pixels: array<f32>;
@group(0) @binding(2) var<storage, read> knots: array<vec4<f32>>;

fn asinh_precise(x: f32) -> f32 {
    let a = abs(x);
    let u = log(a + sqrt(a * a + 1.0));
    return select(u, -u, x < 0.0);
}

fn curve(x: f32, first: u32, end: u32) -> f32 {
    let level = x * 255.0;
    let u = asinh_precise(level);
    let low = knots[first];
    if u <= low.x {
        return low.y + (level - sinh(low.x)) * low.z / cosh(low.x);
    }
    let high = knots[end - 1u];
    if u >= high.x {
        let slope = high.z / cosh(high.x);
        return 1.0 - (1.0 - high.y) / (1.0 + (level - sinh(high.x)) * slope / (1.0 - high.y));
    }
    var right = first + 1u;
    while right < end - 1u && knots[right].x <= u {
        right += 1u;
    }
    let a = knots[right - 1u];
    let b = knots[right];
    let h = b.x - a.x;
    let t = (u - a.x) / h;
    let t2 = t * t;
    let t3 = t2 * t;
    return (2.0 * t3 - 3.0 * t2 + 1.0) * a.y + (t3 - 2.0 * t2 + t) * h * a.z
        + (3.0 * t2 - 2.0 * t3) * b.y + (t3 - t2) * h * b.z;
}

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = (group.x + group.y * groups.x) * 256u + local;
    if i >= params.ends.w {
        return;
    }
    let x = vec3(pixels[3u * i], pixels[3u * i + 1u], pixels[3u * i + 2u]);
    let y = mixed(params.red, params.green, params.blue, x);
    let red_end = unspecialized(params.ends.x, group);
    let green_end = unspecialized(params.ends.y, group);
    let blue_end = unspecialized(params.ends.z, group);
    pixels[3u * i] = curve(y.x, 0u, red_end);
    pixels[3u * i + 1u] = curve(y.y, red_end, green_end);
    pixels[3u * i + 2u] = curve(y.z, green_end, blue_end);
}
