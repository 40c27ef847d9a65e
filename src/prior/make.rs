//! Points made from a capture's own images.

use super::config::{Config, Make, PoseCheck};
use super::exposures;
use super::neighbors::references;
use super::readings::{self, share_of};
use super::stereo::{self, Cloud, DepthMap, Found, Kept, Kind, Picture, Stereo};
use super::{PointCloud, align};
use crate::capture::{Capture, ImageCache};
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::progress::Progress;
use crate::random::hash;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Where the points came from, and how many.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The file the points were read from, or `"images"` where they were made.
    pub source: String,
    /// Why from there.
    pub reason: String,
    /// The relation of the prior's cameras to those of the capture, where it has some.
    pub alignment: Option<align::Report>,
    /// Points read, or points to choose from.
    pub candidates: usize,
    /// The part of all pixels on whose depth views agree (0 where points were read).
    pub depths: f64,
    /// Points of the dense cloud of all these pixels.
    pub fused: usize,
    /// Points with a depth on which views agree (all, where they were read).
    pub matched: usize,
    /// Points whose depth was filled in from neighboring matched pixels.
    pub filled: usize,
    /// Points at random depths, where the images do not agree.
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

/// [`Report::source`] of points that were made.
const IMAGES: &str = "images";

/// Points from the training images by stereo (see [`super::stereo`]), in the frame of `capture`. The same on any number
/// of threads. Depths that an earlier run has `kept` are not searched again.
///
/// # Errors
/// An image that cannot be read; [`Error::Setting`] for parameters out of range; poses that contradict the photographs
/// ([`super::PoseCheck`]); the device; an interrupt.
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
        if config.pose_check != PoseCheck::Off {
            readings::warn_of_lonely(capture, &maps);
        }
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
