// Gradient of the mean squared error of a rendered view, as raster_backward takes it: ∂L/∂(red, green, blue, alpha).
// One invocation per four pixels in a row. Reads image and goal (planes of raster_forward, the fourth of them transmittance,
// which is compared, too); writes v_image, zero where tiles reach beyond the picture.
// Cost per pixel: 8 loads, 4 stores.
#import common/view
#import common/footprint

@group(0) @binding(0) var<uniform> view: View;
@group(0) @binding(1) var<storage, read> image: array<vec4f>;
@group(0) @binding(2) var<storage, read> goal: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> v_image: array<vec4f>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let quad = linear_id(id, groups, 64u);
    let pitch = view.tiles.x * TILE / 4u;
    let plane = view.tiles.y * TILE * pitch;
    if quad >= plane { return; }
    let corner = vec2u(4u * (quad % pitch), quad / pitch);
    let inside = (vec4u(corner.x) + vec4u(0u, 1u, 2u, 3u) < vec4u(view.size.x)) & vec4<bool>(corner.y < view.size.y);
    let scale = 2.0 / f32(4u * view.size.x * view.size.y);
    for (var channel = 0u; channel < 4u; channel++) {
        let at = quad + channel * plane;
        // α = 1 − T.
        let sign = select(scale, -scale, channel == 3u);
        v_image[at] = select(vec4f(0.0), sign * (image[at] - goal[at]), inside);
    }
}
