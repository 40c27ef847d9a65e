// raster_forward for adapters of eight lanes (Gpu::tall): a subgroup draws its 16 × 8 pixels of a tile as two blocks of 8 × 8, each past
// the splats of a batch that it sees. So a batch is loaded once, and two thirds of the pixels are visited that the whole block
// would take. A lane owns 2 × 4 pixels of either: what lies between two splats fits the registers.
// Whoever imports this binds image as pairs of pixels, and what common/tile_walk needs.
#import common/tall_pixels
#import common/two_columns

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
    let pitch = view.tiles.x * TILE / 2u;
    image[at] = rows.a;
    image[at + pitch] = rows.b;
    image[at + 2u * pitch] = rows.c;
    image[at + 3u * pitch] = rows.d;
}

fn finish(corner: vec2u, half: Half) {
    let at = (corner.y * view.tiles.x * TILE + corner.x) / 2u;
    let plane = view.tiles.x * view.tiles.y * TILE * TILE / 2u;
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

// The 8 × 8 pixels from `origin` on: whether a splat is seen there.
fn sees(splat: Held, origin: vec2f) -> bool {
    return touches(splat.center.xy, splat.shape.xyz, splat.center.w, origin, vec2f(8.0));
}

// Thread `thread` of the 16 that draw `tile`, eight threads 16 × 8 pixels of it.
fn draw_tile(tile: u32, thread: u32) {
    let range = tile_ranges[tile];
    let lane = thread & 7u;
    let block = tile_origin(tile) + vec2u(0u, thread & 8u);
    let corner = block + vec2u(2u * (lane & 3u), 4u * (lane >> 2u));
    let pixel = vec2f(corner) + 0.5;
    let origin = vec2f(block);
    let right_by = vec2f(8.0, 0.0);
    var left = new_half();
    var right = new_half();
    var base = range.x;
#ifdef SUBGROUPS
    var left_ended = false;
    var right_ended = false;
    loop {
        let there = base + lane < range.y;
        let mine = held(min(base + lane, max(range.y, 1u) - 1u));
        var hits = subgroupBallot(there && !left_ended && sees(mine, origin)).x;
        // Nobody is drawn where there are no hits: these loops ask at their end (docs/kernels.md).
        loop {
            draw(from_lane_of(mine, hits), pixel, &left);
            hits &= hits - 1u;
            continuing { break if hits == 0u; }
        }
        hits = subgroupBallot(there && !right_ended && sees(mine, origin + right_by)).x;
        loop {
            draw(from_lane_of(mine, hits), pixel + right_by, &right);
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
        draw(splat, pixel, &left);
        draw(splat, pixel + right_by, &right);
        if all_ended(left.pixels) && all_ended(right.pixels) { break; }
    }
#endif
    finish(corner, left);
    finish(corner + vec2u(8u, 0u), right);
}
