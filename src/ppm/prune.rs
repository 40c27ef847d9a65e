//! Distance-adaptive progressive pruning.
//!
//! The distances are to the nearest *surviving* point. They change only where that neighbor was dropped, so only
//! those points search again, passing over the dropped in the k-d tree, which is rebuilt only once many are. Points
//! search in the order in which the tree stores them, so that neighbors find each other's branches in the cache. What
//! is kept per point is small (indices and distances of 32 bits): clouds of tens of millions must fit.

use super::Config;
use crate::random::uniform;
use kiddo::{ImmutableKdTree, SquaredEuclidean};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::num::NonZero;

/// Points that are searched for at a time.
const CHUNK: usize = 1 << 20;

/// The part of a tree's points that must survive before it is rebuilt.
const MIN_ALIVE: f64 = 0.7;

/// Avoids a division by zero in the published formula.
const EPSILON: f64 = 1e-8;

/// One iteration of the pruning. Distances in the normalized frame.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Iteration {
    /// Threshold of this iteration.
    pub tau: f64,
    /// Points before.
    pub before: usize,
    /// Points after (what would have been left, where the iteration was undone).
    pub after: usize,
    /// Mean distance to the nearest other point.
    pub mean_distance: f64,
    /// Median distance to the nearest other point.
    pub median_distance: f64,
    /// Mean probability of being kept.
    pub mean_keep: f64,
    /// Whether it would have left fewer than `min_points`, so that it was undone and was the last.
    pub undone: bool,
}

/// Indices of the points that are kept, ascending, and what each iteration did.
pub fn prune(points: &[[f32; 3]], config: &Config) -> (Vec<u32>, Vec<Iteration>) {
    let mut alive: Vec<bool> = vec![true; points.len()];
    let mut kept: Vec<u32> = (0..points.len() as u32).collect();
    let mut iterations = Vec::new();
    if config.iters == 0 || points.len() < 2 {
        return (kept, iterations);
    }
    let mut neighbors = Neighbors::new(points, &kept);
    let mut nearest = vec![Nearest::NONE; points.len()];
    neighbors.update(&alive, &mut nearest);
    let mut tau = config.tau0;
    for index in 0..config.iters {
        let distance = |i: u32| f64::from(nearest[i as usize].distance);
        let keep = |i: u32| (distance(i) / (tau + EPSILON)).min(1.0);
        let lucky = |i: u32| uniform(config.seed, u64::from(index), u64::from(i)) < keep(i);
        let survives: Vec<bool> = kept.par_iter().map(|&i| lucky(i)).collect();
        let after = survives.iter().filter(|&&survives| survives).count();
        let undone = after < config.min_points;
        iterations.push(Iteration {
            tau,
            before: kept.len(),
            after,
            mean_distance: mean(&kept, distance),
            median_distance: median(kept.par_iter().map(|&i| nearest[i as usize].distance).collect()),
            mean_keep: mean(&kept, keep),
            undone,
        });
        if undone {
            break;
        }
        tau *= (config.beta * kept.len() as f64 / points.len() as f64).exp();
        kept.iter().zip(&survives).for_each(|(&i, &survives)| alive[i as usize] = survives);
        kept.retain(|&i| alive[i as usize]);
        if index + 1 == config.iters {
            break;
        }
        if (kept.len() as f64) < MIN_ALIVE * neighbors.order.len() as f64 {
            // The old tree goes first: memory for two is not needed.
            drop(neighbors);
            neighbors = Neighbors::new(points, &kept);
        }
        neighbors.update(&alive, &mut nearest);
    }
    (kept, iterations)
}

/// Distance to the nearest other point of each of `points` (infinite for a lone one).
pub fn nearest_distances(points: &[[f32; 3]]) -> Vec<f32> {
    let everything: Vec<u32> = (0..points.len() as u32).collect();
    let mut nearest = vec![Nearest::NONE; points.len()];
    Neighbors::new(points, &everything).update(&vec![true; points.len()], &mut nearest);
    nearest.iter().map(|nearest| nearest.distance).collect()
}

#[derive(Clone, Copy)]
struct Nearest {
    /// [`u32::MAX`] if there is no other point.
    index: u32,
    distance: f32,
}

impl Nearest {
    const NONE: Self = Self { index: u32::MAX, distance: f32::INFINITY };

    fn is_gone(self, alive: &[bool]) -> bool {
        !alive.get(self.index as usize).is_some_and(|alive| *alive)
    }
}

/// Nearest-neighbor search among some of the points.
struct Neighbors<'a> {
    points: &'a [[f32; 3]],
    /// Items are indices of points; `None` where no tree can be built, which is only so for no points.
    tree: Option<ImmutableKdTree<f32, 3>>,
    /// The points in the tree, in its order.
    order: Vec<u32>,
}

impl<'a> Neighbors<'a> {
    fn new(points: &'a [[f32; 3]], members: &[u32]) -> Self {
        let coordinate = |&i: &u32, axis: usize| points[i as usize][axis];
        let tree = ImmutableKdTree::new_from_source(members, coordinate, |_, &i| i).ok();
        let mut order = Vec::with_capacity(members.len());
        order.extend(tree.iter().flat_map(|tree: &ImmutableKdTree<f32, 3>| tree.iter()).map(|(i, _)| i));
        Self { points, tree, order }
    }

    /// Searches again for every point that is `alive` and whose nearest is not.
    fn update(&self, alive: &[bool], nearest: &mut [Nearest]) {
        for part in self.order.chunks(CHUNK) {
            let lost = |i: u32| alive[i as usize] && nearest[i as usize].is_gone(alive);
            let search = |&i: &u32| lost(i).then(|| (i, self.nearest(i, alive)));
            let found: Vec<(u32, Nearest)> = part.par_iter().filter_map(search).collect();
            found.into_iter().for_each(|(i, new)| nearest[i as usize] = new);
        }
    }

    /// The nearest member to point `i` other than itself that is `alive`. Asks the tree for twice as many neighbors
    /// until one is. Distances are of double precision, where the squares of no float overflow.
    fn nearest(&self, i: u32, alive: &[bool]) -> Nearest {
        let Some(tree) = &self.tree else { return Nearest::NONE };
        let mut count = 2;
        while let Some(wanted) = NonZero::new(count) {
            let query = tree.query(&self.points[i as usize]);
            let found = query.nearest_n::<SquaredEuclidean<f64>>(wanted).execute();
            let other = |n: &u32| *n != i && alive[*n as usize];
            if let Some(found) = found.iter().find(|n| other(&n.item)) {
                return Nearest { index: found.item, distance: found.distance.sqrt() as f32 };
            }
            if count >= self.order.len() {
                break;
            }
            count *= 2;
        }
        Nearest::NONE
    }
}

/// The mean of `value` over the points `kept`, summed in parts that do not depend on the threads.
fn mean(kept: &[u32], value: impl Fn(u32) -> f64 + Sync) -> f64 {
    let parts: Vec<f64> = kept.par_chunks(CHUNK / 16).map(|part| part.iter().map(|&i| value(i)).sum::<f64>()).collect();
    parts.iter().sum::<f64>() / kept.len() as f64
}

fn median(mut values: Vec<f32>) -> f64 {
    if values.is_empty() {
        return 0.0;
    }
    let (upper, n) = (values.len() / 2, values.len());
    let (below, &mut middle, _) = values.select_nth_unstable_by(upper, f32::total_cmp);
    if n % 2 == 1 {
        return f64::from(middle);
    }
    0.5 * (f64::from(middle) + f64::from(below.par_iter().copied().reduce(|| f32::NEG_INFINITY, f32::max)))
}
