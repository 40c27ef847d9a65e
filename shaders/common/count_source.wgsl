// Where a count is in its buffer, and how many there is room for (Rust: gpu::scan::count_sources).
struct Source {
    place: u32,
    room: u32,
}
