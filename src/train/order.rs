//! The order in which views are trained on: each epoch visits all of them, in an order of its own.

use super::targets::Key;
use rand::{SeedableRng, rngs::StdRng, seq::SliceRandom};

/// The orders of an epoch and of the next.
pub(super) struct Order {
    views: usize,
    seed: u64,
    epoch: u32,
    of_both: Vec<usize>,
}

impl Order {
    /// Of so many views.
    pub fn new(views: usize, seed: u64) -> Self {
        Self { views, seed, epoch: u32::MAX, of_both: Vec::new() }
    }

    /// Views and downscaling of `step` and of those after it, an epoch at least unless there are only `steps` in all.
    pub fn upcoming(&mut self, step: u32, steps: u32, downscale_at: impl Fn(u32) -> u32) -> Vec<Key> {
        let epoch = step / self.views as u32;
        if self.epoch != epoch {
            let order = |epoch: u32| {
                let mut order: Vec<usize> = (0..self.views).collect();
                order.shuffle(&mut random(self.seed, 1, epoch));
                order
            };
            (self.epoch, self.of_both) = (epoch, [order(epoch), order(epoch.saturating_add(1))].concat());
        }
        let left = &self.of_both[(step % self.views as u32) as usize..];
        (step..steps.max(step + 1)).zip(left).map(|(step, &view)| (view, downscale_at(step))).collect()
    }
}

/// The random numbers of one purpose at one step: a function of the seed, so that a resumed run sees the same.
pub(super) fn random(seed: u64, purpose: u32, step: u32) -> StdRng {
    StdRng::seed_from_u64(seed ^ (u64::from(purpose) << 32 | u64::from(step)).wrapping_mul(0x9E37_79B9_7F4A_7C15))
}
