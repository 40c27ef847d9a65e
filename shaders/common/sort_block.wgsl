// Shared by the two halves of a radix sort pass: how a workgroup counts the digits of its block of keys.
// Every thread owns consecutive keys and a column of the table of counts, so that counting needs no atomics and the
// order of equal keys is kept. Counts of two digit values share a word: a block has at most 65535 keys.
const THREADS = 64u;
const QUADS_PER_THREAD = BLOCK / (4u * THREADS);
const WORDS = DIGITS / 2u;
// A column more after each half row keeps the threads of sum_segment in different banks.
const ROW = THREADS + 2u;
const SEGMENTS = THREADS / WORDS;
const SEGMENT = WORDS;

#import common/digit_pass

// [word][thread]
var<workgroup> table: array<u32, WORDS * ROW>;
// Sums of the segments of the rows: [word][segment].
var<workgroup> segments: array<u32, THREADS>;

fn column(thread: u32) -> u32 {
    return thread + thread / 32u;
}

fn cell(digit: u32, column: u32) -> u32 {
    return (digit >> 1u) * ROW + column;
}

fn half(digit: u32) -> u32 {
    return (digit & 1u) << 4u;
}

fn clear_column(column: u32) {
    for (var word = 0u; word < WORDS; word++) {
        table[word * ROW + column] = 0u;
    }
}

fn count_key(digit: u32, column: u32, valid: bool) {
    table[cell(digit, column)] += select(0u, 1u << half(digit), valid);
}

// Counts the digits of this thread's keys.
fn count_quad(key: vec4<u32>, first: u32, n: u32, column: u32, shift: u32, mask: u32) {
    let digit = (key >> vec4(shift)) & vec4(mask);
    count_key(digit.x, column, first < n);
    count_key(digit.y, column, first + 1u < n);
    count_key(digit.z, column, first + 2u < n);
    count_key(digit.w, column, first + 3u < n);
}
