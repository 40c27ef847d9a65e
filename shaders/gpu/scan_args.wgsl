// Sizes of the levels of a prefix sum whose length is known on the device.
//
// Reads  count[source.place]: number of elements.
// Writes level0..2: (x, y, z) workgroups of the level's blocks, then its number of elements.
// One invocation.
#import common/count_source
#import common/scan_levels

@group(0) @binding(0) var<uniform> source: Source;
@group(0) @binding(1) var<storage, read> count: array<u32>;
@group(0) @binding(2) var<storage, read_write> level0: array<u32>;
@group(0) @binding(3) var<storage, read_write> level1: array<u32>;
@group(0) @binding(4) var<storage, read_write> level2: array<u32>;

@compute @workgroup_size(1)
fn main() {
    put_levels(min(count[source.place], source.room));
}
