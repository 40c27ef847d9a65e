// What the raster's backward pass leaves per slot, GRADIENT_STRIDE floats: sums over the pixels of
// g = ∂L/∂α · α times powers of the offset (dx, dy) = pixel − mean, and of the colour gradient.
// projection_backward overwrites the first seven with what covariance_backward needs.
const GRADIENT_STRIDE = 9u;
const G_DX = 0u;
const G_DY = 1u;
const G_DXDX = 2u;
const G_DXDY = 3u;
const G_DYDY = 4u;
const G_RED = 5u;
const G_GREEN = 6u;
const G_BLUE = 7u;
const G_SUM = 8u;
