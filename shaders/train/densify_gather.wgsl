// One tensor of the new model, from a part of the old one to a part of the new one. One invocation per float.
// Reads sources and the old tensor; writes the new one [rows, width], where its source is of the old part.
// Cost per float: 2 loads, a store.
#import common/densify

// Rust twin: train::densify::rebuild::Rows.
struct Rows {
    // Rows of the parts: the first, and how many.
    old_first: u32,
    old_count: u32,
    new_first: u32,
    new_count: u32,
    width: u32,
    // 1: a moment, which starts from zero for new splats.
    moment: u32,
}

@group(0) @binding(0) var<uniform> rows: Rows;
@group(0) @binding(1) var<storage, read> sources: array<u32>;
@group(0) @binding(2) var<storage, read> old_values: array<f32>;
@group(0) @binding(3) var<storage, read_write> new_values: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let at = linear_id(id, groups, 64u);
    let row = at / rows.width;
    if row >= rows.new_count { return; }
    let source = sources[rows.new_first + row];
    let old = (source & ~TAG_MASK) - rows.old_first;
    if old >= rows.old_count { return; }
    let value = old_values[old * rows.width + at % rows.width];
    new_values[at] = select(value, 0.0, (rows.moment != 0u) & ((source & TAG_MASK) != TAG_KEEP));
}
