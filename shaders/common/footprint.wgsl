// The drawn footprint of a projected splat: where opacity · exp(−power) ≥ 1/255.

const ALPHA_MIN = 1.0 / 255.0;
const ALPHA_MAX = 0.999;
const TRANSMITTANCE_MIN = 1e-4;
const TILE = 16u;

// Half the squared Mahalanobis distance at offset (dx, dy) from the mean, for the conic (xx, xy, yy).
fn power_at(conic: vec3f, d: vec2f) -> f32 {
    return 0.5 * (conic.x * d.x * d.x + conic.z * d.y * d.y) + conic.y * d.x * d.y;
}

// Smallest power over a box of pixel centers (low and high relative to the mean). Exact: the minimum of a convex
// quadratic outside of which its center lies is on an edge that faces the center.
fn min_power(conic: vec3f, low: vec2f, high: vec2f) -> f32 {
    let nearest = clamp(vec2f(0.0), low, high);
    let on_x = vec2f(nearest.x, clamp(-conic.y * nearest.x / conic.z, low.y, high.y));
    let on_y = vec2f(clamp(-conic.y * nearest.y / conic.x, low.x, high.x), nearest.y);
    return min(power_at(conic, on_x), power_at(conic, on_y));
}

// Whether any pixel center of the box [origin, origin + size) can be drawn. `limit` is ln(255 · opacity); the margin
// keeps pixels that rounding puts on the other side of the threshold.
fn touches(mean: vec2f, conic: vec3f, limit: f32, origin: vec2f, size: vec2f) -> bool {
    let low = origin + 0.5 - mean;
    return min_power(conic, low, low + size - 1.0) <= limit + 1e-4;
}

// Tiles [x0, y0, x1, y1) of the footprint's bounding box.
fn tile_box(mean: vec2f, conic: vec3f, limit: f32, tiles: vec2u) -> vec4u {
    let det = conic.x * conic.z - conic.y * conic.y;
    // Rounding leaves no ellipse of splats that are extremely long and thin. NaN fails the comparison, too.
    if !(det > 0.0) { return vec4u(); }
    // Extent of the ellipse power = limit: sqrt(2 · limit · covariance diagonal).
    let extent = sqrt(2.0 * max(limit, 0.0) * vec2f(conic.z, conic.x) / det) + 0.5;
    let bound = vec2f(tiles);
    let low = clamp(floor((mean - extent) / f32(TILE)), vec2f(0.0), bound);
    let high = clamp(floor((mean + extent) / f32(TILE)) + 1.0, low, bound);
    return vec4u(vec2u(low), vec2u(high));
}

// The tiles [x0, x1) of row `row` of tiles that the footprint touches, within `box`. Between the first and the last row of
// pixel centers the footprint reaches its leftmost and rightmost point where its extreme lies, or else on the row that is
// nearest to it; in a convex shape all tiles in between are touched, too. The margin of a 32nd of a pixel keeps pixels that
// rounding puts outside. None is touched where the limit is negative.
fn touched_in_row(mean: vec2f, conic: vec3f, limit: f32, row: u32, box: vec4u) -> vec2u {
    let low = f32(row * TILE) + 0.5 - mean.y;
    let high = low + f32(TILE) - 1.0;
    let det = conic.x * conic.z - conic.y * conic.y;
    let square = 2.0 * (limit + 1e-4);
    // y of the rightmost point; that of the leftmost is its opposite.
    let extreme = -conic.y / conic.z * sqrt(max(square, 0.0) * conic.z / det);
    let y = clamp(vec2f(-extreme, extreme), vec2f(low), vec2f(high));
    // A x² + 2 B x y + C y² = 2 limit.
    let root = square * conic.x - det * y * y;
    let reach = vec2f(-1.0, 1.0) * sqrt(max(root, vec2f(0.0)));
    let x = (reach - conic.y * y) / conic.x + mean.x + vec2f(-0.03125, 0.03125);
    // Pixel centers of tile t lie between 16 t + 0.5 and 16 t + 15.5.
    let first = clamp(ceil((x.x - 15.5) / f32(TILE)), f32(box.x), f32(box.z));
    let end = clamp(floor((x.y - 0.5) / f32(TILE)) + 1.0, first, f32(box.z));
    return select(vec2u(u32(first)), vec2u(u32(first), u32(end)), row < box.w && all(root >= vec2f(0.0)));
}
