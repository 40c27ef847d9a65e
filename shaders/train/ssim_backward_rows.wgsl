// SSIM, third of four kernels: blurs the partials of one channel along rows.
// One invocation a quad of four pixels. Reads partials; writes blurred, three planes.
#import common/view
#import common/gaussian11
#import common/loss_size

@group(0) @binding(0) var<uniform> size: Size;
@group(0) @binding(1) var<storage, read> partials: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> blurred: array<vec4f>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let i = linear_id(id, groups, 64u);
    let plane = size.quads * size.rows;
    if i >= plane { return; }
    let y = i / size.quads;
    let quad = i % size.quads;
    let ia = quad_index(size, quad, -2, y);
    let ib = quad_index(size, quad, -1, y);
    let id1 = quad_index(size, quad, 1, y);
    let ie = quad_index(size, quad, 2, y);
    blurred[i] = blur_row(partials[ia], partials[ib], partials[i], partials[id1], partials[ie]);
    blurred[plane + i] = blur_row(partials[plane + ia], partials[plane + ib], partials[plane + i], partials[plane + id1], partials[plane + ie]);
    blurred[2u * plane + i] = blur_row(partials[2u * plane + ia], partials[2u * plane + ib], partials[2u * plane + i], partials[2u * plane + id1], partials[2u * plane + ie]);
}
