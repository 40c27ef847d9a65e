//! The multi-view point prior: point clouds read, or made from the capture's own cameras.

mod colmap;
mod point_cloud;
mod read;
#[cfg(test)]
mod tests;
mod write;

pub use point_cloud::PointCloud;
pub use read::read;
pub use write::write_ply;
