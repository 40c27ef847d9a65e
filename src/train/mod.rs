//! The optimization: loss, backward pass, Adam, densification, checkpoints.

mod adam;
mod backward;
mod canvas;
mod changes;
pub mod checkpoint;
mod config;
mod course;
pub mod densify;
mod event_log;
mod golden;
#[cfg(test)]
mod gradient_tests;
mod kernels;
mod live;
mod loss;
mod order;
#[cfg(test)]
mod poison_tests;
mod poses;
#[cfg(test)]
mod poses_tests;
mod register;
#[cfg(test)]
mod run_tests;
mod scale_floor;
mod soundness;
mod targets;
mod trainer;
pub mod watch;
#[cfg(test)]
mod watch_tests;

pub use adam::{Adam, Moments, Update};
pub use backward::{Backward, GradientOptions, Gradients};
pub(crate) use canvas::check_size;
pub use changes::{CHANGEABLE, Change};
pub use checkpoint::discard as discard_checkpoints;
pub use config::{Background, Config};
pub use event_log::EventLog;
pub use golden::{Deviation, golden_check};
pub use live::{Figures, Live, Remote, State, TrainingState};
pub(crate) use loss::reference as loss_reference;
pub use loss::{Loss, LossScratch};
pub use poses::{Found, MovedPose, Place};
pub(crate) use targets::lit_image;
pub use trainer::Trainer;
pub use watch::{Answer, Command, Snapshot, Start, StepFigures, StepInfo, Watch};

use crate::capture::Capture;
use crate::error::Result;
use crate::gpu::{Gpu, Timings};
use crate::prior::PointCloud;
use crate::progress::Progress;
use crate::splat::Splats;
use course::Course;
use serde::Serialize;
use std::path::Path;

/// What a training run did.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// Steps done in all.
    pub steps: u32,
    /// The step of the checkpoint that it continued from.
    pub resumed_at: u32,
    /// Seconds of training in all, without measurements on held-out views.
    pub seconds: f64,
    /// Steps a second, on average.
    pub steps_per_second: f64,
    /// Splats at the end.
    pub splats: usize,
    /// Splats in the image of the last step.
    pub visible: usize,
    /// Splat–tile pairs of the last step.
    pub pairs: usize,
    /// Steps whose pairs did not fit their buffer.
    pub overflows: u32,
    /// Steps that waited for their photograph to be decoded.
    pub image_waits: u32,
    /// Milliseconds of each kernel in an average step, where the adapter has timestamps.
    pub kernel_milliseconds: Timings,
    /// How the run went.
    pub curve: Vec<CurvePoint>,
    /// Photographs that were found off their poses.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub moved: Vec<MovedPose>,
    /// Settings that were changed while training, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
}

/// One measurement while training.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct CurvePoint {
    /// Steps done.
    pub step: u32,
    /// Seconds since it began.
    pub seconds: f64,
    /// The loss.
    pub loss: f32,
    /// Splats.
    pub splats: usize,
    /// Mean PSNR of the held-out views, dB.
    pub psnr: Option<f64>,
}

/// Removes the checkpoints of the training of these settings, images and points from `checkpoints`, and no others.
///
/// # Errors
/// An image that cannot be read, and a file that cannot be removed.
pub(crate) fn discard_checkpoints_of(
    config: &Config,
    capture: &Capture,
    points: &PointCloud,
    checkpoints: &Path,
) -> Result<()> {
    if checkpoint::generations(checkpoints).is_empty() {
        return Ok(());
    }
    checkpoint::discard_of(checkpoints, &checkpoint::identity(config, capture, points)?)
}

/// Fits Gaussians, started from `points`, to the training views of `capture` (their images are the lit ones).
/// Continues from a checkpoint of the same settings and images in `checkpoints`. `watch` may observe and control the training.
///
/// # Errors
/// Unusable settings, unreadable images, device failures; [`crate::Error::Interrupted`] after a stop was asked for and a
/// checkpoint written.
pub fn train(
    gpu: &Gpu,
    capture: &Capture,
    points: &PointCloud,
    config: &Config,
    checkpoints: &Path,
    progress: &dyn Progress,
    watch: Option<&dyn Watch>,
) -> Result<(Splats, Report)> {
    Course::new(gpu, capture, points, config, checkpoints, progress, watch)?.run()
}
