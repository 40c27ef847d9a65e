//! Distance-adaptive progressive pruning.
//!
//! The distances are to the nearest *surviving* point. They change only where that neighbour was dropped, so only
//! those points search again, passing over the dropped in the k-d tree, which is built anew only once many are.

use super::Config;
use crate::random::uniform;
use kiddo::{ImmutableKdTree, SquaredEuclidean};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::num::NonZero;

/// The part of a tree's points that must survive for it to be searched still.
const MIN_ALIVE: f64 = 0.7;

/// Keeps the division of the published formula from being by zero.
const EPSILON: f64 = 1e-8;

/// One iteration of the pruning. Distances in the normalised frame.
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
pub fn prune(points: &[[f64; 3]], config: &Config) -> (Vec<usize>, Vec<Iteration>) {
    let mut alive: Vec<bool> = vec![true; points.len()];
    let mut kept: Vec<usize> = (0..points.len()).collect();
    let mut iterations = Vec::new();
    if config.iters == 0 || points.len() < 2 {
        return (kept, iterations);
    }
    let mut neighbors = Neighbors::new(points, kept.clone());
    let mut nearest: Vec<Nearest> = (0..points.len()).into_par_iter().map(|i| neighbors.nearest(i, &alive)).collect();
    let mut tau = config.tau0;
    for index in 0..config.iters {
        let keep = |i: usize| (nearest[i].distance / (tau + EPSILON)).min(1.0);
        let next: Vec<usize> =
            kept.par_iter().copied().filter(|&i| uniform(config.seed, u64::from(index), i as u64) < keep(i)).collect();
        let undone = next.len() < config.min_points;
        let mean = |value: &dyn Fn(usize) -> f64| kept.iter().map(|&i| value(i)).sum::<f64>() / kept.len() as f64;
        iterations.push(Iteration {
            tau,
            before: kept.len(),
            after: next.len(),
            mean_distance: mean(&|i| nearest[i].distance),
            median_distance: median(kept.iter().map(|&i| nearest[i].distance).collect()),
            mean_keep: mean(&keep),
            undone,
        });
        if undone {
            break;
        }
        tau *= (config.beta * kept.len() as f64 / points.len() as f64).exp();
        kept.iter().for_each(|&i| alive[i] = false);
        next.iter().for_each(|&i| alive[i] = true);
        kept = next;
        if (kept.len() as f64) < MIN_ALIVE * neighbors.members.len() as f64 {
            neighbors = Neighbors::new(points, kept.clone());
        }
        let found: Vec<(usize, Nearest)> = kept
            .par_iter()
            .filter(|&&i| nearest[i].index.is_none_or(|neighbor| !alive[neighbor]))
            .map(|&i| (i, neighbors.nearest(i, &alive)))
            .collect();
        found.into_iter().for_each(|(i, new)| nearest[i] = new);
    }
    (kept, iterations)
}

/// Distance to the nearest other point of each of `points` (infinite for a lone one).
pub fn nearest_distances(points: &[[f64; 3]]) -> Vec<f64> {
    let neighbors = Neighbors::new(points, (0..points.len()).collect());
    let alive = vec![true; points.len()];
    (0..points.len()).into_par_iter().map(|i| neighbors.nearest(i, &alive).distance).collect()
}

#[derive(Clone, Copy)]
struct Nearest {
    /// `None` if there is no other point.
    index: Option<usize>,
    distance: f64,
}

/// Nearest-neighbour search among the points `members`.
struct Neighbors<'a> {
    points: &'a [[f64; 3]],
    members: Vec<usize>,
    /// Over the members; `None` where no tree can be built, which is only so for no points.
    tree: Option<ImmutableKdTree<f64, 3>>,
}

impl<'a> Neighbors<'a> {
    fn new(points: &'a [[f64; 3]], members: Vec<usize>) -> Self {
        let positions: Vec<[f64; 3]> = members.iter().map(|&i| points[i]).collect();
        Self { points, members, tree: ImmutableKdTree::new_from_slice(&positions).ok() }
    }

    /// The nearest member to point `i` other than itself that is `alive`. Asks the tree for twice as many neighbours
    /// until one is.
    fn nearest(&self, i: usize, alive: &[bool]) -> Nearest {
        let none = Nearest { index: None, distance: f64::INFINITY };
        let Some(tree) = &self.tree else { return none };
        let mut count = 2;
        while let Some(wanted) = NonZero::new(count) {
            let found = tree.query(&self.points[i]).nearest_n::<SquaredEuclidean<f64>>(wanted).execute();
            let members = found.iter().map(|n| (self.members[n.item as usize], n.distance));
            if let Some((index, squared)) = members.into_iter().find(|&(index, _)| index != i && alive[index]) {
                return Nearest { index: Some(index), distance: squared.sqrt() };
            }
            if count >= self.members.len() {
                break;
            }
            count *= 2;
        }
        none
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    if values.is_empty() {
        return 0.0;
    }
    let (upper, n) = (values.len() / 2, values.len());
    let (below, &mut middle, _) = values.select_nth_unstable_by(upper, f64::total_cmp);
    if n % 2 == 1 {
        return middle;
    }
    0.5 * (middle + below.iter().copied().fold(f64::NEG_INFINITY, f64::max))
}
