//! Robust estimation of a similarity: least median of squares (Rousseeuw 1984), then least squares of the
//! rest.

use super::medians::{median, median_vec};
use super::similarity::{Basis, Pair, Similarity, Undetermined, fit};
use crate::random::hash;

/// A similarity, and which pairs it rests on.
#[derive(Clone, Debug, PartialEq)]
pub struct Robust {
    pub similarity: Similarity,
    /// Whether each pair took part.
    pub kept: Vec<bool>,
}

/// Pairs that fix a similarity.
const SAMPLE: usize = 3;
/// With up to so many pairs every sample is tried, with more so many random ones: with half of the cameras wrong, 1 in
/// 8 has none of these.
const SAMPLES: usize = 1000;
/// A camera is never left out for less than this part of the extent.
const TOLERANCE: f64 = 0.01;

/// The similarity of `pairs` without those that do not fit the others. Up to about half may be wrong, none of 3, one
/// of 5.
///
/// # Errors
/// [`Undetermined`] where no sample, or the fit of all that agree, has a solution.
pub fn robust(pairs: &[Pair], rigid: bool, seed: u64) -> Result<(Robust, Basis), Undetermined> {
    let n = pairs.len();
    let all = fit(pairs, rigid);
    let with_all = |(similarity, basis)| (Robust { similarity, kept: vec![true; n] }, basis);
    if n <= SAMPLE {
        return all.map(with_all);
    }
    let rank = (n + SAMPLE).div_ceil(2).min(n) - 1;
    let score = |similarity: &Similarity| {
        let mut errors: Vec<f64> = pairs.iter().map(|pair| residual(similarity, pair)).collect();
        *errors.select_nth_unstable_by(rank, f64::total_cmp).1
    };
    let found = samples(n, seed).into_iter().filter_map(|sample| fit(&sample.map(|i| pairs[i]), rigid).ok());
    let best = found.chain(all.ok()).map(|found| (score(&found.0), found)).min_by(|a, b| a.0.total_cmp(&b.0));
    // Where every sample is degenerate, so are all pairs together; report their reason.
    let Some((error, (mut similarity, mut basis))) = best else { return all.map(with_all) };
    let deviation = 1.4826 * (1.0 + 5.0 / (n - SAMPLE) as f64) * error;
    let tolerance = (2.5 * deviation).max(TOLERANCE * extent(pairs));
    let mut kept = vec![false; n];
    // The pairs that fit, and the fit of these: a few rounds settle.
    for _ in 0..10 {
        let fitting: Vec<bool> = pairs.iter().map(|pair| residual(&similarity, pair) <= tolerance).collect();
        if fitting == kept {
            break;
        }
        kept = fitting;
        let rest: Vec<Pair> = pairs.iter().zip(&kept).filter(|(_, kept)| **kept).map(|(pair, _)| *pair).collect();
        (similarity, basis) = fit(&rest, rigid)?;
    }
    Ok((Robust { similarity, kept }, basis))
}

/// Distance of a camera's center from where the similarity takes it.
pub fn residual(similarity: &Similarity, pair: &Pair) -> f64 {
    similarity.point(pair.from).distance(pair.to)
}

/// The median distance of the target centers from their median: the size of the capture, robust to outliers.
pub fn extent(pairs: &[Pair]) -> f64 {
    let center = median_vec(&pairs.iter().map(|pair| pair.to).collect::<Vec<_>>());
    median(pairs.iter().map(|pair| pair.to.distance(center)).collect())
}

/// Every three of `0..n` where these are few, else [`SAMPLES`] random ones.
fn samples(n: usize, seed: u64) -> Vec<[usize; SAMPLE]> {
    if n * (n - 1) * (n - 2) / 6 <= SAMPLES {
        let above = |i: usize, j: usize| (j + 1..n).map(move |k| [i, j, k]);
        return (0..n).flat_map(|i| (i + 1..n).flat_map(move |j| above(i, j))).collect();
    }
    let below = |k: usize, sample: usize, n: usize| (hash(seed, k as u64, sample as u64) % n as u64) as usize;
    (0..SAMPLES)
        .map(|sample| {
            // Without repetition: the second is counted past the first, the third past both.
            let first = below(0, sample, n);
            let second = (first + 1 + below(1, sample, n - 1)) % n;
            let mut third = below(2, sample, n - 2);
            let (low, high) = (first.min(second), first.max(second));
            third += usize::from(third >= low);
            third += usize::from(third >= high);
            [first, second, third]
        })
        .collect()
}
