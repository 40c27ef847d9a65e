//! The points of a prior: those that came with the capture where they fit its cameras, else made ones.

use super::config::Config;
use super::make::{Report, make};
use super::origin::Origin;
use super::read::read_any;
use super::readings;
use super::stereo::Kept;
use super::{Found, PointCloud, ReadOptions, Similarity, read_with};
use crate::capture::Capture;
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::progress::Progress;
use glam::DVec3;
use rayon::prelude::*;
use std::path::Path;
use std::sync::Arc;

/// The smallest part of the points that has to be in front of the cameras.
const MIN_SEEN: f64 = 0.2;

/// The points of `origin`, which [`super::locate`] found for `capture`, in the frame of `capture`: read and aligned where they
/// fit the cameras, otherwise made from the training images ([`make`]). `gpu` is asked for that and, if there is one, for a
/// test of the poses. The same on any number of threads. Depths that an earlier run has `kept` are not searched again.
///
/// # Errors
/// A prior or an image that cannot be read; points that the user asked for and no camera sees; [`Error::Setting`] for
/// parameters out of range; the device; an interrupt.
pub fn prior(
    gpu: impl FnOnce() -> Result<Arc<Gpu>>,
    capture: &Capture,
    origin: &Origin,
    config: &Config,
    kept: Option<&Kept>,
    progress: &dyn Progress,
) -> Result<(PointCloud, Report)> {
    config.check()?;
    let mut reason = origin.reason.clone();
    if let Some(path) = &origin.points {
        let read = |to: Similarity| {
            let options = ReadOptions { to, ..config.read_options() };
            if origin.asked { read_with(path, &options) } else { read_any(path, &options) }
        };
        let Found { mut cloud, total, .. } = read(origin.similarity)?;
        let mut seen = part_seen(capture, &cloud);
        let mut alignment = origin.alignment.clone();
        if let Some((similarity, report)) = &origin.beside {
            // Read again rather than moved: points rounded in one frame may be too coarse for the other.
            let moved = read(*similarity)?.cloud;
            let there = part_seen(capture, &moved);
            if there > seen {
                (cloud, seen, alignment) = (moved, there, Some(report.clone()));
            }
        }
        let few = !origin.asked && total < config.min_existing as u64;
        if seen >= MIN_SEEN && !few && total > 0 {
            let report = given(path, cloud.len(), total as usize, &origin.reason);
            if readings::can_check(capture, config) {
                // Points are read without a device, too.
                match gpu() {
                    Ok(gpu) => readings::quick_check(&gpu, capture, config, progress)?,
                    Err(error) => tracing::debug!("poses are not compared with the photographs: {error}"),
                }
            }
            return Ok((cloud, Report { alignment, ..report }));
        }
        if few {
            reason = format!("the scene's own are only {total}, and min_existing is {}", config.min_existing);
        } else {
            let percent = 100.0 * seen;
            let found = format!("{percent:.0} % of its {} points are in front of the cameras", cloud.len());
            if origin.asked {
                return Err(unseen(path, &found, origin));
            }
            tracing::warn!("{}: {found}; making others from the images", path.display());
            reason = format!("the scene's own do not fit its cameras: {found}");
        }
    }
    tracing::info!("points: from the images ({reason})");
    let (cloud, report) = make(gpu()?.as_ref(), capture, config, kept, progress)?;
    Ok((cloud, Report { reason, alignment: origin.alignment.clone(), ..report }))
}

fn given(path: &Path, output: usize, candidates: usize, reason: &str) -> Report {
    tracing::info!("points: {} ({reason})", path.display());
    Report {
        source: path.display().to_string(),
        reason: reason.into(),
        candidates,
        matched: output,
        dropped: candidates - output,
        output,
        ..Report::default()
    }
}

fn unseen(path: &Path, found: &str, origin: &Origin) -> Error {
    let (found, remedy) = match &origin.alignment {
        Some(report) => (
            format!("only {found}, although {} was aligned (RMSE {:.3})", report.cameras, report.rmse),
            "check that the points and the cameras beside them have one frame",
        ),
        None => (
            format!("only {found}: they lie in another frame"),
            "name the folder that also has the cameras of these points (COLMAP's model, or transforms.json and the \
             PLY), so that they can be aligned",
        ),
    };
    Error::input(path, found, remedy)
}

/// The part of `cloud` that a training camera sees.
fn part_seen(capture: &Capture, cloud: &PointCloud) -> f64 {
    let seen = |p: &[f32; 3]| capture.train.iter().any(|v| v.camera.sees(DVec3::from(p.map(f64::from))).is_some());
    // A few thousand points are enough.
    let stride = cloud.len().div_ceil(4096).max(1);
    let asked = cloud.len().div_ceil(stride).max(1);
    let count = cloud.positions.par_iter().step_by(stride).filter(|p| seen(p)).count();
    count as f64 / asked as f64
}
