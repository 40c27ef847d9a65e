// Exclusive prefix sum inside blocks of 1024 elements: the downward half of a prefix sum, in place.
//
// Reads  level[3] (number of elements), values [n] and, but for the top level, offsets [ceil(n / 1024)]: what comes before each block.
// Writes values [n] and, on the top level (one block), total[0].
// One workgroup a block; every invocation owns 16 elements in a row.

#import common/workgroup_scan

@group(0) @binding(0) var<storage, read> level: array<u32>;
@group(0) @binding(1) var<storage, read_write> values: array<vec4<u32>>;
#ifdef TOP
@group(0) @binding(2) var<storage, read_write> total: array<u32>;
#else
@group(0) @binding(2) var<storage, read> offsets: array<u32>;
#endif

// The four elements from 4 * i on; 0 from the end on.
fn load(i: u32, n: u32) -> vec4<u32> {
    let first = 4u * i;
    return select(vec4<u32>(), values[i], vec4(first, first + 1u, first + 2u, first + 3u) < vec4(n));
}

fn inclusive(v: vec4<u32>) -> vec4<u32> {
    let pairs = v + vec4(0u, v.x, 0u, v.z);
    return pairs + vec4(0u, 0u, pairs.y, pairs.y);
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let block = group.x + group.y * groups.x;
    let n = level[3];
    let i = block * 256u + local * 4u;
    let v0 = load(i, n);
    let v1 = load(i + 1u, n);
    let v2 = load(i + 2u, n);
    let v3 = load(i + 3u, n);
    let s0 = inclusive(v0);
    let s1 = inclusive(v1) + s0.w;
    let s2 = inclusive(v2) + s1.w;
    let s3 = inclusive(v3) + s2.w;
    let scan = workgroup_scan(local, s3.w);
    var before = scan.before;
#ifdef TOP
    if local == 0u {
        total[0] = scan.total;
    }
#else
    before += offsets[min(block, arrayLength(&offsets) - 1u)];
#endif
    // Elements past the end share their vec4 with the last ones and are kept as they are.
    store(i, n, before, s0, v0);
    store(i + 1u, n, before, s1, v1);
    store(i + 2u, n, before, s2, v2);
    store(i + 3u, n, before, s3, v3);
}

fn store(i: u32, n: u32, before: u32, sums: vec4<u32>, items: vec4<u32>) {
    let first = 4u * i;
    if first + 3u < n {
        values[i] = before + sums - items;
    } else if first < n {
        let kept = vec4(first, first + 1u, first + 2u, first + 3u) >= vec4(n);
        values[i] = select(before + sums - items, values[i], kept);
    }
}
