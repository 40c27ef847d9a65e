// One (tile, slot) pair for every tile that a splat's footprint touches, in depth order.
// One invocation a rank. Reads projected, sorted_slots and offsets (exclusive scan of count_tiles); writes
// pair_tiles and pair_slots. The test is count_tiles' own, so both agree; what does not fit pair_capacity is dropped
// and shows in counters[1], the number of pairs wanted.
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
    for (var y = box.y; y < box.w; y++) {
        for (var x = box.x; x < box.z; x++) {
            if touches_tile(center.xy, conic, center.w, vec2u(x, y)) {
                if next < view.pair_capacity {
                    pair_tiles[next] = y * view.tiles.x + x;
                    pair_slots[next] = slot;
                }
                next++;
            }
        }
    }
}
