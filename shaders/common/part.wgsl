// The rows of a tensor that one of its buffers holds (Rust twin: splat::tensors::PartRow).
struct Part {
    // The first of them.
    first: u32,
    count: u32,
}
