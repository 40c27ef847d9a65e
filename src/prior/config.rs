//! The settings of the prior.

use super::align::Method;
use super::read::Options as ReadOptions;
use crate::capture::Capture;
use crate::error::{Error, Result};
use documented::DocumentedFields;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Points made where no number is asked for: one for so many pixels, and half of that where [`ENOUGH`] are left, since presets
/// grow the model: fewer to begin with were better at an equal end (docs/experiments.md).
const PIXELS_PER_POINT: usize = 100;
const ENOUGH: usize = 30_000;
const MOST_POINTS: usize = 160_000;

/// How points are made where a capture has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Make {
    /// Dense multi-view stereo, filled in where it finds nothing.
    #[default]
    Stereo,
    /// Pixels at random depths.
    Frustum,
}

/// Whose poses training uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Poses {
    /// The capture's.
    #[default]
    Replace,
    /// The prior's, in the capture's frame.
    Align,
    /// The prior's, in the prior's frame.
    Prior,
}

/// What happens where poses and photographs contradict each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PoseCheck {
    /// An error where another reading of the poses clearly fits, a warning where none does.
    #[default]
    Refuse,
    /// A warning in any case.
    Warn,
    /// Nothing is compared.
    Off,
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
    pub align: Method,
    /// Whose poses training uses: `replace` (the capture's), `align` (the prior's, in the capture's frame) or `prior`
    /// (the prior's, in its own frame; test poses are taken there). Lenses are always the capture's.
    pub poses: Poses,
    /// How points are made: by stereo between the images (stereo), or at random depths before the cameras (frustum).
    pub make: Make,
    /// Points to make where the capture brings none, at most one for every 16 pixels of the images searched. 0: one for
    /// every 100 pixels that are trained on, but no more than 30 000 or one for every 200, whichever is more; at most 160 000.
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
    /// A file (`.npy`, `.npz`, `.ply`) with the colors of the points that are read, one for each.
    pub colors: Option<PathBuf>,
    /// Longer side of the images in which depths are searched, in pixels.
    pub image_size: u32,
    /// Views that get a depth map, at most.
    pub max_views: usize,
    /// Correlation with other views (−1 to 1) from which on a depth is considered.
    pub min_correlation: f64,
    /// Other views whose depth maps must agree for a depth to be kept.
    pub min_views: usize,
    /// Where photographs and poses contradict each other: `refuse` the capture if another reading of the poses (other
    /// axes, inverse matrices, focal length, order) clearly fits, `warn`, or skip the check (`off`).
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
            align: Method::Sim3,
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

    /// What the points depend on, without the paths of files: these count by their content.
    #[must_use]
    pub fn cache_key(&self) -> Self {
        let named = |file: &Option<PathBuf>| file.as_ref().map(|_| PathBuf::new());
        Self { points: named(&self.points), colors: named(&self.colors), ..self.clone() }
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
    pub(super) fn wanted(&self, capture: &Capture) -> usize {
        if self.make_points > 0 {
            return self.make_points;
        }
        let pixels = capture.train.iter().map(|view| view.camera.width as usize * view.camera.height as usize);
        let dense = pixels.sum::<usize>() / PIXELS_PER_POINT;
        dense.min(ENOUGH).max(dense / 2).clamp(1, MOST_POINTS)
    }
}
