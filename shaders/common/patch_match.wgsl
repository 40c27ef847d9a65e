// How well a plane through a pixel of a reference view explains what other views see (Rust twin: stereo::matcher).
//
// A plane of space is a linear function of the reference's pixels in inverse depth w, so a hypothesis of a pixel is
// (w, dw/dx, dw/dy), and its extrapolation to another pixel needs no camera. Pictures are quads: each word holds a
// pixel, its right, its lower and its lower right neighbor in 8 bits of gray, so that a bilinear sample is one load.
#import common/view
#import common/unspecialized

// Samples on a side of a patch lie STRIDE pixels apart; RADIUS of them on each side of the center.
const SIDE = 5u;
const RADIUS = 2.0;
const SAMPLES = 25.0;
// The cost of a plane that too few views see; of one that is seen it is 1 − correlation, 0 to 2.
const UNSEEN = 3.0;

struct Other {
    // Pixel (x, y) at inverse depth w is at the homogeneous position x·ray_x + y·ray_y + ray_1 + w·offset of this view.
    ray_x: vec4f,
    ray_y: vec4f,
    ray_1: vec4f,
    offset: vec4f,
    // Width and height in pixels, and the place of its first quad in images.
    picture: vec4u,
}

struct Search {
    // Of the reference, in pixels. Its quads come first in images.
    size: vec2u,
    // Size of the planes that score starts from.
    coarse: vec2u,
    // Inverse depths to search, far and near.
    range: vec2f,
    // Inverse depth that moves a point by a pixel in the other views.
    step: f32,
    // Slopes of a plane are within this times w, per pixel.
    slope: f32,
    // Variance of gray that is noise.
    noise: f32,
    // Views; how many of them, those that agree best, count (1 to 3); and the fewest that must see a plane.
    others: u32,
    best: u32,
    needed: u32,
    // Inverse depths of the sweep.
    steps: u32,
    stride: u32,
    seed: u32,
    padding: u32,
    views: array<Other, MAX_OTHERS>,
}

@group(0) @binding(0) var<uniform> search: Search;
@group(0) @binding(1) var<storage, read> images: array<u32>;

// The reference's patch: its mean taken away, divided by its length (and noise).
var<private> patch_values: array<f32, 25>;
// Pixel in the middle of the patch: the invocation's own, but near borders one whose patch is all inside.
var<private> middle: vec2f;
// `search.others`, for a loop.
var<private> others: u32;

// Takes the patch of `pixel`, as the invocation `id`.
fn take_patch(pixel: vec2u, id: vec3u) {
    others = unspecialized(search.others, id);
    let reach = 2 * i32(search.stride);
    let center = clamp(vec2i(pixel), vec2i(reach), vec2i(search.size) - 1 - reach);
    middle = vec2f(center);
    let first = (center.y - reach) * i32(search.size.x) + center.x - reach;
    var sum = 0.0;
    var squares = 0.0;
    for (var k = 0u; k < SIDE * SIDE; k++) {
        let at = first + i32((k / SIDE) * search.stride * search.size.x + (k % SIDE) * search.stride);
        let value = f32(images[at] & 255u) / 255.0;
        patch_values[k] = value;
        sum += value;
        squares += value * value;
    }
    let mean = sum / SAMPLES;
    let scale = inverseSqrt(max(squares - sum * mean, 0.0) + SAMPLES * search.noise);
    for (var k = 0u; k < SIDE * SIDE; k++) {
        patch_values[k] = (patch_values[k] - mean) * scale;
    }
}

// Gray at texel position p (pixel position − 0.5), which is inside.
fn gray_at(first: u32, pitch: u32, p: vec2f) -> f32 {
    let cell = vec2u(p);
    let quad = unpack4x8unorm(images[first + cell.y * pitch + cell.x]);
    let part = p - vec2f(cell);
    let column = mix(quad.xy, quad.zw, part.y);
    return mix(column.x, column.y, part.x);
}

// Correlation of the patch with what a view sees of the plane `w` (at the middle), dw/dx, dw/dy; −2 if not all of it
// is inside its picture. Within a patch the homography is taken as affine.
fn correlation(index: u32, plane: vec3f) -> f32 {
    let view = search.views[index];
    let center = middle + 0.5;
    let p = view.ray_x.xyz * center.x + view.ray_y.xyz * center.y + view.ray_1.xyz + plane.x * view.offset.xyz;
    // Depth there over depth here.
    if !(p.z > 0.05) { return -2.0; }
    let inverse = 1.0 / p.z;
    let at = p.xy * inverse;
    let along_x = view.ray_x.xyz + plane.y * view.offset.xyz;
    let along_y = view.ray_y.xyz + plane.z * view.offset.xyz;
    let right = (along_x.xy - at * along_x.z) * inverse;
    let down = (along_y.xy - at * along_y.z) * inverse;
    // A plane seen edge-on matches anything.
    let area = abs(right.x * down.y - right.y * down.x);
    if !(area > 0.1 && area < 10.0) { return -2.0; }
    let stride = f32(search.stride);
    let reach = RADIUS * stride * (abs(right) + abs(down));
    let size = vec2f(view.picture.xy);
    if !(all(at - reach >= vec2f(0.5)) && all(at + reach < size - 0.5)) { return -2.0; }
    let step_x = right * stride;
    let step_y = down * stride;
    let first = view.picture.z;
    let pitch = view.picture.x;
    var from_row = at - 0.5 - RADIUS * (step_x + step_y);
    var sum = 0.0;
    var squares = 0.0;
    var products = 0.0;
    for (var row = 0u; row < SIDE; row++) {
        var place = max(from_row, vec2f(0.0));
        for (var column = 0u; column < SIDE; column++) {
            let value = gray_at(first, pitch, place);
            sum += value;
            squares += value * value;
            products += value * patch_values[row * SIDE + column];
            place += step_x;
        }
        from_row += step_y;
    }
    let variance = max(squares - sum * sum / SAMPLES, 0.0);
    return products * inverseSqrt(variance + SAMPLES * search.noise);
}

// 1 − mean correlation of the views that agree best: in the others the surface may be hidden.
fn plane_cost(pixel: vec2u, own: vec3f) -> f32 {
    let away = middle - vec2f(pixel);
    let plane = vec3f(own.x + dot(own.yz, away), own.yz);
    var best = vec3f(-2.0);
    var seen = 0u;
    for (var index = 0u; index < others; index++) {
        let value = correlation(index, plane);
        seen += u32(value > -2.0);
        if value > best.x {
            best = vec3f(value, best.xy);
        } else if value > best.y {
            best = vec3f(best.x, value, best.y);
        } else if value > best.z {
            best.z = value;
        }
    }
    if seen < search.needed { return UNSEEN; }
    let used = min(seen, search.best);
    let sum = best.x + select(0.0, best.y, used > 1u) + select(0.0, best.z, used > 2u);
    return 1.0 - sum / f32(used);
}

fn is_allowed(plane: vec3f) -> bool {
    return plane.x >= search.range.x && plane.x <= search.range.y
        && all(abs(plane.yz) <= vec2f(search.slope * plane.x));
}
