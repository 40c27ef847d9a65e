//! The Gaussians: parameters, spherical harmonics, files, initialization, projection and the forward render.

mod axes;
mod bounds;
pub mod edit;
mod gltf;
mod init;
mod on_sphere;
mod picture;
pub mod ply;
#[cfg(test)]
mod ply_tests;
mod read;
pub(crate) mod reference;
mod renderer;
mod sh_kernels;
mod splats;
#[cfg(test)]
mod strip_tests;
mod subset;
mod tensors;
#[cfg(test)]
mod tests;
mod view;
pub mod write;

pub use bounds::Bounds;
pub use init::{Init, dots, from_points};
pub(crate) use on_sphere::on_sphere;
pub use picture::{EightBit, Rendered};
pub use read::{Found, Orientation, files_of, holds_splats, read, read_file, read_file_in, read_framed, read_in};
pub(crate) use renderer::{COLOR_FLOATS, PROJECTED_FLOATS, index_of, raster_switches};
pub use renderer::{Raster, Renderer, Workspace};
pub(crate) use sh_kernels::ShKernels;
pub use splats::Splats;
pub(crate) use subset::{raise_bands, select, with_bands};
pub use tensors::{TENSOR_NAMES, TENSOR_WIDTHS, Tensors, tensor_count};
pub use view::{RenderSettings, Style, TILE, low_pass, plane_len, tiles};
