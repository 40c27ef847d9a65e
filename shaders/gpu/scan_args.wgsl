// Sizes of the levels of a prefix sum whose length is known on the device.
//
// Reads  count: number of elements, and room for elements.
// Writes level0..2: (x, y, z) workgroups of the level's blocks, then its number of elements.
// One invocation.

#import common/fold

@group(0) @binding(0) var<storage, read> count: array<u32>;
@group(0) @binding(1) var<storage, read_write> level0: array<u32>;
@group(0) @binding(2) var<storage, read_write> level1: array<u32>;
@group(0) @binding(3) var<storage, read_write> level2: array<u32>;

@compute @workgroup_size(1)
fn main() {
    let n0 = min(count[0], count[1]);
    // Written so that counts next to 2^32 do not wrap.
    let n1 = n0 / BLOCK + u32(n0 % BLOCK > 0u);
    let n2 = (n1 + BLOCK - 1u) / BLOCK;
    let n3 = (n2 + BLOCK - 1u) / BLOCK;
    let g0 = fold(n1);
    let g1 = fold(n2);
    let g2 = fold(n3);
    level0[0] = g0.x;
    level0[1] = g0.y;
    level0[2] = g0.z;
    level0[3] = n0;
    level1[0] = g1.x;
    level1[1] = g1.y;
    level1[2] = g1.z;
    level1[3] = n1;
    level2[0] = g2.x;
    level2[1] = g2.y;
    level2[2] = g2.z;
    level2[3] = n2;
}
