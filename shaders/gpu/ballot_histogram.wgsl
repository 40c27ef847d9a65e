// One digit of the radix sort by ballots, first half: how often each value of the digit occurs in each block of keys.
//
// Reads  sort_args[3] (number of keys), keys.
// Writes block_counts [digit values][blocks].
// One workgroup per block; consecutive threads read consecutive keys.
// Cost per key: a load, DIGIT_BITS ballots, and an addition in workgroup memory for each value that a subgroup has.
#import common/ballots

@group(0) @binding(0) var<uniform> digit_pass: Pass;
@group(0) @binding(1) var<storage, read> sort_args: array<u32>;
@group(0) @binding(2) var<storage, read> keys: array<u32>;
@group(0) @binding(3) var<storage, read_write> block_counts: array<u32>;

const KEYS = BLOCK / THREADS;

var<workgroup> counts: array<atomic<u32>, DIGITS>;

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) thread: u32,
    @builtin(subgroup_id) subgroup: u32,
    @builtin(subgroup_invocation_id) lane: u32,
    @builtin(subgroup_size) lanes: u32,
) {
    let place = place_of(thread, subgroup, lane, lanes);
    let block = group.x + group.y * groups.x;
    let n = sort_args[3];
    let blocks = (n + BLOCK - 1u) / BLOCK;
    for (var digit = thread; digit < DIGITS; digit += THREADS) {
        atomicStore(&counts[digit], 0u);
    }
    workgroupBarrier();
    for (var i = 0u; i < KEYS; i++) {
        let at = block * BLOCK + i * THREADS + thread;
        // What is no key has the last digit value, and is taken off in the end.
        let digit = (select(0xffffffffu, keys[at], at < n) >> digit_pass.shift) & digit_pass.mask;
        let peers = peers_of(digit, place);
        if place.lane == first_of(peers) {
            atomicAdd(&counts[digit], counted(peers, place.lane).x);
        }
    }
    workgroupBarrier();
    if block < blocks {
        let surplus = BLOCK - min(n - block * BLOCK, BLOCK);
        for (var digit = thread; digit < DIGITS; digit += THREADS) {
            let count = atomicLoad(&counts[digit]);
            block_counts[digit * blocks + block] = select(count, count - surplus, digit == digit_pass.mask);
        }
    }
}
