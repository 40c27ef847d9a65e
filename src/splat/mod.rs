//! The Gaussians: parameters, spherical harmonics, files, initialisation, projection and the forward render.

mod init;
pub mod ply;
mod renderer;
mod splats;
mod tensors;
mod view;

pub use init::from_points;
pub use renderer::{Rendered, Renderer, Workspace};
pub use splats::Splats;
pub use tensors::{TENSOR_NAMES, TENSOR_WIDTHS, Tensors};
pub use view::{RenderSettings, TILE, plane_len, tiles};
