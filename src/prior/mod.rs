//! The multi-view point prior: point clouds read, or made from the capture's own cameras.

mod point_cloud;

pub use point_cloud::PointCloud;
