//! The presets: the one place for their numbers.

use super::Settings;
use crate::train::{Background, densify};
use crate::{capture, enhance, poses, ppm, prior, train, video};
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
        masks: capture::MaskUse::Use,
        video: video::Config::default(),
        enhance: enhance::Config::default(),
        poses: poses::Config::default(),
        prior: prior::Config::default(),
        ppm: ppm::Config::default(),
        train: few_noisy_views(),
    }
}

/// Where thirty noisy views are all there is, fewer bands and fewer splats are better pictures: both can model noise.
/// Many points need splats smaller than the published start: they need not grow into each other.
/// Measured on BlueHawaii at a quarter of the size (docs/benchmarks.md, docs/prior.md).
fn few_noisy_views() -> train::Config {
    let densify = densify::Config { strategy: densify::Strategy::None, ..densify::Config::default() };
    train::Config {
        steps: 2000,
        sh_degree: 1,
        sh_interval: 300,
        init_scale: 0.6,
        init_thickness: 0.2,
        // √0.3: what the renderer's low-pass filter adds in any case.
        scale_floor: 0.55,
        densify,
        ..train::Config::default()
    }
}

/// What `naka-gs demo` starts from: its pictures are small, so that full size takes minutes without a GPU.
pub fn demo() -> Settings {
    let preview = preview();
    let train = train::Config { steps: 700, ..preview.train.clone() };
    Settings { downscale: 1, train, ..preview }
}

fn preview() -> Settings {
    let standard = standard();
    let train = train::Config { ramp: 2, ramp_until: 0.3, ..standard.train.clone() };
    Settings { preset: Preset::Preview, downscale: 4, train, ..standard }
}

fn paper() -> Settings {
    let train = train::Config { background: Background::Black, ..train::Config::default() };
    let prior = prior::Config { min_existing: 1, ..prior::Config::default() };
    let ppm = ppm::Config { thin_made: true, ..ppm::Config::default() };
    Settings { preset: Preset::Paper, enhance: enhance::Config::published(), prior, ppm, train, ..standard() }
}
