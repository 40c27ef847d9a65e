// The gradient of the loss with respect to the rendered image: all three channels, and alpha, on which it does not depend.
//
// Reads  partials (three planes per channel, see ssim), rendered, targets.
// Writes v_image (three planes; 0 in the padding): l1_scale · sign(a − t) + blur(∂a) + 2a · blur(∂a²) + t · blur(∂a·t), the
//        fourth plane: 0, since its readers would find another image's colors there, and sums[workgroup]: |a − t| summed over
//        the workgroup.
// Cost per pixel and channel: 3 loads of partials (1.2 × (STRIP + 12) / STRIP times), 2 loads and 1 store (of one channel 2),
// 33 multiply-adds down and 33 along.
#import common/ssim_window

@group(0) @binding(0) var<uniform> info: Layout;
@group(0) @binding(1) var<storage, read> partials: array<f32>;
@group(0) @binding(2) var<storage, read> rendered: array<f32>;
@group(0) @binding(3) var<storage, read> targets: array<TargetPixel>;
@group(0) @binding(4) var<storage, read_write> v_image: array<f32>;
@group(0) @binding(5) var<storage, read_write> sums: array<f32>;

struct Partials { mean: Columns, square: Columns, product: Columns }

// Places outside the image repeat a border, where there is no window: zero.
fn load_column(plane: u32, x: i32, y: i32) -> vec4f {
    let column = u32(clamp(x, 0, i32(info.pitch) - 1));
    let rows = vec4u(clamp(vec4i(y, y + 1, y + 2, y + 3), vec4i(0), vec4i(i32(info.rows) - 1)));
    let at = plane + rows * info.pitch + column;
    return vec4f(partials[at.x], partials[at.y], partials[at.z], partials[at.w]);
}

fn load_plane(plane: u32, x: i32, y: i32) -> Columns {
#ifdef TALL
    return Columns(
        load_column(plane, x, y), load_column(plane, x + 1, y), load_column(plane, x + 2, y), load_column(plane, x + 3, y),
        load_column(plane, x + 4, y), load_column(plane, x + 5, y), load_column(plane, x + 6, y), load_column(plane, x + 7, y));
#else
    return Columns(load_column(plane, x, y));
#endif
}

fn load(channel: u32, x: i32, y: i32) -> Partials {
    let plane = info.pitch * info.rows;
    let first = 3u * channel * plane;
    return Partials(load_plane(first, x, y), load_plane(first + plane, x, y), load_plane(first + 2u * plane, x, y));
}

// Stores the gradient of four rows and returns their absolute differences.
fn finish(strip: Strip, column: u32, y: i32, by_mean: vec4f, by_square: vec4f, by_product: vec4f) -> vec4f {
    let x = strip.x + i32(column);
    var sum = vec4f();
    if has_window(column) && x < i32(info.pitch) {
        let plane = info.pitch * info.rows;
        let at = u32(y) * info.pitch + u32(x) + vec4u(0u, 1u, 2u, 3u) * info.pitch;
        let own = strip.channel * plane + at;
        var a = vec4f(rendered[own.x], rendered[own.y], rendered[own.z], rendered[own.w]);
        let of_target = target_plane(strip.channel, plane) + at;
        let p0 = targets[of_target.x];
        let p1 = targets[of_target.y];
        let p2 = targets[of_target.z];
        let p3 = targets[of_target.w];
        let c = strip.channel;
        let t = vec4f(pixel_value(p0, c), pixel_value(p1, c), pixel_value(p2, c), pixel_value(p3, c));
#ifdef MASKED
        let weight = vec4f(
            pixel_value(p0, WEIGHTS), pixel_value(p1, WEIGHTS), pixel_value(p2, WEIGHTS), pixel_value(p3, WEIGHTS));
        a *= weight;
#endif
        let difference = a - t;
        let inside = (vec4i(y, y + 1, y + 2, y + 3) < vec4i(i32(info.height))) & vec4<bool>(x < i32(info.width));
        var v = info.l1_scale * sign(difference) + by_mean + 2.0 * a * by_square + t * by_product;
#ifdef MASKED
        v *= weight;
#endif
        let kept = select(vec4f(), v, inside);
        v_image[own.x] = kept.x;
        v_image[own.y] = kept.y;
        v_image[own.z] = kept.z;
        v_image[own.w] = kept.w;
        if strip.channel == 0u {
            let of_alpha = 3u * plane + at;
            v_image[of_alpha.x] = 0.0;
            v_image[of_alpha.y] = 0.0;
            v_image[of_alpha.z] = 0.0;
            v_image[of_alpha.w] = 0.0;
        }
        sum = select(vec4f(), abs(difference), inside);
    }
    return sum;
}

@compute @workgroup_size(LOSS_THREADS)
fn main(
    @builtin(workgroup_id) id: vec3u,
    @builtin(num_workgroups) groups: vec3u,
#ifdef TALL
    @builtin(subgroup_invocation_id) thread: u32,
#else
    @builtin(local_invocation_index) thread: u32,
#endif
) {
    let group = id.x + id.y * groups.x;
    // Rows of the padding, too: a multiple of four. The surplus of a folded dispatch has none.
    let strip = strip_of(group, info.lines_back, 0, info.rows);
    let own = OWN * thread;
    let x = strip.x + i32(own);
    var p = load(strip.channel, x, strip.first - 5);
    var q = load(strip.channel, x, strip.first - 1);
    var r = load(strip.channel, x, strip.first + 3);
    var sum = vec4f();
    for (var y = strip.first; y < strip.end; y += 4) {
        let s = load(strip.channel, x, y + 7);
        let m = along(down(p.mean, q.mean, r.mean, s.mean), thread, 0u);
        let d = along(down(p.square, q.square, r.square, s.square), thread, 1u);
        // Slot 0 again: everybody has read it who passed the barrier of slot 1.
        let c = along(down(p.product, q.product, r.product, s.product), thread, 0u);
        sum += finish(strip, own, y, m.c0, d.c0, c.c0);
#ifdef TALL
        sum += finish(strip, own + 1u, y, m.c1, d.c1, c.c1);
        sum += finish(strip, own + 2u, y, m.c2, d.c2, c.c2);
        sum += finish(strip, own + 3u, y, m.c3, d.c3, c.c3);
        sum += finish(strip, own + 4u, y, m.c4, d.c4, c.c4);
        sum += finish(strip, own + 5u, y, m.c5, d.c5, c.c5);
        sum += finish(strip, own + 6u, y, m.c6, d.c6, c.c6);
        sum += finish(strip, own + 7u, y, m.c7, d.c7, c.c7);
#else
        workgroupBarrier();
#endif
        p = q;
        q = r;
        r = s;
    }
    let total = line_sum(sum, thread);
    if thread == 0u && group < arrayLength(&sums) {
        sums[group] = total;
    }
}
