// raster_forward for adapters of eight lanes: two blocks of 8 × 8 pixels (common/tall_halves).
// The importing shader binds image as pairs of pixels, and what common/tile_walk needs.
#import common/tall_halves

// Eight pixels on their way through the splats: two columns of four rows.
struct Half {
    pixels: Block,
    red: Block,
    green: Block,
    blue: Block,
#ifdef DEPTH
    depth: Block,
#endif
}

fn new_half() -> Half {
    var half = Half();
    half.pixels = new_block();
    return half;
}

fn pass_half(splat: Splat, pixel: vec2f, half: ptr<function, Half>, lane: u32) {
    let rows = blend_block(splat, pixel, (*half).pixels);
    (*half).pixels = next_of(rows);
    let weights = weights_of(rows);
    (*half).red = fma_block((*half).red, splat.color.x, weights);
    (*half).green = fma_block((*half).green, splat.color.y, weights);
    (*half).blue = fma_block((*half).blue, splat.color.z, weights);
#ifdef DEPTH
    (*half).depth = fma_block((*half).depth, splat.depth, weights);
#endif
}

fn store(at: u32, rows: Block) {
    let pitch = row_pitch();
    image[at] = rows.a;
    image[at + pitch] = rows.b;
    image[at + 2u * pitch] = rows.c;
    image[at + 3u * pitch] = rows.d;
}

fn finish(corner: vec2u, half: Half) {
    let at = place_in_image(corner);
    let plane = plane_size();
    let pixels = half.pixels;
    let through = Block(abs(pixels.a), abs(pixels.b), abs(pixels.c), abs(pixels.d));
    store(at, fma_block(half.red, view.background.x, through));
    store(at + plane, fma_block(half.green, view.background.y, through));
    store(at + 2u * plane, fma_block(half.blue, view.background.z, through));
    store(at + 3u * plane, through);
#ifdef DEPTH
    store(at + 4u * plane, half.depth);
#endif
}

// Thread `thread` of the 16 that draw `tile`.
fn draw_tile(tile: u32, thread: u32) {
    let halves = halves_of(tile, thread);
    var left = new_half();
    var right = new_half();
    walk_halves(tile, thread, halves, &left, &right);
    finish(halves.corner, left);
    finish(halves.corner + RIGHT, right);
}
