// The view that is rendered, as every kernel of splat/ reads it (Rust twin: splat::view::ViewUniform).
struct View {
    // World to camera, OpenCV axes (x right, y down, z forwards).
    viewmat: mat4x4f,
    // Camera center in world coordinates.
    position: vec3f,
    // SH bands in use.
    sh_degree: u32,
    // fx, fy, cx, cy in pixels; pixel centers at +0.5.
    intrinsics: vec4f,
    background: vec3f,
    // Splats in the model.
    count: u32,
    // Image size in pixels, and in tiles of 16 × 16.
    size: vec2u,
    tiles: vec2u,
    // Room for splat–tile pairs.
    pair_capacity: u32,
    // 1: opacity is compensated for the low-pass filter (Mip-Splatting's 2D filter).
    antialiased: u32,
    // Splats with a larger standard deviation, or a smaller opacity, are left out.
    max_scale: f32,
    min_opacity: f32,
    // Factor of the standard deviations of those that are drawn. Gradients are those at 1.
    scale_modifier: f32,
    // Variance of the screen-space low-pass filter, in square pixels.
    low_pass: f32,
    // Least and largest x/z and y/z at which the projection is linearized.
    tangent_limits: vec4f,
    // Room for visible splats.
    slot_capacity: u32,
}

// The linear index of an invocation or workgroup of a dispatch folded to two dimensions.
fn linear_id(id: vec3u, groups: vec3u, width: u32) -> u32 {
    return id.x + id.y * groups.x * width;
}
