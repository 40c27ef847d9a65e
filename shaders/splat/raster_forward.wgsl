// Alpha-blends the splats of each tile, front to back.
// One workgroup of 64 threads a tile of 16 × 16 pixels, four pixels in a row a thread. Reads projected, pair_slots and
// tile_ranges; writes image: planes of vec4f quads (tile-padded): red, green, blue with the background, transmittance,
// and depth (α-weighted camera z) where DEPTH is defined.
#import common/tile_walk

@group(0) @binding(0) var<uniform> view: View;
@group(0) @binding(1) var<storage, read> projected: array<vec4f>;
@group(0) @binding(2) var<storage, read> pair_slots: array<u32>;
@group(0) @binding(3) var<storage, read> tile_ranges: array<vec2u>;
@group(0) @binding(4) var<storage, read_write> image: array<vec4f>;

@compute @workgroup_size(64)
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
    let tile_origin = TILE * vec2u(tile % view.tiles.x, tile / view.tiles.x);
#ifdef SUBGROUPS
    let thread = subgroup * lanes + lane;
    let block = vec2f(tile_origin + quad_origin(subgroup * lanes));
    let block_extent = block_size(lanes);
#endif
    let corner = tile_origin + quad_origin(thread);
    let pixel = vec2f(corner) + 0.5;
    let quad = (corner.y * view.tiles.x * TILE + corner.x) / 4u;
    let plane = view.tiles.x * view.tiles.y * TILE * TILE / 4u;
    let range = tile_ranges[tile];
    var transmittance = vec4f(1.0);
    var red = vec4f(0.0);
    var green = vec4f(0.0);
    var blue = vec4f(0.0);
#ifdef DEPTH
    var depth = vec4f(0.0);
#endif
    var live = vec4<bool>(true);
#ifdef SUBGROUPS
    for (var base = range.x; base < range.y; base += lanes) {
        let mine = min(base + lane, range.y - 1u);
        let slot = pair_slots[mine];
        let center = projected[PROJECTED_STRIDE * slot];
        let shape = projected[PROJECTED_STRIDE * slot + 1u];
        let shade = projected[PROJECTED_STRIDE * slot + 2u];
        let hit = base + lane < range.y && touches(center.xy, shape.xyz, center.w, block, block_extent);
        let ballot = subgroupBallot(hit);
        for (var word = 0u; word < lanes; word += 32u) {
            var hits = select(ballot.x, ballot.y, word > 0u);
            while hits != 0u {
                let source = word + firstTrailingBit(hits);
                hits &= hits - 1u;
                let splat = Splat(
                    subgroupShuffle(center.xy, source),
                    subgroupShuffle(center.z, source),
                    subgroupShuffle(shape.w, source),
                    subgroupShuffle(shape.xyz, source),
                    subgroupShuffle(slot, source),
                    subgroupShuffle(shade.xyz, source),
                );
                let c = cover(splat, pixel);
                let alpha = min(c.alpha, vec4f(ALPHA_MAX));
                let next = transmittance * (1.0 - alpha);
                let drawn = c.drawn & live;
                live = live & !(drawn & (next <= vec4f(TRANSMITTANCE_MIN)));
                let weight = select(vec4f(0.0), alpha * transmittance, drawn & live);
                transmittance = select(transmittance, next, drawn & live);
                red += splat.color.x * weight;
                green += splat.color.y * weight;
                blue += splat.color.z * weight;
#ifdef DEPTH
                depth += splat.depth * weight;
#endif
            }
        }
        if subgroupAll(!any(live)) { break; }
    }
#else
    for (var i = range.x; i < range.y; i++) {
        let slot = pair_slots[i];
        let center = projected[PROJECTED_STRIDE * slot];
        let shape = projected[PROJECTED_STRIDE * slot + 1u];
        let splat = Splat(center.xy, center.z, shape.w, shape.xyz, slot, projected[PROJECTED_STRIDE * slot + 2u].xyz);
        let c = cover(splat, pixel);
        let alpha = min(c.alpha, vec4f(ALPHA_MAX));
        let next = transmittance * (1.0 - alpha);
        let drawn = c.drawn & live;
        live = live & !(drawn & (next <= vec4f(TRANSMITTANCE_MIN)));
        let weight = select(vec4f(0.0), alpha * transmittance, drawn & live);
        transmittance = select(transmittance, next, drawn & live);
        red += splat.color.x * weight;
        green += splat.color.y * weight;
        blue += splat.color.z * weight;
#ifdef DEPTH
        depth += splat.depth * weight;
#endif
        if !any(live) { break; }
    }
#endif
    image[quad] = red + transmittance * view.background.x;
    image[quad + plane] = green + transmittance * view.background.y;
    image[quad + 2u * plane] = blue + transmittance * view.background.z;
    image[quad + 3u * plane] = transmittance;
#ifdef DEPTH
    image[quad + 4u * plane] = depth;
#endif
}
