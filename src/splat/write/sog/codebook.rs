//! Codebooks of 256 values: one-dimensional k-means (Lloyd 1982), which is exact and quick where values are sorted, since
//! the members of a mean are then a run, whose sum is the difference of two sums from the start.

use rayon::slice::ParallelSliceMut;

const COUNT: usize = 256;
/// Most values to sample; more change nothing.
const MOST_VALUES: usize = 1 << 20;
/// After each round but the last, means without members go where they help most.
const ROUNDS: usize = 10;
const ITERATIONS: usize = 20;

pub struct Codebook {
    /// In order.
    values: Vec<f32>,
}

/// Sorted values, with the sums of those before each place, and of their squares.
struct Values {
    sorted: Vec<f32>,
    sums: Vec<[f64; 2]>,
}

impl Codebook {
    /// For `values`, of which there is one at least.
    pub fn of(mut values: Vec<f32>) -> Self {
        if values.len() > MOST_VALUES {
            let stride = values.len().div_ceil(MOST_VALUES);
            // The largest and the smallest are to be near one of the 256.
            let ends = values.iter().fold([f32::INFINITY, f32::NEG_INFINITY], |[a, b], v| [a.min(*v), b.max(*v)]);
            values = values.into_iter().step_by(stride).chain(ends).collect();
        }
        values.par_sort_unstable_by(f32::total_cmp);
        let mut different = values.clone();
        different.dedup();
        if different.len() <= COUNT {
            different.resize(COUNT, different[different.len() - 1]);
            return Self { values: different };
        }
        let mut means = start(&values);
        let values = Values::of(values);
        for round in 1..=ROUNDS {
            for _ in 0..ITERATIONS {
                values.move_to_members(&mut means);
            }
            if round < ROUNDS {
                values.spread(&mut means);
            }
        }
        Self { values: means }
    }

    /// The index of the nearest value.
    pub fn nearest(&self, value: f32) -> u8 {
        let above = self.values.partition_point(|v| *v < value).min(COUNT - 1);
        let below = above.saturating_sub(1);
        let nearest = if value <= middle(self.values[below], self.values[above]) { below } else { above };
        nearest as u8
    }

    pub fn into_values(self) -> Vec<f32> {
        self.values
    }
}

/// As dense as the cube root of the density of the values, which is best where means are many (Panter and Dite 1951).
fn start(sorted: &[f32]) -> Vec<f32> {
    let last = sorted.len() - 1;
    let places = last.min(4 * COUNT);
    let at = |j: usize| sorted[j * last / places];
    let mut reached = vec![0.0];
    for j in 0..places {
        // Density is one over the distance, for the same number of values is between each two places.
        reached.push(reached[j] + (at(j + 1) - at(j)).powf(2.0 / 3.0));
    }
    let mean = |k: usize| {
        let target = (k as f32 + 0.5) / COUNT as f32 * reached[places];
        let j = reached.partition_point(|v| *v <= target).clamp(1, places) - 1;
        let part = (target - reached[j]) / (reached[j + 1] - reached[j]).max(f32::MIN_POSITIVE);
        at(j) + part * (at(j + 1) - at(j))
    };
    (0..COUNT).map(mean).collect()
}

impl Values {
    fn of(sorted: Vec<f32>) -> Self {
        let mut sums = vec![[0.0; 2]];
        for v in sorted.iter().map(|v| f64::from(*v)) {
            let [sum, squares] = sums[sums.len() - 1];
            sums.push([sum + v, squares + v * v]);
        }
        Self { sorted, sums }
    }

    /// Where the members of each mean begin and end.
    fn members(&self, means: &[f32]) -> Vec<[usize; 2]> {
        let end = |k: usize| match means.get(k + 1) {
            Some(next) => self.sorted.partition_point(|v| *v <= middle(means[k], *next)),
            None => self.sorted.len(),
        };
        let ends: Vec<usize> = (0..means.len()).map(end).collect();
        let starts = std::iter::once(0).chain(ends.iter().copied());
        starts.zip(&ends).map(|(start, end)| [start, *end]).collect()
    }

    /// Number, mean and summed squared deviation of a run.
    fn moments(&self, [start, end]: [usize; 2]) -> (f64, f64, f64) {
        let count = (end - start) as f64;
        let [sum, squares] = [0, 1].map(|k| self.sums[end][k] - self.sums[start][k]);
        let mean = sum / count.max(1.0);
        (count, mean, (squares - sum * mean).max(0.0))
    }

    /// A mean without members stays where it is.
    fn move_to_members(&self, means: &mut [f32]) {
        let members = self.members(means);
        for (mean, run) in means.iter_mut().zip(members).filter(|(_, [start, end])| end > start) {
            *mean = self.moments(run).1 as f32;
        }
    }

    /// Moves each mean without members next to one whose members deviate most from it.
    fn spread(&self, means: &mut [f32]) {
        let moments: Vec<_> = self.members(means).into_iter().map(|run| self.moments(run)).collect();
        let mut worst: Vec<usize> = (0..means.len()).filter(|k| moments[*k].0 > 0.0).collect();
        worst.sort_by(|a, b| moments[*b].2.total_cmp(&moments[*a].2));
        let unused = (0..means.len()).filter(|k| moments[*k].0 == 0.0);
        for (unused, worst) in unused.zip(worst) {
            let (count, mean, deviation) = moments[worst];
            let half = (deviation / count).sqrt() / 2.0;
            (means[worst], means[unused]) = ((mean - half) as f32, (mean + half) as f32);
        }
        means.sort_unstable_by(f32::total_cmp);
    }
}

fn middle(a: f32, b: f32) -> f32 {
    a + (b - a) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::uniform;

    #[test]
    fn few_values_are_kept_and_many_are_near_one() {
        for values in [vec![3.0], vec![-1.0, 2.5, 2.5], (0..200).map(|i| i as f32).collect()] {
            let codebook = Codebook::of(values.clone());
            assert_eq!(codebook.values.len(), COUNT);
            for value in values {
                let found = codebook.values[usize::from(codebook.nearest(value))];
                assert!(found == value, "{value}: {found}");
            }
        }
        // A bell with a far outlier: steps of an even grid would be 0.4.
        let bell = |i: u64| (0..6).map(|k| uniform(1, k, i) as f32 - 0.5).sum::<f32>();
        let values: Vec<f32> = (0..20_000).map(bell).chain([100.0]).collect();
        let codebook = Codebook::of(values.clone());
        let squares = values.iter().map(|v| (codebook.values[usize::from(codebook.nearest(*v))] - v).powi(2));
        let error = (squares.sum::<f32>() / values.len() as f32).sqrt();
        assert!(error < 0.006, "{error}");
    }

    #[test]
    fn nearest_is_nearest() {
        let codebook = Codebook::of((0..5000).map(|i| uniform(2, 0, i) as f32).collect());
        for value in (0..300).map(|i| uniform(3, 0, i) as f32 * 1.2 - 0.1) {
            let distance = |v: &f32| (v - value).abs();
            let best = codebook.values.iter().map(distance).fold(f32::INFINITY, f32::min);
            assert_eq!(distance(&codebook.values[usize::from(codebook.nearest(value))]), best);
        }
    }
}
