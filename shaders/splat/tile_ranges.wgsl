// Where each tile's pairs begin and end in the sorted list. tile_ranges must be zero before.
// Every invocation strides over groups of four pairs. Reads sorted pair_tiles; writes tile_ranges [tiles] as (first, one past last).
// Cost per four pairs: 5 loads; per tile: 2 stores.
#import common/view

@group(0) @binding(0) var<uniform> view: View;
@group(0) @binding(1) var<storage, read> pair_tiles: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read> counters: array<u32>;
@group(0) @binding(3) var<storage, read_write> tile_ranges: array<vec2u>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let count = min(counters[1], view.pair_capacity);
    // The number of tiles stands for no tile, as do places outside of the list.
    let none = view.tiles.x * view.tiles.y;
    var quad = linear_id(id, groups, 64u);
    // Borders are rare: a loop over those of four pairs has one turn, mostly, and a branch would be taken for each pair where lanes
    // are masked.
    loop {
        let first = 4u * quad;
        let places = vec4(first) + vec4(0u, 1u, 2u, 3u);
        let tiles = select(vec4(none), min(pair_tiles[quad], vec4(none)), places < vec4(count));
        let before = select(none, min(pair_tiles[max(quad, 1u) - 1u].w, none), first > 0u && first <= count);
        let tiles_before = vec4(before, tiles.xyz);
        let bits = select(vec4(0u), vec4(1u, 2u, 4u, 8u), tiles != tiles_before);
        var borders = bits.x | bits.y | bits.z | bits.w;
        loop {
            let at = firstTrailingBit(borders) & 3u;
            let ends = select(select(tiles_before.x, tiles_before.y, at == 1u), select(tiles_before.z, tiles_before.w, at == 3u), at > 1u);
            let begins = select(select(tiles.x, tiles.y, at == 1u), select(tiles.z, tiles.w, at == 3u), at > 1u);
            if borders != 0u && ends < none { tile_ranges[ends].y = first + at; }
            if borders != 0u && begins < none { tile_ranges[begins].x = first + at; }
            borders &= borders - 1u;
            continuing { break if borders == 0u; }
        }
        quad += groups.x * groups.y * 64u;
        continuing { break if 4u * quad > count; }
    }
}
