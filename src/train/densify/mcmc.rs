//! The MCMC strategy: splats as samples of a distribution (3DGS-MCMC, Kheradmand et al. 2024; as in gsplat's
//! `MCMCStrategy`).
//!
//! Dead splats move to live ones, which are drawn in proportion to their opacity, and the model grows by new splats
//! drawn likewise. Both happen in one round: a live splat that is drawn n times becomes n + 1 splats that together look
//! as it did. Where no splat is alive, there is nothing to move to, and all stay as they are.

use super::rebuild::{Rebuild, Scratch, Uniform, seed_words};
use super::{Config, Counts, Run, State};
use crate::error::Result;
use crate::gpu::{Buffer, Gpu, Kernel, Recorder, WORKGROUP};
use crate::splat::Tensors;

/// Most splats in one place that the relocation formula distinguishes.
pub(super) const MAX_COPIES: u32 = 51;

/// The strategy's kernels.
pub(super) struct Mcmc {
    weights: Kernel,
    keep: Kernel,
    sample: Kernel,
    relocate: Kernel,
}

impl Mcmc {
    pub(super) fn new(gpu: &Gpu) -> Result<Self> {
        let copies = format!("{MAX_COPIES}u");
        Ok(Self {
            weights: gpu.kernel("train/densify_weights", &[])?,
            keep: gpu.kernel("train/densify_keep", &[])?,
            sample: gpu.kernel("train/densify_sample", &[])?,
            relocate: gpu.kernel("train/densify_relocate", &[("MAX_COPIES", &copies)])?,
        })
    }

    pub(super) fn run(
        &self,
        gpu: &Gpu,
        config: &Config,
        rebuild: &Rebuild,
        scratch: &Scratch,
        state: State<'_>,
        run: Run<'_>,
    ) -> Result<Counts> {
        let before = state.params.count;
        let mut uniform = Uniform {
            count: before as u32,
            step: run.step,
            seed: seed_words(run.seed),
            weight_one: u32::MAX / before as u32,
            prune_opacity: config.prune_opacity,
            ..Uniform::default()
        };
        let weights = gpu.buffer("opacity weights", scratch.capacity)?;
        self.weigh(gpu, rebuild, scratch, state.params, &weights, uniform)?;
        let [dead, non_finite, ..] = scratch.read_counters(gpu)?;
        let alive = before.saturating_sub(dead + non_finite);
        let after = if alive > 0 { config.mcmc_target(before) } else { dead };
        let drawn = after.saturating_sub(alive) * usize::from(alive > 0);
        let mut counts = Counts { before, after, non_finite, ..Counts::default() };
        if alive > 0 {
            counts.relocated = dead;
            counts.added = drawn - dead;
        }
        if drawn + non_finite > 0 {
            (uniform.after, uniform.budget) = (after as u32, drawn as u32);
            self.draw(gpu, scratch, &weights, alive > 0, uniform);
            rebuild.run(gpu, scratch, uniform, state, config.max_splats as usize, |recorder, params, sources| {
                let bindings = [
                    scratch.uniform.binding(),
                    sources.binding(),
                    scratch.plan.binding(),
                    params.logit_opacities.binding(),
                    params.log_scales.binding(),
                ];
                recorder.dispatch(&self.relocate, &bindings, uniform.after.div_ceil(WORKGROUP));
            })?;
        }
        Ok(counts)
    }

    /// Finds the live splats and their weights.
    fn weigh(
        &self,
        gpu: &Gpu,
        rebuild: &Rebuild,
        scratch: &Scratch,
        params: &Tensors,
        weights: &Buffer<u32>,
        uniform: Uniform,
    ) -> Result<()> {
        scratch.uniform.write(gpu, 0, &[uniform]);
        let mut recorder = Recorder::new(gpu);
        rebuild.record_finite(gpu, &mut recorder, params, scratch)?;
        let bindings = [
            scratch.uniform.binding(),
            params.logit_opacities.binding(),
            scratch.broken.binding(),
            scratch.plan.binding(),
            weights.binding(),
            scratch.counters.binding(),
        ];
        recorder.dispatch(&self.weights, &bindings, uniform.count.div_ceil(WORKGROUP));
        recorder.submit();
        Ok(())
    }

    /// Completes the plan: every draw adds a successor to a live splat.
    fn draw(&self, gpu: &Gpu, scratch: &Scratch, weights: &Buffer<u32>, any_alive: bool, uniform: Uniform) {
        scratch.uniform.write(gpu, 0, &[uniform]);
        scratch.count.write(gpu, 0, &[uniform.count]);
        let (settings, plan) = (scratch.uniform.binding(), scratch.plan.binding());
        let mut recorder = Recorder::new(gpu);
        if any_alive {
            scratch.scan.record(&mut recorder, weights, (&scratch.count, 0), (&scratch.total, 0));
            let bindings = [settings, weights.binding(), scratch.total.binding(), plan];
            recorder.dispatch(&self.sample, &bindings, uniform.budget.div_ceil(WORKGROUP));
        } else {
            let bindings = [settings, scratch.broken.binding(), plan];
            recorder.dispatch(&self.keep, &bindings, uniform.count.div_ceil(WORKGROUP));
        }
        recorder.copy(&scratch.plan, 0, &scratch.offsets, 0, uniform.count as usize);
        recorder.submit();
    }
}
