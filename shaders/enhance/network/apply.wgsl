// The lit image from the maps: clamp(low·mul + add + high, 0, 1), where low = gauss5×5(σ = 1, zero padding)(lit) and
// high = lit − low.
// Reads `lit` [rows][width][3] (rows of a larger image from `lit_first` on, two more than are made on either side where
// there are some) and `maps` [map_rows][map_width] (mul, add; rows from `map_first` on); writes `result`
// [result_rows][width][3], rows from `result_first` on. An invocation makes one pixel.
// With GUIDED the maps are smaller than the image: every pixel takes the mean of the 3×3 nearest samples, weighted by a
// quadratic B-spline in space and by how near the sample's color in `guide` [map_rows][map_width][3] is to the
// pixel's smoothed color (joint bilateral upsampling, Kopf et al. 2007).

struct Params {
    width: u32,
    height: u32, // of the whole image
    lit_first: u32,
    lit_rows: u32,
    result_first: u32,
    result_rows: u32,
    map_width: u32,
    map_height: u32, // of the whole map
    map_first: u32,
    padding: u32,
    scale: vec2f, // map size / image size, in x and y
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> lit: array<f32>;
@group(0) @binding(2) var<storage, read> maps: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> result: array<f32>;
#ifdef GUIDED
@group(0) @binding(4) var<storage, read> guide: array<f32>;
#endif

fn pixel(x: u32, row: u32) -> vec3f {
    let at = 3u * (row * params.width + x);
    return vec3f(lit[at], lit[at + 1u], lit[at + 2u]);
}

// Gaussian 5×5 around (x, y), rows of the whole image.
fn smooth_pixel(x: u32, y: u32) -> vec3f {
    let taps = array<f32, 5>(TAP_2, TAP_1, TAP_0, TAP_1, TAP_2);
    var sum = vec3f();
    for (var j = 0u; j < 5u; j++) {
        let row = y + j - 2u - params.lit_first; // wraps above the first row, which is then beyond the last
        var line = vec3f();
        for (var i = 0u; i < 5u; i++) {
            let column = x + i - 2u;
            if row < params.lit_rows && column < params.width {
                line += taps[i] * pixel(column, row);
            }
        }
        sum += taps[j] * line;
    }
    return sum;
}

#ifdef GUIDED
// Weights of the samples before, at and after the nearest one, `d` from it.
fn spline(d: f32) -> vec3f {
    return vec3f(0.5 * (0.5 - d) * (0.5 - d), 0.75 - d * d, 0.5 * (0.5 + d) * (0.5 + d));
}

fn map_at(x: u32, y: u32, color: vec3f) -> vec4f {
    let u = (f32(x) + 0.5) * params.scale.x - 0.5;
    let v = (f32(y) + 0.5) * params.scale.y - 0.5;
    let near = vec2i(i32(round(u)), i32(round(v)));
    let wx = spline(u - f32(near.x));
    let wy = spline(v - f32(near.y));
    var sum = vec4f();
    var weight = 0.0;
    for (var j = 0; j < 3; j++) {
        let row = u32(clamp(near.y + j - 1, 0, i32(params.map_height) - 1)) - params.map_first;
        for (var i = 0; i < 3; i++) {
            let column = u32(clamp(near.x + i - 1, 0, i32(params.map_width) - 1));
            let at = row * params.map_width + column;
            let d = vec3f(guide[3u * at], guide[3u * at + 1u], guide[3u * at + 2u]) - color;
            // Never all 0: far colors on every side leave the spatial weights.
            let w = wx[i] * wy[j] * (exp(-dot(d, d) * RANGE) + 1e-4);
            sum += w * maps[at];
            weight += w;
        }
    }
    return sum / weight;
}
#else
fn map_at(x: u32, y: u32, color: vec3f) -> vec4f {
    return maps[(y - params.map_first) * params.map_width + x];
}
#endif

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group_id: vec3u,
    @builtin(num_workgroups) group_count: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let i = (group_id.x + group_id.y * group_count.x) * 64u + local;
    if i >= params.width * params.result_rows {
        return;
    }
    let x = i % params.width;
    let y = params.result_first + i / params.width;
    let all = pixel(x, y - params.lit_first);
    let low = smooth_pixel(x, y);
    let map = map_at(x, y, low);
    let sum = low * map.x + map.yzw + (all - low);
    // Written so that NaN becomes 0.
    let safe = select(vec3f(), min(sum, vec3f(1.0)), sum > vec3f());
    result[3u * i] = safe.x;
    result[3u * i + 1u] = safe.y;
    result[3u * i + 2u] = safe.z;
}
