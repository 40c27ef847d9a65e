//! Splats from points.

use super::Splats;
use crate::prior::PointCloud;
use kiddo::{ImmutableKdTree, SquaredEuclidean};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use rayon::prelude::*;
use std::num::NonZero;

/// Zeroth spherical-harmonic basis function.
const SH_C0: f32 = 0.282_094_79;
/// The three nearest neighbours and the point itself.
const NEIGHBOURS: NonZero<usize> = NonZero::new(4).unwrap();

/// Isotropic splats at `points` (3DGS §5.1): scale is the root mean square distance to the three nearest neighbours
/// times `scale`, rotation is random, colour is in the constant SH coefficient.
pub fn from_points(points: &PointCloud, sh_degree: u32, opacity: f32, scale: f32, seed: u64) -> Splats {
    let count = points.len();
    let mut rng = StdRng::seed_from_u64(seed);
    let mut component = || rng.random::<f32>() * 2.0 - 1.0;
    let quats = (0..count).map(|_| [component(), component(), component(), component()]).collect();
    Splats {
        quats,
        log_scales: neighbour_distances(&points.positions).iter().map(|d| [(d * scale).ln(); 3]).collect(),
        means: points.positions.clone(),
        logit_opacities: vec![(opacity / (1.0 - opacity)).ln(); count],
        sh: harmonics(points, sh_degree),
        sh_degree,
    }
}

/// Opaque round splats of one standard deviation at `points`, to look at.
pub fn dots(points: &PointCloud, sigma: f32) -> Splats {
    let count = points.len();
    Splats {
        means: points.positions.clone(),
        quats: vec![[1.0, 0.0, 0.0, 0.0]; count],
        log_scales: vec![[sigma.ln(); 3]; count],
        logit_opacities: vec![7.0; count],
        sh: harmonics(points, 0),
        sh_degree: 0,
    }
}

/// The points' colours in the constant coefficient, and zeros above.
fn harmonics(points: &PointCloud, sh_degree: u32) -> Vec<f32> {
    let row = 3 * Splats::coefficients(sh_degree);
    let mut sh = vec![0.0; points.len() * row];
    for (sh, color) in sh.chunks_exact_mut(row).zip(&points.colors) {
        for (coefficient, value) in sh.iter_mut().zip(color) {
            *coefficient = (f32::from(*value) / 255.0 - 0.5) / SH_C0;
        }
    }
    sh
}

/// Root mean square distance of every point to its three nearest neighbours. Points on top of each other get the
/// median distance of the others rather than a scale of zero.
fn neighbour_distances(positions: &[[f32; 3]]) -> Vec<f32> {
    let fallback = vec![1.0; positions.len()];
    let Ok(tree) = ImmutableKdTree::<f32, 3>::new_from_slice(positions) else { return fallback };
    let distance = |p: &[f32; 3]| {
        let near = tree.query(p).nearest_n::<SquaredEuclidean<f32>>(NEIGHBOURS).execute();
        let others = near.len().saturating_sub(1).max(1) as f32;
        (near.iter().map(|n| n.distance).sum::<f32>() / others).sqrt()
    };
    let mut distances: Vec<f32> = positions.par_iter().map(distance).collect();
    let mut positive: Vec<f32> = distances.iter().copied().filter(|d| *d > 0.0).collect();
    if positive.is_empty() {
        return fallback;
    }
    let middle = positive.len() / 2;
    let median = *positive.select_nth_unstable_by(middle, f32::total_cmp).1;
    distances.iter_mut().filter(|d| **d <= 1e-4 * median).for_each(|d| *d = median);
    distances
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_follow_the_three_nearest_neighbours() {
        let positions = vec![[0.0; 3], [1.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 3.0], [50.0, 0.0, 0.0]];
        let points = PointCloud { colors: vec![[255, 0, 128]; 5], positions, ..PointCloud::default() };
        let splats = from_points(&points, 1, 0.1, 1.0, 7);
        let expected = ((1.0f32 + 4.0 + 9.0) / 3.0).sqrt().ln();
        assert!((splats.log_scales[0][0] - expected).abs() < 1e-5);
        assert_eq!(splats.sh.len(), 5 * 12);
        assert!((splats.sh[0] * SH_C0 + 0.5 - 1.0).abs() < 1e-6);
        assert!((splats.logit_opacities[0] - (0.1f32 / 0.9).ln()).abs() < 1e-6);
    }

    #[test]
    fn coincident_points_get_a_finite_scale() {
        let points = PointCloud { positions: vec![[1.0; 3]; 6], colors: vec![[9; 3]; 6], ..PointCloud::default() };
        assert!(from_points(&points, 0, 0.1, 1.0, 7).log_scales.iter().flatten().all(|s| s.is_finite()));
        assert!(from_points(&PointCloud::default(), 3, 0.1, 1.0, 7).is_empty());
    }
}
