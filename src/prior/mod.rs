//! The multi-view point prior: point clouds read, or made from the capture's own cameras.

mod make;
#[cfg(test)]
mod make_tests;
mod neighbors;
mod point_cloud;
mod read;
mod sweep;
mod write;

pub use make::{Config, Report, make};
pub use point_cloud::PointCloud;
pub use read::{Found, Options as ReadOptions, read, read_with};
pub use write::write_ply;
