//! The settings of the optimization.

use super::densify;
use crate::error::{Error, Result};
use crate::splat::Init;
use documented::DocumentedFields;
use serde::{Deserialize, Serialize};

/// What is behind the splats while training.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Background {
    /// Another random color every step: dark splats cannot vanish against it.
    #[default]
    Random,
    /// Black, as published.
    Black,
}

/// Settings of the optimization, a field each, as in a settings file's table. The defaults are the published ones
/// (NAKA-GS §III-C, 3DGS) but for the background.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Optimization steps, one view each.
    pub steps: u32,
    /// Seed of everything random.
    pub seed: u64,
    /// Highest spherical-harmonic degree, 0–3.
    pub sh_degree: u32,
    /// Steps between increases of the SH degree.
    pub sh_interval: u32,
    /// Learning rate of the means, times the scene scale; decays exponentially.
    pub lr_means: f32,
    /// Final learning rate of the means, as a fraction of the initial one.
    pub lr_means_decay: f32,
    /// Learning rate of the log-scales.
    pub lr_scales: f32,
    /// Learning rate of the quaternions.
    pub lr_quats: f32,
    /// Learning rate of the logit opacities.
    pub lr_opacities: f32,
    /// Learning rate of the constant SH coefficients; the others get 1/20 of it.
    pub lr_sh: f32,
    /// Final value of the other learning rates, as a fraction of the initial one (1: constant, as published).
    pub lr_decay: f32,
    /// Weight of 1 − SSIM in the loss; L1 gets the rest.
    pub ssim_weight: f32,
    /// Compensate opacity for the screen-space low-pass filter.
    pub antialiased: bool,
    /// What is behind the splats while training.
    pub background: Background,
    /// Weight of the mean opacity in the loss (MCMC: 0.01).
    pub opacity_regularizer: f32,
    /// Weight of the mean scale in the loss (MCMC: 0.01).
    pub scale_regularizer: f32,
    /// Opacity of new splats made from points.
    pub init_opacity: f32,
    /// Factor on the neighbor distance that gives the scale of splats made from points.
    pub init_scale: f32,
    /// Ratio of thickness to width of splats made from points with a known normal (1: round, as published).
    pub init_thickness: f32,
    /// Smallest standard deviation of a splat, in pixels of the closest training view (0: none, as published).
    pub scale_floor: f32,
    /// Resolution ramp: images start at 1/ramp of the training size (1: no ramp).
    pub ramp: u32,
    /// Fraction of the steps after which the ramp reaches the training size.
    pub ramp_until: f32,
    /// Compare photographs with the model a few times, and train those that lie a few pixels off their poses from where they
    /// are.
    pub refine_poses: bool,
    /// Steps between checkpoints, beside those by time (0: none).
    pub checkpoint_every: u32,
    /// Seconds between checkpoints, which is the most that a killed training loses (0: none by time).
    pub checkpoint_seconds: f32,
    /// Sum gradients in fixed point, so that the same run gives the same bytes on the same machine; slower.
    pub deterministic: bool,
    /// Steps between measurements on the held-out views (0: none while training).
    pub eval_every: u32,
    /// How splats are added and removed.
    pub densify: densify::Config,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            steps: 8000,
            seed: 42,
            sh_degree: 3,
            sh_interval: 1000,
            lr_means: 1.6e-4,
            lr_means_decay: 0.01,
            lr_scales: 5e-3,
            lr_quats: 1e-3,
            lr_opacities: 5e-2,
            lr_sh: 2.5e-3,
            lr_decay: 1.0,
            ssim_weight: 0.2,
            antialiased: false,
            background: Background::Random,
            opacity_regularizer: 0.0,
            scale_regularizer: 0.0,
            init_opacity: 0.1,
            init_scale: 1.0,
            init_thickness: 1.0,
            scale_floor: 0.0,
            ramp: 1,
            ramp_until: 0.5,
            refine_poses: false,
            checkpoint_every: 0,
            checkpoint_seconds: 60.0,
            deterministic: false,
            eval_every: 0,
            densify: densify::Config::default(),
        }
    }
}

/// Fewest steps between two rounds of growth, where a training is shortened: statistics of fewer steps are poor.
const MIN_EVERY: u32 = 50;

impl Config {
    /// Fails on the first value that cannot be trained with.
    pub fn validate(&self) -> Result<()> {
        let check = |ok: bool, setting: &str, found: String, remedy: &str| {
            if ok { Ok(()) } else { Err(Error::setting(format!("train.{setting}"), found, remedy)) }
        };
        check(self.steps > 0, "steps", self.steps.to_string(), "use at least 1")?;
        check(self.sh_degree <= 3, "sh_degree", self.sh_degree.to_string(), "use 0 to 3")?;
        check((1..=16).contains(&self.ramp), "ramp", self.ramp.to_string(), "use 1 to 16")?;
        let unit = 0.0..=1.0;
        check(unit.contains(&self.ssim_weight), "ssim_weight", self.ssim_weight.to_string(), "use 0 to 1")?;
        check(unit.contains(&self.ramp_until), "ramp_until", self.ramp_until.to_string(), "use 0 to 1")?;
        let opacity = self.init_opacity;
        check(opacity > 0.0 && opacity < 1.0, "init_opacity", opacity.to_string(), "use a value between 0 and 1")?;
        for (name, value) in [
            ("lr_means", self.lr_means),
            ("lr_means_decay", self.lr_means_decay),
            ("lr_scales", self.lr_scales),
            ("lr_quats", self.lr_quats),
            ("lr_opacities", self.lr_opacities),
            ("lr_sh", self.lr_sh),
            ("lr_decay", self.lr_decay),
            ("init_scale", self.init_scale),
            ("init_thickness", self.init_thickness),
        ] {
            check(value > 0.0 && value.is_finite(), name, value.to_string(), "use a positive number")?;
        }
        for (name, value) in [
            ("opacity_regularizer", self.opacity_regularizer),
            ("scale_regularizer", self.scale_regularizer),
            ("scale_floor", self.scale_floor),
            ("checkpoint_seconds", self.checkpoint_seconds),
        ] {
            check(value >= 0.0 && value.is_finite(), name, value.to_string(), "use 0 or more")?;
        }
        Ok(())
    }

