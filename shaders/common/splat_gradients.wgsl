// What the raster's backward pass leaves per slot, GRADIENT_STRIDE floats: sums over the pixels of
// g = ∂L/∂α · α times products of w = conic · (pixel − mean), and of the color gradient. (Sums of products of the offset
// itself would cancel in what is made of them, where a splat is long and its mean far from the pixels.) G_APART, only with
// ABSGRAD: Σ |g| |w|, so that pixels which pull the mean to opposite sides do not cancel (absgrad; AbsGS, Ye et al. 2024).
// projection_backward overwrites the first six and G_SUM with what covariance_backward needs.
const GRADIENT_STRIDE = 10u;
const G_WX = 0u;
const G_WY = 1u;
const G_WXWX = 2u;
const G_WXWY = 3u;
const G_WYWY = 4u;
const G_RED = 5u;
const G_GREEN = 6u;
const G_BLUE = 7u;
const G_SUM = 8u;
const G_APART = 9u;
