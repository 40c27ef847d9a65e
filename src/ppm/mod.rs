//! The Point Preprocessing Module (NAKA-GS §3.2): fewer, better points. A dense prior has many points where views
//! overlap and few elsewhere; voxel pooling makes one of those that share a cell, and distance-adaptive progressive
//! pruning then drops points with a probability that grows with how crowded they are.

mod golden;
mod prune;
#[cfg(test)]
mod tests;
mod voxel;

pub use golden::golden_check;
pub use prune::Iteration;

use crate::error::{Error, Result};
use crate::prior::PointCloud;
use documented::DocumentedFields;
use glam::{DMat4, DVec3};
use serde::{Deserialize, Serialize};

/// Parameters; lengths are in the normalised frame. The defaults are the published ones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Edge of a voxel; the points in one become one. 0 pools nothing.
    pub voxel_size: f64,
    /// First threshold: points nearer than this to another may be dropped.
    pub tau0: f64,
    /// Growth of the threshold: per iteration by exp(beta · points left / points at first).
    pub beta: f64,
    /// Iterations at most.
    pub iters: u32,
    /// An iteration that would leave fewer points is undone and is the last.
    pub min_points: usize,
    /// Seed of the random choices.
    pub seed: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self { voxel_size: 0.01, tau0: 0.005, beta: 0.01, iters: 6, min_points: 5000, seed: 42 }
    }
}

impl Config {
    /// # Errors
    /// [`Error::Setting`] for a parameter that is negative or not finite.
    pub fn check(&self) -> Result<()> {
        let values = [("voxel_size", self.voxel_size), ("tau0", self.tau0), ("beta", self.beta)];
        match values.into_iter().find(|(_, value)| !(value.is_finite() && *value >= 0.0)) {
            Some((name, value)) => {
                Err(Error::setting(format!("ppm.{name}"), value.to_string(), "give a number that is 0 or more"))
            }
            None => Ok(()),
        }
    }
}

/// What [`run`] did.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Points given.
    pub input: usize,
    /// Points dropped for not being finite.
    pub dropped: usize,
    /// Points after voxel pooling.
    pub pooled: usize,
    /// The pruning, iteration by iteration.
    pub iterations: Vec<Iteration>,
    /// Points returned.
    pub output: usize,
}

/// Pools and prunes `cloud`. `normalize` takes its frame to the one in which the lengths of `config` are meant
/// ([`crate::capture::world_normalization`]; identity where there is none); the result is in the cloud's own frame,
/// ordered by voxel (x, then y, then z). The same on any number of threads.
///
/// # Errors
/// [`Error::Setting`] for a parameter out of range.
pub fn run(cloud: &PointCloud, config: &Config, normalize: &DMat4) -> Result<(PointCloud, Report)> {
    config.check()?;
    let input: Vec<(DVec3, [u8; 3])> = cloud
        .positions
        .iter()
        .zip(&cloud.colors)
        .map(|(&p, &rgb)| (normalize.transform_point3(DVec3::from(p.map(f64::from))), rgb))
        .filter(|(p, _)| p.is_finite())
        .collect();
    let dropped = cloud.len() - input.len();
    let pooled = voxel::pool(input, config.voxel_size);
    let positions: Vec<[f64; 3]> = pooled.iter().map(|(p, _)| p.to_array()).collect();
    let (kept, iterations) = prune::prune(&positions, config);
    let denormalize = normalize.inverse();
    let mut result = PointCloud::default();
    for index in kept {
        let (p, rgb) = pooled[index];
        result.positions.push(denormalize.transform_point3(p).as_vec3().to_array());
        result.colors.push(rgb);
    }
    let report = Report { input: cloud.len(), dropped, pooled: pooled.len(), iterations, output: result.len() };
    Ok((result, report))
}
