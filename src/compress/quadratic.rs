//! Choice of the splats to remove: a quadratic binary problem, solved greedily and then by exchanges.
//!
//! With x_i = 1 for splats that stay, Σ s_i x_i − Σ o_ij x_i x_j is to be as large as it can be where Σ x_i is given. In terms
//! of y = 1 − x, the splats that go, that is to make Σ c_i y_i + Σ o_ij y_i y_j small, with c_i = s_i − Σ_j o_ij: what the
//! removal of each changes alone, and of each pair beyond that.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

/// Passes of exchanges, at most.
const PASSES: usize = 16;
/// Splats that one may take in.
const MOST_TAKEN: u8 = 3;

/// A merge must be better than a removal by this factor, since a fit compensates removals more easily than blur.
const PENALTY: f64 = 3.0;

/// A splat into which another one may be merged instead of being removed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Merge {
    pub into: u32,
    /// Its cost: a factor on the cost of the removal, and a constant.
    pub share: f32,
    pub constant: f32,
}

/// What removals cost.
pub(super) struct Costs {
    single: Vec<f64>,
    /// Where the pairs of each splat begin in `pairs`, and the end.
    starts: Vec<u32>,
    /// The other splat of each pair, and its cost.
    pairs: Vec<(u32, f32)>,
    merges: Vec<Vec<Merge>>,
}

/// What happens to each splat.
pub(super) struct Choice {
    pub kept: Vec<bool>,
    /// Which splat goes into which other one, in this order.
    pub merged: Vec<[usize; 2]>,
}

impl Costs {
    /// Costs of single removals, and of pairs beyond these; `merges` may be empty.
    pub fn new(
        single: Vec<f64>,
        changes: impl Iterator<Item = (usize, usize, f32)> + Clone,
        mut merges: Vec<Vec<Merge>>,
    ) -> Self {
        let mut starts = vec![0; single.len() + 2];
        changes.clone().for_each(|(i, j, _)| [i, j].into_iter().for_each(|splat| starts[splat + 2] += 1));
        (2..starts.len()).for_each(|i| starts[i] += starts[i - 1]);
        let mut pairs = vec![(0, 0.0); starts.last().copied().unwrap_or_default() as usize];
        for (i, j, cost) in changes {
            for (splat, other) in [(i, j), (j, i)] {
                // Starts move to where the next splat's pairs begin.
                pairs[starts[splat + 1] as usize] = (other as u32, cost);
                starts[splat + 1] += 1;
            }
        }
        merges.resize(single.len(), Vec::new());
        Self { single, starts, pairs, merges }
    }

    /// The splats that `i` shares a cost with.
    fn pairs(&self, i: usize) -> &[(u32, f32)] {
        &self.pairs[self.starts[i] as usize..self.starts[i + 1] as usize]
    }

    /// Which `count` (or all, if there are fewer) to keep.
    pub fn choose(&self, count: usize) -> Choice {
        let mut greedy = Greedy::new(self);
        greedy.run(count);
        let Greedy { marginal, mut kept, taken, merged, .. } = greedy;
        let mut fixed: Vec<bool> = taken.into_iter().map(|taken| taken > 0).collect();
        merged.iter().for_each(|[i, _]| fixed[*i] = true);
        self.exchange(&mut kept, marginal, &fixed);
        Choice { kept, merged }
    }

