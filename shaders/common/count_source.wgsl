// Where a count is in its buffer, and how many there is room for (Rust: gpu::scan::sources).
struct Source {
    place: u32,
    room: u32,
}
