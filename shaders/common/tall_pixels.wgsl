// A thread's block of four rows of two or four pixels on its way through the splats: what common/tile_walk does for one row of
// four. The importing shader imports common/two_columns or common/four_columns, too.
//
// A splat that is broadcast, its sums over the subgroup and its additions in memory then serve all of these pixels, and what
// depends on the column alone is made once for four rows.
#import common/tile_walk

// Four rows.
struct Block { a: RowOf, b: RowOf, c: RowOf, d: RowOf }

// Transmittance of each pixel; negative once the pixel has ended.
fn new_block() -> Block {
    return Block(RowOf(1.0), RowOf(1.0), RowOf(1.0), RowOf(1.0));
}

fn all_ended(t: Block) -> bool {
    return all(max(max(t.a, t.b), max(t.c, t.d)) <= RowOf(0.0));
}

const LOG2_E = 1.4426950408889634;

// α of a splat at the pixels from `pixel` on, before clamping. The exponent is quadratic along a column, so each row is the one
// above it times a ratio, and the ratio changes by the same factor from row to row: two exponentials a column instead of four.
// The low-pass filter bounds the curvature: where any row of four is drawn, the first one is above 2^-120 (a variance of 0.1).
fn opacities(splat: Splat, pixel: vec2f) -> Block {
    let conic = LOG2_E * splat.conic;
    let dx = COLUMNS + (pixel.x - splat.mean.x);
    let dy = pixel.y - splat.mean.y;
    let power = fma(0.5 * conic.x * dx, dx, dy * fma(RowOf(conic.y), dx, RowOf(0.5 * conic.z * dy)));
    let step = fma(RowOf(conic.y), dx, RowOf(conic.z * (dy + 0.5)));
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
    alpha: RowOf,
    weight: RowOf,
    next: RowOf,
    drawn: RowFlags,
    clamped: RowFlags,
}

// The same decisions as `blend`. `most` is the splat's opacity and what rounding adds: where α is more, its power is below 0.
fn blend_row(full: RowOf, most: f32, before: RowOf) -> Row {
    let clamped = full > RowOf(ALPHA_MAX);
    let alpha = select(full, RowOf(ALPHA_MAX), clamped);
    let next = fma(-before, alpha, before);
    let covered = (full >= RowOf(ALPHA_MIN)) & (full <= RowOf(most));
    let goes_on = next > RowOf(TRANSMITTANCE_MIN);
    let drawn = covered & goes_on;
    let weight = select(RowOf(0.0), alpha * before, drawn);
    return Row(alpha, weight, select(before, select(-abs(before), next, goes_on), covered), drawn, clamped);
}

fn most_of(splat: Splat) -> f32 {
    return 1.0001 * splat.opacity;
}

// The four rows of a block past a splat.
struct Rows { a: Row, b: Row, c: Row, d: Row }

// Takes the block whose first pixel is `pixel`, with the transmittances `before`, past `splat`.
fn blend_block(splat: Splat, pixel: vec2f, before: Block) -> Rows {
    let full = opacities(splat, pixel);
    let most = most_of(splat);
    return Rows(
        blend_row(full.a, most, before.a),
        blend_row(full.b, most, before.b),
        blend_row(full.c, most, before.c),
        blend_row(full.d, most, before.d),
    );
}

fn next_of(rows: Rows) -> Block {
    return Block(rows.a.next, rows.b.next, rows.c.next, rows.d.next);
}

fn weights_of(rows: Rows) -> Block {
    return Block(rows.a.weight, rows.b.weight, rows.c.weight, rows.d.weight);
}

fn fma_block(sum: Block, factor: f32, v: Block) -> Block {
    let f = RowOf(factor);
    return Block(fma(f, v.a, sum.a), fma(f, v.b, sum.b), fma(f, v.c, sum.c), fma(f, v.d, sum.d));
}
