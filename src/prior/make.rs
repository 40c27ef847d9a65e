//! Points made from a capture's own images.

use super::exposures;
use super::neighbors::references;
use super::origin::Poses;
use super::readings::{self, PoseCheck, share_of};
use super::stereo::{self, Cloud, DepthMap, Found, Kept, Kind, Picture, Stereo};
use super::{PointCloud, ReadOptions, align};
use crate::capture::{Capture, ImageCache};
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::progress::Progress;
use crate::random::hash;
use documented::DocumentedFields;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// How points are made where a capture brings none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Make {
    /// Dense multi-view stereo, filled in where it finds nothing.
    #[default]
    Stereo,
    /// Pixels at random depths.
    Frustum,
}

/// Parameters of the prior, a field each, as in a settings file's table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Points to start from: PLY, NPY or NPZ, a COLMAP model, a network's output folder (sparse/ and points.ply), or a
    /// folder with transforms.json and its PLY. Empty: what came with the capture where it fits, else made ones.
    pub points: Option<PathBuf>,
    /// How the frame of a prior that has cameras is taken to the capture's by the cameras that both have: `sim3`,
    /// `rigid` (no scale) or `none`.
    pub align: align::Method,
    /// Whose poses training uses: `replace` (the capture's), `align` (the prior's, in the capture's frame) or `prior`
    /// (the prior's, in its own frame; test poses are taken there). Lenses are always the capture's.
    pub poses: Poses,
    /// How points are made: by stereo between the images (stereo), or at random depths before the cameras (frustum).
    pub make: Make,
    /// Points to make where the capture brings none, at most one for every 16 pixels of the images searched. 0: one for
    /// every 100 pixels that are trained on, at most 160 000.
    pub make_points: usize,
    /// Points to use at most of those that came with the capture.
    pub max_points: usize,
    /// Ignore the points that came with the capture.
    pub ignore_existing: bool,
    /// Points that came with the capture must be at least so many to be used; where they are fewer, as those of a
    /// sparse reconstruction are, points are made.
    pub min_existing: usize,
    /// Lowest confidence of points to use, where a file (`.npz`) gives one for each.
    pub min_confidence: f64,
    /// A file (`.npy`, `.npz`, `.ply`) with the colours of the points that are read, one for each.
    pub colors: Option<PathBuf>,
    /// Longer side of the images in which depths are searched, in pixels.
    pub image_size: u32,
    /// Views that get a depth map, at most.
    pub max_views: usize,
    /// Correlation with other views (−1 to 1) from which on a depth is considered.
    pub min_correlation: f64,
    /// Other views whose depth maps must agree for a depth to be believed.
    pub min_views: usize,
    /// Where photographs and poses contradict each other: `refuse` the capture if another reading of the poses (other
    /// axes, inverse matrices, focal length, order) clearly fits, `warn`, or do not look (`off`).
    pub pose_check: PoseCheck,
    /// Find gain and white balance of each view, where they differ beyond what EXIF data say, by points that views share;
    /// training takes views as the mean of all.
    pub match_exposures: bool,
    /// Seed of the random choices.
    pub seed: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            points: None,
            align: align::Method::Sim3,
            poses: Poses::Replace,
            make: Make::Stereo,
            make_points: 0,
            max_points: 1_000_000,
            ignore_existing: false,
            min_existing: 20_000,
            min_confidence: 2.0,
            colors: None,
            image_size: 441,
            max_views: 64,
            min_correlation: 0.5,
            min_views: 2,
            pose_check: PoseCheck::Refuse,
            match_exposures: true,
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
            ..ReadOptions::default()
        }
    }

    /// # Errors
    /// [`Error::Setting`] for a number out of range.
    pub(super) fn check(&self) -> Result<()> {
        if self.max_points > 0 && self.image_size >= 16 {
            return Ok(());
        }
        let found = format!("{} points at most, image size {}", self.max_points, self.image_size);
        Err(Error::setting("prior", found, "give at least 1 point and an image size of at least 16"))
    }

    /// How many points to make for `capture`.
    fn wanted(&self, capture: &Capture) -> usize {
        if self.make_points > 0 {
            return self.make_points;
        }
        let pixels = capture.train.iter().map(|view| view.camera.width as usize * view.camera.height as usize);
        (pixels.sum::<usize>() / PIXELS_PER_POINT).clamp(1, MOST_POINTS)
    }
}

