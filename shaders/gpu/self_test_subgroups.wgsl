// Start-up check of a driver: the subgroup operations that kernels use. One invocation per element of `found`.
// Writes found[i]: the lanes of a subgroup, times 256, and bits of what is wrong: sums, exchanges over powers of two, the first
// lane, ballot, exchange with any lane, any and all, and that subgroups and lanes number the invocations.

@group(0) @binding(0) var<storage, read_write> found: array<u32>;

// How many invocations take each place.
var<workgroup> places: array<atomic<u32>, 64>;

// Some lanes and not others.
fn is_chosen(lane: u32) -> bool {
    return (5u * lane + 3u) % 7u < 3u;
}

fn chosen(lanes: u32) -> vec2u {
    var all = vec2u();
    for (var lane = 0u; lane < min(lanes, 64u); lane++) {
        let bit = select(0u, 1u << (lane & 31u), is_chosen(lane));
        all |= select(vec2u(bit, 0u), vec2u(0u, bit), lane > 31u);
    }
    return all;
}

@compute @workgroup_size(64)
fn main(
    @builtin(global_invocation_id) id: vec3u,
    @builtin(local_invocation_index) thread: u32,
    @builtin(subgroup_id) subgroup: u32,
    @builtin(subgroup_invocation_id) lane: u32,
    @builtin(subgroup_size) lanes: u32,
) {
    atomicStore(&places[thread], 0u);
    workgroupBarrier();
    let place = subgroup * lanes + lane;
    atomicAdd(&places[min(place, 63u)], 1u);
    workgroupBarrier();
    var fault = select(0u, 1u, subgroupAdd(lane) != lanes * (lanes - 1u) / 2u);
    fault |= select(0u, 1u, subgroupExclusiveAdd(lane + 1u) != lane * (lane + 1u) / 2u);
    for (var step = 1u; step < lanes; step *= 2u) {
        let across = subgroupShuffleXor(lane, step);
        fault |= select(0u, 2u, across != (lane ^ step));
    }
    let first = subgroupBroadcastFirst(lane);
    fault |= select(0u, 4u, first != 0u);
    let ballot = subgroupBallot(is_chosen(lane)).xy;
    fault |= select(0u, 8u, any(ballot != chosen(lanes)));
    let other = (3u * lane + 1u) % lanes;
    let held = subgroupShuffle(lane * lane + 7u, other);
    fault |= select(0u, 16u, held != other * other + 7u);
    let some = subgroupAny(lane == lanes - 1u);
    let none = subgroupAny(lane >= lanes);
    let every = subgroupAll(lane < lanes);
    let but_one = subgroupAll(lane != lanes - 1u);
    fault |= select(0u, 32u, !some || none || !every || but_one);
    fault |= select(0u, 64u, place > 63u || atomicLoad(&places[thread]) != 1u);
    found[id.x] = lanes << 8u | fault;
}
