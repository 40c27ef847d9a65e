// Sums of blocks of 1024 elements: the upward half of a prefix sum.
//
// Reads  level[3] (number of elements), values [n].
// Writes sums [ceil(n / 1024)].
// One workgroup per block; every invocation sums 16 elements.
// Cost per element: a load.

#import common/workgroup_scan

@group(0) @binding(0) var<storage, read> level: array<u32>;
@group(0) @binding(1) var<storage, read> values: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read_write> sums: array<u32>;

// The four elements from 4 * i on; 0 from the end on.
fn load(i: u32, n: u32) -> u32 {
    let first = 4u * i;
    let v = select(vec4<u32>(), values[min(i, (n - 1u) >> 2u)], vec4(first, first + 1u, first + 2u, first + 3u) < vec4(n));
    return plus(plus(v.x, v.y), plus(v.z, v.w));
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let block = group.x + group.y * groups.x;
    let n = level[3];
    let i = block * 256u + local;
    let sum = plus(plus(load(i, n), load(i + 64u, n)), plus(load(i + 128u, n), load(i + 192u, n)));
    let scan = workgroup_scan(local, sum);
    if local == 0u && block * BLOCK < n {
        sums[block] = scan.total;
    }
}
