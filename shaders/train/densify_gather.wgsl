// One tensor of the new model. One invocation a float.
// Reads sources and the old tensor; writes the new one [rows, width].
#import common/densify

@group(0) @binding(0) var<uniform> rows: vec4u; // rows, width, 1: a moment, which starts from zero for new splats
@group(0) @binding(1) var<storage, read> sources: array<u32>;
@group(0) @binding(2) var<storage, read> old: array<f32>;
@group(0) @binding(3) var<storage, read_write> new_values: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let at = linear_id(id, groups, 64u);
    let row = at / rows.y;
    if row >= rows.x { return; }
    let source = sources[row];
    let value = old[(source & ~TAG_MASK) * rows.y + at % rows.y];
    new_values[at] = select(value, 0.0, (rows.z != 0u) & ((source & TAG_MASK) != TAG_KEEP));
}
