// Number of tiles that each splat's footprint touches, in depth order.
// One invocation per rank (position in the depth order). Reads projected and sorted_slots; writes tile_counts [ranks].
// Cost per splat: 8 loads and a store; per row of tiles of its box: 40 operations, two of them roots.
#import common/view
#import common/projected
#import common/footprint

@group(0) @binding(0) var<uniform> view: View;
@group(0) @binding(1) var<storage, read> projected: array<vec4f>;
@group(0) @binding(2) var<storage, read> sorted_slots: array<u32>;
@group(0) @binding(3) var<storage, read> counters: array<u32>;
@group(0) @binding(4) var<storage, read_write> tile_counts: array<u32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let rank = linear_id(id, groups, 64u);
    if rank >= counters[0] { return; }
    let slot = sorted_slots[rank];
    let center = projected[PROJECTED_STRIDE * slot];
    let conic = projected[PROJECTED_STRIDE * slot + 1u].xyz;
    let box = tile_box(center.xy, conic, center.w, view.tiles);
    var count = 0u;
    for (var row = box.y; row < box.w; row++) {
        let touched = touched_in_row(center.xy, conic, center.w, row, box);
        count += touched.y - touched.x;
    }
    tile_counts[rank] = count;
}
