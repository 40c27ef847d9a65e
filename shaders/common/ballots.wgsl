// Which lanes of a subgroup look at the same digit: keys are then counted and ranked a subgroup at a time (Rust: gpu::sort::blocks).
//
// With EMULATED, for tests, LANES threads that talk through workgroup memory stand for a subgroup of that size.
// Call everything from uniform control flow.

#import common/digit_pass

// Where a thread is: its subgroup in the workgroup, its lane there, and how many lanes there are.
struct Place {
    subgroup: u32,
    lane: u32,
    lanes: u32,
}

#ifdef EMULATED
var<workgroup> exchanged: array<u32, THREADS>;

fn place_of(thread: u32, subgroup: u32, lane: u32, lanes: u32) -> Place {
    return Place(thread / LANES, thread % LANES, LANES);
}

// The lanes whose digit is that of this lane.
fn peers_of(digit: u32, place: Place) -> vec2u {
    let first = place.subgroup * LANES;
    exchanged[first + place.lane] = digit;
    workgroupBarrier();
    var peers = vec2(0u);
    for (var lane = 0u; lane < LANES; lane++) {
        let bit = select(0u, 1u << (lane & 31u), exchanged[first + lane] == digit);
        peers |= select(vec2(bit, 0u), vec2(0u, bit), lane > 31u);
    }
    workgroupBarrier();
    return peers;
}

// What `value` is in lane `lane`.
fn from_lane(value: u32, lane: u32, place: Place) -> u32 {
    let first = place.subgroup * LANES;
    exchanged[first + place.lane] = value;
    workgroupBarrier();
    let found = exchanged[first + lane];
    workgroupBarrier();
    return found;
}
#else
// Not by `thread`: which invocations a subgroup has is up to the driver.
fn place_of(thread: u32, subgroup: u32, lane: u32, lanes: u32) -> Place {
    return Place(subgroup, lane, lanes);
}

// The lanes whose digit is that of this lane.
fn peers_of(digit: u32, place: Place) -> vec2u {
    var peers = subgroupBallot(true).xy;
    for (var bit = 0u; bit < DIGIT_BITS; bit++) {
        let is_set = (digit >> bit & 1u) == 1u;
        let ballot = subgroupBallot(is_set).xy;
        peers &= select(~ballot, ballot, is_set);
    }
    return peers;
}

// What `value` is in lane `lane`.
fn from_lane(value: u32, lane: u32, place: Place) -> u32 {
    return subgroupShuffle(value, lane);
}
#endif

// How many of `peers` there are, and how many of them lie before `lane`.
fn counted(peers: vec2u, lane: u32) -> vec2u {
    let below = (1u << (lane & 31u)) - 1u;
    let before = peers & select(vec2(below, 0u), vec2(0xffffffffu, below), lane > 31u);
    let all = countOneBits(peers);
    let earlier = countOneBits(before);
    return vec2(all.x + all.y, earlier.x + earlier.y);
}

// The first of `peers`.
fn first_of(peers: vec2u) -> u32 {
    return select(32u + firstTrailingBit(peers.y), firstTrailingBit(peers.x), peers.x != 0u);
}