    /// The same training in another number of steps, with the times of growth in proportion.
    pub fn of_length(&self, steps: u32) -> Self {
        let scaled = |at: u32| (u64::from(at) * u64::from(steps) / u64::from(self.steps.max(1))) as u32;
        let densify::Config { start, stop, every, reset_every, .. } = self.densify;
        let [start, stop, reset_every] = [start, stop, reset_every].map(scaled);
        let every = scaled(every).max(MIN_EVERY.min(every));
        let densify = densify::Config { start, stop, every, reset_every, ..self.densify.clone() };
        Self { steps, densify, ..self.clone() }
    }

    /// What the model depends on: the rest may change and the run stays the same one.
    pub fn cache_key(&self) -> Self {
        let Self { checkpoint_every, checkpoint_seconds, .. } = Self::default();
        Self { checkpoint_every, checkpoint_seconds, ..self.clone() }
    }

    /// How splats made from points begin.
    pub fn init(&self) -> Init {
        let Self { sh_degree, init_opacity, init_scale, init_thickness, seed, .. } = *self;
        Init { sh_degree, opacity: init_opacity, scale: init_scale, thickness: init_thickness, seed }
    }

    /// SH bands in use at `step`.
    pub fn sh_degree_at(&self, step: u32) -> u32 {
        self.sh_degree.min(step / self.sh_interval.max(1))
    }

    /// Downscaling of the training images at `step`: falls from `ramp` to 2 over the first part of the run, every
    /// factor for as many steps, and is 1 for the rest.
    pub fn downscale_at(&self, step: u32) -> u32 {
        let end = self.ramp_until * self.steps as f32;
        if self.ramp <= 1 || step as f32 >= end {
            return 1;
        }
        let level = (step as f32 / end * (self.ramp - 1) as f32) as u32;
        (self.ramp - level).max(2)
    }

    /// Learning rates at `step`, in the order of [`crate::splat::TENSOR_NAMES`].
    pub fn learning_rates(&self, step: u32, scene_scale: f64) -> [f32; 8] {
        let progress = step as f32 / self.steps.max(1) as f32;
        let decay = self.lr_decay.powf(progress);
        let means = self.lr_means * scene_scale as f32 * self.lr_means_decay.powf(progress);
        let rest = self.lr_sh / 20.0 * decay;
        [
            means,
            self.lr_quats * decay,
            self.lr_scales * decay,
            self.lr_opacities * decay,
            self.lr_sh * decay,
            rest,
            rest,
            rest,
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ramp_falls_to_full_size() {
        let config = Config { steps: 1000, ramp: 4, ramp_until: 0.6, ..Config::default() };
        let sizes: Vec<u32> = (0..1000).map(|step| config.downscale_at(step)).collect();
        assert_eq!((sizes[0], sizes[599], sizes[600], sizes[999]), (4, 2, 1, 1));
        assert!(sizes.windows(2).all(|pair| pair[1] <= pair[0]));
        assert!((0..1000).all(|step| Config { ramp: 1, ..config.clone() }.downscale_at(step) == 1));
    }

    #[test]
    fn bands_come_one_by_one() {
        let config = Config { sh_degree: 2, sh_interval: 100, ..Config::default() };
        assert_eq!([0, 99, 100, 200, 5000].map(|step| config.sh_degree_at(step)), [0, 0, 1, 2, 2]);
        assert_eq!(Config { sh_interval: 0, ..config }.sh_degree_at(7), 2);
    }

    #[test]
    fn means_slow_down_and_the_rest_keeps_its_rate() {
        let config = Config { steps: 100, ..Config::default() };
        let [first, last] = [config.learning_rates(0, 2.0), config.learning_rates(100, 2.0)];
        assert!((first[0] - 3.2e-4).abs() < 1e-9 && (last[0] - 3.2e-6).abs() < 1e-10);
        assert_eq!(first[1..], last[1..]);
        assert_eq!(first[5], config.lr_sh / 20.0);
    }

    #[test]
    fn what_cannot_be_trained_with_is_named() {
        let wrong = [
            (Config { steps: 0, ..Config::default() }, "train.steps"),
            (Config { sh_degree: 4, ..Config::default() }, "train.sh_degree"),
            (Config { lr_means: f32::NAN, ..Config::default() }, "train.lr_means"),
            (Config { init_opacity: 1.0, ..Config::default() }, "train.init_opacity"),
            (Config { opacity_regularizer: -1.0, ..Config::default() }, "train.opacity_regularizer"),
            (Config { checkpoint_seconds: f32::INFINITY, ..Config::default() }, "train.checkpoint_seconds"),
        ];
        for (config, name) in wrong {
            let message = config.validate().unwrap_err().to_string();
            assert!(message.contains(name), "{message}");
        }
        Config::default().validate().unwrap();
    }
}
