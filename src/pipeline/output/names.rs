//! The names in an output folder.

/// The lit photographs.
pub const IMAGES: &str = "images";
/// Masks of the lit photographs, where the capture has masks.
pub const MASKS: &str = "masks";
/// The cameras of the lit photographs of a capture that came with poses.
pub const TRANSFORMS: &str = "transforms.json";
/// One picture for each test pose.
pub const RENDERS: &str = "renders";
/// The state of an interrupted training.
pub const CHECKPOINTS: &str = "checkpoints";
/// The COLMAP model of photographs that came without poses.
pub const MODEL: &str = "sparse/0";
/// The depths found so far by a stereo search under way.
pub const STEREO: &str = "stereo";
/// COLMAP's database and other files that it needs until poses are found.
pub const POSES: &str = "poses";
/// What COLMAP printed.
pub const COLMAP_LOG: &str = "colmap.log";
/// The points that training started from.
pub const POINTS: &str = "points.ply";
/// The models of a run of several seeds.
pub const SEEDS: &str = "seeds";
/// The scene.
pub const SPLATS: &str = "splats.ply";
/// PSNR and SSIM of every view.
pub const METRICS: &str = "metrics.json";
/// The record of the run.
pub const RUN: &str = crate::capture::RECORD;
/// The resolved settings.
pub const SETTINGS: &str = crate::capture::SETTINGS;
/// What commands without a record of a run have written.
pub const RESULTS: &str = "results.json";
/// The page about the run.
pub const REPORT: &str = "report.html";
/// The demo's picture sheet.
pub const SHEET: &str = "sheet.jpg";

/// The folders that files are written into, or into folders below them.
pub const FOLDERS: [&str; 8] = [IMAGES, MASKS, RENDERS, CHECKPOINTS, SEEDS, STEREO, MODEL, POSES];

/// The model number `index`, from 0, of a run of several seeds.
pub fn model(index: u32) -> String {
    format!("{SEEDS}/splats-{}.ply", index + 1)
}
