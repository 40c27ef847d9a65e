// The 11-tap Gaussian window of SSIM over four neighbors of a column at once, and the layout of the loss kernels.
// The weights W0 (outermost) to W5 (center) come from Rust.
//
// A workgroup owns a line of 64 neighboring columns of one channel and walks down a strip of rows, four at a time. What it
// blurs down a column it keeps in registers, the windows of four rows at a time; then it blurs along the line. Five columns
// on either side have no whole window there and belong to the neighboring lines.
// With TALL eight lanes own eight columns each, and columns go from lane to lane: lavapipe pays for every load and store of
// a lane as for about eighty instructions, whether in device or in workgroup memory. Else a thread owns one column and a row goes
// through workgroup memory.
#import common/loss_target

const LINE = 64u;
const LINE_OUTPUTS = 54u;

// The size of the image and of the lines (Rust twin: train::loss::Layout).
struct Layout {
    width: u32,
    height: u32,
    pitch: u32,       // row stride of planes: width rounded up to whole tiles
    rows: u32,        // rows of planes: height rounded up to whole tiles
    l1_scale: f32,    // ∂loss/∂|difference| of one pixel and channel
    ssim_scale: f32,  // ∂loss/∂SSIM of one interior pixel and channel
    lines: u32,       // lines side by side, of windows
    lines_back: u32,  // and of pixels
}

// What a workgroup works on: the channel, its first column, and its rows.
struct Strip {
    channel: u32,
    x: i32,
    first: i32,
    end: i32,
}

fn strip_of(group: u32, lines: u32, margin: i32, height: u32) -> Strip {
    let line = group / 3u;
    let first = margin + i32((line / lines) * STRIP);
    let end = min(first + i32(STRIP), i32(height) - margin);
    return Strip(group % 3u, i32((line % lines) * LINE_OUTPUTS) + margin - 5, first, end);
}

// Outputs 0..4 of the window over 14 values in a row: p, q, r and the first two of s.
fn blur(p: vec4f, q: vec4f, r: vec4f, s: vec4f) -> vec4f {
    var b = W5 * vec4f(q.yzw, r.x);
    b = fma(vec4f(W4), q + vec4f(q.zw, r.xy), b);
    b = fma(vec4f(W3), vec4f(p.w, q.xyz) + vec4f(q.w, r.xyz), b);
    b = fma(vec4f(W2), vec4f(p.zw, q.xy) + r, b);
    b = fma(vec4f(W1), vec4f(p.yzw, q.x) + vec4f(r.yzw, s.x), b);
    return fma(vec4f(W0), p + vec4f(r.zw, s.xy), b);
}

// The window across eleven columns.
fn taps(a: vec4f, b: vec4f, c: vec4f, d: vec4f, e: vec4f, f: vec4f, g: vec4f, h: vec4f, i: vec4f, j: vec4f, k: vec4f) -> vec4f {
    return fma(vec4f(W0), a + k, fma(vec4f(W1), b + j, fma(vec4f(W2), c + i, fma(vec4f(W3), d + h, fma(vec4f(W4), e + g, W5 * f)))));
}

#ifdef TALL
const LOSS_THREADS = 8u;
const OWN = 8u;

// Four rows of the columns of a thread.
struct Columns { c0: vec4f, c1: vec4f, c2: vec4f, c3: vec4f, c4: vec4f, c5: vec4f, c6: vec4f, c7: vec4f }

fn squares(a: Columns, t: Columns) -> Columns {
    return Columns(
        a.c0 * a.c0 + t.c0 * t.c0, a.c1 * a.c1 + t.c1 * t.c1, a.c2 * a.c2 + t.c2 * t.c2, a.c3 * a.c3 + t.c3 * t.c3,
        a.c4 * a.c4 + t.c4 * t.c4, a.c5 * a.c5 + t.c5 * t.c5, a.c6 * a.c6 + t.c6 * t.c6, a.c7 * a.c7 + t.c7 * t.c7);
}

fn products(a: Columns, t: Columns) -> Columns {
    return Columns(a.c0 * t.c0, a.c1 * t.c1, a.c2 * t.c2, a.c3 * t.c3, a.c4 * t.c4, a.c5 * t.c5, a.c6 * t.c6, a.c7 * t.c7);
}

