// The 11-tap Gaussian window of SSIM over four neighbors at once, and the layout of the loss kernels.
// The weights W0 (outermost) to W5 (center) come from Rust.

// One color channel of one image size (Rust twin: train::loss::Channel).
struct Channel {
    width: u32,
    height: u32,
    pitch: u32,      // row stride of planes: width rounded up to whole tiles
    rows: u32,       // rows of planes: height rounded up to whole tiles
    channel: u32,    // 0 red, 1 green, 2 blue
    l1_scale: f32,   // ∂loss/∂|difference| of one pixel and channel
    ssim_scale: f32, // ∂loss/∂SSIM of one interior pixel and channel
    groups: u32,     // workgroups of a column kernel, the partial sums of one channel
}

// Outputs 0..4 of the window over 14 values in a row: p, q, r and the first two of s.
fn blur(p: vec4f, q: vec4f, r: vec4f, s: vec4f) -> vec4f {
    var b = W5 * vec4f(q.yzw, r.x);
    b = fma(vec4f(W4), q + vec4f(q.zw, r.xy), b);
    b = fma(vec4f(W3), vec4f(p.w, q.xyz) + vec4f(q.w, r.xyz), b);
    b = fma(vec4f(W2), vec4f(p.zw, q.xy) + r, b);
    b = fma(vec4f(W1), vec4f(p.yzw, q.x) + vec4f(r.yzw, s.x), b);
    return fma(vec4f(W0), p + vec4f(r.zw, s.xy), b);
}
