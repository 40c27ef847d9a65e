// One digit of the radix sort by lanes, first part: how often each value of the digit occurs among the keys of each lane.
//
// Reads  sort_args: how many keys there is room for, and as its last word their number; keys.
// Writes table [digit values][lanes].
// One invocation per lane of the sort.
// Cost per key: a load, and a load and a store of the table; per lane: a store per digit value.
#import common/sort_lanes
#import common/unspecialized

@group(0) @binding(0) var<uniform> digit_pass: Pass;
@group(0) @binding(1) var<storage, read> sort_args: array<u32>;
@group(0) @binding(2) var<storage, read> keys: array<vec4<u32>>;
@group(0) @binding(3) var<storage, read_write> table: array<u32>;

fn count(digit: u32, valid: bool, lane: u32) {
    table[digit * LANES + lane] += u32(valid);
}

@compute @workgroup_size(8)
fn main(@builtin(global_invocation_id) id: vec3u) {
    let lane = id.x;
    let n = min(sort_args[3], sort_args[0]);
    let most = unspecialized(digit_pass.mask, id);
    var value = 0u;
    loop {
        table[value * LANES + lane] = 0u;
        value++;
        continuing { break if value > most; }
    }
    let quads = quads_of(lane, n);
    var quad = quads.x;
    loop {
        let digit = (keys[quad] >> vec4(digit_pass.shift)) & vec4(digit_pass.mask);
        let valid = select(0u, n, quad < quads.y);
        count(digit.x, 4u * quad < valid, lane);
        count(digit.y, 4u * quad + 1u < valid, lane);
        count(digit.z, 4u * quad + 2u < valid, lane);
        count(digit.w, 4u * quad + 3u < valid, lane);
        quad++;
        continuing { break if quad >= quads.y; }
    }
}
