// The target image of the loss: RGBA in 8 bits, one word per pixel, rows padded as the rendered image's; or, with
// FLOAT_TARGET, planes of floats like it. Kernels bind it as TargetPixel.
#ifdef FLOAT_TARGET
alias TargetPixel = f32;

// Where plane `channel` of `plane` elements begins.
fn target_plane(channel: u32, plane: u32) -> u32 {
    return channel * plane;
}

fn pixel_value(pixel: TargetPixel, channel: u32) -> f32 {
    return pixel;
}
#else
alias TargetPixel = u32;

fn target_plane(channel: u32, plane: u32) -> u32 {
    return 0u;
}

fn pixel_value(pixel: TargetPixel, channel: u32) -> f32 {
    return f32((pixel >> (8u * channel)) & 255u) * (1.0 / 255.0);
}
#endif

// How much a pixel counts, 0 to 1; only with MASKED, which packed targets can have.
#ifdef MASKED
const WEIGHTS = 3u;
#endif
