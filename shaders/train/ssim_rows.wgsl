// SSIM, first of four kernels: blurs the moments of one channel along rows.
// One invocation a quad of four pixels. Reads rendered (planes) and target; writes moments: planes of
// E[x], E[t], E[x² + t²], E[x t] (x rendered, t target).
#import common/view
#import common/gaussian11
#import common/loss_size
#import common/loss_target

@group(0) @binding(0) var<uniform> size: Size;
@group(0) @binding(1) var<storage, read> rendered: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> moments: array<vec4f>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let i = linear_id(id, groups, 64u);
    if i >= size.quads * size.height { return; }
    let y = i / size.quads;
    let quad = i % size.quads;
    let plane = size.quads * size.rows;
    let first = size.channel * plane;
    let ia = quad_index(size, quad, -2, y);
    let ib = quad_index(size, quad, -1, y);
    let id1 = quad_index(size, quad, 1, y);
    let ie = quad_index(size, quad, 2, y);
    let xa = rendered[first + ia];
    let xb = rendered[first + ib];
    let xc = rendered[first + i];
    let xd = rendered[first + id1];
    let xe = rendered[first + ie];
    let ta = target_quad(size, ia);
    let tb = target_quad(size, ib);
    let tc = target_quad(size, i);
    let td = target_quad(size, id1);
    let te = target_quad(size, ie);
    moments[i] = blur_row(xa, xb, xc, xd, xe);
    moments[plane + i] = blur_row(ta, tb, tc, td, te);
    moments[2u * plane + i] =
        blur_row(xa * xa + ta * ta, xb * xb + tb * tb, xc * xc + tc * tc, xd * xd + td * td, xe * xe + te * te);
    moments[3u * plane + i] = blur_row(xa * ta, xb * tb, xc * tc, xd * td, xe * te);
}
