// Where each tile's pairs begin and end in the sorted list. tile_ranges must be zero before.
// One invocation a few pairs. Reads sorted pair_tiles; writes tile_ranges [tiles] as (first, one past last).
// Costs, a pair: 3 loads; a tile: 2 stores.
#import common/view

@group(0) @binding(0) var<uniform> view: View;
@group(0) @binding(1) var<storage, read> pair_tiles: array<u32>;
@group(0) @binding(2) var<storage, read> counters: array<u32>;
@group(0) @binding(3) var<storage, read_write> tile_ranges: array<vec2u>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let count = min(counters[1], view.pair_capacity);
    for (var i = linear_id(id, groups, 64u); i < count; i += groups.x * groups.y * 64u) {
        let tile = pair_tiles[i];
        let first = i == 0u || pair_tiles[max(i, 1u) - 1u] != tile;
        let last = i + 1u == count || pair_tiles[min(i + 1u, count - 1u)] != tile;
        // The number of tiles stands for no tile.
        let drawn = tile < view.tiles.x * view.tiles.y;
        if first && drawn { tile_ranges[tile].x = i; }
        if last && drawn { tile_ranges[tile].y = i + 1u; }
    }
}
