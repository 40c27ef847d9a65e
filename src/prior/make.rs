//! A prior for a capture: the points that came with it, or points made from its own images.

use super::neighbors::{Reference, references};
use super::sweep::{self, Found};
use super::{PointCloud, ReadOptions, read_with};
use crate::capture::{Capture, ImageCache};
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::random::hash;
use documented::DocumentedFields;
use glam::DVec3;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Parameters of the prior.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Points to make where the capture brings none.
    pub make_points: usize,
    /// Points to use at most of those that came with the capture.
    pub max_points: usize,
    /// Ignore the points that came with the capture.
    pub ignore_existing: bool,
    /// Lowest confidence of points to use, where a file (`.npz`) gives one for each.
    pub min_confidence: f64,
    /// A file (`.npy`, `.npz`, `.ply`) with the colours of the points that came with the capture, one for each.
    pub colors: Option<PathBuf>,
    /// Longer side of the images in which depths are searched, in pixels.
    pub image_size: u32,
    /// Views whose pixels are searched for, at most.
    pub max_views: usize,
    /// Correlation with other views (−1 to 1) from which on a depth is believed.
    pub min_correlation: f64,
    /// Seed of the random choices.
    pub seed: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            make_points: 20_000,
            max_points: 1_000_000,
            ignore_existing: false,
            min_confidence: 2.0,
            colors: None,
            image_size: 441,
            max_views: 64,
            min_correlation: 0.7,
            seed: 42,
        }
    }
}

impl Config {
    /// What of a file of points is used.
    pub fn read_options(&self) -> ReadOptions {
        ReadOptions {
            max_points: self.max_points,
            seed: self.seed,
            min_confidence: self.min_confidence as f32,
            colors: self.colors.clone(),
        }
    }
}

/// What [`make`] did.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The file the points were read from, or `"images"` where they were made.
    pub source: String,
    /// Points read, or pixels searched for.
    pub candidates: usize,
    /// Points with a depth on which views agree (all, where they were read).
    pub matched: usize,
    /// Points whose depth is that of matched pixels beside them.
    pub filled: usize,
    /// Points at random depths, where images agree on nothing.
    pub random: usize,
    /// Candidates that were not used.
    pub dropped: usize,
    /// Points returned.
    pub output: usize,
}

/// The fewest points, and the smallest part of the points, in front of the cameras for a given prior to be used.
const MIN_USABLE: (usize, f64) = (100, 0.2);
/// Memory for decoded images.
const CACHE_BYTES: usize = 512 << 20;

/// The points of `capture.points` where they fit the cameras; otherwise points from the training images by a sweep
/// over depths (see [`super::sweep`]). In the capture's own frame; the same on any number of threads.
///
/// # Errors
/// A prior or an image that cannot be read; [`Error::Setting`] for parameters out of range; an interrupt.
pub fn make(capture: &Capture, config: &Config, progress: &dyn Progress) -> Result<(PointCloud, Report)> {
    if config.make_points == 0 || config.max_points == 0 || config.image_size < 16 {
        let found =
            format!("{} points of {} at most, image size {}", config.make_points, config.max_points, config.image_size);
        return Err(Error::setting("prior", found, "give at least 1 point and an image size of at least 16"));
    }
    if let Some(path) = capture.points.as_ref().filter(|_| !config.ignore_existing) {
        let found = read_with(path, &config.read_options())?;
        if fits(capture, &found.cloud) {
            let (candidates, output, source) = (found.total as usize, found.cloud.len(), path.display().to_string());
            let dropped = candidates - output;
            let report = Report { source, candidates, matched: output, dropped, output, ..Report::default() };
            return Ok((found.cloud, report));
        }
        tracing::warn!("{}: too few points in front of the cameras; making others from the images", path.display());
    }
    from_images(capture, config, progress)
}

/// Whether enough of `cloud` is seen by a training camera: not so if its frame is another one.
fn fits(capture: &Capture, cloud: &PointCloud) -> bool {
    let seen = |p: &[f32; 3]| {
        let p = DVec3::from(p.map(f64::from));
        capture.train.iter().any(|view| {
            let [x, y, z] = view.camera.project(p).to_array();
            z > 0.0
                && (0.0..f64::from(view.camera.width)).contains(&x)
                && (0.0..f64::from(view.camera.height)).contains(&y)
        })
    };
    // A few thousand points tell as much as all.
    let stride = cloud.len().div_ceil(4096).max(1);
    let asked = cloud.len().div_ceil(stride);
    let count = cloud.positions.par_iter().step_by(stride).filter(|p| seen(p)).count();
    cloud.len() >= MIN_USABLE.0 && count as f64 >= MIN_USABLE.1 * asked as f64
}

fn from_images(capture: &Capture, config: &Config, progress: &dyn Progress) -> Result<(PointCloud, Report)> {
    let references = references(capture, config);
    let cache = ImageCache::new(CACHE_BYTES);
    let mut found = Vec::new();
    // Some more than wanted, so that matched pixels replace some of those without a depth; not all, for a prior
    // without any points on plain walls leaves these to densification.
    let per_view = (config.make_points + config.make_points / 4).div_ceil(references.len().max(1));
    progress.begin("prior", "views", references.len() as u64);
    for (done, reference) in references.iter().enumerate() {
        progress.check()?;
        found.extend(search(capture, reference, &cache, per_view, config)?);
        progress.set(done as u64 + 1, &format!("{} points", found.len()));
    }
    progress.end();
    if found.is_empty() {
        let found = "no points can be made from images of less than 12 pixels, or from no images";
        return Err(Error::input(&capture.root, found, "give larger images, or a point prior (points.ply, sparse/0)"));
    }
    Ok(select(found, config))
}

fn search(
    capture: &Capture,
    reference: &Reference,
    cache: &ImageCache,
    count: usize,
    config: &Config,
) -> Result<Vec<Found>> {
    let load = |index: usize| sweep::Picture::load(&capture.train[index], cache, config.image_size);
    let picture = load(reference.view)?;
    let others = reference.others.par_iter().map(|&index| load(index)).collect::<Result<Vec<_>>>()?;
    Ok(sweep::search(&picture, &others, reference, count, config))
}

/// The best `config.make_points` of `found`: matched, then filled, then random ones; among equals a random choice.
fn select(found: Vec<Found>, config: &Config) -> (PointCloud, Report) {
    let mut order: Vec<(sweep::Kind, u64, usize)> =
        found.iter().enumerate().map(|(i, f)| (f.kind, hash(config.seed, 2, i as u64), i)).collect();
    order.sort_unstable();
    order.truncate(config.make_points);
    let count = |kind| order.iter().filter(|o| o.0 == kind).count();
    let report = Report {
        source: "images".into(),
        candidates: found.len(),
        matched: count(sweep::Kind::Matched),
        filled: count(sweep::Kind::Filled),
        random: count(sweep::Kind::Random),
        dropped: found.len() - order.len(),
        output: order.len(),
    };
    let cloud = PointCloud {
        positions: order.iter().map(|o| found[o.2].position.as_vec3().to_array()).collect(),
        colors: order.iter().map(|o| found[o.2].color).collect(),
    };
    (cloud, report)
}
