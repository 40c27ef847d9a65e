// The image of a loss kernel, one channel of it (Rust twin: train::loss::Size).
struct Size {
    width: u32,
    height: u32,
    // Quads of four pixels in a padded row, and padded rows.
    quads: u32,
    rows: u32,
    channel: u32,
    // Gradient of the loss with respect to |x − t| of one value and to SSIM of one window.
    l1_weight: f32,
    ssim_weight: f32,
}

// Quad `quad + offset` of row y, held inside the row. What is read instead of a quad outside lands only in outputs
// that nobody uses (means of windows that leave the image), or is zero (partials in the border).
fn quad_index(size: Size, quad: u32, offset: i32, y: u32) -> u32 {
    return y * size.quads + u32(clamp(i32(quad) + offset, 0, i32(size.quads) - 1));
}

fn row_index(size: Size, quad: u32, y: i32) -> u32 {
    return u32(clamp(y, 0, i32(size.rows) - 1)) * size.quads + quad;
}

// Which of the four pixels right of `x` in row y are centres of windows that lie inside the image.
fn interior(size: Size, x: u32, y: u32) -> vec4<bool> {
    let columns = vec4u(x) + vec4u(0u, 1u, 2u, 3u);
    let inside = y >= 5u && y + 5u < size.height;
    return (columns >= vec4u(5u)) & (columns + 5u < vec4u(size.width)) & vec4<bool>(inside);
}
