// One (tile, slot) pair for every tile that a splat's footprint touches, in depth order.
// One invocation per rank. Reads projected, sorted_slots and offsets (exclusive scan of count_tiles); writes
// pair_tiles and pair_slots. The test is count_tiles' own; where a driver makes other floats of it all the same, a splat still
// fills exactly what was counted, with pairs of no tile (the number of tiles) for what is missing. What does not fit pair_capacity is
// dropped and shows in counters[1], the number of pairs wanted.
// Cost per splat: 9 loads; per row of tiles of its box: 40 operations, two of them roots; per pair: 2 stores.
#import common/view
#import common/projected
#import common/footprint

@group(0) @binding(0) var<uniform> view: View;
@group(0) @binding(1) var<storage, read> projected: array<vec4f>;
@group(0) @binding(2) var<storage, read> sorted_slots: array<u32>;
@group(0) @binding(3) var<storage, read> counters: array<u32>;
@group(0) @binding(4) var<storage, read> offsets: array<u32>;
@group(0) @binding(5) var<storage, read_write> pair_tiles: array<u32>;
@group(0) @binding(6) var<storage, read_write> pair_slots: array<u32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let rank = linear_id(id, groups, 64u);
    if rank >= counters[0] { return; }
    let slot = sorted_slots[rank];
    let center = projected[PROJECTED_STRIDE * slot];
    let conic = projected[PROJECTED_STRIDE * slot + 1u].xyz;
    let box = tile_box(center.xy, conic, center.w, view.tiles);
    var next = offsets[rank];
    // The last splat's room ends with the pairs that were counted.
    let all = rank + 1u >= counters[0];
    let counted = select(offsets[min(rank + 1u, arrayLength(&offsets) - 1u)], counters[1], all);
    let end = min(counted, view.pair_capacity);
    var row = box.y;
    var touched = touched_in_row(center.xy, conic, center.w, row, box);
    // Every turn takes a tile, leaves a row that has no more or, behind the last row, fills a place.
    loop {
        let inside = touched.x < touched.y;
        if next < end && (inside || row >= box.w) {
            pair_tiles[next] = select(view.tiles.x * view.tiles.y, row * view.tiles.x + touched.x, inside);
            pair_slots[next] = slot;
            next++;
        }
        touched.x++;
        if touched.x >= touched.y {
            row = min(row + 1u, box.w);
            touched = touched_in_row(center.xy, conic, center.w, row, box);
        }
        continuing { break if next >= end; }
    }
}
