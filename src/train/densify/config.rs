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
    /// As `Default`, but a set number of splats each time instead of a threshold, those with the largest absolute gradients
    /// (AbsGS), and without opacity resets.
    Gradual,
    /// Splats as samples of a distribution: dead ones move, all jitter (3DGS-MCMC).
    Mcmc,
}

/// Settings of the densification. The defaults are the published ones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How splats are added and removed: `none`, `default` (3DGS), `gradual` (a set number of splats each time, no
    /// opacity resets) or `mcmc`.
    pub strategy: Strategy,
    /// Steps before splats are first added or removed.
    pub start: u32,
    /// No splats are added or removed after this step.
    pub stop: u32,
    /// Steps between additions and removals.
    pub every: u32,
    /// Default strategy: splats with a larger image-plane gradient (in half image sizes, averaged over views) grow.
    pub grad_threshold: f32,
    /// Default and gradual: growing splats of up to this scale are duplicated, larger ones split (relative to the scene).
    pub scale_threshold: f32,
    /// Splats with a lower opacity are removed (default and gradual) or moved to where splats are opaque (mcmc).
    pub prune_opacity: f32,
    /// Default strategy: larger splats are removed after the first opacity reset (relative to the scene).
    pub prune_scale: f32,
    /// Default strategy: steps between opacity resets (0: none).
    pub reset_every: u32,
    /// Maximum number of splats; those with the largest gradients grow first.
    pub max_splats: u32,
    /// Mcmc: fraction by which the model grows each time, up to the maximum.
    pub grow: f32,
    /// Gradual: ratio of final to initial splats, up to the maximum and not counting those removed. Most are added early, all
    /// where absolute gradients (of the pixels one by one) are largest.
    pub growth_factor: f32,
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
            growth_factor: 2.6,
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
        let factor = self.growth_factor;
        check(factor >= 1.0 && factor.is_finite(), "growth_factor", factor.to_string(), "use a number of at least 1")?;
        check(self.every > 0, "every", self.every.to_string(), "use at least 1")?;
        let opacity = self.prune_opacity;
        check((0.0..1.0).contains(&opacity), "prune_opacity", opacity.to_string(), "use a number from 0 to below 1")?;
        let splats = self.max_splats;
        check(splats > 0 && splats < MAX_SPLATS, "max_splats", splats.to_string(), "use a number from 1 to 2^30")
    }

    /// Splats that a model of `before` has after one round of the mcmc strategy; never fewer.
    pub(super) fn mcmc_target(&self, before: usize) -> usize {
        let grown = before + (before as f64 * f64::from(self.grow)) as usize;
        grown.min(self.max_splats as usize).max(before)
    }

    /// Splats that a model of `before` has at most after the gradual strategy's round at `step`; never fewer. After round k of
    /// n the size by that of the beginning is 1 + (`growth_factor` − 1) · (1 − (1 − k / n)²): a parabola that ends flat.
    pub(super) fn gradual_limit(&self, before: usize, step: u32) -> usize {
        let rounds = |until: u32| (until / self.every).saturating_sub(self.start / self.every);
        let all = f64::from(rounds(self.stop).max(1));
        let size = |round: u32| {
            let left = 1.0 - (f64::from(round) / all).min(1.0);
            1.0 + (f64::from(self.growth_factor) - 1.0) * (1.0 - left * left)
        };
        let round = rounds(step);
        let factor = size(round) / size(round.saturating_sub(1));
        ((before as f64 * factor).round() as usize).min(self.max_splats as usize).max(before)
    }
}
