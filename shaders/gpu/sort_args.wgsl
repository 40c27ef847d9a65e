// Sizes of a sort whose number of pairs is known on the device.
//
// Reads  count[source.place]: number of keys.
// Writes sort_args: (x, y, z) workgroups, one per block, then the number of keys; and for the scan of the table of counts
//        level0[3], its entries, or with LEVELS all of level0..2, as scan_args does.
// One invocation.
#import common/count_source
#import common/fold

@group(0) @binding(0) var<uniform> source: Source;
@group(0) @binding(1) var<storage, read> count: array<u32>;
@group(0) @binding(2) var<storage, read_write> sort_args: array<u32>;
@group(0) @binding(3) var<storage, read_write> level0: array<u32>;
#ifdef LEVELS
@group(0) @binding(4) var<storage, read_write> level1: array<u32>;
@group(0) @binding(5) var<storage, read_write> level2: array<u32>;
#import common/scan_levels
#endif

@compute @workgroup_size(1)
fn main() {
    let n = min(count[source.place], source.room);
    let blocks = n / BLOCK + u32(n % BLOCK > 0u);
    let groups = fold(blocks);
    sort_args[0] = groups.x;
    sort_args[1] = groups.y;
    sort_args[2] = groups.z;
    sort_args[3] = n;
#ifdef LEVELS
    put_levels(blocks * DIGITS);
#else
    level0[3] = blocks * DIGITS;
#endif
}
