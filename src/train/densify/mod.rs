//! Densification: adding and removing splats on the device.
//!
//! A run has two halves. A strategy *plans*: every splat gets the number of splats it becomes (none, itself, two, or
//! more) and a tag for their kind. Then the model is *rebuilt*: a prefix sum over the plan gives every new splat its
//! source, and one generic kernel gathers every tensor of the parameters and the optimizer's moments ([`rebuild`]).
//! New splats stand where their sources stood. Only a few counters are read back.
//!
//! Randomness is counter-based: a hash of seed, step and index, so the same statistics give the same decisions. (The statistics
//! themselves are sums by float atomics, whose order is the adapter's: runs agree closely, not to the bit, unless
//! `train.deterministic` sums them in fixed point.)

mod adjust;
mod config;
mod default;
mod mcmc;
mod rebuild;
#[cfg(test)]
mod tests;

pub use config::{Config, Strategy};

use crate::error::Result;
use crate::gpu::{Buffer, Gpu, Recorder};
use crate::splat::Tensors;
use adjust::Adjust;
use rebuild::{Rebuild, Scratch};

/// The model and its optimizer's first and second moments, which grow and shrink together.
pub struct State<'a> {
    /// The splats.
    pub params: &'a mut Tensors,
    /// Adam's running means of their gradients.
    pub m: &'a mut Tensors,
    /// Adam's running means of the squares.
    pub v: &'a mut Tensors,
}

/// What a run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Splats before.
    pub before: usize,
    /// Splats after.
    pub after: usize,
    /// Splats that were duplicated (cloned).
    pub duplicated: usize,
    /// Splats that were replaced by two samples.
    pub split: usize,
    /// Splats that were removed for their opacity or scale.
    pub pruned: usize,
    /// Splats that were removed because a parameter was not a finite number.
    pub non_finite: usize,
    /// Splats that moved to a more opaque one (mcmc).
    pub relocated: usize,
    /// Splats that were added beside others (mcmc).
    pub added: usize,
}

/// What a run goes by.
#[derive(Clone, Copy)]
struct Run<'a> {
    statistics: &'a Buffer<[f32; 2]>,
    step: u32,
    seed: u64,
    scene_scale: f32,
}

enum Plan {
    None,
    Default(default::Default),
    Mcmc(mcmc::Mcmc),
}

/// Adds and removes splats.
pub struct Densifier {
    config: Config,
    plan: Plan,
    rebuild: Rebuild,
    adjust: Adjust,
    scratch: Option<Scratch>,
}

impl Densifier {
    /// Compiles the kernels that `config` needs.
    ///
    /// # Errors
    /// [`crate::Error::Setting`] for values that cannot be trained with.
    pub fn new(gpu: &Gpu, config: &Config) -> Result<Self> {
        config.validate()?;
        let plan = match config.strategy {
            Strategy::Default | Strategy::Gradual => Plan::Default(default::Default::new(gpu)?),
            Strategy::Mcmc => Plan::Mcmc(mcmc::Mcmc::new(gpu)?),
            Strategy::None => Plan::None,
        };
        Ok(Self { config: config.clone(), plan, rebuild: Rebuild::new(gpu)?, adjust: Adjust::new(gpu)?, scratch: None })
    }

    /// Whether splats are added and removed after `step` steps are done.
    pub fn due(&self, step: u32) -> bool {
        let Config { strategy, start, stop, every, .. } = self.config;
        strategy != Strategy::None && step > start && step <= stop && step.is_multiple_of(every)
    }

    /// Whether opacities are reset after `step` steps are done: never at the very end, since they could not recover.
    pub fn reset_due(&self, step: u32) -> bool {
        let Config { strategy, stop, reset_every, .. } = self.config;
        strategy == Strategy::Default && step > 0 && step < stop && reset_every > 0 && step.is_multiple_of(reset_every)
    }

    /// Adds and removes splats: `state` holds new tensors afterwards where anything changed, with more room where they
    /// had outgrown it. `statistics` is [`crate::train::Gradients::densify_statistics`]; clearing it is left to the
    /// caller. `scene_scale` is the unit of the relative thresholds. The model may become
    /// empty, which is a normal state.
    ///
    /// # Errors
    /// [`crate::Error::OutOfMemory`] where the grown model does not fit; `state` is then inconsistent.
    pub fn run(
        &mut self,
        gpu: &Gpu,
        state: State<'_>,
        statistics: &Buffer<[f32; 2]>,
        step: u32,
        seed: u64,
        scene_scale: f32,
    ) -> Result<Counts> {
        let (before, capacity) = (state.params.count, state.params.capacity);
        if before == 0 {
            return Ok(Counts::default());
        }
        let scratch = match self.scratch.take().filter(|scratch| scratch.capacity >= capacity) {
            Some(scratch) => scratch,
            None => Scratch::new(gpu, capacity)?,
        };
        let scratch = self.scratch.insert(scratch);
        let run = Run { statistics, step, seed, scene_scale };
        match &self.plan {
            Plan::None => Ok(Counts { before, after: before, ..Counts::default() }),
            Plan::Default(plan) => plan.run(gpu, &self.config, &self.rebuild, scratch, state, run),
            Plan::Mcmc(plan) => plan.run(gpu, &self.config, &self.rebuild, scratch, state, run),
        }
    }

    /// Records an opacity reset: opacities are cut to 0.01 and their moments set to zero.
    pub fn record_reset(&self, recorder: &mut Recorder<'_>, params: &Tensors, m: &Tensors, v: &Tensors) {
        self.adjust.record_reset(recorder, params, m, v);
    }

    /// Mcmc: records that every mean moves at random along its covariance, by `noise` · `lr_means` (the means' present
    /// learning rate), the less the more opaque the splat is (3DGS-MCMC). Comes after the optimizer's step;
    /// records nothing for other strategies.
    pub fn record_noise(
        &self,
        gpu: &Gpu,
        recorder: &mut Recorder<'_>,
        params: &Tensors,
        lr_means: f32,
        step: u32,
        seed: u64,
    ) {
        if self.config.strategy == Strategy::Mcmc && self.config.noise > 0.0 {
            self.adjust.record_noise(gpu, recorder, params, self.config.noise * lr_means, step, seed);
        }
    }

    /// Records that the gradients of `opacity_weight` · mean opacity + `scale_weight` · mean scale are added to
    /// `gradients`, for every splat (3DGS-MCMC). Comes before the optimizer's step.
    pub fn record_regularizers(
        &self,
        gpu: &Gpu,
        recorder: &mut Recorder<'_>,
        params: &Tensors,
        gradients: &Tensors,
        opacity_weight: f32,
        scale_weight: f32,
    ) {
        if opacity_weight != 0.0 || scale_weight != 0.0 {
            self.adjust.record_regularizers(gpu, recorder, params, gradients, opacity_weight, scale_weight);
        }
    }
}
