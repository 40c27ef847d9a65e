// Planes of a view at another size, and their cost there.
//
// One invocation per pixel. Reads coarse (planes of the smaller picture) and images; writes planes: of each pixel the
// plane of the coarse pixel it lies in, extrapolated to it.
#import common/patch_match

@group(0) @binding(2) var<storage, read_write> planes: array<vec4f>;
@group(0) @binding(3) var<storage, read> coarse: array<vec4f>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let index = linear_id(id, groups, 64u);
    if index >= search.size.x * search.size.y { return; }
    let pixel = vec2u(index % search.size.x, index / search.size.x);
    let scale = vec2f(search.coarse) / vec2f(search.size);
    let place = (vec2f(pixel) + 0.5) * scale;
    let from_pixel = min(vec2u(place), search.coarse - 1u);
    let source = coarse[from_pixel.y * search.coarse.x + from_pixel.x];
    let w = source.x + dot(source.yz, place - vec2f(from_pixel) - 0.5);
    let own = vec3f(clamp(w, search.range.x, search.range.y), source.yz * scale);
    take_patch(pixel, id);
    planes[index] = vec4f(own, plane_cost(pixel, own));
}
