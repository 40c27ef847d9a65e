//! The network's blocks on processors: 3×3 convolutions, GroupNorm and GELU, forwards and backwards, in wide vectors.

pub mod activation;
pub mod convolution;
pub mod norm;
mod planes;
