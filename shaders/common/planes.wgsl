// Activations of the chroma network: [row][channel][x], with a column of zeros on either side and a row above and below
// that holds the neighboring band's nearest row, or zeros at the image's border. So a 3×3 window needs no bounds.

// Some channels of such a tensor (Rust twin: enhance::network::planes::Plane).
struct Plane {
    width: u32,    // pixels in a row, without the two border columns
    rows: u32,     // rows, without the two border rows
    channels: u32, // channels of the whole tensor
    first: u32,    // the first of the channels meant
}

// Place of a channel's value. Rows and columns count from the border: the first pixel is at (1, 1).
fn plane_at(plane: Plane, row: u32, channel: u32, x: u32) -> u32 {
    return (row * plane.channels + plane.first + channel) * (plane.width + 2u) + x;
}

// Rows that one workgroup of an elementwise kernel works on (Rust twin: ROWS_PER_GROUP).
const ROWS_PER_GROUP = 4u;

// The number of the first row of a workgroup's block, counted from the border.
fn block_row(block: u32) -> u32 {
    return block * ROWS_PER_GROUP + 1u;
}

// The rows of a block inside the picture: 1 to 4.
fn block_rows(plane: Plane, block: u32) -> u32 {
    return min(plane.rows - block * ROWS_PER_GROUP, ROWS_PER_GROUP);
}

// Where the four rows of a block lie, from the first pixel of the first one: rows beyond the picture repeat the last.
fn row_offsets(plane: Plane, rows: u32) -> vec4u {
    let pitch = plane.channels * (plane.width + 2u);
    return min(vec4u(0u, 1u, 2u, 3u), vec4u(rows - 1u)) * pitch;
}
