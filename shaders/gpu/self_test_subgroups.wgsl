// Start-up check of a driver: the subgroup operations that kernels use. One invocation an element of `faults`.
// Writes faults[i]: 0 where sum and exchange over the subgroup are right, else bits that say which is wrong.

@group(0) @binding(0) var<storage, read_write> faults: array<u32>;

@compute @workgroup_size(64)
fn main(
    @builtin(global_invocation_id) id: vec3u,
    @builtin(subgroup_invocation_id) lane: u32,
    @builtin(subgroup_size) lanes: u32,
) {
    let sum = subgroupAdd(lane);
    let neighbor = subgroupShuffleXor(lane, 1u);
    let first = subgroupBroadcastFirst(lane);
    var fault = select(0u, 1u, sum != lanes * (lanes - 1u) / 2u);
    fault += select(0u, 2u, neighbor != (lane ^ 1u));
    fault += select(0u, 4u, first != 0u);
    faults[id.x] = fault;
}
