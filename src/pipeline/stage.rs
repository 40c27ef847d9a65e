//! The names of the stages, and their order.

use serde::de::{Deserialize, Deserializer, Error as _};
use serde::{Serialize, Serializer};
use std::cmp::Ordering;

/// A stage by its name. Stages are ordered as they are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stage(&'static str);

impl Stage {
    /// Poses of photographs that came without.
    pub const POSES: Self = Self("poses");
    /// Dark photographs to lit ones.
    pub const ENHANCE: Self = Self("enhance");
    /// Points to start from.
    pub const PRIOR: Self = Self("prior");
    /// The prior's points, pooled and pruned.
    pub const PPM: Self = Self("ppm");
    /// The optimization of the splats.
    pub const TRAIN: Self = Self("train");
    /// A picture for each test pose.
    pub const RENDER: Self = Self("render");
    /// PSNR and SSIM of the views that have a reference.
    pub const EVAL: Self = Self("eval");

    /// In the order in which they are made.
    const ALL: [Self; 7] = [Self::POSES, Self::ENHANCE, Self::PRIOR, Self::PPM, Self::TRAIN, Self::RENDER, Self::EVAL];

    /// All of them, in order.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter()
    }

    /// The stage of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::all().find(|stage| stage.0 == name)
    }

    /// As in `run.json` and in progress lines.
    pub fn name(self) -> &'static str {
        self.0
    }

    fn position(self) -> usize {
        Self::ALL.iter().position(|stage| *stage == self).expect("every stage is listed")
    }
}

impl PartialOrd for Stage {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Stage {
    fn cmp(&self, other: &Self) -> Ordering {
        self.position().cmp(&other.position())
    }
}

impl Serialize for Stage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0)
    }
}

impl<'de> Deserialize<'de> for Stage {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::named(&name).ok_or_else(|| D::Error::custom(format!("no stage is called `{name}`")))
    }
}
