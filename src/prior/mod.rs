//! The multi-view point prior: point clouds read, or made from the capture's own cameras.

mod colmap;
mod make;
#[cfg(test)]
mod make_tests;
mod neighbors;
mod point_cloud;
mod read;
mod sweep;
#[cfg(test)]
mod tests;
mod write;

pub use make::{Config, Report, make};
pub use point_cloud::PointCloud;
pub use read::read;
pub use write::write_ply;