    /// Exchanges splats that are gone for such that are kept, as long as that is cheaper. `marginal` is what the removal of
    /// each costs, or has cost, beside those that are gone.
    fn exchange(&self, kept: &mut [bool], mut marginal: Vec<f64>, fixed: &[bool]) -> usize {
        let mut exchanges = 0;
        for _ in 0..PASSES {
            let by_cost = |stay: bool| {
                let mut order: Vec<usize> = (0..kept.len()).filter(|i| kept[*i] == stay && !fixed[*i]).collect();
                order.sort_unstable_by(|a, b| marginal[*a].total_cmp(&marginal[*b]).then(a.cmp(b)));
                order
            };
            let (cheap, gone) = (by_cost(true), by_cost(false));
            let before = exchanges;
            for (goes, comes) in cheap.into_iter().zip(gone.into_iter().rev()) {
                let shared = self.pairs(goes).iter().find(|(j, _)| *j as usize == comes).map_or(0.0, |(_, cost)| *cost);
                let gain = marginal[comes] - (marginal[goes] - f64::from(shared));
                // Rounding must not exchange two for each other again and again.
                if gain <= 1e-9 * marginal[comes].abs() {
                    continue;
                }
                (kept[comes], kept[goes]) = (true, false);
                self.pairs(comes).iter().for_each(|(j, cost)| marginal[*j as usize] -= f64::from(*cost));
                self.pairs(goes).iter().for_each(|(j, cost)| marginal[*j as usize] += f64::from(*cost));
                exchanges += 1;
            }
            if exchanges == before {
                break;
            }
        }
        exchanges
    }
}

/// Greedy removal: the cheapest first, each at its cost given the removals before it.
struct Greedy<'a> {
    costs: &'a Costs,
    marginal: Vec<f64>,
    kept: Vec<bool>,
    /// How many each has taken in.
    taken: Vec<u8>,
    merged: Vec<[usize; 2]>,
    heap: BinaryHeap<Reverse<Cost>>,
}

impl<'a> Greedy<'a> {
    fn new(costs: &'a Costs) -> Self {
        let count = costs.single.len();
        let mut greedy = Self {
            costs,
            marginal: costs.single.clone(),
            kept: vec![true; count],
            taken: vec![0; count],
            merged: Vec::new(),
            heap: BinaryHeap::new(),
        };
        (0..count).for_each(|i| greedy.push(i));
        greedy
    }

    fn push(&mut self, i: usize) {
        self.heap.push(Reverse(Cost(self.cheapest(i).0, i)));
    }

    /// The cost of losing splat `i`, and the splat that absorbs it.
    fn cheapest(&self, i: usize) -> (f64, Option<usize>) {
        let removal = self.marginal[i];
        let mut best = (removal, None);
        // A removal that improves the pictures needs no compensation.
        for merge in self.costs.merges[i].iter().filter(|_| removal > 0.0) {
            let into = merge.into as usize;
            let cost = PENALTY * (f64::from(merge.share) * removal + f64::from(merge.constant));
            if cost < best.0 && self.kept[into] && self.taken[into] < MOST_TAKEN {
                best = (cost, Some(into));
            }
        }
        best
    }

    fn run(&mut self, count: usize) {
        let mut left = self.kept.len();
        while left > count
            && let Some(Reverse(Cost(cost, i))) = self.heap.pop()
        {
            // A splat that has absorbed others no longer has its former score.
            if !self.kept[i] || self.taken[i] > 0 {
                continue;
            }
            match self.cheapest(i) {
                (now, _) if now > cost => {
                    self.push(i);
                    continue;
                }
                (_, Some(into)) => {
                    self.taken[into] += 1;
                    self.merged.push([i, into]);
                    self.kept[i] = false;
                }
                (_, None) => self.remove(i),
            }
            left -= 1;
        }
        // Where every remaining splat has absorbed others.
        let mut rest: Vec<usize> = (0..self.kept.len()).filter(|i| self.kept[*i]).collect();
        rest.sort_by(|a, b| self.marginal[*a].total_cmp(&self.marginal[*b]));
        rest.into_iter().take(left.saturating_sub(count)).for_each(|i| self.kept[i] = false);
    }

    fn remove(&mut self, i: usize) {
        self.kept[i] = false;
        let costs = self.costs;
        for (j, cost) in costs.pairs(i) {
            self.marginal[*j as usize] += f64::from(*cost);
            // The old entry stays in the heap, and is known by its cost.
            if self.kept[*j as usize] {
                self.push(*j as usize);
            }
        }
    }
}