/// Where the points came from, and how many.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The file the points were read from, or `"images"` where they were made.
    pub source: String,
    /// Why from there.
    pub reason: String,
    /// How the cameras of the prior lie to those of the capture, where it has some.
    pub alignment: Option<align::Report>,
    /// Points read, or points to choose from.
    pub candidates: usize,
    /// The part of all pixels on whose depth views agree (0 where points were read).
    pub depths: f64,
    /// Points of the dense cloud of all these pixels.
    pub fused: usize,
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
    /// What the linear light of each lit photograph is multiplied by to be exposed and balanced as their mean, by name;
    /// empty where nothing differs.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub exposures: BTreeMap<String, [f32; 3]>,
}

impl Report {
    /// Whether the points were made from the images.
    pub fn made(&self) -> bool {
        self.source == IMAGES
    }
}

/// Points made where no number is asked for: what was best for its time on BlueHawaii at a quarter of its size.
const PIXELS_PER_POINT: usize = 100;
const MOST_POINTS: usize = 160_000;

/// [`Report::source`] of points that were made.
const IMAGES: &str = "images";

/// Points from the training images by stereo (see [`super::stereo`]), in the frame of `capture`. The same on any number
/// of threads. Depths that an earlier run has `kept` are not searched again.
///
/// # Errors
/// An image that cannot be read; [`Error::Setting`] for parameters out of range; poses that contradict the photographs
/// ([`PoseCheck`]); the device; an interrupt.
pub fn make(
    gpu: &Gpu,
    capture: &Capture,
    config: &Config,
    kept: Option<&Kept>,
    progress: &dyn Progress,
) -> Result<(PointCloud, Report)> {
    config.check()?;
    let references = references(capture, config);
    let (maps, checks) = stereo::maps_of(gpu, capture, &references, config, kept, progress)?;
    let cloud = stereo::fuse(&maps, &checks);
    let whole = Stereo { maps: &maps, checks: &checks, cloud: &cloud, references: &references };
    let wanted = config.wanted(capture);
    let found = stereo::cover(&whole, wanted, config.seed);
    if found.is_empty() {
        let found = "no points can be made from no images";
        return Err(Error::input(&capture.root, found, "add images, or a point prior (points.ply, sparse/0)"));
    }
    let depths = share_of(&maps);
    if config.make == Make::Stereo {
        readings::check(gpu, capture, depths, config, progress)?;
    }
    let (points, report) = select(found, wanted, config.seed);
    let exposures =
        if config.match_exposures { exposures_of(capture, &maps, &cloud, config)? } else { BTreeMap::new() };
    Ok((points, Report { depths, fused: cloud.points.len(), exposures, ..report }))
}

/// The gains of searched and of held-out views by name; none where nothing differs.
fn exposures_of(
    capture: &Capture,
    maps: &[DepthMap],
    cloud: &Cloud,
    config: &Config,
) -> Result<BTreeMap<String, [f32; 3]>> {
    let Some(exposures) = exposures::exposures(maps, cloud) else { return Ok(BTreeMap::new()) };
    let name = |map: &DepthMap| capture.train[map.view].name.clone();
    let mut gains: BTreeMap<_, _> = maps.iter().map(name).zip(exposures.gains.iter().copied()).collect();
    let cache = ImageCache::new(0);
    for view in &capture.holdout {
        let gain = exposures.of_other(&Picture::load(view, &cache, config.image_size)?);
        gains.extend(gain.map(|gain| (view.name.clone(), gain)));
    }
    Ok(gains)
}

/// `wanted` of `found` at random, of those at random depths only what the others leave. Filled points count
/// as matched ones: without them there are no splats on plain walls.
fn select(found: Vec<Found>, wanted: usize, seed: u64) -> (PointCloud, Report) {
    let mut order: Vec<(bool, u64, usize)> =
        found.iter().enumerate().map(|(i, f)| (f.kind == Kind::Random, hash(seed, 2, i as u64), i)).collect();
    order.sort_unstable();
    order.truncate(wanted);
    let count = |kind| order.iter().filter(|o| found[o.2].kind == kind).count();
    let report = Report {
        source: IMAGES.into(),
        candidates: found.len(),
        matched: count(Kind::Matched),
        filled: count(Kind::Filled),
        random: count(Kind::Random),
        dropped: found.len() - order.len(),
        output: order.len(),
        ..Report::default()
    };
    let mut cloud = PointCloud {
        positions: order.iter().map(|o| found[o.2].position.as_vec3().to_array()).collect(),
        colors: order.iter().map(|o| found[o.2].color).collect(),
        normals: order.iter().map(|o| found[o.2].normal.as_vec3().to_array()).collect(),
    };
    if report.matched == 0 {
        cloud.normals.clear();
    }
    (cloud, report)
}
