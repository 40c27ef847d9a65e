// Which pixels of a 16 × 16 tile a thread of the raster kernels owns: four neighbors in a row, or with TALL four rows of them.
#ifdef TALL
// Eight lanes cover 16 × 8 pixels.
const TILE_THREADS = 16u;

fn quad_origin(t: u32) -> vec2u {
    return 4u * vec2u(t & 3u, t >> 2u);
}

fn block_size(subgroup_size: u32) -> vec2f {
    return vec2f(16.0, f32(2u * subgroup_size));
}
#else
// Thread t of 64 is laid out so that any 8, 16, 32 or 64 consecutive threads (a subgroup) cover a compact block of
// 8 × 4, 16 × 4, 16 × 8 or 16 × 16 pixels.
const TILE_THREADS = 64u;

fn quad_origin(t: u32) -> vec2u {
    return vec2u(((t & 1u) + 2u * ((t >> 3u) & 1u)) * 4u, ((t >> 1u) & 3u) + 4u * (t >> 4u));
}

fn block_size(subgroup_size: u32) -> vec2f {
    switch subgroup_size {
        case 8u: { return vec2f(8.0, 4.0); }
        case 16u: { return vec2f(16.0, 4.0); }
        case 32u: { return vec2f(16.0, 8.0); }
        default: { return vec2f(16.0, 16.0); }
    }
}
#endif
