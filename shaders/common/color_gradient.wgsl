// ∂L/∂color of a slot whose second vec4f of `projected` is `shape`; a color clamped at 0 has none.
// The importing shader binds splat_gradients.
#import common/projected
#import common/splat_gradients

fn color_gradient(slot: u32, shape: vec4f) -> vec3f {
    let g = GRADIENT_STRIDE * slot;
    let v = vec3f(splat_gradients[g + G_RED], splat_gradients[g + G_GREEN], splat_gradients[g + G_BLUE]);
    return select(v, vec3f(0.0), clamped_channels(shape));
}
