// One digit of the radix sort, first half: how often each value of the digit occurs in each block of keys.
//
// Reads  sort_args[3] (number of keys; with FEW sort_args[0] is how many there is room for), keys.
// Writes block_counts [digit values][blocks].
// One workgroup per block.
// Cost per key: a load, and 2 loads and 2 stores of workgroup memory (clearing and summing the table are 1 of either at 32 keys a
// thread).
#import common/sort_block

@group(0) @binding(0) var<uniform> digit_pass: Pass;
@group(0) @binding(1) var<storage, read> sort_args: array<u32>;
@group(0) @binding(2) var<storage, read> keys: array<vec4<u32>>;
@group(0) @binding(3) var<storage, read_write> block_counts: array<u32>;

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) thread: u32,
) {
    let block = group.x + group.y * groups.x;
#ifdef FEW
    let n = min(sort_args[3], sort_args[0]);
#else
    let n = sort_args[3];
#endif
    let blocks = (n + BLOCK - 1u) / BLOCK;
    let own = column(thread);
    clear_column(own);
    let first = (block * THREADS + thread) * QUADS_PER_THREAD;
    for (var quad = first; quad < first + QUADS_PER_THREAD; quad++) {
        count_quad(keys[quad], 4u * quad, n, own, digit_pass.shift, digit_pass.mask);
    }
    workgroupBarrier();
    // Halves of a word cannot overflow: a block has fewer than 65536 keys.
    let row = (thread / SEGMENTS) * ROW;
    let start = (thread % SEGMENTS) * SEGMENT;
    var sum = 0u;
    for (var i = start; i < start + SEGMENT; i++) {
        sum += table[row + column(i)];
    }
    segments[thread] = sum;
    workgroupBarrier();
    if block < blocks && thread < DIGITS {
        let word = (thread >> 1u) * SEGMENTS;
        var count = 0u;
        for (var s = word; s < word + SEGMENTS; s++) {
            count += segments[s];
        }
        block_counts[thread * blocks + block] = (count >> half(thread)) & 0xffffu;
    }
}
