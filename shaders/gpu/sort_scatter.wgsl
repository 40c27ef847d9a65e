// One digit of the radix sort, second half: moves every pair to its place, keeping the order of equal digits.
// One workgroup a block of 1024 keys. Reads keys, values, their number and block_offsets (exclusive scan of
// sort_histogram's counts); writes keys_out and values_out.
#import common/sort_block

@group(0) @binding(0) var<uniform> digit_pass: Pass;
@group(0) @binding(1) var<storage, read> count: array<u32>;
@group(0) @binding(2) var<storage, read> keys: array<u32>;
@group(0) @binding(3) var<storage, read> values: array<u32>;
@group(0) @binding(4) var<storage, read> block_offsets: array<u32>;
@group(0) @binding(5) var<storage, read_write> keys_out: array<u32>;
@group(0) @binding(6) var<storage, read_write> values_out: array<u32>;

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
    // Counts become the places of each thread's first key of each digit.
    let row = thread / 4u;
    var place = 0u;
    if block < digit_pass.blocks {
        place = block_offsets[row * digit_pass.blocks + block];
    }
    for (var q = 4u * row; q < thread; q++) {
        place += quarters[q];
    }
    for (var i = thread * (THREADS / 4u); i < (thread + 1u) * (THREADS / 4u); i++) {
        let own = thread_counts[i];
        thread_counts[i] = place;
        place += own;
    }
    workgroupBarrier();
    for (var k = first; k < min(first + KEYS_PER_THREAD, end); k++) {
        let key = keys[k];
        let cell = ((key >> digit_pass.shift) & digit_pass.mask) * THREADS + thread;
        let to = thread_counts[cell];
        thread_counts[cell] = to + 1u;
        keys_out[to] = key;
        values_out[to] = values[k];
    }
}
