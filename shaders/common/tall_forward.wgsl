// raster_forward for adapters of eight lanes: two blocks of 8 × 8 pixels (common/tall_halves).
// Whoever imports this binds image as pairs of pixels, and what common/tile_walk needs.
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

fn draw(splat: Splat, pixel: vec2f, half: ptr<function, Half>) {
    let full = opacities(splat, pixel);
    let most = most_of(splat);
    let before = (*half).pixels;
    let a = blend_row(full.a, most, before.a);
    let b = blend_row(full.b, most, before.b);
    let c = blend_row(full.c, most, before.c);
    let d = blend_row(full.d, most, before.d);
    (*half).pixels = Block(a.next, b.next, c.next, d.next);
    let weights = Block(a.weight, b.weight, c.weight, d.weight);
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
    let range = tile_ranges[tile];
    let halves = halves_of(tile, thread);
    let right_by = vec2f(RIGHT);
    var left = new_half();
    var right = new_half();
    var base = range.x;
#ifdef SUBGROUPS
    let lane = thread & 7u;
    var left_ended = false;
    var right_ended = false;
    loop {
        let there = base + lane < range.y;
        let mine = held(min(base + lane, max(range.y, 1u) - 1u));
        var hits = subgroupBallot(there && !left_ended && sees(mine, halves.origin)).x;
        // Nobody is drawn where there are no hits: these loops ask at their end (docs/kernels.md).
        loop {
            draw(from_lane_of(mine, hits), halves.pixel, &left);
            hits &= hits - 1u;
            continuing { break if hits == 0u; }
        }
        hits = subgroupBallot(there && !right_ended && sees(mine, halves.origin + right_by)).x;
        loop {
            draw(from_lane_of(mine, hits), halves.pixel + right_by, &right);
            hits &= hits - 1u;
            continuing { break if hits == 0u; }
        }
        left_ended = subgroupAll(all_ended(left.pixels));
        right_ended = subgroupAll(all_ended(right.pixels));
        base += 8u;
        continuing { break if base >= range.y || (left_ended && right_ended); }
    }
#else
    for (; base < range.y; base++) {
        let splat = splat_of(base);
        draw(splat, halves.pixel, &left);
        draw(splat, halves.pixel + right_by, &right);
        if all_ended(left.pixels) && all_ended(right.pixels) { break; }
    }
#endif
    finish(halves.corner, left);
    finish(halves.corner + RIGHT, right);
}
