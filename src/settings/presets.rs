//! The presets: the one place for their numbers.

use super::Settings;
use crate::capture::Facts;
use crate::train::{Background, densify};
use crate::{capture, enhance, eval, poses, ppm, prior, train, video};
use serde::{Deserialize, Serialize};

/// A named set of settings to start from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    /// A quick look: a third of the size, few steps, most of them of half of that.
    Preview,
    /// What this program does best.
    #[default]
    Standard,
    /// The published method (NAKA-GS, arXiv 2604.11142), exactly.
    Paper,
}

impl Preset {
    /// The settings this preset stands for, for photographs of which nothing is known.
    pub fn settings(self) -> Settings {
        match self {
            Self::Preview => preview(),
            Self::Standard => standard(),
            Self::Paper => paper(),
        }
    }
}

/// The number of photographs from which on they count as many, and the largest noise of clean ones, relative to the median.
/// Dark captures of 8 bits have 0.1 and more, since rounding is noise; hand-held daylight 0.01.
pub const MANY: usize = 40;
const CLEAN: f64 = 0.04;

impl Settings {
    /// These settings for photographs that are many and clean, trained for `steps` steps or as many as suit them; `None` for
    /// other photographs, and for the published settings.
    pub(super) fn for_many_clean(&self, photographs: &Facts, steps: Option<u32>) -> Option<Self> {
        let suitable = photographs.views >= MANY && photographs.noise <= CLEAN && self.preset != Preset::Paper;
        let preview = self.preset == Preset::Preview;
        suitable.then(|| Self {
            train: many_clean_views(&self.train, preview, photographs.views, steps),
            downscale: if preview { QUICK } else { self.downscale },
            ..self.clone()
        })
    }
}

/// How much smaller many clean photographs are in a preview, which takes more steps of them.
const QUICK: u32 = 4;

/// Where views are many and clean, more bands and splats are better pictures: fox at a quarter of its size, 44 views to train
/// on, 6000 steps: 30.32 dB without growth, 32.77 dB with (docs/experiments.md). Times of growth are parts of the length.
fn many_clean_views(train: &train::Config, preview: bool, views: usize, steps: Option<u32>) -> train::Config {
    // Published trainings take 30 000 steps for 100 to 300 views.
    let [per_view, least, most] = if preview { [40, 2000, 10_000] } else { [120, 6000, 30_000] };
    let steps = steps.unwrap_or((per_view * views as u32).clamp(least, most));
    let densify = densify::Config {
        strategy: densify::Strategy::Default,
        start: steps / 20,
        stop: steps / 2,
        reset_every: steps / 4,
        ..densify::Config::default()
    };
    // Growth needs the pictures as they are.
    let ramp_until = if preview { 0.3 } else { train.ramp_until };
    // Growth is made for the published rates, but those of the means suit 30 000 steps: fox has 32.55 dB in a preview with ten
    // times theirs, not 32.08.
    let train::Config {
        lr_means, lr_scales, lr_quats, lr_opacities, lr_sh, lr_decay, ssim_weight, init_opacity, ..
    } = train::Config::default();
    let lr_means = if preview { train.lr_means } else { lr_means };
    train::Config {
        steps,
        sh_degree: 3,
        sh_interval: (steps / 30).max(1),
        ramp_until,
        lr_means,
        lr_scales,
        lr_quats,
        lr_opacities,
        lr_sh,
        lr_decay,
        ssim_weight,
        init_opacity,
        densify,
        ..train.clone()
    }
}

fn standard() -> Settings {
    Settings {
        preset: Preset::Standard,
        adapter: "best".into(),
        seed: 42,
        seeds: 1,
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
        eval: eval::Config::default(),
    }
}

/// Where thirty noisy views are all there is, fewer bands and fewer splats are better pictures: both can model noise.
/// Many points need splats smaller than the published start: they need not grow into each other.
/// Measured on BlueHawaii at a quarter of the size (docs/experiments.md, docs/prior.md).
fn few_noisy_views() -> train::Config {
    let steps = 2000;
    // Where stereo found few points or wrong ones splats are added: Laboratory has 24.1 dB without, 25.3 dB with it, from half
    // the points (three seeds each, docs/experiments.md).
    let densify = densify::Config {
        strategy: densify::Strategy::Gradual,
        start: steps / 20,
        stop: steps / 4 * 3,
        ..densify::Config::default()
    };
    train::Config {
        steps,
        sh_degree: 1,
        sh_interval: 300,
        init_scale: 0.6,
        init_thickness: 0.2,
        // √0.3: what the renderer's low-pass filter adds in any case.
        scale_floor: 0.55,
        // So few steps must be long: published trainings take fifteen times as many. With ten times their rate of the means
        // 1400 steps are on average as good as 2000 with theirs. The other rates: at a third of its size, without a ramp,
        // Laboratory has 24.93 and 24.92 dB (two seeds) at the published ones, 25.12 and 25.19 dB at these
        // (docs/experiments.md). At full size they have not been compared.
        lr_means: 1.6e-3,
        lr_scales: 0.02,
        lr_quats: 4e-3,
        lr_opacities: 0.1,
        lr_sh: 0.02,
        lr_decay: 0.3,
        ssim_weight: 0.4,
        refine_poses: true,
        densify,
        ..train::Config::default()
    }
}

/// What `naka-gs demo` starts from: its pictures are small, so that full size takes minutes without a GPU.
pub fn demo() -> Settings {
    let preview = preview();
    // So few steps need the pictures as they are: 26.91 dB, and 26.22 dB with the preview's ramp in half the time.
    let train = train::Config { ramp_until: 0.3, ..preview.train.of_length(500) };
    Settings { downscale: 1, train, ..preview }
}

/// Steps of a preview of few noisy photographs. 1400 from an opacity of 0.1 have Laboratory at 0.1 dB more, BlueHawaii and
/// Cupcake at no more (docs/experiments.md).
const QUICK_STEPS: u32 = 1200;

fn preview() -> Settings {
    let standard = standard();
    // At a quarter of the size there is half a decibel less (docs/experiments.md). Colors that depend on the direction bring
    // nothing that can be measured there, nor do larger pictures for stereo, which take it half as long again
    // (docs/experiments.md). Splats that begin more opaque need fewer layers and fewer steps; at full size that has not been
    // measured.
    let length = standard.train.of_length(QUICK_STEPS);
    let train = train::Config { ramp: 2, ramp_until: 0.85, sh_degree: 0, init_opacity: 0.3, ..length };
    let prior = prior::Config { image_size: 352, ..standard.prior };
    Settings { preset: Preset::Preview, downscale: 3, prior, train, ..standard }
}

fn paper() -> Settings {
    let train = train::Config { background: Background::Black, ..train::Config::default() };
    let prior = prior::Config { min_existing: 1, ..prior::Config::default() };
    let ppm = ppm::Config { thin_made: true, ..ppm::Config::default() };
    Settings { preset: Preset::Paper, enhance: enhance::Config::published(), prior, ppm, train, ..standard() }
}
