// One digit of the radix sort by lanes, second part: where the pairs of each digit value of each lane go.
//
// Reads and writes table [digit values][lanes]: counts, which become the sums of all counts before them.
// One workgroup; every invocation owns consecutive entries.
// Cost per entry: two loads and a store.
#import common/sort_lanes
#import common/unspecialized
#import common/workgroup_scan

@group(0) @binding(0) var<uniform> digit_pass: Pass;
@group(0) @binding(1) var<storage, read_write> table: array<vec4<u32>>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
    let quads = (unspecialized(digit_pass.mask, group) + 1u) * (LANES / 4u);
    let each = (quads + 63u) / 64u;
    let first = min(local * each, quads);
    let end = min(first + each, quads);
    var sum = 0u;
    for (var quad = first; quad < end; quad++) {
        let counts = table[quad];
        sum += counts.x + counts.y + counts.z + counts.w;
    }
    var before = workgroup_scan(local, sum).before;
    for (var quad = first; quad < end; quad++) {
        let counts = table[quad];
        let two = counts.x + counts.y;
        let three = two + counts.z;
        table[quad] = vec4(before) + vec4(0u, counts.x, two, three);
        before += three + counts.w;
    }
}
