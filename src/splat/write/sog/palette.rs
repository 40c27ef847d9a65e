//! A palette of sets of harmonics. K-means over a million splats and 65 536 means would take minutes;
//! here space is cut in two at the mean of its widest coefficient, and each part gets as many of the means as it has of
//! the squared deviation, until a part has one: a pass over the splats for each level, of which there are some 20.

use super::super::Export;

/// The number of values of 16 bits, by the specification.
const MOST: usize = 1 << 16;
/// So few splats have a set each.
const FEW: usize = 1024;
/// Cuts one within the other. Beyond that values are outliers by many orders of magnitude.
const MOST_LEVELS: usize = 200;
/// Fewest splats of a part that gets a task of its own.
const TASK: usize = 4096;
/// Values of a splat above degree 0 at most.
const WIDTH: usize = 45;

pub struct Palette {
    /// The sets, one after the other, by coefficient and channel.
    pub sets: Vec<f32>,
    /// The set of each splat.
    pub labels: Vec<u16>,
}

/// Sums over the splats of a part.
struct Moments {
    mean: [f32; WIDTH],
    /// Squared deviations from the mean, summed.
    deviation: [f32; WIDTH],
}

/// A part with one mean: so many splats.
struct Leaf {
    count: usize,
    mean: [f32; WIDTH],
}

impl Palette {
    pub fn of(export: &Export) -> Self {
        let count = export.len();
        let width = 3 * (export.harmonics(0).len() - 1);
        let mut indices: Vec<u32> = (0..count as u32).collect();
        let moments = Moments::of(export, &indices);
        let budget = if count <= FEW { count } else { (1 << count.ilog2()).min(MOST) };
        let leaves = cut(export, &mut indices, &moments, budget, MOST_LEVELS);
        let mut labels = vec![0; count];
        let mut members = indices.into_iter();
        for (label, leaf) in (0..=u16::MAX).zip(&leaves) {
            members.by_ref().take(leaf.count).for_each(|i| labels[i as usize] = label);
        }
        Self { sets: leaves.iter().flat_map(|leaf| &leaf.mean[..width]).copied().collect(), labels }
    }
}

impl Moments {
    fn of(export: &Export, members: &[u32]) -> Self {
        let (mut mean, mut deviation) = ([0.0f64; WIDTH], [0.0f32; WIDTH]);
        for row in members.iter().map(|i| row(export, *i)) {
            mean.iter_mut().zip(row).for_each(|(sum, v)| *sum += f64::from(*v));
        }
        let mean = mean.map(|sum| (sum / members.len() as f64) as f32);
        for row in members.iter().map(|i| row(export, *i)) {
            for ((sum, v), mean) in deviation.iter_mut().zip(row).zip(&mean) {
                *sum += (v - mean) * (v - mean);
            }
        }
        Self { mean, deviation }
    }

    fn total(&self) -> f64 {
        self.deviation.iter().map(|v| f64::from(*v)).sum()
    }

    fn widest(&self) -> usize {
        (0..WIDTH).max_by(|a, b| self.deviation[*a].total_cmp(&self.deviation[*b])).unwrap_or(0)
    }
}

/// The values above degree 0.
fn row<'e>(export: &'e Export, i: u32) -> &'e [f32] {
    export.harmonics(i as usize)[1..].as_flattened()
}

/// Parts of `members`, which come into their order, with at most `budget` means.
fn cut(export: &Export, members: &mut [u32], moments: &Moments, budget: usize, levels: usize) -> Vec<Leaf> {
    let total = moments.total();
    let leaf = |count: usize| vec![Leaf { count, mean: moments.mean }];
    if budget < 2 || levels == 0 || total <= 0.0 || total.is_nan() {
        return leaf(members.len());
    }
    let axis = moments.widest();
    let middle = partition(members, |i| row(export, i)[axis] <= moments.mean[axis]);
    let (low, high) = members.split_at_mut(middle);
    if low.is_empty() || high.is_empty() {
        return leaf(low.len() + high.len());
    }
    let large = low.len() + high.len() > TASK;
    let (below, above) = both(large, || Moments::of(export, low), || Moments::of(export, high));
    let share = below.total() / (below.total() + above.total()).max(f64::MIN_POSITIVE);
    let least = 1.max(budget.saturating_sub(high.len()));
    let most = (budget - 1).min(low.len());
    let for_low = ((share * budget as f64).round() as usize).clamp(least.min(most), most);
    let (mut leaves, more) = both(
        large,
        || cut(export, low, &below, for_low, levels - 1),
        || cut(export, high, &above, budget - for_low, levels - 1),
    );
    leaves.extend(more);
    leaves
}

/// The results of both, at the same time where they are worth it.
fn both<T: Send>(large: bool, one: impl FnOnce() -> T + Send, two: impl FnOnce() -> T + Send) -> (T, T) {
    if large { rayon::join(one, two) } else { (one(), two()) }
}

/// Moves those that are `first` to the front; returns how many they are.
fn partition(members: &mut [u32], first: impl Fn(u32) -> bool) -> usize {
    let mut count = 0;
    for at in 0..members.len() {
        if first(members[at]) {
            members.swap(at, count);
            count += 1;
        }
    }
    count
}
