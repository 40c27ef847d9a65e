//! The presets: the one place for their numbers.

use super::Settings;
use serde::{Deserialize, Serialize};

/// A named set of settings to start from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    /// A quick look: a quarter of the size, few steps, coarse to fine.
    Preview,
    /// What this program does best.
    #[default]
    Standard,
    /// The published method (NAKA-GS, arXiv 2604.11142), to the letter.
    Paper,
}

impl Preset {
    /// The settings this preset stands for.
    pub fn settings(self) -> Settings {
        match self {
            Self::Preview => preview(),
            Self::Standard => standard(),
            Self::Paper => paper(),
        }
    }
}

fn standard() -> Settings {
    Settings {
        preset: Preset::Standard,
        adapter: "best".into(),
        seed: 42,
        downscale: 1,
        holdout: None,
        allow_outside: false,
    }
}

fn preview() -> Settings {
    Settings { preset: Preset::Preview, downscale: 4, ..standard() }
}

fn paper() -> Settings {
    Settings { preset: Preset::Paper, ..standard() }
}
