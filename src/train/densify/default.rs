//! The default strategy: adaptive density control (3DGS, Kerbl et al. 2023, §5.2; as in gsplat's `DefaultStrategy`).
//!
//! The gradual strategy is the same with a set number of splats each time (`Config::gradual_limit`) instead of a threshold:
//! those with the largest gradients grow, and the next round measures gradients again, so that splats go where error is left
//! (the budget of Taming 3DGS, Mallick et al. 2024, whose score has more terms than the gradient). Opacities are not reset. Its
//! statistics are absolute gradients ([`crate::train::GradientOptions`]).

use super::rebuild::{Rebuild, Scratch, Uniform, seed_words};
use super::{Config, Counts, Run, State, Strategy};
use crate::error::Result;
use crate::gpu::{Buffer, Gpu, Kernel, Recorder, Sort, WORKGROUP};
use crate::splat::Tensors;

/// Factor by which the samples of a split Gaussian are smaller.
pub(super) const SPLIT_SHRINK: f32 = 1.6;

/// The strategy's kernels.
pub(super) struct Default {
    plan: Kernel,
    rank: Kernel,
    admit: Kernel,
    split: Kernel,
}

impl Default {
    pub(super) fn new(gpu: &Gpu) -> Result<Self> {
        let shrink = format!("{SPLIT_SHRINK:?}");
        let defines = [("SPLIT_SHRINK", shrink.as_str())];
        Ok(Self {
            plan: gpu.kernel("train/densify_plan", &defines)?,
            rank: gpu.kernel("train/densify_rank", &[])?,
            admit: gpu.kernel("train/densify_admit", &[])?,
            split: gpu.kernel("train/densify_split", &defines)?,
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
        let gradual = config.strategy == Strategy::Gradual;
        let mut uniform = Uniform {
            count: before as u32,
            step: run.step,
            seed: seed_words(run.seed),
            grad_threshold: if gradual { 0.0 } else { config.grad_threshold },
            duplicate_scale: config.scale_threshold * run.scene_scale,
            prune_scale: if !gradual && config.reset_every > 0 && run.step > config.reset_every {
                config.prune_scale * run.scene_scale
            } else {
                f32::MAX
            },
            prune_opacity: config.prune_opacity,
            ..Uniform::default()
        };
        self.plan(gpu, rebuild, scratch, state.params, run.statistics, uniform)?;
        let [pruned, non_finite, mut duplicated, mut split] = scratch.read_counters(gpu)?;
        let left = before.saturating_sub(pruned + non_finite);
        let most = if gradual { config.gradual_limit(left, run.step) } else { config.max_splats as usize };
        let budget = most.saturating_sub(left);
        if duplicated + split > budget {
            uniform.candidates = (duplicated + split) as u32;
            uniform.budget = budget as u32;
            self.admit(gpu, scratch, run.statistics, uniform)?;
            [_, _, duplicated, split] = scratch.read_counters(gpu)?;
        }
        let after = left + duplicated + split;
        let counts = Counts { before, after, duplicated, split, pruned, non_finite, ..Counts::default() };
        if pruned + non_finite + duplicated + split > 0 {
            uniform.after = after as u32;
            rebuild.run(gpu, scratch, uniform, state, config.max_splats as usize, |recorder, params, sources| {
                let bindings = [
                    scratch.uniform.binding(),
                    sources.binding(),
                    params.quats.binding(),
                    params.means.binding(),
                    params.log_scales.binding(),
                ];
                recorder.dispatch(&self.split, &bindings, uniform.after.div_ceil(WORKGROUP));
            })?;
        }
        Ok(counts)
    }

    /// Plans without a limit.
    fn plan(
        &self,
        gpu: &Gpu,
        rebuild: &Rebuild,
        scratch: &Scratch,
        params: &Tensors,
        statistics: &Buffer<[f32; 2]>,
        uniform: Uniform,
    ) -> Result<()> {
        scratch.uniform.write(gpu, 0, &[uniform]);
        let mut recorder = Recorder::new(gpu);
        rebuild.record_finite(gpu, &mut recorder, params, scratch)?;
        let bindings = [
            scratch.uniform.binding(),
            params.log_scales.binding(),
            params.logit_opacities.binding(),
            statistics.binding(),
            scratch.broken.binding(),
            scratch.plan.binding(),
            scratch.offsets.binding(),
            scratch.counters.binding(),
        ];
        recorder.dispatch(&self.plan, &bindings, uniform.count.div_ceil(WORKGROUP));
        recorder.submit();
        Ok(())
    }

    /// Corrects a plan that grows beyond the limit: the largest gradients win, at equal gradients the first splats.
    fn admit(&self, gpu: &Gpu, scratch: &Scratch, statistics: &Buffer<[f32; 2]>, uniform: Uniform) -> Result<()> {
        scratch.uniform.write(gpu, 0, &[uniform]);
        scratch.count.write(gpu, 0, &[uniform.count]);
        let sort = Sort::new(gpu, scratch.capacity)?;
        let keys = gpu.buffer("gradient keys", scratch.capacity)?;
        let ranked = gpu.buffer("splats by gradient", scratch.capacity)?;
        let mut recorder = Recorder::new(gpu);
        let bindings =
            [scratch.uniform.binding(), statistics.binding(), scratch.plan.binding(), keys.binding(), ranked.binding()];
        recorder.dispatch(&self.rank, &bindings, uniform.count.div_ceil(WORKGROUP));
        sort.record(&mut recorder, &keys, &ranked, (&scratch.count, 0), 32);
        let [_, ranked] = sort.sorted(&keys, &ranked, 32);
        let bindings = [
            scratch.uniform.binding(),
            ranked.binding(),
            scratch.plan.binding(),
            scratch.offsets.binding(),
            scratch.counters.binding(),
        ];
        recorder.dispatch(&self.admit, &bindings, uniform.candidates.div_ceil(WORKGROUP));
        recorder.submit();
        Ok(())
    }
}
