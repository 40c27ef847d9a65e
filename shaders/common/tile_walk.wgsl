// How a thread of the raster kernels walks the splats of its tile, front to back.
//
// With subgroups: every lane takes one splat of a batch, tests it against the pixel block of the whole subgroup, and
// the survivors are broadcast one by one from the lane that holds them. No shared memory, no barrier; a splat that
// misses the block costs one lane one test. Without subgroups every thread reads every splat of its tile itself.
// The importing shader binds view, projected, colors, pair_slots and tile_ranges.
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

// Four pixels in a row on their way through the splats.
struct Pixels {
    transmittance: vec4f,
    live: vec4<bool>,
}

// What a splat covers of four pixels: α, its weight α T (zero where it is not drawn), and T in front of it.
struct Blend {
    coverage: Coverage,
    alpha: vec4f,
    weight: vec4f,
    transmittance: vec4f,
    drawn: vec4<bool>,
}

// Takes `pixels` past `splat`. A pixel whose transmittance would fall below its least ends before the splat.
fn blend(splat: Splat, pixel: vec2f, pixels: ptr<function, Pixels>) -> Blend {
    let c = cover(splat, pixel);
    let alpha = min(c.alpha, vec4f(ALPHA_MAX));
    let before = (*pixels).transmittance;
    let next = before * (1.0 - alpha);
    let covered = c.drawn & (*pixels).live;
    let live = (*pixels).live & !(covered & (next <= vec4f(TRANSMITTANCE_MIN)));
    let drawn = covered & live;
    *pixels = Pixels(select(before, next, drawn), live);
    return Blend(c, alpha, select(vec4f(0.0), alpha * before, drawn), before, drawn);
}

#ifdef TALL
#else
fn new_block() -> Pixels {
    return Pixels(vec4f(1.0), vec4<bool>(true));
}

fn all_ended(pixels: Pixels) -> bool {
    return !any(pixels.live);
}
#endif

// Where a thread's pixels are: the middle of the first, its quad in each plane of an image, and the plane's quads.
struct Place {
    pixel: vec2f,
    quad: u32,
    plane: u32,
}

fn tile_origin(tile: u32) -> vec2u {
    return TILE * vec2u(tile % view.tiles.x, tile / view.tiles.x);
}

fn place_of(tile: u32, thread: u32) -> Place {
    let corner = tile_origin(tile) + quad_origin(thread);
    let quad = (corner.y * view.tiles.x * TILE + corner.x) / 4u;
    return Place(vec2f(corner) + 0.5, quad, view.tiles.x * view.tiles.y * TILE * TILE / 4u);
}

// A splat as stored in `projected` and `colors`.
struct LoadedSplat {
    center: vec4f,
    shape: vec4f,
    color: vec4f,
    slot: u32,
}

fn load_splat(pair: u32) -> LoadedSplat {
    let slot = pair_slots[pair];
    let at = PROJECTED_STRIDE * slot;
    return LoadedSplat(projected[at], projected[at + 1u], colors[slot], slot);
}

#ifdef SUBGROUPS
// The splat that the lane `source` holds.
fn from_lane(mine: LoadedSplat, source: u32) -> Splat {
    return Splat(
        subgroupShuffle(mine.center.xy, source),
        subgroupShuffle(mine.center.z, source),
        subgroupShuffle(mine.color.w, source),
        subgroupShuffle(mine.shape.xyz, source),
        subgroupShuffle(mine.slot, source),
        subgroupShuffle(mine.color.xyz, source),
    );
}

#ifdef TALL
// The splat of the first lane in `hits`, one that nobody sees where there is none.
fn from_lane_of(mine: LoadedSplat, hits: u32) -> Splat {
    var splat = from_lane(mine, firstTrailingBit(hits) & 7u);
    splat.opacity = select(0.0, splat.opacity, hits != 0u);
    return splat;
}
#endif
#else
fn splat_of(pair: u32) -> Splat {
    let found = load_splat(pair);
    return Splat(found.center.xy, found.center.z, found.color.w, found.shape.xyz, found.slot, found.color.xyz);
}
#endif
