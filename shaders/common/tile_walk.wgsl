// How a thread of the raster kernels walks the splats of its tile, front to back.
//
// With subgroups: every lane takes one splat of a batch, tests it against the pixel block of the whole subgroup, and
// the survivors are broadcast one by one from the lane that holds them. No shared memory, no barrier; a splat that
// misses the block costs one lane one test. Without subgroups every thread reads every splat of its tile itself.
#import common/view
#import common/projected
#import common/footprint
#import common/tile_pixels

struct Splat {
    mean: vec2f,
    opacity: f32,
    depth: f32,
    conic: vec3f,
    slot: u32,
    color: vec3f,
}

// α of four pixels in a row, before clamping, and whether they are drawn.
struct Coverage {
    dx: vec4f,
    dy: f32,
    alpha: vec4f,
    drawn: vec4<bool>,
}

fn cover(splat: Splat, pixel: vec2f) -> Coverage {
    let dx = vec4f(0.0, 1.0, 2.0, 3.0) + (pixel.x - splat.mean.x);
    let dy = pixel.y - splat.mean.y;
    let power = dx * (0.5 * splat.conic.x * dx + splat.conic.y * dy) + 0.5 * splat.conic.z * dy * dy;
    let alpha = splat.opacity * exp(-power);
    return Coverage(dx, dy, alpha, (alpha >= vec4f(ALPHA_MIN)) & (power >= vec4f(0.0)));
}
