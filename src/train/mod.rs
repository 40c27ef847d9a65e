//! The optimisation: loss, backward pass, Adam, densification, checkpoints.

mod adam;
mod backward;
mod checkpoint;
mod config;
pub mod densify;
mod golden;
#[cfg(test)]
mod gradient_tests;
mod loss;
mod targets;
mod trainer;

pub use adam::{Adam, Moments};
pub use backward::{Backward, Gradients};
pub use config::{Background, Config};
pub use golden::{Deviation, golden_check};
pub use loss::{Loss, LossScratch};
pub use trainer::{StepFigures, Trainer};

use crate::capture::{Capture, Image, View, resize_area};
use crate::error::{Error, Result};
use crate::eval;
use crate::gpu::{Gpu, Timings};
use crate::prior::PointCloud;
use crate::progress::Progress;
use crate::splat::{self, Splats};
use checkpoint::Checkpoint;
use serde::Serialize;
use std::path::Path;
use std::time::Instant;

/// What a training run did.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// Steps done in all, and how many of them before this run continued from a checkpoint.
    pub steps: u32,
    pub resumed_at: u32,
    /// Seconds of training in all, without measurements on held-out views.
    pub seconds: f64,
    pub steps_per_second: f64,
    pub splats: usize,
    /// Splats in the image and splat–tile pairs of the last step.
    pub visible: usize,
    pub pairs: usize,
    /// Steps whose pairs did not fit their buffer.
    pub overflows: u32,
    /// Milliseconds of each kernel in an average step, where the adapter has timestamps.
    pub kernel_milliseconds: Timings,
    /// How the run went.
    pub curve: Vec<CurvePoint>,
}

/// One measurement while training.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct CurvePoint {
    pub step: u32,
    pub seconds: f64,
    pub loss: f32,
    pub splats: usize,
    /// Mean PSNR of the held-out views, dB.
    pub psnr: Option<f64>,
}

/// Steps between points of the curve.
const CURVE_EVERY: u32 = 100;

/// Fits Gaussians, started from `points`, to the training views of `capture` (their images are the lit ones).
/// Continues from a checkpoint of the same settings and images in `checkpoints`.
///
/// # Errors
/// Unusable settings, unreadable images, device failures; [`Error::Interrupted`] after a stop was asked for and a
/// checkpoint written.
pub fn train(
    gpu: &Gpu,
    capture: &Capture,
    points: &PointCloud,
    config: &Config,
    checkpoints: &Path,
    progress: &dyn Progress,
) -> Result<(Splats, Report)> {
    config.validate()?;
    let identity = checkpoint::identity(config, capture, points);
    let resumed = Checkpoint::load(gpu, checkpoints, &identity, config.sh_degree)?;
    let mut report = Report::default();
    let mut trainer = match resumed {
        Some(checkpoint) => {
            report.resumed_at = checkpoint.step;
            report.seconds = checkpoint.seconds;
            tracing::info!("continuing at step {}", checkpoint.step);
            Trainer::resume(gpu, capture, config, checkpoint)?
        }
        None => {
            let splats =
                splat::from_points(points, config.sh_degree, config.init_opacity, config.init_scale, config.seed);
            Trainer::new(gpu, capture, &splats, config)?
        }
    };
    let holdout = capture.holdout.iter().map(reference).collect::<Result<Vec<_>>>()?;
    progress.begin("train", "steps", u64::from(config.steps));
    let mut clock = Instant::now();
    while trainer.step < config.steps {
        if progress.stop().requested() {
            report.seconds += clock.elapsed().as_secs_f64();
            trainer.save(checkpoints, &identity, report.seconds)?;
            return Err(Error::Interrupted(format!(
                "checkpoint at step {} of {} written; run the same command again to continue",
                trainer.step, config.steps
            )));
        }
        trainer.step()?;
        let step = trainer.step;
        let figures = trainer.figures;
        progress.set(u64::from(step), &format!("loss {:.4}, {} splats", figures.loss, trainer.count()));
        let due = |every: u32| every > 0 && step % every == 0;
        let measure = due(config.eval_every) || (step == config.steps && config.eval_every > 0);
        if measure || due(CURVE_EVERY) || step == config.steps {
            trainer.finish()?;
            report.seconds += clock.elapsed().as_secs_f64();
            let psnr = if measure { mean_psnr(&mut trainer, &holdout)? } else { None };
            let loss = trainer.figures.loss;
            report.curve.push(CurvePoint { step, seconds: report.seconds, loss, splats: trainer.count(), psnr });
            clock = Instant::now();
        }
        if due(config.checkpoint_every) && step < config.steps {
            trainer.save(checkpoints, &identity, report.seconds + clock.elapsed().as_secs_f64())?;
        }
    }
    progress.end();
    let splats = trainer.splats()?;
    report.seconds += clock.elapsed().as_secs_f64();
    report.steps = trainer.step;
    report.steps_per_second = f64::from(report.steps) / report.seconds.max(1e-9);
    report.splats = splats.len();
    (report.visible, report.pairs) = (trainer.figures.visible, trainer.figures.pairs);
    report.overflows = trainer.overflows;
    let timed = f64::from(trainer.timed_steps.max(1));
    report.kernel_milliseconds = trainer.timings.iter().map(|(name, ms)| (name.clone(), ms / timed)).collect();
    Ok((splats, report))
}

/// A held-out view with its picture.
fn reference(view: &View) -> Result<(View, Image)> {
    let image = view.read()?;
    let (width, height) = (view.camera.width, view.camera.height);
    let fits = image.width == width && image.height == height;
    Ok((view.clone(), if fits { image } else { resize_area(&image, width, height) }))
}

/// `None` without views, or where a picture is identical to its reference.
fn mean_psnr(trainer: &mut Trainer<'_>, views: &[(View, Image)]) -> Result<Option<f64>> {
    let mut values = Vec::new();
    for (view, image) in views {
        values.extend(eval::psnr(&trainer.render(&view.camera)?, image));
    }
    Ok((!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64))
}
