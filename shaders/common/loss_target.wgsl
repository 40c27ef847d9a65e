// The target image of a loss kernel: RGBA in 8 bits, a word a pixel, rows padded as the rendered image's;
// or, with FLOAT_TARGET, planes of floats like it.
#ifdef FLOAT_TARGET
@group(0) @binding(2) var<storage, read> target_image: array<vec4f>;

fn target_quad(size: Size, index: u32) -> vec4f {
    return target_image[size.channel * size.quads * size.rows + index];
}
#else
@group(0) @binding(2) var<storage, read> target_image: array<vec4u>;

fn target_quad(size: Size, index: u32) -> vec4f {
    return vec4f((target_image[index] >> vec4u(8u * size.channel)) & vec4u(255u)) / 255.0;
}
#endif
