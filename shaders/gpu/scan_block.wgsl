// Exclusive prefix sum inside blocks of 1024 elements: the downward half of a prefix sum, in place. Sums stop at 2^32 - 1.
//
// Reads  level[3] (number of elements), values [n] and, but for the top level, offsets [ceil(n / 1024)]: what comes before each
//        block. With ROOM, level[0] is how many elements there is room for: the top level is all there is.
// Writes values [n] and, on the top level, total[0].
// One workgroup per block, or on the top level one workgroup for all blocks, one after the other; every invocation owns 16
// elements in a row of a block. Costs a load and a store per element, and four loads of workgroup memory.

#import common/workgroup_scan

@group(0) @binding(0) var<storage, read> level: array<u32>;
@group(0) @binding(1) var<storage, read_write> values: array<vec4<u32>>;
#ifdef TOP
@group(0) @binding(2) var<storage, read_write> total: array<u32>;
#else
@group(0) @binding(2) var<storage, read> offsets: array<u32>;
#endif

fn plus4(a: vec4<u32>, b: vec4<u32>) -> vec4<u32> {
    return select(a + b, vec4(0xffffffffu), a + b < a);
}

// The four elements from 4 * i on; 0 from the end on.
fn load(i: u32, n: u32) -> vec4<u32> {
    let first = 4u * i;
    return select(vec4<u32>(), values[i], vec4(first, first + 1u, first + 2u, first + 3u) < vec4(n));
}

fn inclusive(v: vec4<u32>) -> vec4<u32> {
    let pairs = plus4(v, vec4(0u, v.x, 0u, v.z));
    return plus4(pairs, vec4(0u, 0u, pairs.y, pairs.y));
}

// Elements past the end share their vec4 with the last ones and are kept as they are.
fn store(i: u32, n: u32, before: u32, sums: vec4<u32>) {
    let first = 4u * i;
    let all = plus4(vec4(before), sums);
    if first + 3u < n {
        values[i] = all;
    } else if first < n {
        let kept = vec4(first, first + 1u, first + 2u, first + 3u) >= vec4(n);
        values[i] = select(all, values[i], kept);
    }
}

// Scans a block after elements whose sum is `offset`; returns the sum up to its end.
fn scan_one(block: u32, local: u32, n: u32, offset: u32) -> u32 {
    let i = block * 256u + local * 4u;
    let s0 = inclusive(load(i, n));
    let s1 = plus4(inclusive(load(i + 1u, n)), vec4(s0.w));
    let s2 = plus4(inclusive(load(i + 2u, n)), vec4(s1.w));
    let s3 = plus4(inclusive(load(i + 3u, n)), vec4(s2.w));
    let scan = workgroup_scan(local, s3.w);
    let before = plus(offset, scan.before);
    store(i, n, before, vec4(0u, s0.xyz));
    store(i + 1u, n, before, vec4(s0.w, s1.xyz));
    store(i + 2u, n, before, vec4(s1.w, s2.xyz));
    store(i + 3u, n, before, vec4(s2.w, s3.xyz));
    return plus(offset, scan.total);
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
#ifdef TOP
#ifdef ROOM
    let n = min(level[3], level[0]);
#else
    let n = level[3];
#endif
    var sum = 0u;
    for (var block = 0u; block * 1024u < n; block++) {
        sum = scan_one(block, local, n, sum);
        workgroupBarrier();
    }
    if local == 0u {
        total[0] = sum;
    }
#else
    let block = group.x + group.y * groups.x;
    _ = scan_one(block, local, level[3], offsets[min(block, arrayLength(&offsets) - 1u)]);
#endif
}
