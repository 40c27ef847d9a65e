// The pixels of a thread's block (common/tall_pixels) in a plane of `image`, which the importing shader binds.
#import common/tall_pixels
#import common/four_columns

// Quads from one row of pixels to the next.
fn block_pitch() -> u32 {
    return view.tiles.x * TILE / 4u;
}

fn load_image(quad: u32) -> Block {
    let pitch = block_pitch();
    return Block(image[quad], image[quad + pitch], image[quad + 2u * pitch], image[quad + 3u * pitch]);
}
