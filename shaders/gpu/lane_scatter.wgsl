// One digit of the radix sort by lanes, last part: moves every pair to its place, keeping the order of equal digits.
//
// Reads  sort_args: how many keys there is room for, and as its last word their number; keys, values, and table [digit values]
//        [lanes]: where the next pair of each goes, which moves on with every pair.
// Writes values_out, keys_out.
// With FIRST values are the places of their keys and not read; with LAST keys are not wanted and not written.
// One invocation per lane of the sort.
// Cost per pair: 2 loads and 2 stores (one less of each with FIRST and LAST), and a load and a store of the table.
#import common/sort_lanes

@group(0) @binding(0) var<uniform> digit_pass: Pass;
@group(0) @binding(1) var<storage, read> sort_args: array<u32>;
@group(0) @binding(2) var<storage, read> keys: array<vec4<u32>>;
@group(0) @binding(3) var<storage, read_write> table: array<u32>;
#import common/sort_pairs

fn move_pair(key: u32, value: u32, valid: bool, lane: u32) {
    if valid {
        let at = ((key >> digit_pass.shift) & digit_pass.mask) * LANES + lane;
        let to = table[at];
        table[at] = to + 1u;
        put(to, key, value);
    }
}

@compute @workgroup_size(8)
fn main(@builtin(global_invocation_id) id: vec3u) {
    let lane = id.x;
    let n = min(sort_args[3], sort_args[0]);
    let quads = quads_of(lane, n);
    var quad = quads.x;
    loop {
        let key = keys[quad];
        let value = values_of(quad);
        let valid = select(0u, n, quad < quads.y);
        move_pair(key.x, value.x, 4u * quad < valid, lane);
        move_pair(key.y, value.y, 4u * quad + 1u < valid, lane);
        move_pair(key.z, value.z, 4u * quad + 2u < valid, lane);
        move_pair(key.w, value.w, 4u * quad + 3u < valid, lane);
        quad++;
        continuing { break if quad >= quads.y; }
    }
}
