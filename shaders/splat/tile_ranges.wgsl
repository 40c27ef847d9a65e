// Where each tile's pairs begin and end in the sorted list. tile_ranges must be zero before.
// One invocation a pair. Reads sorted pair_tiles; writes tile_ranges [tiles] as (first, one past last).
#import common/view

@group(0) @binding(0) var<uniform> view: View;
@group(0) @binding(1) var<storage, read> pair_tiles: array<u32>;
@group(0) @binding(2) var<storage, read> counters: array<u32>;
@group(0) @binding(3) var<storage, read_write> tile_ranges: array<vec2u>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let i = linear_id(id, groups, 64u);
    let count = min(counters[1], view.pair_capacity);
    if i >= count { return; }
    let tile = pair_tiles[i];
    if i == 0u || pair_tiles[max(i, 1u) - 1u] != tile {
        tile_ranges[tile].x = i;
    }
    if i + 1u == count || pair_tiles[min(i + 1u, count - 1u)] != tile {
        tile_ranges[tile].y = i + 1u;
    }
}