fn down(p: Columns, q: Columns, r: Columns, s: Columns) -> Columns {
    return Columns(
        blur(p.c0, q.c0, r.c0, s.c0), blur(p.c1, q.c1, r.c1, s.c1), blur(p.c2, q.c2, r.c2, s.c2), blur(p.c3, q.c3, r.c3, s.c3),
        blur(p.c4, q.c4, r.c4, s.c4), blur(p.c5, q.c5, r.c5, s.c5), blur(p.c6, q.c6, r.c6, s.c6), blur(p.c7, q.c7, r.c7, s.c7));
}

fn along(v: Columns, lane: u32, slot: u32) -> Columns {
    let left = max(lane, 1u) - 1u;
    let a = subgroupShuffle(v.c3, left);
    let b = subgroupShuffle(v.c4, left);
    let c = subgroupShuffle(v.c5, left);
    let d = subgroupShuffle(v.c6, left);
    let e = subgroupShuffle(v.c7, left);
    let right = min(lane + 1u, 7u);
    let n = subgroupShuffle(v.c0, right);
    let o = subgroupShuffle(v.c1, right);
    let p = subgroupShuffle(v.c2, right);
    let q = subgroupShuffle(v.c3, right);
    let r = subgroupShuffle(v.c4, right);
    return Columns(
        taps(a, b, c, d, e, v.c0, v.c1, v.c2, v.c3, v.c4, v.c5),
        taps(b, c, d, e, v.c0, v.c1, v.c2, v.c3, v.c4, v.c5, v.c6),
        taps(c, d, e, v.c0, v.c1, v.c2, v.c3, v.c4, v.c5, v.c6, v.c7),
        taps(d, e, v.c0, v.c1, v.c2, v.c3, v.c4, v.c5, v.c6, v.c7, n),
        taps(e, v.c0, v.c1, v.c2, v.c3, v.c4, v.c5, v.c6, v.c7, n, o),
        taps(v.c0, v.c1, v.c2, v.c3, v.c4, v.c5, v.c6, v.c7, n, o, p),
        taps(v.c1, v.c2, v.c3, v.c4, v.c5, v.c6, v.c7, n, o, p, q),
        taps(v.c2, v.c3, v.c4, v.c5, v.c6, v.c7, n, o, p, q, r),
    );
}

fn line_sum(value: vec4f, lane: u32) -> f32 {
    var sum = dot(value, vec4f(1.0));
    sum += subgroupShuffleXor(sum, 1u);
    sum += subgroupShuffleXor(sum, 2u);
    return sum + subgroupShuffleXor(sum, 4u);
}
#else
#import common/workgroup_sum
const LOSS_THREADS = 64u;
const OWN = 1u;

struct Columns { c0: vec4f }

// Two rows of vectors, used in turns: a row is written only after the barrier that follows all reads of it.
var<workgroup> line_items: array<vec4f, 128>;

fn squares(a: Columns, t: Columns) -> Columns {
    return Columns(a.c0 * a.c0 + t.c0 * t.c0);
}

fn products(a: Columns, t: Columns) -> Columns {
    return Columns(a.c0 * t.c0);
}

fn down(p: Columns, q: Columns, r: Columns, s: Columns) -> Columns {
    return Columns(blur(p.c0, q.c0, r.c0, s.c0));
}

// From uniform control flow, with `slot` 0 and 1 in turns.
fn along(v: Columns, thread: u32, slot: u32) -> Columns {
    let row = LINE * slot;
    line_items[row + thread] = v.c0;
    workgroupBarrier();
    let c = row + clamp(thread, 5u, LINE - 6u);
    return Columns(taps(
        line_items[c - 5u], line_items[c - 4u], line_items[c - 3u], line_items[c - 2u], line_items[c - 1u], line_items[c],
        line_items[c + 1u], line_items[c + 2u], line_items[c + 3u], line_items[c + 4u], line_items[c + 5u]));
}

fn line_sum(value: vec4f, thread: u32) -> f32 {
    return workgroup_sum(thread, dot(value, vec4f(1.0)));
}
#endif

// Whether a column of the line, counted from its first, has a whole window in it.
fn has_window(column: u32) -> bool {
    return column >= 5u && column < LINE - 5u;
}
