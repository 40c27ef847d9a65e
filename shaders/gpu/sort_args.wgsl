// Sizes of a sort whose number of pairs is known on the device.
//
// Reads  count: number of keys, and room for keys.
// Writes sort_args: (x, y, z) workgroups, one per block, then the number of keys; table_len[3]: entries of the table of counts.
// One invocation.
#import common/fold

@group(0) @binding(0) var<storage, read> count: array<u32>;
@group(0) @binding(1) var<storage, read_write> sort_args: array<u32>;
@group(0) @binding(2) var<storage, read_write> table_len: array<u32>;

@compute @workgroup_size(1)
fn main() {
    let n = min(count[0], count[1]);
    let blocks = n / BLOCK + u32(n % BLOCK > 0u);
    let groups = fold(blocks);
    sort_args[0] = groups.x;
    sort_args[1] = groups.y;
    sort_args[2] = groups.z;
    sort_args[3] = n;
    table_len[3] = blocks * DIGITS;
}
