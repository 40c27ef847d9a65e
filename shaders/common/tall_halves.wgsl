// Pixels of adapters of eight lanes (Gpu::tall): a subgroup owns 16 × 8 pixels of a tile as two blocks of 8 × 8, a left and a right
// one, each past the splats of a batch that it sees. So a batch is loaded once, and two thirds of the pixels are visited that
// the whole block would take. A lane owns 2 × 4 pixels of either: what lies between two splats fits the registers.
// The importing shader reads and writes images as pairs of pixels, and defines `Half`, what a lane keeps of one (with its
// transmittances in `pixels`), and `pass_half`, which takes it past a splat: all lanes together, so that it may exchange.
#import common/tall_pixels
#import common/two_columns

// From a pixel of the left half to that of the right one.
const RIGHT = vec2u(8u, 0u);

// What a thread owns: its first pixel of the left half, the middle of that pixel, and where the half begins.
struct Halves {
    corner: vec2u,
    pixel: vec2f,
    origin: vec2f,
}

fn halves_of(tile: u32, thread: u32) -> Halves {
    let lane = thread & 7u;
    let block = tile_origin(tile) + vec2u(0u, thread & 8u);
    let corner = block + vec2u(2u * (lane & 3u), 4u * (lane >> 2u));
    return Halves(corner, vec2f(corner) + 0.5, vec2f(block));
}

// Where the pixel at `corner` is in the first plane of an image, in pairs of pixels; from one row to the next; from plane to plane.
fn place_in_image(corner: vec2u) -> u32 {
    return corner.y * row_pitch() + corner.x / 2u;
}

fn row_pitch() -> u32 {
    return view.tiles.x * TILE / 2u;
}

fn plane_size() -> u32 {
    return row_pitch() * view.tiles.y * TILE;
}

// Whether the splat is seen in the 8 × 8 pixels from `origin` on.
fn sees(splat: LoadedSplat, origin: vec2f) -> bool {
    return touches(splat.center.xy, splat.shape.xyz, splat.center.w, origin, vec2f(8.0));
}

// Takes both halves of a thread past the splats of `tile`, front to back.
fn walk_halves(tile: u32, thread: u32, halves: Halves, left: ptr<function, Half>, right: ptr<function, Half>) {
    let range = tile_ranges[tile];
    let lane = thread & 7u;
    let right_by = vec2f(RIGHT);
    var base = range.x;
#ifdef SUBGROUPS
    var left_ended = false;
    var right_ended = false;
    loop {
        let there = base + lane < range.y;
        let mine = load_splat(min(base + lane, max(range.y, 1u) - 1u));
        var hits = subgroupBallot(there && !left_ended && sees(mine, halves.origin)).x;
        // Nobody is drawn where there are no hits: these loops ask at their end (docs/kernels.md).
        loop {
            let splat = from_lane_of(mine, hits);
            hits &= hits - 1u;
            pass_half(splat, halves.pixel, left, lane);
            continuing { break if hits == 0u; }
        }
        hits = subgroupBallot(there && !right_ended && sees(mine, halves.origin + right_by)).x;
        loop {
            let splat = from_lane_of(mine, hits);
            hits &= hits - 1u;
            pass_half(splat, halves.pixel + right_by, right, lane);
            continuing { break if hits == 0u; }
        }
        left_ended = subgroupAll(all_ended((*left).pixels));
        right_ended = subgroupAll(all_ended((*right).pixels));
        base += 8u;
        continuing { break if base >= range.y || (left_ended && right_ended); }
    }
#else
    for (; base < range.y; base++) {
        let splat = splat_of(base);
        pass_half(splat, halves.pixel, left, lane);
        pass_half(splat, halves.pixel + right_by, right, lane);
        if all_ended((*left).pixels) && all_ended((*right).pixels) { break; }
    }
#endif
}
