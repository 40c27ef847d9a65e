//! How much of the views each splat stands for, in one pass over them and without training.
//!
//! A pixel is affine in the α of each of its splats, so that what a splat's removal changes is known exactly from the
//! pass that blends it (`shaders/compress/removal.wgsl`). The same pass sums the diagonal of the Fisher information of
//! the views along the splat's position and size: splats that are sharp and exactly placed are hard to make up for.

use super::overlap::{Grid, Pairs};
use super::views::{Goals, ViewRenderer};
use crate::error::Result;
use crate::gpu::{Gpu, Kernel, Recorder};
use crate::progress::Progress;
use crate::splat::{Tensors, raster_switches, tiles};

/// Sums over all pixels of all views, as `removal.wgsl` makes them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Score {
    /// By how much the squared error changes when the splat goes.
    pub change: f32,
    /// Fisher information along its position, in units of its own extent.
    pub position: f32,
    /// Fisher information along its size, as a factor.
    pub size: f32,
    /// Σ α T: how many pixels it covers, as far as it is seen.
    pub weight: f32,
}

const SUMS: usize = 4;

/// The kernel.
pub(super) struct Scorer {
    kernel: Kernel,
}

impl Scorer {
    pub fn new(gpu: &Gpu) -> Result<Self> {
        Ok(Self { kernel: gpu.kernel("compress/removal", &raster_switches(gpu, &[]))? })
    }

    /// The score of each splat of `model` against `goals`, and what `pairs` change together.
    pub fn score(
        &self,
        renderer: &mut ViewRenderer<'_>,
        model: &Tensors,
        goals: &Goals,
        mut pairs: Pairs,
        progress: &dyn Progress,
    ) -> Result<(Vec<Score>, Pairs)> {
        let (gpu, grid) = (renderer.gpu, Grid::of(&goals.cameras));
        // Which views are looked at goes by the number of splats, so that rounds rarely look at the same.
        let turn = model.count % grid.views;
        let sums = gpu.buffer::<f32>("scores", SUMS * model.count)?;
        progress.begin("compress: scores", "views", goals.cameras.len() as u64);
        for (done, (camera, goal)) in (1..).zip(goals.cameras.iter().zip(&goals.planes)) {
            progress.check()?;
            renderer.render(model, camera)?;
            let work = renderer.last()?;
            let mut recorder = Recorder::new(gpu);
            let [x, y] = tiles(camera.width, camera.height);
            let bindings = [
                work.view.binding(),
                work.projected.binding(),
                work.sorted_pairs()[1].binding(),
                work.tile_ranges.binding(),
                work.image.binding(),
                goal.binding(),
                sums.binding(),
            ];
            recorder.dispatch(&self.kernel, &bindings, x * y);
            recorder.submit();
            if done % grid.views == turn {
                pairs.add(renderer, work, camera, goal, grid)?;
            }
            progress.set(done as u64, "");
        }
        let sums = gpu.read(&sums)?;
        progress.end();
        let scores = sums.as_chunks::<SUMS>().0.iter().take(model.count);
        Ok((scores.map(|&[change, position, size, weight]| Score { change, position, size, weight }).collect(), pairs))
    }
}

/// What a splat counts: what its removal changes, and `second_order` times what its position and size are known to.
pub(super) fn importance(score: &Score, second_order: f32) -> f32 {
    score.change + second_order * (score.position + score.size)
}

/// The indices, in their order, of the `count` splats that count most, each by itself. Of equal ones the first.
pub(super) fn most_important(scores: &[Score], second_order: f32, count: usize) -> Vec<usize> {
    let importance: Vec<f32> = scores.iter().map(|score| importance(score, second_order)).collect();
    let mut order: Vec<usize> = (0..scores.len()).collect();
    let before = |a: &usize, b: &usize| importance[*b].total_cmp(&importance[*a]).then(a.cmp(b));
    if count < order.len() {
        order.select_nth_unstable_by(count, before);
        order.truncate(count);
        order.sort_unstable();
    }
    order
}
