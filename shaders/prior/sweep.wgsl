// First planes of a view: of a number of inverse depths, evenly spaced over the range, the one of the least cost, as a
// plane parallel to the picture (Collins 1996).
//
// One invocation per pixel. Reads images (see common/patch_match); writes planes: (w, dw/dx, dw/dy, cost) per pixel.
#import common/patch_match

@group(0) @binding(2) var<storage, read_write> planes: array<vec4f>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let index = linear_id(id, groups, 64u);
    if index >= search.size.x * search.size.y { return; }
    let pixel = vec2u(index % search.size.x, index / search.size.x);
    take_patch(pixel, id);
    var best = vec4f(search.range.x, 0.0, 0.0, UNSEEN);
    let steps = unspecialized(search.steps, id);
    for (var k = 0u; k < steps; k++) {
        let w = mix(search.range.x, search.range.y, (f32(k) + 0.5) / f32(search.steps));
        let cost = plane_cost(pixel, vec3f(w, 0.0, 0.0));
        if cost < best.w { best = vec4f(w, 0.0, 0.0, cost); }
    }
    planes[index] = best;
}
