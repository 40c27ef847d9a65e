//! Golden files of PPM: another implementation's results on a noisy cloud.

use super::{Config, prune, run, voxel};
use crate::capture::{Camera, world_normalization_about};
use crate::error::{Error, Result};
use crate::prior;
use crate::prior::golden::{Tensors, largest_difference};
use glam::{DMat4, DVec3};
use std::path::Path;

/// Compares with the golden file `path` (`points_NN.safetensors`, its cloud beside it as `points_NN.ply`). Returns
/// (quantity, largest error, tolerance) each. The error of the random pruning's counts is in standard deviations
/// of the reference's counts over its seeds.
///
/// # Errors
/// A file that is missing or is not such a golden file.
pub fn golden_check(path: &Path) -> Result<Vec<(String, f64, f64)>> {
    let bytes = std::fs::read(path).map_err(Error::io(path))?;
    let golden = Golden(Tensors::new(path, &bytes)?);
    let cloud = prior::read(path.with_extension("ply"))?;
    let config = golden.config()?;
    let pooled = voxel::pool(cloud.clone(), config.voxel_size);
    let flat: Vec<f64> = pooled.positions.iter().flatten().copied().map(f64::from).collect();
    let colors: Vec<f64> = pooled.colors.iter().flatten().copied().map(f64::from).collect();
    let distances: Vec<f64> = prune::nearest_distances(&pooled.positions).into_iter().map(f64::from).collect();
    let (_, report) = run(cloud, &config, &DMat4::IDENTITY, &[])?;
    let counts: Vec<f64> = report.iterations.iter().map(|iteration| iteration.after as f64).collect();
    let taus: Vec<f64> = report.iterations.iter().map(|iteration| iteration.tau).collect();
    let reference_counts = golden.tensor("prune_counts_20_seeds")?;
    let reference_taus = golden.tensor("prune_tau_first_seed")?;
    // The thresholds follow the random counts: dτ/τ = β · dn/n in each iteration, n within 5 deviations for either.
    let spread = 10.0 * (0..counts.len()).map(|i| statistics(&reference_counts, i, counts.len()).1).fold(0.5, f64::max);
    let tau_tolerance = reference_taus.iter().copied().fold(0.0, f64::max)
        * (1e-6 + config.beta * f64::from(config.iters) * spread / pooled.len().max(1) as f64);
    let checks = [
        ("voxel_points", largest_difference(&flat, &golden.tensor("voxel_points")?), 1e-5),
        ("voxel_colors", largest_difference(&colors, &golden.tensor("voxel_colors")?), 0.0),
        ("nn_distance", largest_difference(&distances, &golden.tensor("nn_distance")?), 1e-5),
        ("prune_counts", count_deviation(&counts, &reference_counts), 5.0),
        ("prune_tau", largest_difference(&taus, &reference_taus), tau_tolerance),
        ("normalize_transform", golden.normalization_error()?, 1e-6),
    ];
    Ok(checks.into_iter().map(|(name, error, tolerance)| (name.to_string(), error, tolerance)).collect())
}

/// Largest distance of `counts` from the mean over seeds of `reference` (`[seeds, iterations]`), in standard
/// deviations, which are taken to be at least half a point.
fn count_deviation(counts: &[f64], reference: &[f64]) -> f64 {
    if counts.is_empty() || reference.is_empty() || !reference.len().is_multiple_of(counts.len()) {
        return f64::INFINITY;
    }
    let deviation = |(i, &count): (usize, &f64)| {
        let (mean, deviation) = statistics(reference, i, counts.len());
        (count - mean).abs() / deviation.max(0.5)
    };
    counts.iter().enumerate().map(deviation).fold(0.0, f64::max)
}

/// Mean and standard deviation over the seeds of column `i` of `reference` (`[seeds, iterations]`).
fn statistics(reference: &[f64], i: usize, iterations: usize) -> (f64, f64) {
    let column: Vec<f64> = reference.iter().skip(i).step_by(iterations).copied().collect();
    let seeds = column.len().max(1) as f64;
    let mean = column.iter().sum::<f64>() / seeds;
    let variance = column.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / seeds;
    (mean, variance.sqrt())
}

/// PPM's part of a golden file.
struct Golden<'a>(Tensors<'a>);

impl Golden<'_> {
    fn tensor(&self, name: &str) -> Result<Vec<f64>> {
        self.0.get(name)
    }

    fn config(&self) -> Result<Config> {
        let number = |key| self.0.number(key);
        Ok(Config {
            voxel_size: number("voxel_size")?,
            tau0: number("tau0")?,
            beta: number("beta")?,
            iters: number("iters")? as u32,
            min_points: number("min_points_after_prune")? as usize,
            ..Config::default()
        })
    }

    fn normalization_error(&self) -> Result<f64> {
        let matrices = self.tensor("cameras_c2w_opencv")?;
        let cameras: Vec<Camera> = matrices
            .chunks_exact(16)
            .map(|c2w| {
                let viewmat = DMat4::from_cols_slice(c2w).transpose().inverse();
                Camera { width: 1, height: 1, fx: 1.0, fy: 1.0, cx: 0.5, cy: 0.5, viewmat, reduction: 1.0 }
            })
            .collect();
        let found = world_normalization_about(&cameras, DVec3::ZERO).transpose().to_cols_array();
        Ok(largest_difference(&found, &self.tensor("normalize_transform")?))
    }
}
