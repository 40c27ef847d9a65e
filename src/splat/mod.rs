//! The Gaussians: parameters, spherical harmonics, files, initialisation, projection and the forward render.

pub mod ply;
mod splats;
mod tensors;

pub use splats::Splats;
pub use tensors::{TENSOR_NAMES, TENSOR_WIDTHS, Tensors};