/// A cost and whose it is; in order of both.
#[derive(PartialEq)]
struct Cost(f64, usize);

impl Eq for Cost {}

impl PartialOrd for Cost {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Cost {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0).then(self.1.cmp(&other.1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::uniform;

    /// What `choice` costs by definition.
    fn total(single: &[f64], changes: &[(usize, usize, f32)], kept: &[bool]) -> f64 {
        let alone: f64 = single.iter().zip(kept).filter(|(_, kept)| !**kept).map(|(cost, _)| cost).sum();
        alone
            + changes.iter().filter(|(i, j, _)| !kept[*i] && !kept[*j]).map(|(.., cost)| f64::from(*cost)).sum::<f64>()
    }

    fn problem(count: usize, seed: u64) -> (Vec<f64>, Vec<(usize, usize, f32)>) {
        let random = |a: usize, b: usize| uniform(seed, a as u64, b as u64);
        let single = (0..count).map(|i| random(i, 100)).collect();
        let all = (0..count).flat_map(|i| (i + 1..count).map(move |j| (i, j)));
        let pairs = all.filter(|(i, j)| random(*i, *j) < 0.4);
        (single, pairs.map(|(i, j)| (i, j, (1.2 * random(j, i) - 0.4) as f32)).collect())
    }

    #[test]
    fn choices_are_exact_in_number_near_the_best_and_never_worse_than_greedy() {
        let (mut optimal, mut all, mut improved) = (0, 0, 0);
        for seed in 0..36 {
            let count = 8 + seed as usize % 9;
            let (single, changes) = problem(count, seed);
            let costs = Costs::new(single.clone(), changes.iter().copied(), Vec::new());
            for keep in [1, count / 4, count / 2, count - 1] {
                let found = costs.choose(keep);
                assert_eq!(found.kept.iter().filter(|kept| **kept).count(), keep);
                let found = total(&single, &changes, &found.kept);
                let mut greedy = Greedy::new(&costs);
                greedy.run(keep);
                let greedy = total(&single, &changes, &greedy.kept);
                let of_bits = |bits: u32| -> Vec<bool> { (0..count).map(|i| bits >> i & 1 == 1).collect() };
                let choices = (0..1u32 << count).filter(|bits| bits.count_ones() as usize == keep);
                let best = choices.map(|bits| total(&single, &changes, &of_bits(bits))).fold(f64::INFINITY, f64::min);
                assert!(best <= found + 1e-6 && found <= greedy + 1e-6, "{best}, {found}, {greedy}");
                optimal += usize::from(found < best + 1e-6);
                improved += usize::from(found < greedy - 1e-6);
                all += 1;
            }
        }
        assert!(
            optimal * 10 > all * 6 && improved > 0,
            "{optimal} of {all} are the best, {improved} better than greedy"
        );
    }

    #[test]
    fn splats_that_cover_for_each_other_do_not_both_go() {
        // 0 and 1 are cheap, but not both of them.
        let single = vec![1.0, 1.0, 3.0, 4.0];
        let costs = Costs::new(single, [(0, 1, 50.0)].into_iter(), Vec::new());
        let kept = costs.choose(2).kept;
        assert_eq!(kept, [false, true, false, true]);
    }

    #[test]
    fn a_merge_is_chosen_where_it_is_cheaper_and_what_took_others_in_stays() {
        let single = vec![5.0, 6.0, 4.0, 7.0];
        let merge = |into: u32| vec![Merge { into, share: 0.1, constant: 0.1 }];
        let costs = Costs::new(single, std::iter::empty(), vec![merge(1), Vec::new(), Vec::new(), merge(1)]);
        let found = costs.choose(2);
        assert_eq!((found.kept, found.merged), (vec![false, true, true, false], vec![[0, 1], [3, 1]]));
        // The number is met even by those that took others in.
        let found = costs.choose(0);
        assert!(found.kept.iter().all(|kept| !kept));
    }
}
