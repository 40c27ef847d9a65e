//! Importance of each splat for the views, in one pass over them and without training.
//!
//! A pixel is affine in the α of each of its splats, so that what a splat's removal changes is known exactly from the
//! pass that blends it (`shaders/compress/removal.wgsl`). The same pass sums the diagonal of the Fisher information of
//! the views along the splat's position and size: sharp and precisely placed splats are hard to replace.

use super::overlap::{Grid, Pairs};
use super::views::{Goals, ViewRenderer};
use crate::capture::Camera;
use crate::error::Result;
use crate::gpu::{Buffer, Gpu, Kernel, Recorder};
use crate::progress::Progress;
use crate::splat::{Tensors, raster_switches, tiles};

/// Sums over all pixels of all views, as `removal.wgsl` makes them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Score {
    /// Change of the squared error when the splat is removed.
    pub change: f32,
    /// Fisher information along its position, in units of its own extent; 0 where it does not count.
    pub position: f32,
    /// Fisher information along its size, as a factor; likewise.
    pub size: f32,
    /// Σ α T: the number of pixels it covers, weighted by visibility.
    pub weight: f32,
}

const SUMS: usize = 4;

/// The kernel.
pub(super) struct Scorer {
    kernel: Kernel,
}

impl Scorer {
    /// For scores in which the Fisher information has the weight `second_order`; it is summed where that is not 0.
    pub fn new(gpu: &Gpu, second_order: f32) -> Result<Self> {
        let fisher: &[_] = if second_order == 0.0 { &[] } else { &[("FISHER", "true")] };
        Ok(Self { kernel: gpu.kernel("compress/removal", &raster_switches(gpu, fisher))? })
    }

    /// The score of each splat of `model` against `goals`, and what `pairs` change together.
    pub fn score(
        &self,
        renderer: &mut ViewRenderer<'_>,
        model: &Tensors,
        goals: &Goals,
        pairs: Pairs,
        progress: &dyn Progress,
    ) -> Result<(Vec<Score>, Pairs)> {
        let mut sums = self.begin(renderer.gpu, model, &goals.cameras, pairs)?;
        progress.begin("compress: scores", "views", goals.cameras.len() as u64);
        for (done, (camera, goal)) in (1..).zip(goals.cameras.iter().zip(&goals.planes)) {
            progress.check()?;
            renderer.render(model, camera)?;
            sums.add(renderer, camera, goal)?;
            progress.set(done, "");
        }
        progress.end();
        sums.finish(renderer.gpu)
    }

    /// Scores of `model` to come, from views of `cameras` in their order.
    pub fn begin(&self, gpu: &Gpu, model: &Tensors, cameras: &[Camera], pairs: Pairs) -> Result<Sums<'_>> {
        let grid = Grid::of(cameras);
        let sums = gpu.buffer::<f32>("scores", SUMS * model.count)?;
        // The choice of views depends on the number of splats, so that rounds rarely use the same.
        let next_pairs = (model.count + grid.views - 1) % grid.views;
        Ok(Sums { kernel: &self.kernel, sums, count: model.count, pairs, grid, next_pairs })
    }
}

/// Scores in the making.
pub(super) struct Sums<'a> {
    kernel: &'a Kernel,
    sums: Buffer<f32>,
    count: usize,
    pairs: Pairs,
    grid: Grid,
    /// Views until the next one whose pairs are looked at.
    next_pairs: usize,
}

impl Sums<'_> {
    /// Adds the view of `camera`, which `renderer` has just rendered, against its `goal`.
    pub fn add(&mut self, renderer: &ViewRenderer<'_>, camera: &Camera, goal: &Buffer<f32>) -> Result<()> {
        let work = renderer.last()?;
        let mut recorder = Recorder::new(renderer.gpu);
        let [x, y] = tiles(camera.width, camera.height);
        let bindings = [
            work.view.binding(),
            work.projected.binding(),
            work.colors.binding(),
            work.sorted_pairs()[1].binding(),
            work.tile_ranges.binding(),
            work.image.binding(),
            goal.binding(),
            self.sums.binding(),
        ];
        recorder.dispatch(self.kernel, &bindings, x * y);
        recorder.submit();
        match self.next_pairs.checked_sub(1) {
            Some(left) => self.next_pairs = left,
            None => {
                self.next_pairs = self.grid.views - 1;
                self.pairs.add(renderer, work, camera, goal, self.grid)?;
            }
        }
        Ok(())
    }

    /// The scores, and the pairs with what they change.
    pub fn finish(self, gpu: &Gpu) -> Result<(Vec<Score>, Pairs)> {
        let sums = gpu.read(&self.sums)?;
        let scores = sums.as_chunks::<SUMS>().0.iter().take(self.count);
        let scores = scores.map(|&[change, position, size, weight]| Score { change, position, size, weight });
        Ok((scores.collect(), self.pairs))
    }
}

/// The importance of a splat: the change by its removal, and `second_order` times the information on its position and size.
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
