//! The network's blocks on processors: 3×3 convolutions, GroupNorm and GELU, forwards and backwards, in wide vectors.
//!
//! Why not burn's operations: a step of the blocks (`benches/blocks.rs`) takes 0.051 s here, 0.181 s in burn's operations on the same
//! two cores, and 1.450 s in burn's wgpu backend on lavapipe. Only a GPU, which this tool does not ask for, could do without.

pub mod activation;
pub mod convolution;
pub mod norm;
mod planes;
