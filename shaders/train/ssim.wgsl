// SSIM and its derivatives by the local moments of both pictures, all three channels.
//
// Reads  rendered (planes of pitch × rows), targets (see common/loss_target).
// Writes partials: three planes per channel, ∂loss/∂(blur of a), ∂loss/∂(blur of a²) and ∂loss/∂(blur of a·t) (a rendered, t
//        target), at the centers of windows that lie inside the image (elsewhere it must be zero), and
//        sums[workgroup]: SSIM summed over the workgroup.
// Cost per pixel and channel: 2 loads and 3 stores, 44 multiply-adds down and 44 along, both 1.2 times (borders of lines) and
// the loads (STRIP + 12) / STRIP times (of strips).
#import common/ssim_window

@group(0) @binding(0) var<uniform> info: Layout;
@group(0) @binding(1) var<storage, read> rendered: array<f32>;
@group(0) @binding(2) var<storage, read> targets: array<TargetPixel>;
@group(0) @binding(3) var<storage, read_write> partials: array<f32>;
@group(0) @binding(4) var<storage, read_write> sums: array<f32>;

// (K1 · range)² and (K2 · range)² for the range 1 (Wang et al. 2004).
const C1 = 0.0001;
const C2 = 0.0009;

// Both pictures.
struct Pair { a: Columns, t: Columns }

struct Quads { a: vec4f, t: vec4f }

fn load_column(strip: Strip, x: i32, y: i32) -> Quads {
    let column = u32(clamp(x, 0, i32(info.pitch) - 1));
    let last = i32(info.rows) - 1;
    let at = vec4u(min(vec4i(y, y + 1, y + 2, y + 3), vec4i(last))) * info.pitch + column;
    let plane = info.pitch * info.rows;
    let first = strip.channel * plane;
    var a = vec4f(rendered[first + at.x], rendered[first + at.y], rendered[first + at.z], rendered[first + at.w]);
    let of_target = target_plane(strip.channel, plane);
    let p0 = targets[of_target + at.x];
    let p1 = targets[of_target + at.y];
    let p2 = targets[of_target + at.z];
    let p3 = targets[of_target + at.w];
    let c = strip.channel;
    let t = vec4f(pixel_value(p0, c), pixel_value(p1, c), pixel_value(p2, c), pixel_value(p3, c));
#ifdef MASKED
    a *= vec4f(pixel_value(p0, WEIGHTS), pixel_value(p1, WEIGHTS), pixel_value(p2, WEIGHTS), pixel_value(p3, WEIGHTS));
#endif
    return Quads(a, t);
}

#ifdef TALL
fn load(strip: Strip, x: i32, y: i32) -> Pair {
    let c0 = load_column(strip, x, y);
    let c1 = load_column(strip, x + 1, y);
    let c2 = load_column(strip, x + 2, y);
    let c3 = load_column(strip, x + 3, y);
    let c4 = load_column(strip, x + 4, y);
    let c5 = load_column(strip, x + 5, y);
    let c6 = load_column(strip, x + 6, y);
    let c7 = load_column(strip, x + 7, y);
    return Pair(Columns(c0.a, c1.a, c2.a, c3.a, c4.a, c5.a, c6.a, c7.a), Columns(c0.t, c1.t, c2.t, c3.t, c4.t, c5.t, c6.t, c7.t));
}
#else
fn load(strip: Strip, x: i32, y: i32) -> Pair {
    let c = load_column(strip, x, y);
    return Pair(Columns(c.a), Columns(c.t));
}
#endif

fn store(first: u32, rows: vec4<bool>, v: vec4f) {
    if rows.x { partials[first] = v.x; }
    if rows.y { partials[first + info.pitch] = v.y; }
    if rows.z { partials[first + 2u * info.pitch] = v.z; }
    if rows.w { partials[first + 3u * info.pitch] = v.w; }
}

// The index and its derivatives of four rows, from E[a], E[t], E[a² + t²], E[a·t]; stores the derivatives, returns the index.
fn ssim(strip: Strip, column: u32, y: i32, mean_a: vec4f, mean_t: vec4f, squares: vec4f, product: vec4f) -> vec4f {
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

    let x = strip.x + i32(column);
    let inside = (vec4i(y, y + 1, y + 2, y + 3) < vec4i(strip.end)) & vec4<bool>(has_window(column) && x + 5 < i32(info.width));
    let plane = info.pitch * info.rows;
    let first = 3u * strip.channel * plane + u32(y) * info.pitch + u32(x);
    store(first, inside, info.ssim_scale * by_mean);
    store(first + plane, inside, info.ssim_scale * by_square);
    store(first + 2u * plane, inside, info.ssim_scale * by_product);
    return select(vec4f(), index, inside);
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
    // The surplus of a folded dispatch has no rows.
    let strip = strip_of(group, info.lines, 5, info.height);
    let own = OWN * thread;
    let x = strip.x + i32(own);
    var p = load(strip, x, strip.first - 5);
    var q = load(strip, x, strip.first - 1);
    var r = load(strip, x, strip.first + 3);
    var sum = vec4f();
    for (var y = strip.first; y < strip.end; y += 4) {
        let s = load(strip, x, y + 7);
        let a = along(down(p.a, q.a, r.a, s.a), thread, 0u);
        let t = along(down(p.t, q.t, r.t, s.t), thread, 1u);
        let ss = along(
            down(squares(p.a, p.t), squares(q.a, q.t), squares(r.a, r.t), squares(s.a, s.t)), thread, 0u);
        let at = along(
            down(products(p.a, p.t), products(q.a, q.t), products(r.a, r.t), products(s.a, s.t)), thread, 1u);
        sum += ssim(strip, own, y, a.c0, t.c0, ss.c0, at.c0);
#ifdef TALL
        sum += ssim(strip, own + 1u, y, a.c1, t.c1, ss.c1, at.c1);
        sum += ssim(strip, own + 2u, y, a.c2, t.c2, ss.c2, at.c2);
        sum += ssim(strip, own + 3u, y, a.c3, t.c3, ss.c3, at.c3);
        sum += ssim(strip, own + 4u, y, a.c4, t.c4, ss.c4, at.c4);
        sum += ssim(strip, own + 5u, y, a.c5, t.c5, ss.c5, at.c5);
        sum += ssim(strip, own + 6u, y, a.c6, t.c6, ss.c6, at.c6);
        sum += ssim(strip, own + 7u, y, a.c7, t.c7, ss.c7, at.c7);
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
