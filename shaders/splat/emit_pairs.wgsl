// One (tile, slot) pair for every tile that a splat's footprint touches, in depth order.
// One invocation per rank. Reads projected, sorted_slots and offsets (exclusive scan of count_tiles); writes
// pair_tiles and pair_slots. The test is count_tiles' own; where a driver makes other floats of it all the same, a splat still
// fills exactly what was counted, with pairs of no tile (the number of tiles) for what is missing. What does not fit pair_capacity is
// dropped and shows in counters[1], the number of pairs wanted. With SHARED a subgroup takes the rows of a large splat together, so
// that the frame does not wait for one thread.
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

#ifdef SHARED
// Splats with more pairs than this are shared by all lanes of the subgroup.
const ALONE = 32u;

// Fills the places [first, end) of a splat: a row of its box for each lane.
fn emit_together(center: vec4f, conic: vec3f, slot: u32, box: vec4u, first: u32, end: u32, lane: u32, lanes: u32) {
    var next = first;
    for (var top = box.y; top < box.w; top += lanes) {
        let row = top + lane;
        let touched = touched_in_row(center.xy, conic, center.w, row, box);
        let width = touched.y - touched.x;
        let at = next + subgroupExclusiveAdd(width);
        next += subgroupAdd(width);
        for (var i = 0u; i < min(width, max(end, at) - at); i++) {
            pair_tiles[at + i] = row * view.tiles.x + touched.x + i;
            pair_slots[at + i] = slot;
        }
    }
    for (var at = next + lane; at < end; at += lanes) {
        pair_tiles[at] = view.tiles.x * view.tiles.y;
        pair_slots[at] = slot;
    }
}
#endif

@compute @workgroup_size(64)
fn main(
    @builtin(global_invocation_id) id: vec3u,
    @builtin(num_workgroups) groups: vec3u,
#ifdef SHARED
    @builtin(subgroup_invocation_id) lane: u32,
    @builtin(subgroup_size) lanes: u32,
#endif
) {
    let rank = linear_id(id, groups, 64u);
    let ranks = counters[0];
#ifdef SHARED
    // No invocation returns early: all lanes help with large splats. Those beyond the last rank have no splat of their own.
    let there = rank < ranks;
    let slot = sorted_slots[min(rank, max(ranks, 1u) - 1u)];
#else
    if rank >= ranks { return; }
    let there = true;
    let slot = sorted_slots[rank];
#endif
    let center = projected[PROJECTED_STRIDE * slot];
    let conic = projected[PROJECTED_STRIDE * slot + 1u].xyz;
    let box = tile_box(center.xy, conic, center.w, view.tiles);
    let last = arrayLength(&offsets) - 1u;
    var next = offsets[min(rank, last)];
    // The last splat's room ends with the pairs that were counted.
    let counted = select(offsets[min(rank + 1u, last)], counters[1], rank + 1u >= ranks);
    let end = select(next, min(counted, view.pair_capacity), there);
#ifdef SHARED
    let large = end > next && end - next > ALONE;
    let ballot = subgroupBallot(large);
    for (var word = 0u; word < lanes; word += 32u) {
        var left = select(ballot.x, ballot.y, word > 0u);
        while left != 0u {
            let source = word + firstTrailingBit(left);
            left &= left - 1u;
            emit_together(
                subgroupShuffle(center, source), subgroupShuffle(conic, source), subgroupShuffle(slot, source),
                subgroupShuffle(box, source), subgroupShuffle(next, source), subgroupShuffle(end, source), lane, lanes);
        }
    }
    // Large splats are done.
    next = select(next, end, large);
#endif
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
