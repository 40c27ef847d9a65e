// The gradient of the loss with respect to one channel of the rendered image.
//
// Reads  blurred (three planes, see ssim_rows_backward), rendered, targets.
// Writes v_image (three planes; 0 in the padding): l1_scale · sign(a − t) + blur(∂a) + 2a · blur(∂a²) + t · blur(∂a·t), and
//        sums[channel * groups + workgroup]: |a − t| summed over the workgroup.
// One invocation makes eight neighbors of a column.
#import common/view
#import common/ssim_window
#import common/loss_target
#import common/workgroup_sum

@group(0) @binding(0) var<uniform> info: Channel;
@group(0) @binding(1) var<storage, read> blurred: array<f32>;
@group(0) @binding(2) var<storage, read> rendered: array<f32>;
@group(0) @binding(3) var<storage, read> targets: array<TargetPixel>;
@group(0) @binding(4) var<storage, read_write> v_image: array<f32>;
@group(0) @binding(5) var<storage, read_write> sums: array<f32>;

struct Eight { low: vec4f, high: vec4f }

// Rows past either end repeat a border, which is zero.
fn load(plane: u32, x: u32, y: i32) -> f32 {
    return blurred[plane + u32(clamp(y, 0, i32(info.rows) - 1)) * info.pitch + x];
}

fn four(plane: u32, x: u32, y: i32) -> vec4f {
    return vec4f(load(plane, x, y), load(plane, x, y + 1), load(plane, x, y + 2), load(plane, x, y + 3));
}

fn column(plane: u32, x: u32, y: i32) -> Eight {
    let p = four(plane, x, y - 5);
    let q = four(plane, x, y - 1);
    let r = four(plane, x, y + 3);
    let s = four(plane, x, y + 7);
    let t = vec4f(load(plane, x, y + 11), load(plane, x, y + 12), 0.0, 0.0);
    return Eight(blur(p, q, r, s), blur(q, r, s, t));
}

fn target_at(x: u32, y: u32) -> f32 {
    let first = target_plane(info.channel, info.pitch * info.rows);
    return pixel_value(targets[first + y * info.pitch + x], info.channel);
}

#ifdef MASKED
fn weight_at(x: u32, y: u32) -> f32 {
    return pixel_value(targets[y * info.pitch + x], WEIGHTS);
}
#endif

// Stores the gradient of four rows and returns their absolute differences.
fn finish(x: u32, y: u32, by_mean: vec4f, by_square: vec4f, by_product: vec4f) -> vec4f {
    let first = (info.channel * info.rows + y) * info.pitch + x;
    let rows = vec4(y, y + 1u, y + 2u, y + 3u);
    var a = vec4f(rendered[first], rendered[first + info.pitch], rendered[first + 2u * info.pitch], rendered[first + 3u * info.pitch]);
    let t = vec4f(target_at(x, y), target_at(x, y + 1u), target_at(x, y + 2u), target_at(x, y + 3u));
#ifdef MASKED
    let weight = vec4f(weight_at(x, y), weight_at(x, y + 1u), weight_at(x, y + 2u), weight_at(x, y + 3u));
    a *= weight;
#endif
    let difference = a - t;
    let inside = (rows < vec4(info.height)) & vec4(x < info.width);
    var v = info.l1_scale * sign(difference) + by_mean + 2.0 * a * by_square + t * by_product;
#ifdef MASKED
    v *= weight;
#endif
    let kept = select(vec4f(), v, inside);
    v_image[first] = kept.x;
    v_image[first + info.pitch] = kept.y;
    v_image[first + 2u * info.pitch] = kept.z;
    v_image[first + 3u * info.pitch] = kept.w;
    return select(vec4f(), abs(difference), inside);
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
        let by_mean = column(0u, x, i32(y));
        let by_square = column(plane, x, i32(y));
        let by_product = column(2u * plane, x, i32(y));
        let low = finish(x, y, by_mean.low, by_square.low, by_product.low);
        let high = finish(x, y + 4u, by_mean.high, by_square.high, by_product.high);
        sum = dot(low + high, vec4f(1.0));
    }
    let total = workgroup_sum(local, sum);
    let group = index / 64u;
    if local == 0u && group < info.groups {
        sums[info.channel * info.groups + group] = total;
    }
}
