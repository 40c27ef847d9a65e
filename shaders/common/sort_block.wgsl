// Shared by the two halves of a radix sort pass: how a workgroup counts the digits of its block of keys.
// Every thread owns consecutive keys and a column of the table of counts, so that counting needs no atomics and the
// order of equal keys is kept.
const THREADS = 64u;
const KEYS_PER_THREAD = 16u;
const BLOCK = THREADS * KEYS_PER_THREAD;
const DIGITS = 16u;

struct Pass {
    // Lowest bit of the digit.
    shift: u32,
    // Blocks that the buffers have room for.
    blocks: u32,
    // Element of `count` that holds the number of keys.
    count_index: u32,
    // Mask of the digit's bits.
    mask: u32,
}

// [digit][thread]
var<workgroup> thread_counts: array<u32, 1024>;
// Sums of a quarter row of thread_counts each: [digit][quarter].
var<workgroup> quarters: array<u32, 64>;

// Counts the digits of this thread's keys; afterwards quarters holds this block's counts.
fn count_digit(thread: u32, digit: u32) {
    thread_counts[digit * THREADS + thread] += 1u;
}

fn clear_counts(thread: u32) {
    for (var d = 0u; d < DIGITS; d++) {
        thread_counts[d * THREADS + thread] = 0u;
    }
}

fn sum_quarter(thread: u32) {
    let first = thread * (THREADS / 4u);
    var sum = 0u;
    for (var i = first; i < first + THREADS / 4u; i++) {
        sum += thread_counts[i];
    }
    quarters[thread] = sum;
}
