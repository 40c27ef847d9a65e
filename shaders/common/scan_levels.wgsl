// Sizes of the levels of a prefix sum of `n0` elements: (x, y, z) workgroups of the level's blocks, then its number of elements.
// The importing shader binds level0 to level2.
#import common/fold

fn put_levels(n0: u32) {
    // Written so that counts next to 2^32 do not wrap.
    let n1 = n0 / SCAN_BLOCK + u32(n0 % SCAN_BLOCK > 0u);
    let n2 = (n1 + SCAN_BLOCK - 1u) / SCAN_BLOCK;
    let n3 = (n2 + SCAN_BLOCK - 1u) / SCAN_BLOCK;
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
