// One digit of the radix sort, first half: how often each value of the digit occurs in each block of 1024 keys.
// One workgroup a block. Reads keys and their number; writes block_counts [digit values][blocks].
#import common/sort_block

@group(0) @binding(0) var<uniform> digit_pass: Pass;
@group(0) @binding(1) var<storage, read> count: array<u32>;
@group(0) @binding(2) var<storage, read> keys: array<u32>;
@group(0) @binding(3) var<storage, read_write> block_counts: array<u32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) thread: u32,
) {
    let block = group.x + group.y * groups.x;
    let end = min(count[digit_pass.count_index], arrayLength(&keys));
    let first = block * BLOCK + thread * KEYS_PER_THREAD;
    clear_counts(thread);
    for (var k = first; k < min(first + KEYS_PER_THREAD, end); k++) {
        count_digit(thread, (keys[k] >> digit_pass.shift) & digit_pass.mask);
    }
    workgroupBarrier();
    sum_quarter(thread);
    workgroupBarrier();
    if block < digit_pass.blocks && thread < DIGITS {
        let q = 4u * thread;
        block_counts[thread * digit_pass.blocks + block] = quarters[q] + quarters[q + 1u] + quarters[q + 2u] + quarters[q + 3u];
    }
}
