// One digit of the radix sort, second half: moves every pair to its place, keeping the order of equal digits.
//
// Reads  sort_args[3] (number of keys; with FEW sort_args[0] is how many there is room for), keys, values, block_offsets
//        (exclusive scan of sort_histogram's counts; with FEW the counts themselves, which every workgroup then adds up).
// Writes values_out, keys_out.
// With FIRST values are the places of their keys and not read; with LAST keys are not wanted and not written.
// One workgroup per block.
// Cost per pair: 3 loads and 2 stores (one less of each with FIRST and LAST), and 7 loads and 4 stores of workgroup memory.
#import common/sort_block
#ifdef FEW
#import common/workgroup_scan
#endif

@group(0) @binding(0) var<uniform> digit_pass: Pass;
@group(0) @binding(1) var<storage, read> sort_args: array<u32>;
@group(0) @binding(2) var<storage, read> keys: array<vec4<u32>>;
@group(0) @binding(3) var<storage, read> block_offsets: array<u32>;
#import common/sort_pairs

// Where the block's keys of each digit value begin.
var<workgroup> offsets: array<u32, DIGITS>;

fn move_pair(key: u32, value: u32, valid: bool, own: u32, segment: u32) {
    if valid {
        let digit = (key >> digit_pass.shift) & digit_pass.mask;
        let at = cell(digit, own);
        let ranks = table[at];
        table[at] = ranks + (1u << half(digit));
        let rank = ((ranks + segments[(digit >> 1u) * SEGMENTS + segment]) >> half(digit)) & 0xffffu;
        let to = offsets[digit] + rank;
        put(to, key, value);
    }
}

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
#ifdef FEW
    // One thread per digit value, as many as there are.
    var earlier = 0u;
    var count = 0u;
    for (var b = 0u; b < blocks; b++) {
        let in_block = block_offsets[thread * blocks + b];
        count += in_block;
        earlier += select(0u, in_block, b < block);
    }
    offsets[thread] = workgroup_scan(thread, count).before + earlier;
#else
    if thread < DIGITS && block < blocks {
        offsets[thread] = block_offsets[thread * blocks + block];
    }
#endif
    let first = (block * THREADS + thread) * QUADS_PER_THREAD;
    for (var quad = first; quad < first + QUADS_PER_THREAD; quad++) {
        count_quad(keys[quad], 4u * quad, n, own, digit_pass.shift, digit_pass.mask);
    }
    workgroupBarrier();
    // Counts become ranks within their segment of a row, two digit values at a time ...
    let row = (thread / SEGMENTS) * ROW;
    let segment = thread % SEGMENTS;
    var rank = 0u;
    for (var i = segment * SEGMENT; i < (segment + 1u) * SEGMENT; i++) {
        let at = row + column(i);
        let count = table[at];
        table[at] = rank;
        rank += count;
    }
    segments[thread] = rank;
    workgroupBarrier();
    // ... and sums of segments what lies before each of them.
    var before = 0u;
    for (var s = thread - segment; s < thread; s++) {
        before += segments[s];
    }
    workgroupBarrier();
    segments[thread] = before;
    workgroupBarrier();
    let own_segment = thread / SEGMENT;
    for (var quad = first; quad < first + QUADS_PER_THREAD; quad++) {
        let key = keys[quad];
        let value = values_of(quad);
        move_pair(key.x, value.x, 4u * quad < n, own, own_segment);
        move_pair(key.y, value.y, 4u * quad + 1u < n, own, own_segment);
        move_pair(key.z, value.z, 4u * quad + 2u < n, own, own_segment);
        move_pair(key.w, value.w, 4u * quad + 3u < n, own, own_segment);
    }
}
