// Alpha-blends the splats of each tile, front to back.
// One workgroup of 64 threads a tile of 16 × 16 pixels, four pixels in a row a thread (with TALL 16 threads, four such rows).
// Reads projected, pair_slots and tile_ranges; writes image: planes of vec4f quads (tile-padded): red, green, blue with the background, transmittance,
// and depth (α-weighted camera z) where DEPTH is defined.
// Costs, a pair: 13 loads of one lane for each subgroup of its tile and about 40 operations to cull; a pixel of a block that is hit:
// an exponential (half of one with TALL) and about 15 operations. A pixel: 4 stores.
#import common/tile_walk
#ifdef TALL
#import common/tall_pixels
#endif

@group(0) @binding(0) var<uniform> view: View;
@group(0) @binding(1) var<storage, read> projected: array<vec4f>;
@group(0) @binding(2) var<storage, read> pair_slots: array<u32>;
@group(0) @binding(3) var<storage, read> tile_ranges: array<vec2u>;
@group(0) @binding(4) var<storage, read_write> image: array<vec4f>;

#ifdef TALL
// The sums of sixteen pixels.
struct Canvas {
    red: Block,
    green: Block,
    blue: Block,
#ifdef DEPTH
    depth: Block,
#endif
}

fn draw(splat: Splat, pixel: vec2f, pixels: ptr<function, Block>, canvas: ptr<function, Canvas>) {
    let full = opacities(splat, pixel);
    let most = most_of(splat);
    let a = blend_row(full.a, most, (*pixels).a);
    let b = blend_row(full.b, most, (*pixels).b);
    let c = blend_row(full.c, most, (*pixels).c);
    let d = blend_row(full.d, most, (*pixels).d);
    *pixels = Block(a.next, b.next, c.next, d.next);
    let weights = Block(a.weight, b.weight, c.weight, d.weight);
    (*canvas).red = fma_block((*canvas).red, splat.color.x, weights);
    (*canvas).green = fma_block((*canvas).green, splat.color.y, weights);
    (*canvas).blue = fma_block((*canvas).blue, splat.color.z, weights);
#ifdef DEPTH
    (*canvas).depth = fma_block((*canvas).depth, splat.depth, weights);
#endif
}

fn store(quad: u32, rows: Block) {
    let pitch = view.tiles.x * TILE / 4u;
    image[quad] = rows.a;
    image[quad + pitch] = rows.b;
    image[quad + 2u * pitch] = rows.c;
    image[quad + 3u * pitch] = rows.d;
}

fn finish(place: Place, pixels: Block, canvas: Canvas) {
    let through = Block(abs(pixels.a), abs(pixels.b), abs(pixels.c), abs(pixels.d));
    store(place.quad, fma_block(canvas.red, view.background.x, through));
    store(place.quad + place.plane, fma_block(canvas.green, view.background.y, through));
    store(place.quad + 2u * place.plane, fma_block(canvas.blue, view.background.z, through));
    store(place.quad + 3u * place.plane, through);
#ifdef DEPTH
    store(place.quad + 4u * place.plane, canvas.depth);
#endif
}
#else
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
    let range = tile_ranges[tile];
    var pixels = new_block();
    var canvas = Canvas();
#ifdef SUBGROUPS
    let place = place_of(tile, subgroup * lanes + lane);
    let block = vec2f(tile_origin(tile) + quad_origin(subgroup * lanes));
    let block_extent = block_size(lanes);
    for (var base = range.x; base < range.y; base += lanes) {
        let mine = held(min(base + lane, range.y - 1u));
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
}
