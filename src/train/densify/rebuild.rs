//! From a plan to the new model: prefix sum of the splats' numbers of successors → map from new splats to old ones →
//! gather of every tensor.

use super::State;
use crate::error::Result;
use crate::gpu::{Buffer, Gpu, Kernel, Recorder, Scan, WORKGROUP};
use crate::splat::{TENSOR_WIDTHS, Tensors};
use crate::train::backward::most_splats;

/// Words of [`Scratch::counters`]: pruned, non-finite, duplicated, split.
pub(super) const COUNTERS: usize = 4;

/// What every kernel of a run reads (`shaders/common/densify.wgsl`).
#[derive(Clone, Copy, Debug, Default, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub(super) struct Uniform {
    pub count: u32,
    pub after: u32,
    pub step: u32,
    pub budget: u32,
    pub seed: [u32; 2],
    pub candidates: u32,
    pub weight_one: u32,
    pub grad_threshold: f32,
    pub duplicate_scale: f32,
    pub prune_scale: f32,
    pub prune_opacity: f32,
}

/// Twin of `Rows` in `shaders/train/densify_gather.wgsl`: the first row and the number of rows of each part.
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
struct Rows {
    old: [u32; 2],
    new: [u32; 2],
    width: u32,
    moment: u32,
    padding: [u32; 2],
}

/// A seed as kernels take it.
pub(super) fn seed_words(seed: u64) -> [u32; 2] {
    [seed as u32, (seed >> 32) as u32]
}

/// Buffers of a plan for models of up to `capacity` splats.
pub(super) struct Scratch {
    pub capacity: usize,
    pub uniform: Buffer<Uniform>,
    /// 1 for splats with a parameter that is not a finite number.
    pub broken: Buffer<u32>,
    /// Number of successors and their tag, per splat.
    pub plan: Buffer<u32>,
    /// Number of successors, later how many come before a splat's own.
    pub offsets: Buffer<u32>,
    pub counters: Buffer<u32>,
    pub count: Buffer<u32>,
    pub total: Buffer<u32>,
    pub scan: Scan,
}

impl Scratch {
    pub(super) fn new(gpu: &Gpu, capacity: usize) -> Result<Self> {
        Ok(Self {
            capacity,
            uniform: gpu.buffer("densification settings", 1)?,
            broken: gpu.buffer("broken splats", capacity)?,
            plan: gpu.buffer("densification plan", capacity)?,
            offsets: gpu.buffer("densification offsets", capacity)?,
            counters: gpu.buffer("densification counters", COUNTERS)?,
            count: gpu.buffer("splat count", 1)?,
            total: gpu.buffer("new splat count", 1)?,
            scan: Scan::new(gpu, capacity)?,
        })
    }

    /// Reads the counters back.
    pub(super) fn read_counters(&self, gpu: &Gpu) -> Result<[usize; COUNTERS]> {
        let mut counters = [0; COUNTERS];
        counters.iter_mut().zip(gpu.read(&self.counters)?).for_each(|(to, from)| *to = from as usize);
        Ok(counters)
    }
}

/// Kernels that both strategies use.
pub(super) struct Rebuild {
    finite: Kernel,
    map: Kernel,
    gather: Kernel,
}

impl Rebuild {
    pub(super) fn new(gpu: &Gpu) -> Result<Self> {
        Ok(Self {
            finite: gpu.kernel("train/densify_finite", &[])?,
            map: gpu.kernel("train/densify_map", &[])?,
            gather: gpu.kernel("train/densify_gather", &[])?,
        })
    }

    /// Records the preparation of a plan: clears the counters, marks splats that are not finite.
    pub(super) fn record_finite(
        &self,
        gpu: &Gpu,
        recorder: &mut Recorder<'_>,
        params: &Tensors,
        scratch: &Scratch,
    ) -> Result<()> {
        recorder.clear(&scratch.counters);
        recorder.clear(&scratch.broken);
        for (index, width) in TENSOR_WIDTHS.into_iter().enumerate() {
            for (values, [first, count]) in params.used(index) {
                let rows = gpu.upload("rows", &[[count, width, first, 0].map(|value| value as u32)])?;
                let bindings = [rows.binding(), values.binding(), scratch.broken.binding()];
                recorder.dispatch(&self.finite, &bindings, (count as u32).div_ceil(WORKGROUP));
            }
        }
        Ok(())
    }

    /// Replaces the model and its moments by what the plan says: `uniform.after` splats. `finish` records the modification of
    /// the copies, given the new parameters and the source map.
    pub(super) fn run(
        &self,
        gpu: &Gpu,
        scratch: &Scratch,
        uniform: Uniform,
        state: State<'_>,
        max_splats: usize,
        finish: impl FnOnce(&mut Recorder<'_>, &Tensors, &Buffer<u32>),
    ) -> Result<()> {
        let after = uniform.after as usize;
        let capacity = room_for(after, state.params.capacity, max_splats.min(most_splats(gpu)));
        let sources = gpu.buffer("densification sources", after)?;
        scratch.uniform.write(gpu, 0, &[uniform]);
        scratch.count.write(gpu, 0, &[uniform.count]);
        let mut recorder = Recorder::new(gpu);
        scratch.scan.record(&mut recorder, &scratch.offsets, (&scratch.count, 0), (&scratch.total, 0));
        let bindings =
            [scratch.uniform.binding(), scratch.plan.binding(), scratch.offsets.binding(), sources.binding()];
        recorder.dispatch(&self.map, &bindings, uniform.after.div_ceil(WORKGROUP));
        let params = self.gather(gpu, &mut recorder, state.params, &sources, (after, capacity), false)?;
        finish(&mut recorder, &params, &sources);
        recorder.submit();
        *state.params = params;
        // One set after the other, so that at most one exists twice.
        for moments in [state.m, state.v] {
            let mut recorder = Recorder::new(gpu);
            let new = self.gather(gpu, &mut recorder, moments, &sources, (after, capacity), true)?;
            recorder.submit();
            gpu.wait()?;
            *moments = new;
        }
        Ok(())
    }

    /// Records the gather of one set of tensors into a new one.
    fn gather(
        &self,
        gpu: &Gpu,
        recorder: &mut Recorder<'_>,
        old: &Tensors,
        sources: &Buffer<u32>,
        (count, capacity): (usize, usize),
        moments: bool,
    ) -> Result<Tensors> {
        let what = if moments { "moments of" } else { "splat" };
        let new = Tensors::zeros(gpu, what, count, capacity, old.sh_degree)?;
        for (index, width) in TENSOR_WIDTHS.into_iter().enumerate() {
            for (new_values, new_rows) in new.used(index) {
                for (old_values, old_rows) in old.used(index) {
                    let [old_rows, new_rows] = [old_rows, new_rows].map(|rows| rows.map(|row| row as u32));
                    let (width, moment) = (width as u32, u32::from(moments));
                    let rows =
                        gpu.upload("rows", &[Rows { old: old_rows, new: new_rows, width, moment, padding: [0; 2] }])?;
                    let bindings = [rows.binding(), sources.binding(), old_values.binding(), new_values.binding()];
                    recorder.dispatch(&self.gather, &bindings, (new_rows[1] * width).div_ceil(WORKGROUP));
                }
            }
        }
        Ok(new)
    }
}

/// Room for `after` splats: what there is if they fit, else a third more than needed, but no more than the maximum.
fn room_for(after: usize, capacity: usize, max_splats: usize) -> usize {
    if after <= capacity { capacity } else { (after + after * 3 / 10).min(max_splats).max(after) }
}
