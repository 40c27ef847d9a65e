// Alpha-blends the splats of each tile, front to back.
// One workgroup of 64 threads per tile of 16 × 16 pixels, four pixels in a row per thread (with TALL 16 threads: common/tall_forward).
// Reads projected, colors, pair_slots and tile_ranges; writes image: planes of vec4f quads (tile-padded): red, green, blue with
// the background, transmittance, and depth (α-weighted camera z) where DEPTH is defined.
// Cost per pair: 13 loads of one lane for each subgroup of its tile and about 40 operations to cull (80 with TALL); per pixel of a block
// that is hit: an exponential (half of one with TALL) and about 15 operations. Per pixel: 4 stores.
#import common/tile_walk
#ifdef TALL
#import common/tall_forward
#endif

@group(0) @binding(0) var<uniform> view: View;
@group(0) @binding(1) var<storage, read> projected: array<vec4f>;
@group(0) @binding(2) var<storage, read> colors: array<vec4f>;
@group(0) @binding(3) var<storage, read> pair_slots: array<u32>;
@group(0) @binding(4) var<storage, read> tile_ranges: array<vec2u>;
#ifdef TALL
@group(0) @binding(5) var<storage, read_write> image: array<vec2f>;
#else
@group(0) @binding(5) var<storage, read_write> image: array<vec4f>;

// The sums of four pixels.
struct Canvas {
    red: vec4f,
    green: vec4f,
    blue: vec4f,
    depth: vec4f,
}

fn draw(splat: Splat, pixel: vec2f, pixels: ptr<function, Pixels>, canvas: ptr<function, Canvas>) {
    let weight = blend(splat, pixel, pixels).weight;
    (*canvas).red += splat.color.x * weight;
    (*canvas).green += splat.color.y * weight;
    (*canvas).blue += splat.color.z * weight;
#ifdef DEPTH
    (*canvas).depth += splat.depth * weight;
#endif
}

fn finish(place: Place, pixels: Pixels, canvas: Canvas) {
    let background = view.background;
    image[place.quad] = canvas.red + pixels.transmittance * background.x;
    image[place.quad + place.plane] = canvas.green + pixels.transmittance * background.y;
    image[place.quad + 2u * place.plane] = canvas.blue + pixels.transmittance * background.z;
    image[place.quad + 3u * place.plane] = pixels.transmittance;
#ifdef DEPTH
    image[place.quad + 4u * place.plane] = canvas.depth;
#endif
}
#endif

@compute @workgroup_size(TILE_THREADS)
fn main(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
#ifdef SUBGROUPS
    @builtin(subgroup_invocation_id) lane: u32,
    @builtin(subgroup_size) lanes: u32,
    @builtin(subgroup_id) subgroup: u32,
#else
    @builtin(local_invocation_index) thread: u32,
#endif
) {
    let tile = group.x + group.y * groups.x;
    if tile >= view.tiles.x * view.tiles.y { return; }
#ifdef TALL
#ifdef SUBGROUPS
    draw_tile(tile, subgroup * lanes + lane);
#else
    draw_tile(tile, thread);
#endif
#else
    let range = tile_ranges[tile];
    var pixels = new_block();
    var canvas = Canvas();
#ifdef SUBGROUPS
    let place = place_of(tile, subgroup * lanes + lane);
    let block = vec2f(tile_origin(tile) + quad_origin(subgroup * lanes));
    let block_extent = block_size(lanes);
    for (var base = range.x; base < range.y; base += lanes) {
        let mine = load_splat(min(base + lane, range.y - 1u));
        let hit = base + lane < range.y && touches(mine.center.xy, mine.shape.xyz, mine.center.w, block, block_extent);
        let ballot = subgroupBallot(hit);
        for (var word = 0u; word < lanes; word += 32u) {
            var hits = select(ballot.x, ballot.y, word > 0u);
            while hits != 0u {
                let source = word + firstTrailingBit(hits);
                hits &= hits - 1u;
                draw(from_lane(mine, source), place.pixel, &pixels, &canvas);
            }
        }
        if subgroupAll(all_ended(pixels)) { break; }
    }
#else
    let place = place_of(tile, thread);
    for (var i = range.x; i < range.y; i++) {
        draw(splat_of(i), place.pixel, &pixels, &canvas);
        if all_ended(pixels) { break; }
    }
#endif
    finish(place, pixels, canvas);
#endif
}
