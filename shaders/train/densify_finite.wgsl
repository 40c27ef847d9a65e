// Marks splats with a parameter that is not a finite number. One invocation per splat, one dispatch for each part of a tensor.
// Reads a part of one tensor [count, width]; sets broken[first + i] to 1 where row i has NaN or infinity.
// Cost per value: a load.
#import common/view
#import common/unspecialized

@group(0) @binding(0) var<uniform> rows: vec4u; // count, width, first
@group(0) @binding(1) var<storage, read> values: array<u32>;
@group(0) @binding(2) var<storage, read_write> broken: array<u32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let i = linear_id(id, groups, 64u);
    if i >= rows.x { return; }
    // By bits: compilers may assume that floats are never NaN.
    var bad = false;
    let columns = unspecialized(rows.y, id);
    for (var column = 0u; column < columns; column++) {
        bad = bad || (values[i * rows.y + column] & 0x7f800000u) == 0x7f800000u;
    }
    if bad { broken[rows.z + i] = 1u; }
}
