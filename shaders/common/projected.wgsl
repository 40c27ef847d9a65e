// A visible splat in the image. `projected` has two vec4f (eight floats) per slot:
//   [0] mean x, mean y (pixels), opacity (compensated), ln(255 · opacity)
//   [1] conic xx, xy, yy (inverse 2D covariance), index of the splat in the model and clamped channels (bits)
// and `colors` one: RGB (after clamping at 0), camera-space depth. They are two buffers, so that more splats
// fit a binding.
// Slots are handed out in no particular order, or with PLACED in the model's order; counters[0] is their number, counters[1] the
// splat–tile pairs, counters[2] the visible splats that found no slot.
const PROJECTED_STRIDE = 2u;
// Of the word with the index: the index itself, and above it a bit for each channel that was clamped at 0.
const INDEX_BITS = 28u;
const INDEX_MASK = (1u << INDEX_BITS) - 1u;
// In place of ln(255 · opacity) where a splat has no color: no tile is within this limit.
const NOT_DRAWN = -1.0;

// The index of a splat whose second vec4f of `projected` is `shape`.
fn index_of(shape: vec4f) -> u32 {
    return bitcast<u32>(shape.w) & INDEX_MASK;
}

// Whether red, green and blue were clamped at 0.
fn clamped_channels(shape: vec4f) -> vec3<bool> {
    return (vec3u(bitcast<u32>(shape.w) >> INDEX_BITS) & vec3u(1u, 2u, 4u)) != vec3u(0u);
}
