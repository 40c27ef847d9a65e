// Draws the outline of each splat, front to back: the ellipse of two standard deviations, or the edge of what is drawn
// of the splat where that is smaller, over a faint fill.
// One workgroup of 64 threads per tile of 16 × 16 pixels, four pixels in a row per thread. Reads projected, colors, pair_slots and
// tile_ranges; writes image: planes of vec4f quads as raster_forward, with the depth.
// Cost per pair and thread: 12 loads; per pixel: 5 stores.
#import common/view
#import common/projected
#import common/footprint
#import common/tile_pixels

// Half the squared Mahalanobis distance of the outline.
const OUTLINE = 2.0;
const LINE_ALPHA = 0.85;
const FILL_ALPHA = 0.04;
// Half the line's width in pixels; the edge fades over one pixel.
const HALF_WIDTH = 0.6;
// A loop must end on drivers that count iterations.
const MOST_SPLATS = 60000u;

@group(0) @binding(0) var<uniform> view: View;
@group(0) @binding(1) var<storage, read> projected: array<vec4f>;
@group(0) @binding(2) var<storage, read> colors: array<vec4f>;
@group(0) @binding(3) var<storage, read> pair_slots: array<u32>;
@group(0) @binding(4) var<storage, read> tile_ranges: array<vec2u>;
@group(0) @binding(5) var<storage, read_write> image: array<vec4f>;

// Opacity of the outline's line and fill at four pixels in a row, dx and dy from the mean.
fn outline(conic: vec3f, limit: f32, dx: vec4f, dy: f32) -> vec4f {
    let power = max(dx * (0.5 * conic.x * dx + conic.y * dy) + 0.5 * conic.z * dy * dy, vec4f(1e-12));
    let edge = min(limit, OUTLINE);
    let gx = conic.x * dx + conic.y * dy;
    let gy = conic.y * dx + conic.z * dy;
    // Distance to the ellipse in pixels, to first order: the root of the power grows like the radius.
    let radius = sqrt(power);
    let distance = abs(radius - sqrt(edge)) * 2.0 * radius * inverseSqrt(max(gx * gx + gy * gy, vec4f(1e-12)));
    let line = LINE_ALPHA * clamp(HALF_WIDTH + 0.5 - distance, vec4f(0.0), vec4f(1.0));
    return max(line, select(vec4f(0.0), vec4f(FILL_ALPHA), power <= vec4f(edge)));
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) thread: u32,
) {
    let tile = group.x + group.y * groups.x;
    if tile >= view.tiles.x * view.tiles.y { return; }
    let corner = TILE * vec2u(tile % view.tiles.x, tile / view.tiles.x) + quad_origin(thread);
    let pixel = vec2f(corner) + 0.5;
    let quad = (corner.y * view.tiles.x * TILE + corner.x) / 4u;
    let plane = view.tiles.x * view.tiles.y * TILE * TILE / 4u;
    let range = tile_ranges[tile];
    var transmittance = vec4f(1.0);
    var red = vec4f(0.0);
    var green = vec4f(0.0);
    var blue = vec4f(0.0);
    var depth = vec4f(0.0);
    for (var i = range.x; i < min(range.y, range.x + MOST_SPLATS); i++) {
        let slot = pair_slots[i];
        let center = projected[PROJECTED_STRIDE * slot];
        let conic = projected[PROJECTED_STRIDE * slot + 1u].xyz;
        let color = colors[slot];
        let dx = vec4f(0.0, 1.0, 2.0, 3.0) + (pixel.x - center.x);
        let alpha = outline(conic, center.w, dx, pixel.y - center.y);
        let weight = alpha * transmittance;
        transmittance -= weight;
        red += color.x * weight;
        green += color.y * weight;
        blue += color.z * weight;
        depth += color.w * weight;
        if all(transmittance < vec4f(0.01)) { break; }
    }
    image[quad] = red + transmittance * view.background.x;
    image[quad + plane] = green + transmittance * view.background.y;
    image[quad + 2u * plane] = blue + transmittance * view.background.z;
    image[quad + 3u * plane] = transmittance;
    image[quad + 4u * plane] = depth;
}
