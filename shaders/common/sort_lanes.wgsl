// Shared by the kernels of a radix sort whose lanes own consecutive pairs (Rust: gpu::sort::lanes).
// The table has a column for each lane, so that counting needs no atomics and the order of equal keys is kept: [digit][LANES].

#import common/digit_pass

// The four keys at a time of lane `lane` of `n` keys in all: the first, and one past the last.
fn quads_of(lane: u32, n: u32) -> vec2u {
    let all = n / 4u + u32(n % 4u > 0u);
    let each = all / LANES + u32(all % LANES > 0u);
    let first = min(lane * each, all);
    return vec2u(first, min(first + each, all));
}
