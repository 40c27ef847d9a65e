//! The Point Preprocessing Module (NAKA-GS §3.2): fewer, better points. A dense prior has many points where views
//! overlap and few elsewhere; voxel pooling makes one of those that share a cell, and distance-adaptive progressive
//! pruning then drops points with a probability that grows with how crowded they are.

mod floaters;
mod golden;
mod plot;
mod prune;
#[cfg(test)]
mod tests;
mod voxel;

pub use golden::golden_check;
pub use plot::plot;
pub use prune::Iteration;

use crate::capture::Camera;
use crate::error::{Error, Result};
use crate::prior::PointCloud;
use documented::DocumentedFields;
use glam::{DMat4, DVec3};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// Parameters; lengths are in the normalized frame. The defaults are the published ones.
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
    /// In a run, thin points that were made from the photographs, too. They lie as densely as the views look already.
    pub thin_made: bool,
    /// Drop points that hang in the air: lonely, and in front of what several cameras see behind them.
    pub floaters: bool,
    /// Seed of the random choices.
    pub seed: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            voxel_size: 0.01,
            tau0: 0.005,
            beta: 0.01,
            iters: 6,
            min_points: 5000,
            thin_made: false,
            floaters: false,
            seed: 42,
        }
    }
}

impl Config {
    /// The same without pooling and pruning.
    pub fn without_thinning(&self) -> Self {
        Self { voxel_size: 0.0, iters: 0, ..self.clone() }
    }

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
    /// Points left out by their confidence, where a file gives one for each (`prior.min_confidence`).
    #[serde(default)]
    pub unsure: usize,
    /// Points after voxel pooling.
    pub pooled: usize,
    /// Points dropped for hanging in the air (`floaters`).
    pub floaters: usize,
    /// The pruning, iteration by iteration.
    pub iterations: Vec<Iteration>,
    /// Points returned.
    pub output: usize,
}

/// Pools and prunes `cloud`, which it takes because clouds are large. `normalize` takes its frame to the one in which
/// the lengths of `config` are meant ([`crate::capture::world_normalization`]; identity where there is none); the
/// result is in the cloud's own frame, ordered by voxel (x, then y, then z). `cameras` are needed for `floaters` alone.
/// The same on any number of threads.
///
/// # Errors
/// [`Error::Setting`] for a parameter out of range, more than 2³² − 2 points, or `floaters` without cameras.
pub fn run(
    mut cloud: PointCloud,
    config: &Config,
    normalize: &DMat4,
    cameras: &[Camera],
) -> Result<(PointCloud, Report)> {
    config.check()?;
    if config.floaters && cameras.is_empty() {
        return Err(Error::setting("ppm.floaters", "no cameras", "give the scene of the points, or leave it off"));
    }
    let input = cloud.len();
    if input >= u32::MAX as usize {
        return Err(Error::setting("ppm", format!("a cloud of {input} points"), "give fewer than 4 294 967 295"));
    }
    transform(&mut cloud.positions, normalize);
    let dropped = drop_not_finite(&mut cloud);
    let mut cloud = voxel::pool(cloud, config.voxel_size);
    let pooled = cloud.len();
    if pooled < config.min_points && input >= config.min_points {
        tracing::warn!(
            "pooling by `ppm.voxel_size = {}` left {pooled} of {input} points, fewer than `ppm.min_points = {}`; a \
             smaller voxel leaves more, and 0 all",
            config.voxel_size,
            config.min_points
        );
    }
    let mut floaters = 0;
    if config.floaters {
        let good = floaters::grounded(&cloud.positions, &normalize.inverse(), cameras);
        floaters = retain(&mut cloud, &good);
    }
    let (kept, iterations) = prune::prune(&cloud.positions, config);
    cloud.take(&kept);
    transform(&mut cloud.positions, &normalize.inverse());
    let report = Report { input, dropped, unsure: 0, pooled, floaters, iterations, output: cloud.len() };
    Ok((cloud, report))
}

fn transform(positions: &mut [[f32; 3]], by: &DMat4) {
    if *by != DMat4::IDENTITY {
        let moved = |p: [f32; 3]| by.transform_point3(DVec3::from(p.map(f64::from))).as_vec3().to_array();
        positions.par_iter_mut().for_each(|p| *p = moved(*p));
    }
}

/// Drops points with NaN or infinity; returns how many.
fn drop_not_finite(cloud: &mut PointCloud) -> usize {
    let finite = |p: &[f32; 3]| p.iter().all(|v| v.is_finite());
    if cloud.positions.par_iter().all(finite) {
        return 0;
    }
    let good: Vec<bool> = cloud.positions.par_iter().map(finite).collect();
    retain(cloud, &good)
}

/// Keeps the points that are `good`; returns how many were dropped.
fn retain(cloud: &mut PointCloud, good: &[bool]) -> usize {
    let before = cloud.len();
    cloud.retain(good);
    before - cloud.len()
}
