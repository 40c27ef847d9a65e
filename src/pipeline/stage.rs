//! The list of the stages, and their names.

use serde::de::{Deserialize, Deserializer, Error as _};
use serde::{Serialize, Serializer};
use std::cmp::Ordering;

/// The one list of the stages, in the order in which they are made: for each its constant of [`Stage`], its name, and
/// what makes it (in `stages/`). `$make` is a macro that takes the list.
macro_rules! with_stages {
    ($make:ident) => {
        $make! {
            /// Poses of photographs that came without.
            POSES, "poses", poses::Poses;
            /// Dark photographs to lit ones.
            ENHANCE, "enhance", enhance::Enhance;
            /// Points to start from.
            PRIOR, "prior", prior::Prior;
            /// The prior's points, pooled and pruned.
            PPM, "ppm", ppm::Ppm;
            /// The optimization of the splats.
            TRAIN, "train", train::Train;
            /// A picture for each test pose.
            RENDER, "render", render::Render;
            /// PSNR and SSIM of the views that have a reference.
            EVAL, "eval", eval::Eval;
        }
    };
}
pub(super) use with_stages;

/// A stage by its name. Stages are ordered as they are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stage(&'static str);

macro_rules! names {
    ($($(#[$doc:meta])* $constant:ident, $name:literal, $maker:expr;)+) => {
        impl Stage {
            $($(#[$doc])* pub const $constant: Self = Self($name);)+
            const ALL: &[Self] = &[$(Self::$constant),+];
        }
    };
}
with_stages!(names);

impl Stage {
    /// All of them, in order.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::ALL.iter().copied()
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
