// A thread's block of 4 × 4 pixels on its way through the splats: what common/tile_walk does for one row of four.
//
// A splat that is broadcast, its sums over the subgroup and its additions in memory then serve sixteen pixels, and what
// depends on the column alone is made once for four rows.
#import common/tile_walk

// Four rows of four pixels.
struct Block { a: vec4f, b: vec4f, c: vec4f, d: vec4f }

// Transmittance of each pixel; negative once the pixel has ended.
fn new_block() -> Block {
    return Block(vec4f(1.0), vec4f(1.0), vec4f(1.0), vec4f(1.0));
}

fn all_ended(t: Block) -> bool {
    return all(max(max(t.a, t.b), max(t.c, t.d)) <= vec4f(0.0));
}

const LOG2_E = 1.4426950408889634;

// α of a splat at sixteen pixels from `pixel` on, before clamping. The exponent is quadratic along a column, so each row is the one
// above it times a ratio, and the ratio changes by the same factor from row to row: two exponentials a column instead of four.
// The low-pass filter bounds the curvature: where any row of four is drawn, the first one is above 2^-70.
fn opacities(splat: Splat, pixel: vec2f) -> Block {
    let conic = LOG2_E * splat.conic;
    let dx = vec4f(0.0, 1.0, 2.0, 3.0) + (pixel.x - splat.mean.x);
    let dy = pixel.y - splat.mean.y;
    let power = fma(0.5 * conic.x * dx, dx, dy * fma(vec4f(conic.y), dx, vec4f(0.5 * conic.z * dy)));
    let step = fma(vec4f(conic.y), dx, vec4f(conic.z * (dy + 0.5)));
    let a = splat.opacity * exp2(-power);
    let ratio = exp2(-step);
    let change = exp2(-conic.z);
    let b = a * ratio;
    let second = ratio * change;
    let c = b * second;
    return Block(a, b, c, c * (second * change));
}

// A row past a splat: α, its weight α T (zero where it is not drawn), T behind it (negative once the pixel has ended).
struct Row {
    alpha: vec4f,
    weight: vec4f,
    next: vec4f,
    drawn: vec4<bool>,
    clamped: vec4<bool>,
}

// The same decisions as `blend`. `most` is the splat's opacity and what rounding adds: where α is more, its power is below 0.
fn blend_row(full: vec4f, most: f32, before: vec4f) -> Row {
    let clamped = full > vec4f(ALPHA_MAX);
    let alpha = select(full, vec4f(ALPHA_MAX), clamped);
    let next = fma(-before, alpha, before);
    let covered = (full >= vec4f(ALPHA_MIN)) & (full <= vec4f(most));
    let goes_on = next > vec4f(TRANSMITTANCE_MIN);
    let drawn = covered & goes_on;
    let weight = select(vec4f(0.0), alpha * before, drawn);
    return Row(alpha, weight, select(before, select(-abs(before), next, goes_on), covered), drawn, clamped);
}

fn most_of(splat: Splat) -> f32 {
    return 1.0001 * splat.opacity;
}

fn fma_block(sum: Block, factor: f32, v: Block) -> Block {
    let f = vec4f(factor);
    return Block(fma(f, v.a, sum.a), fma(f, v.b, sum.b), fma(f, v.c, sum.c), fma(f, v.d, sum.d));
}
