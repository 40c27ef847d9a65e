//! The multi-view point prior: point clouds read and aligned, or made from the capture's own cameras. [`locate`] finds
//! where the points come from and which cameras they lead to, [`prior`] reads or makes them.

mod align;
mod config;
mod exposures;
mod given;
#[cfg(test)]
mod given_tests;
pub(crate) mod golden;
mod make;
#[cfg(test)]
mod make_tests;
mod neighbors;
mod origin;
mod point_cloud;
mod read;
mod readings;
#[cfg(test)]
mod readings_tests;
pub mod stereo;
mod write;

pub use crate::capture::Similarity;
pub use align::{Method, Report as Alignment};
pub use config::{Config, Make, PoseCheck, Poses};
pub use given::prior;
pub use golden::golden_check;
pub use make::{Report, make};
pub use origin::{Origin, locate};
pub use point_cloud::PointCloud;
pub use read::{
    Found, Options as ReadOptions, points_file, read, read_counting_in, read_framed, read_in, read_recentered,
    read_with, stated_frame,
};
pub use write::{write_ply, write_ply_in};
