//! The stage's settings.

use crate::error::{Error, Result};
use documented::DocumentedFields;
use serde::{Deserialize, Serialize};

/// How splats are added and removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Strategy {
    /// The initial splats are all there are.
    None,
    /// Grow where the image gradient is large, prune what is transparent (3DGS).
    #[default]
    Default,
    /// As `Default`, but so many splats each time, whatever their gradients are, and without opacity resets.
    Gradual,
    /// Splats as samples of a distribution: dead ones move, all jitter (3DGS-MCMC).
    Mcmc,
}

/// Settings of the densification. The defaults are the published ones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How splats are added and removed: `none`, `default` (3DGS), `gradual` (the same in small parts, without opacity
    /// resets) or `mcmc`.
    pub strategy: Strategy,
    /// Steps before splats are first added or removed.
    pub start: u32,
    /// Last step after which splats are added or removed.
    pub stop: u32,
    /// Steps between additions and removals.
    pub every: u32,
    /// Default strategy: splats grow whose image-plane gradient, in half image sizes and averaged over views, is larger.
    pub grad_threshold: f32,
    /// Default and gradual: growing splats of up to this scale are duplicated, larger ones split (relative to the scene).
    pub scale_threshold: f32,
    /// Splats less opaque are removed (default and gradual) or moved to where splats are opaque (mcmc).
    pub prune_opacity: f32,
    /// Default strategy: larger splats are removed after the first opacity reset (relative to the scene).
    pub prune_scale: f32,
    /// Default strategy: steps between opacity resets (0: none).
    pub reset_every: u32,
    /// Most splats that the model grows to; the splats with the largest gradients grow first.
    pub max_splats: u32,
    /// Mcmc: part by which the model grows each time, up to the maximum.
    pub grow: f32,
    /// Gradual: how many times as many splats as in the beginning the model has at its end, up to the maximum, where no
    /// splat becomes transparent. It grows fastest in the beginning, where gradients are largest.
    pub growth: f32,
    /// Mcmc: strength of the jitter of the positions (0: none).
    pub noise: f32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            strategy: Strategy::Default,
            start: 500,
            stop: 15_000,
            every: 100,
            grad_threshold: 2e-4,
            scale_threshold: 0.01,
            prune_opacity: 0.005,
            prune_scale: 0.1,
            reset_every: 3000,
            max_splats: 1_000_000,
            grow: 0.05,
            growth: 2.6,
            noise: 5e5,
        }
    }
}

/// Splats that the source map has room for: two bits of its words are tags.
const MAX_SPLATS: u32 = 1 << 30;

impl Config {
    /// Fails on the first value that cannot be trained with.
    pub fn validate(&self) -> Result<()> {
        let check = |ok: bool, key: &str, found: String, remedy: &str| {
            if ok { Ok(()) } else { Err(Error::setting(format!("train.densify.{key}"), found, remedy)) }
        };
        let positive = [
            ("grad_threshold", self.grad_threshold),
            ("scale_threshold", self.scale_threshold),
            ("prune_scale", self.prune_scale),
            ("grow", self.grow),
            ("noise", self.noise),
        ];
        for (key, value) in positive {
            check(value >= 0.0 && value.is_finite(), key, value.to_string(), "use a number of at least 0")?;
        }
        let growth = self.growth;
        check(growth >= 1.0 && growth.is_finite(), "growth", growth.to_string(), "use a number of at least 1")?;
        check(self.every > 0, "every", self.every.to_string(), "use at least 1")?;
        let opacity = self.prune_opacity;
        check((0.0..1.0).contains(&opacity), "prune_opacity", opacity.to_string(), "use a number from 0 to below 1")?;
        let splats = self.max_splats;
        check(splats > 0 && splats < MAX_SPLATS, "max_splats", splats.to_string(), "use a number from 1 to 2^30")
    }

    /// Splats that a model of `before` has after one time of the mcmc strategy; never fewer.
    pub(super) fn mcmc_target(&self, before: usize) -> usize {
        let grown = before + (before as f64 * f64::from(self.grow)) as usize;
        grown.min(self.max_splats as usize).max(before)
    }

    /// Splats that a model of `before` has at most after growing at `step` by the gradual strategy; never fewer. The sizes of
    /// all n times lie on a parabola from 1 to `growth` that ends flat: 1 + (growth − 1) · (1 − (1 − t / n)²).
    pub(super) fn gradual_limit(&self, before: usize, step: u32) -> usize {
        let time = |step: u32| (step / self.every).saturating_sub(self.start / self.every);
        let all = f64::from(time(self.stop).max(1));
        let size = |time: u32| {
            let left = 1.0 - (f64::from(time) / all).min(1.0);
            1.0 + (f64::from(self.growth) - 1.0) * (1.0 - left * left)
        };
        let factor = size(time(step)) / size(time(step).saturating_sub(1));
        ((before as f64 * factor).round() as usize).min(self.max_splats as usize).max(before)
    }
}
