// Rows of a tensor that a buffer holds, where all of them are longer than a binding (Rust twin: splat::tensors::Part).
struct Part {
    // The first of them.
    first: u32,
    count: u32,
}
