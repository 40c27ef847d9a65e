//! Settings of the stage.

use crate::error::{Error, Result};
use documented::DocumentedFields;
use serde::{Deserialize, Serialize};

/// Parameters of the estimation of poses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Take the poses from here instead of the scene folder: a COLMAP model or project, or a transforms.json
    pub poses_from: String,
    /// COLMAP, for photographs without poses: the program's name or path
    pub colmap: String,
    /// How the model is built: incremental (COLMAP's mapper), or global (COLMAP 4's global_mapper, or glomap)
    pub mapper: Mapper,
    /// The camera's lens as COLMAP models it: simple_pinhole, pinhole, simple_radial, radial or opencv
    pub lens: Lens,
    /// Longer side in pixels, at most, of the images that features are looked for in
    pub feature_size: u32,
    /// Features per image at most; matching takes time with their square
    pub max_features: u32,
    /// Up to this many photographs each is matched with every other one; beyond, with its neighbors by name
    pub match_all_up_to: usize,
    /// Minutes that a step of COLMAP may take
    pub colmap_minutes: f64,
    /// Threads that COLMAP uses, 0 for all; only with 1 it gives the same result each time
    pub colmap_threads: u32,
    /// Seed of the random choices
    pub seed: u64,
}

/// How a model is built from matches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mapper {
    /// Image by image.
    #[default]
    Incremental,
    /// All images at once (GLOMAP, Pan et al. 2024).
    Global,
}

/// COLMAP's camera models that this program can use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lens {
    /// One focal length, no distortion.
    SimplePinhole,
    /// Two focal lengths, no distortion.
    Pinhole,
    /// One focal length and one radial term: COLMAP's own choice.
    #[default]
    SimpleRadial,
    /// One focal length and two radial terms.
    Radial,
    /// Two focal lengths, two radial and two tangential terms.
    Opencv,
}

impl Lens {
    /// COLMAP's name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::SimplePinhole => "SIMPLE_PINHOLE",
            Self::Pinhole => "PINHOLE",
            Self::SimpleRadial => "SIMPLE_RADIAL",
            Self::Radial => "RADIAL",
            Self::Opencv => "OPENCV",
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            poses_from: String::new(),
            colmap: "colmap".into(),
            mapper: Mapper::default(),
            lens: Lens::default(),
            feature_size: 1600,
            max_features: 4096,
            match_all_up_to: 150,
            colmap_minutes: 720.0,
            colmap_threads: 0,
            seed: 42,
        }
    }
}

impl Config {
    /// What the result depends on: the rest may change without a new estimation.
    pub fn cache_key(&self) -> Self {
        let Self { colmap, colmap_minutes, colmap_threads, .. } = Self::default();
        Self { colmap, colmap_minutes, colmap_threads, ..self.clone() }
    }

    pub(super) fn check(&self) -> Result<()> {
        let refuse = |name: &str, found: String, remedy: &str| Err(Error::setting(name, found, remedy));
        if self.feature_size < 64 {
            return refuse("poses.feature_size", self.feature_size.to_string(), "use at least 64 pixels");
        }
        if self.max_features < 64 {
            return refuse("poses.max_features", self.max_features.to_string(), "use at least 64");
        }
        if !(self.colmap_minutes > 0.0 && self.colmap_minutes <= 1e6) {
            return refuse("poses.colmap_minutes", self.colmap_minutes.to_string(), "use a number above 0");
        }
        Ok(())
    }
}
