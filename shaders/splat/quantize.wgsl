// A render rounded to 8 bits for files: a third of the bytes to read back.
// One invocation per pixel. Reads image (the planes of raster_forward, tile-padded: red, green, blue over the background); writes
// picture [size]: red in the low byte, green, blue, and 0 in the high byte where a color is not finite, else 255.
// Cost per pixel: 3 loads and a store.
#import common/view
#import common/footprint
#import common/finite

@group(0) @binding(0) var<uniform> view: View;
@group(0) @binding(1) var<storage, read> image: array<f32>;
@group(0) @binding(2) var<storage, read_write> picture: array<u32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let i = linear_id(id, groups, 64u);
    if i >= view.size.x * view.size.y { return; }
    let at = (i / view.size.x) * view.tiles.x * TILE + i % view.size.x;
    let plane = view.tiles.x * view.tiles.y * TILE * TILE;
    let color = vec3f(image[at], image[plane + at], image[2u * plane + at]);
    let finite_color = vec3f(finite(color.x), finite(color.y), finite(color.z));
    // A finite color is itself, to the bit.
    let sound = all(bitcast<vec3u>(finite_color) == bitcast<vec3u>(color));
    picture[i] = pack4x8unorm(vec4f(finite_color, select(0.0, 1.0, sound)));
}
