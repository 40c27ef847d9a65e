// Counts the values of four tensors that a model may not have: NaN, infinities and magnitudes from a limit on.
// One invocation per quad of each tensor. Reads four tensors; adds to counts[first], counts[first + 1], ...
// Cost per value: a load.
#import common/view

struct Check {
    // Place of the first tensor's count.
    first: u32,
    // The limit as the bits of a positive float. Floats order like their bits, with NaN above infinity.
    limit: u32,
}

@group(0) @binding(0) var<uniform> check: Check;
@group(0) @binding(1) var<storage, read> tensor_a: array<vec4u>;
@group(0) @binding(2) var<storage, read> tensor_b: array<vec4u>;
@group(0) @binding(3) var<storage, read> tensor_c: array<vec4u>;
@group(0) @binding(4) var<storage, read> tensor_d: array<vec4u>;
@group(0) @binding(5) var<storage, read_write> counts: array<atomic<u32>>;

// By bits: compilers may assume that floats are never NaN.
fn tally(tensor: u32, quad: vec4u) {
    let unusable = (quad & vec4u(0x7fffffffu)) >= vec4u(check.limit);
    if any(unusable) {
        atomicAdd(&counts[check.first + tensor], dot(vec4u(unusable), vec4u(1u)));
    }
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let i = linear_id(id, groups, 64u);
    if i < arrayLength(&tensor_a) { tally(0u, tensor_a[i]); }
    if i < arrayLength(&tensor_b) { tally(1u, tensor_b[i]); }
    if i < arrayLength(&tensor_c) { tally(2u, tensor_c[i]); }
    if i < arrayLength(&tensor_d) { tally(3u, tensor_d[i]); }
}
