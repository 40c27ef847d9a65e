//! Pictures and numbers: how close a render is to its reference, and the files that show it.

mod cloud;
mod color_fit;
mod config;
mod detail;
mod jpeg;
mod lpips;
mod masked;
mod metrics;
mod report;
mod sheet;
mod text;

pub use cloud::cloud_sheet;
pub use color_fit::{fit_affine, fit_quadratic};
pub use config::Config;
pub use detail::{flicker, offset, sharpness};
pub use jpeg::{Sampling, encode_jpeg, write_jpeg, write_jpeg_rgb8, write_jpeg_with, write_jpeg_with_exif};
pub use lpips::Lpips;
pub use masked::{Counted, as_exposed};
pub use metrics::{PSNR_CAP, psnr, ssim};
pub use report::{Extras, Group, Metrics, ViewMetrics, compare, compare_folders};
pub use sheet::{Cell, Section, sheet};
