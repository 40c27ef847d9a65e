// One digit of the radix sort by ballots, second half: moves every pair to its place, keeping the order of equal digits.
//
// Reads  sort_args[3] (number of keys), keys, values, block_offsets (exclusive scan of ballot_histogram's counts).
// Writes values_out, keys_out.
// With FIRST values are the places of their keys and not read; with LAST keys are not wanted and not written.
// One workgroup per block. Its pairs are put in order in workgroup memory first, so that consecutive threads write runs.
// Cost per pair: 2 loads and 2 stores (one less of each with FIRST and LAST), DIGIT_BITS ballots, and 5 loads and 2 stores of workgroup
// memory beside an addition for each value that a subgroup has.
#import common/ballots

@group(0) @binding(0) var<uniform> digit_pass: Pass;
@group(0) @binding(1) var<storage, read> sort_args: array<u32>;
@group(0) @binding(2) var<storage, read> keys: array<u32>;
@group(0) @binding(3) var<storage, read> block_offsets: array<u32>;
#import common/sort_pairs

const KEYS = BLOCK / THREADS;
const ROW = 8u;

// Counts, [subgroup][digit value]; then the block's keys in order; then its values.
var<workgroup> room: array<atomic<u32>, ROOM>;
// Of each digit value: how many keys there are, then where they begin in the block.
var<workgroup> starts: array<u32, DIGITS>;
var<workgroup> rows: array<u32, DIGITS / ROW>;
// Of each digit value: from a place in the block to that among all pairs.
var<workgroup> moves: array<u32, DIGITS>;

fn digit_of(key: u32) -> u32 {
    return (key >> digit_pass.shift) & digit_pass.mask;
}

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
    let subgroups = THREADS / place.lanes;
    for (var at = thread; at < subgroups * DIGITS; at += THREADS) {
        atomicStore(&room[at], 0u);
    }
    workgroupBarrier();
    // A subgroup's keys are consecutive. What is no key comes after all keys, and has the last digit value.
    let first = block * BLOCK + place.subgroup * place.lanes * KEYS + place.lane;
    var own: array<u32, KEYS>;
    var ranks: array<u32, KEYS>;
    for (var i = 0u; i < KEYS; i++) {
        let at = first + i * place.lanes;
        let key = select(0xffffffffu, keys[at], at < n);
        let digit = digit_of(key);
        let peers = peers_of(digit, place);
        let leader = first_of(peers);
        let count = counted(peers, place.lane);
        var earlier = 0u;
        if place.lane == leader {
            earlier = atomicAdd(&room[place.subgroup * DIGITS + digit], count.x);
        }
        own[i] = key;
        ranks[i] = from_lane(earlier, leader, place) + count.y;
    }
    workgroupBarrier();
    // Counts become what lies before them in earlier subgroups, in lower digit values, in the whole block.
    for (var digit = thread; digit < DIGITS; digit += THREADS) {
        var sum = 0u;
        for (var s = 0u; s < subgroups; s++) {
            let at = s * DIGITS + digit;
            let count = atomicLoad(&room[at]);
            atomicStore(&room[at], sum);
            sum += count;
        }
        starts[digit] = sum;
    }
    workgroupBarrier();
    for (var row = thread; row < DIGITS / ROW; row += THREADS) {
        var sum = 0u;
        for (var at = row * ROW; at < (row + 1u) * ROW; at++) {
            sum += starts[at];
        }
        rows[row] = sum;
    }
    workgroupBarrier();
    for (var digit = thread; digit < DIGITS; digit += THREADS) {
        var before = 0u;
        for (var row = 0u; row < digit / ROW; row++) {
            before += rows[row];
        }
        for (var at = digit - digit % ROW; at < digit; at++) {
            before += starts[at];
        }
        moves[digit] = before;
    }
    workgroupBarrier();
    for (var digit = thread; digit < DIGITS; digit += THREADS) {
        let before = moves[digit];
        starts[digit] = before;
        moves[digit] = block_offsets[digit * blocks + block] - before;
    }
    workgroupBarrier();
    for (var i = 0u; i < KEYS; i++) {
        let digit = digit_of(own[i]);
        ranks[i] += starts[digit] + atomicLoad(&room[place.subgroup * DIGITS + digit]);
    }
    workgroupBarrier();
    for (var i = 0u; i < KEYS; i++) {
        atomicStore(&room[ranks[i]], own[i]);
    }
    workgroupBarrier();
    let here = min(max(n, block * BLOCK) - block * BLOCK, BLOCK);
    // From here on `own` is where the pairs go.
    for (var i = 0u; i < KEYS; i++) {
        let at = i * THREADS + thread;
        let key = atomicLoad(&room[at]);
        own[i] = at + moves[digit_of(key)];
        if at < here {
            put_key(own[i], key);
        }
    }
    workgroupBarrier();
    for (var i = 0u; i < KEYS; i++) {
        atomicStore(&room[ranks[i]], value_of(first + i * place.lanes));
    }
    workgroupBarrier();
    for (var i = 0u; i < KEYS; i++) {
        let at = i * THREADS + thread;
        if at < here {
            values_out[own[i]] = atomicLoad(&room[at]);
        }
    }
}
