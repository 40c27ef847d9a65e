// What a pass of a radix sort looks at.
struct Pass {
    // Lowest bit of the digit, and the mask of its bits.
    shift: u32,
    mask: u32,
}
