// The target image of the loss: RGBA in 8 bits, a word a pixel, rows padded as the rendered image's; or, with
// FLOAT_TARGET, planes of floats like it. Kernels bind it as pixels or as quads of four.
#ifdef FLOAT_TARGET
alias TargetPixel = f32;
alias TargetQuad = vec4f;

// Where plane `channel` of `plane` elements begins.
fn target_plane(channel: u32, plane: u32) -> u32 {
    return channel * plane;
}

fn pixel_value(pixel: TargetPixel, channel: u32) -> f32 {
    return pixel;
}

fn quad_value(quad: TargetQuad, channel: u32) -> vec4f {
    return quad;
}
#else
alias TargetPixel = u32;
alias TargetQuad = vec4u;

fn target_plane(channel: u32, plane: u32) -> u32 {
    return 0u;
}

fn pixel_value(pixel: TargetPixel, channel: u32) -> f32 {
    return f32((pixel >> (8u * channel)) & 255u) * (1.0 / 255.0);
}

fn quad_value(quad: TargetQuad, channel: u32) -> vec4f {
    return vec4f((quad >> vec4u(8u * channel)) & vec4u(255u)) * (1.0 / 255.0);
}
#endif

// How much a pixel counts, 0 to 1; only with MASKED, which packed targets can have.
#ifdef MASKED
const WEIGHTS = 3u;
#endif
