//! Splats from points.

use super::Splats;
use crate::color::SH_C0;
use crate::prior::PointCloud;
use glam::{Quat, Vec3};
use kiddo::{ImmutableKdTree, SquaredEuclidean};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use rayon::prelude::*;
use std::num::NonZero;

/// The three nearest neighbors and the point itself.
const NEIGHBORS: NonZero<usize> = NonZero::new(4).unwrap();

/// How splats begin.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Init {
    /// Highest spherical-harmonic degree, 0–3.
    pub sh_degree: u32,
    /// Opacity of every splat, between 0 and 1.
    pub opacity: f32,
    /// Standard deviation / distance to the neighbors.
    pub scale: f32,
    /// Standard deviation along the normal / across it, for points with a normal.
    pub thickness: f32,
    /// Seed of the random rotations.
    pub seed: u64,
}

/// Splats at `points`, round and turned at random as in 3DGS (§5.1), but flat on the surface where its normal is known.
/// Their width is the root mean square distance to the three nearest neighbors times `init.scale`; color is in the
/// constant SH coefficient.
pub fn from_points(points: &PointCloud, init: &Init) -> Splats {
    let Init { sh_degree, opacity, scale, thickness, seed } = *init;
    let mut rng = StdRng::seed_from_u64(seed);
    let mut component = || rng.random::<f32>() * 2.0 - 1.0;
    let mut random = || [component(), component(), component(), component()];
    let widths = neighbor_distances(&points.positions);
    let shape = |(index, distance): (usize, f32)| {
        let (width, random) = ((distance * scale).ln(), random());
        match Vec3::from(points.normal(index)) {
            _ if thickness == 1.0 => (random, [width; 3]),
            Vec3::ZERO => (random, [width; 3]),
            normal => (facing(normal), [width, width, width + thickness.ln()]),
        }
    };
    let (quats, log_scales) = widths.into_iter().enumerate().map(shape).unzip();
    Splats {
        quats,
        log_scales,
        means: points.positions.clone(),
        logit_opacities: vec![(opacity / (1.0 - opacity)).ln(); points.len()],
        sh: harmonics(points, sh_degree),
        sh_degree,
    }
}

/// The quaternion (w x y z) that turns the z axis to `normal`.
fn facing(normal: Vec3) -> [f32; 4] {
    let q = Quat::from_rotation_arc(Vec3::Z, normal);
    [q.w, q.x, q.y, q.z]
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

/// The points' colors in the constant coefficient, and zeros above.
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

/// Root mean square distance of every point to its three nearest neighbors. Points on top of each other get the
/// median distance of the others rather than a scale of zero.
fn neighbor_distances(positions: &[[f32; 3]]) -> Vec<f32> {
    let fallback = vec![1.0; positions.len()];
    let Ok(tree) = ImmutableKdTree::<f32, 3>::new_from_slice(positions) else { return fallback };
    let distance = |p: &[f32; 3]| {
        let near = tree.query(p).nearest_n::<SquaredEuclidean<f32>>(NEIGHBORS).execute();
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

    const INIT: Init = Init { sh_degree: 1, opacity: 0.1, scale: 1.0, thickness: 0.25, seed: 7 };

    #[test]
    fn scales_follow_the_three_nearest_neighbors() {
        let positions = vec![[0.0; 3], [1.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 3.0], [50.0, 0.0, 0.0]];
        let points = PointCloud { colors: vec![[255, 0, 128]; 5], positions, ..PointCloud::default() };
        let splats = from_points(&points, &INIT);
        let expected = ((1.0f32 + 4.0 + 9.0) / 3.0).sqrt().ln();
        assert!((splats.log_scales[0][0] - expected).abs() < 1e-5);
        assert_eq!(splats.sh.len(), 5 * 12);
        assert!((splats.sh[0] * SH_C0 + 0.5 - 1.0).abs() < 1e-6);
        assert!((splats.logit_opacities[0] - (0.1f32 / 0.9).ln()).abs() < 1e-6);
    }

    #[test]
    fn coincident_points_get_a_finite_scale() {
        let points = PointCloud { positions: vec![[1.0; 3]; 6], colors: vec![[9; 3]; 6], ..PointCloud::default() };
        assert!(from_points(&points, &INIT).log_scales.iter().flatten().all(|s| s.is_finite()));
        assert!(from_points(&PointCloud::default(), &INIT).is_empty());
    }

    #[test]
    fn splats_lie_flat_on_surfaces_whose_normals_are_known() {
        let normals = vec![[0.0, 0.6, -0.8], [0.0, 0.0, -1.0], [0.0; 3], [1.0, 0.0, 0.0]];
        let positions = (0..4).map(|i| [i as f32, 0.0, 0.0]).collect();
        let points = PointCloud { positions, colors: vec![[9; 3]; 4], normals };
        let splats = from_points(&points, &INIT);
        for (index, normal) in points.normals.iter().map(|n| Vec3::from(*n)).enumerate() {
            let [x, y, z] = splats.log_scales[index];
            let [w, i, j, k] = splats.quats[index];
            let axis = Quat::from_xyzw(i, j, k, w).normalize() * Vec3::Z;
            match normal {
                Vec3::ZERO => assert_eq!([x, y], [z, z], "no normal"),
                normal => assert!(axis.distance(normal) < 1e-6 && x == y && (z - x - 0.25f32.ln()).abs() < 1e-6),
            }
        }
        let as_published = from_points(&points, &Init { thickness: 1.0, ..INIT });
        let round = PointCloud { normals: Vec::new(), ..points };
        assert_eq!(as_published.quats, from_points(&round, &INIT).quats, "round ones are turned at random");
        assert!(from_points(&round, &INIT).log_scales.iter().all(|s| s[0] == s[2]));
    }
}
