// SSIM of one channel, from moments that are blurred along x: the vertical half, the index itself and its derivatives.
//
// Reads  moments (four planes, see ssim_rows).
// Writes partials: three planes, ∂loss/∂(blur of a), ∂loss/∂(blur of a²) and ∂loss/∂(blur of a·t), zero but for the interior
//        (5 pixels away from every border), and sums[channel * groups + workgroup]: SSIM summed over the workgroup.
// One invocation makes eight neighbors of a column.
#import common/view
#import common/ssim_window
#import common/workgroup_sum

@group(0) @binding(0) var<uniform> info: Channel;
@group(0) @binding(1) var<storage, read> moments: array<f32>;
@group(0) @binding(2) var<storage, read_write> partials: array<f32>;
@group(0) @binding(3) var<storage, read_write> sums: array<f32>;

// (K1 · range)² and (K2 · range)² for the range 1 (Wang et al. 2004).
const C1 = 0.0001;
const C2 = 0.0009;

struct Eight { low: vec4f, high: vec4f }

fn load(plane: u32, x: u32, y: i32) -> f32 {
    return moments[plane + u32(clamp(y, 0, i32(info.rows) - 1)) * info.pitch + x];
}

fn four(plane: u32, x: u32, y: i32) -> vec4f {
    return vec4f(load(plane, x, y), load(plane, x, y + 1), load(plane, x, y + 2), load(plane, x, y + 3));
}

fn blurred(plane: u32, x: u32, y: i32) -> Eight {
    let p = four(plane, x, y - 5);
    let q = four(plane, x, y - 1);
    let r = four(plane, x, y + 3);
    let s = four(plane, x, y + 7);
    let t = vec4f(load(plane, x, y + 11), load(plane, x, y + 12), 0.0, 0.0);
    return Eight(blur(p, q, r, s), blur(q, r, s, t));
}

fn store(first: u32, v: vec4f) {
    partials[first] = v.x;
    partials[first + info.pitch] = v.y;
    partials[first + 2u * info.pitch] = v.z;
    partials[first + 3u * info.pitch] = v.w;
}

// The index and its derivatives of four rows, from E[a], E[t], E[a² + t²], E[a·t].
fn ssim(x: u32, y: u32, mean_a: vec4f, mean_t: vec4f, squares: vec4f, product: vec4f) -> vec4f {
    let means = mean_a * mean_a + mean_t * mean_t;
    let numerator = vec4f(C2) + 2.0 * (product - mean_a * mean_t);
    let luminance = 2.0 * mean_a * mean_t + C1;
    let denominator = 1.0 / (squares - means + C2);
    let luminance_scale = 1.0 / (means + C1);
    let index = luminance * numerator * luminance_scale * denominator;

    let by_product = 2.0 * luminance * luminance_scale * denominator;
    let by_square = -index * denominator;
    let by_mean = 2.0 * (mean_t * numerator * luminance_scale * denominator - mean_a * index * luminance_scale)
        - 2.0 * mean_a * by_square - mean_t * by_product;

    let rows = vec4(y, y + 1u, y + 2u, y + 3u);
    let columns_inside = x >= 5u && x + 5u < info.width;
    let inside = (rows >= vec4(5u)) & (rows + 5u < vec4(info.height)) & vec4(columns_inside);
    let zero = vec4f();
    let plane = info.pitch * info.rows;
    let first = y * info.pitch + x;
    store(first, select(zero, info.ssim_scale * by_mean, inside));
    store(first + plane, select(zero, info.ssim_scale * by_square, inside));
    store(first + 2u * plane, select(zero, info.ssim_scale * by_product, inside));
    return select(zero, index, inside);
}

@compute @workgroup_size(64)
fn main(
    @builtin(global_invocation_id) id: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let index = linear_id(id, groups, 64u);
    let y = 8u * (index / info.pitch);
    let x = index % info.pitch;
    var sum = 0.0;
    if y < info.rows {
        let plane = info.pitch * info.rows;
        let mean_a = blurred(0u, x, i32(y));
        let mean_t = blurred(plane, x, i32(y));
        let squares = blurred(2u * plane, x, i32(y));
        let product = blurred(3u * plane, x, i32(y));
        let low = ssim(x, y, mean_a.low, mean_t.low, squares.low, product.low);
        let high = ssim(x, y + 4u, mean_a.high, mean_t.high, squares.high, product.high);
        sum = dot(low + high, vec4f(1.0));
    }
    let total = workgroup_sum(local, sum);
    let group = index / 64u;
    if local == 0u && group < info.groups {
        sums[info.channel * info.groups + group] = total;
    }
}
