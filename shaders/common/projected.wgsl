// A visible splat in the image, as three vec4f (twelve floats) per slot:
//   [0] mean x, mean y (pixels), opacity (compensated), ln(255 · opacity)
//   [1] conic xx, xy, yy (inverse 2D covariance), camera-space depth
//   [2] RGB (after clamping at 0), index of the splat in the model (bits)
// Slots are handed out in no particular order; counters[0] is their number, counters[1] the splat–tile pairs.
const PROJECTED_STRIDE = 3u;
// In place of ln(255 · opacity) where a splat has no color: no tile is within this limit.
const NOT_DRAWN = -1.0;
