// SSIM, horizontal half of the local moments of one channel.
//
// Reads  rendered (planes of pitch × rows), targets (see common/loss_target).
// Writes moments: four planes, the blurs along x of a, t, a² + t² and a·t (a rendered, t target). SSIM needs no more.
// One invocation makes eight neighbors of a row. Values next to the border are wrong, and nobody uses them.
#import common/view
#import common/ssim_window
#import common/loss_target

@group(0) @binding(0) var<uniform> info: Channel;
@group(0) @binding(1) var<storage, read> rendered: array<vec4f>;
@group(0) @binding(2) var<storage, read> targets: array<TargetQuad>;
@group(0) @binding(3) var<storage, read_write> moments: array<vec4f>;

struct Eighteen { p: vec4f, q: vec4f, r: vec4f, s: vec4f, t: vec4f }

// From six quads in a row the eighteen values that the eight pixels of the third and fourth need.
fn shifted(v0: vec4f, v1: vec4f, v2: vec4f, v3: vec4f, v4: vec4f, v5: vec4f) -> Eighteen {
    return Eighteen(
        vec4f(v0.w, v1.xyz), vec4f(v1.w, v2.xyz), vec4f(v2.w, v3.xyz), vec4f(v3.w, v4.xyz), vec4f(v4.w, v5.x, 0.0, 0.0));
}

fn target_quad(quad: u32) -> vec4f {
    return quad_value(targets[quad], info.channel);
}

fn rendered_quad(plane: u32, quad: u32) -> vec4f {
#ifdef MASKED
    return rendered[plane + quad] * quad_value(targets[quad], WEIGHTS);
#else
    return rendered[plane + quad];
#endif
}

fn store(plane: u32, at: u32, v: Eighteen) {
    let first = plane * (info.pitch / 4u) * info.rows + at;
    moments[first] = blur(v.p, v.q, v.r, v.s);
    moments[first + 1u] = blur(v.q, v.r, v.s, v.t);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let index = linear_id(id, groups, 64u);
    let per_row = info.pitch / 8u;
    let y = index / per_row;
    if y >= info.height { return; }
    let k = 2u * (index - y * per_row);
    let at = y * (info.pitch / 4u) + k;
    let last = info.pitch / 4u - 1u;
    let row = y * (info.pitch / 4u);
    let i0 = row + u32(max(i32(k) - 2, 0));
    let i1 = row + u32(max(i32(k) - 1, 0));
    let i4 = row + min(k + 2u, last);
    let i5 = row + min(k + 3u, last);
    let quads = info.rows * (info.pitch / 4u);
    let plane = info.channel * quads;
    let a = shifted(
        rendered_quad(plane, i0), rendered_quad(plane, i1), rendered_quad(plane, at), rendered_quad(plane, at + 1u),
        rendered_quad(plane, i4), rendered_quad(plane, i5));
    let first = target_plane(info.channel, quads);
    let t = shifted(
        target_quad(first + i0), target_quad(first + i1), target_quad(first + at), target_quad(first + at + 1u),
        target_quad(first + i4), target_quad(first + i5));
    store(0u, at, a);
    store(1u, at, t);
    store(2u, at, Eighteen(
        a.p * a.p + t.p * t.p, a.q * a.q + t.q * t.q, a.r * a.r + t.r * t.r, a.s * a.s + t.s * t.s, a.t * a.t + t.t * t.t));
    store(3u, at, Eighteen(a.p * t.p, a.q * t.q, a.r * t.r, a.s * t.s, a.t * t.t));
}
