// One turn of PatchMatch on one color of a chessboard (Galliani et al. 2015): planes spread to pixels where they cost
// less than the present one, and are varied at random.
//
// One invocation per pixel of the color. Reads images and the planes of the other color; updates its own plane. In each
// of four directions the cheapest plane of pixels 1, 3, 5 and 9 away is tried (Xu and Tao 2019).
#import common/patch_match
#import common/random

struct Turn {
    // Number of the turn, for its random numbers.
    number: u32,
    // 0 or 1: the pixels whose x + y is even, or odd.
    color: u32,
    // Largest variation, in pixels of disparity.
    amplitude: f32,
    padding: u32,
}

// Planes tried: four of neighbors, then variations.
const SPREAD = 4u;
const TRIALS = 7u;

@group(0) @binding(2) var<storage, read_write> planes: array<vec4f>;
@group(0) @binding(3) var<uniform> turn: Turn;

// The cheapest plane in a direction, extrapolated to the pixel.
fn spread(pixel: vec2u, direction: u32) -> vec3f {
    let toward = select(vec2i(1, 0), vec2i(0, 1), (direction & 1u) == 1u) * select(1, -1, direction > 1u);
    var best = vec4f(-1.0, 0.0, 0.0, UNSEEN);
    var away = 0.0;
    for (var k = 0u; k < 4u; k++) {
        let distance = select(i32(2u * k + 1u), 9, k == 3u);
        let at = vec2i(pixel) + toward * distance;
        if all(at >= vec2i(0)) && all(at < vec2i(search.size)) {
            let plane = planes[u32(at.y) * search.size.x + u32(at.x)];
            if plane.w < best.w {
                best = plane;
                away = f32(distance);
            }
        }
    }
    return vec3f(best.x - away * dot(best.yz, vec2f(toward)), best.yz);
}

// The plane with another depth, other slopes, or a little of both.
fn varied(plane: vec3f, index: u32, trial: u32) -> vec3f {
    let bits = random_bits(index, turn.number * TRIALS + trial, vec2u(search.seed, 0u), 0u);
    let unit = vec3f(bits.xyz >> vec3u(8u)) * 1.1920929e-7 - 1.0; // 2^-23: in [−1, 1)
    let most = turn.amplitude * search.step;
    // A slope moves the border of a patch by that times its radius.
    let slopes = most / (RADIUS * f32(search.stride));
    let kind = trial - SPREAD;
    let weights = select(select(vec3f(0.5), vec3f(0.0, 1.0, 1.0), kind == 1u), vec3f(1.0, 0.0, 0.0), kind == 0u);
    return plane + weights * unit * vec3f(most, slopes, slopes);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let linear = linear_id(id, groups, 64u);
    let half_width = (search.size.x + 1u) / 2u;
    let y = linear / half_width;
    let x = 2u * (linear % half_width) + ((y + turn.color) & 1u);
    if x >= search.size.x || y >= search.size.y { return; }
    let pixel = vec2u(x, y);
    let index = y * search.size.x + x;
    take_patch(pixel, id);
    var best = planes[index];
    for (var trial = 0u; trial < TRIALS; trial++) {
        var plane: vec3f;
        if trial < SPREAD {
            plane = spread(pixel, trial);
        } else {
            plane = varied(best.xyz, index, trial);
        }
        if is_allowed(plane) {
            let cost = plane_cost(pixel, plane);
            if cost < best.w { best = vec4f(plane, cost); }
        }
    }
    planes[index] = best;
}
