//! The Gaussians: parameters, spherical harmonics, files, initialisation, projection and the forward render.

mod splats;

pub use splats::Splats;
