// raster_backward for adapters of eight lanes: two blocks of 8 × 8 pixels (common/tall_halves).
// The importing shader binds image and v_image as pairs of pixels, and what common/tile_walk needs.
#import common/tall_halves

// Eight pixels on their way through the splats: ∂L/∂C, and v · C of what lies behind the splats so far.
struct Half {
    pixels: Block,
    red: Block,
    green: Block,
    blue: Block,
    behind: Block,
}

fn load_v(at: u32) -> Block {
    let pitch = row_pitch();
    return Block(v_image[at], v_image[at + pitch], v_image[at + 2u * pitch], v_image[at + 3u * pitch]);
}

fn load_image(at: u32) -> Block {
    let pitch = row_pitch();
    return Block(image[at], image[at + pitch], image[at + 2u * pitch], image[at + 3u * pitch]);
}

fn product(x: Block, y: Block, sum: Block, sign: f32) -> Block {
    return Block(sum.a + sign * x.a * y.a, sum.b + sign * x.b * y.b, sum.c + sign * x.c * y.c, sum.d + sign * x.d * y.d);
}

fn new_half(corner: vec2u) -> Half {
    let at = place_in_image(corner);
    let plane = plane_size();
    let red = load_v(at);
    let green = load_v(at + plane);
    let blue = load_v(at + 2u * plane);
    let red_green = product(green, load_image(at + plane), product(red, load_image(at), Block(), 1.0), 1.0);
    let all = product(blue, load_image(at + 2u * plane), red_green, 1.0);
    // α = 1 − T: its gradient joins the background's.
    let behind = product(load_v(at + 3u * plane), load_image(at + 3u * plane), all, -1.0);
    return Half(new_block(), red, green, blue, behind);
}

// A row of `gradients`: α's gradient times α, and what is left behind.
struct RowGradient {
    g: RowOf,
    behind: RowOf,
}

fn row_gradient(splat: Splat, row: Row, before: RowOf, red: RowOf, green: RowOf, blue: RowOf, behind: RowOf) -> RowGradient {
    let shade = fma(RowOf(splat.color.x), red, fma(RowOf(splat.color.y), green, splat.color.z * blue));
    let left = fma(-row.weight, shade, behind);
    let v_alpha = fma(before, shade, -left / (1.0 - row.alpha));
    return RowGradient(select(RowOf(0.0), v_alpha * row.alpha, row.drawn & !row.clamped), left);
}

fn weighted(w: Block, v: Block) -> f32 {
    return dot(fma(w.a, v.a, fma(w.b, v.b, fma(w.c, v.c, w.d * v.d))), RowOf(1.0));
}

// Moments of w = conic · d over 2 × 4 pixels whose middle is at `offset` from the mean: from those of the place about that
// middle, so that nothing cancels however far away the mean is.
fn moments(g: Block, conic: vec3f, offset: vec2f, total: f32) -> array<f32, 5> {
    let outer = g.a + g.d;
    let inner = g.b + g.c;
    let across = outer + inner;
    let down = 1.5 * (g.d - g.a) + 0.5 * (g.c - g.b);
    let x = 0.5 * (across.y - across.x);
    let y = down.x + down.y;
    let xx = 0.25 * total;
    let xy = 0.5 * (down.y - down.x);
    let yy = 2.25 * (outer.x + outer.y) + 0.25 * (inner.x + inner.y);
    let middle = vec2f(conic.x * offset.x + conic.y * offset.y, conic.y * offset.x + conic.z * offset.y);
    let steps = vec2f(conic.x * x + conic.y * y, conic.y * x + conic.z * y);
    let first = middle * total + steps;
    // conic · second moments of the place, row by row.
    let by_x = vec2f(conic.x * xx + conic.y * xy, conic.x * xy + conic.y * yy);
    let by_y = vec2f(conic.y * xx + conic.z * xy, conic.y * xy + conic.z * yy);
    return array<f32, 5>(
        first.x,
        first.y,
        middle.x * (first.x + steps.x) + by_x.x * conic.x + by_x.y * conic.y,
        middle.x * first.y + middle.y * steps.x + by_x.x * conic.y + by_x.y * conic.z,
        middle.y * (first.y + steps.y) + by_y.x * conic.y + by_y.y * conic.z,
    );
}

// G_APART of two pixels in a row, the first of them at `offset` from the mean.
fn apart(g: RowOf, conic: vec3f, offset: vec2f) -> f32 {
    let dx = offset.x + COLUMNS;
    let wx = conic.x * dx + conic.y * offset.y;
    let wy = conic.y * dx + conic.z * offset.y;
    return dot(abs(g), sqrt(wx * wx + wy * wy));
}

// Takes the half whose first pixel is `pixel` past `splat`.
fn gradients(splat: Splat, pixel: vec2f, half: ptr<function, Half>) -> Sums {
    let v = *half;
    let rows = blend_block(splat, pixel, v.pixels);
    (*half).pixels = next_of(rows);
    let weights = weights_of(rows);
    let ga = row_gradient(splat, rows.a, v.pixels.a, v.red.a, v.green.a, v.blue.a, v.behind.a);
    let gb = row_gradient(splat, rows.b, v.pixels.b, v.red.b, v.green.b, v.blue.b, v.behind.b);
    let gc = row_gradient(splat, rows.c, v.pixels.c, v.red.c, v.green.c, v.blue.c, v.behind.c);
    let gd = row_gradient(splat, rows.d, v.pixels.d, v.red.d, v.green.d, v.blue.d, v.behind.d);
    (*half).behind = Block(ga.behind, gb.behind, gc.behind, gd.behind);
    let total = dot(ga.g + gb.g + gc.g + gd.g, RowOf(1.0));
    let offset = pixel - splat.mean;
    let m = moments(Block(ga.g, gb.g, gc.g, gd.g), splat.conic, offset + vec2f(0.5, 1.5), total);
    let colors = vec3f(weighted(weights, v.red), weighted(weights, v.green), weighted(weights, v.blue));
    let drawn = any(rows.a.drawn | rows.b.drawn | rows.c.drawn | rows.d.drawn);
#ifdef ABSGRAD
    let upper = apart(ga.g, splat.conic, offset) + apart(gb.g, splat.conic, offset + vec2f(0.0, 1.0));
    let lower = apart(gc.g, splat.conic, offset + vec2f(0.0, 2.0)) + apart(gd.g, splat.conic, offset + vec2f(0.0, 3.0));
    let rest = vec2f(total, upper + lower);
#else
    let rest = total;
#endif
    return Sums(vec4f(m[0], m[1], m[2], m[3]), vec4f(m[4], colors), rest, drawn);
}

fn pass_half(splat: Splat, pixel: vec2f, half: ptr<function, Half>, lane: u32) {
    let sums = gradients(splat, pixel, half);
#ifdef SUBGROUPS
    add_all(splat, sums, lane, 8u);
#else
    add_all(splat, sums);
#endif
}

// Thread `thread` of the 16 that walk `tile`.
fn walk_tile(tile: u32, thread: u32) {
    let halves = halves_of(tile, thread);
    var left = new_half(halves.corner);
    var right = new_half(halves.corner + RIGHT);
    walk_halves(tile, thread, halves, &left, &right);
}
