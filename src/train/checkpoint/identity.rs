//! The identity of a training, which a run must share to continue another: settings, views and initial points. Files count by
//! their content, wherever they lie and however their paths are spelled.

use super::super::config::Config;
use crate::capture::{Capture, Mask, View};
use crate::error::{Error, Result};
use crate::hash::{hex, sha256_of_file};
use crate::parallel::try_map;
use crate::prior::PointCloud;
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::path::Path;

/// A digest of settings, views and points.
///
/// # Errors
/// A file of the views that cannot be read.
pub fn identity(config: &Config, capture: &Capture, points: &PointCloud) -> Result<String> {
    let views = try_map(&capture.train, of_view)?;
    let mut digest = Sha256::new();
    digest.update(json(&(config.cache_key(), views)));
    digest.update(bytemuck::cast_slice::<_, u8>(points.positions.as_flattened()));
    digest.update(points.colors.as_flattened());
    digest.update(bytemuck::cast_slice::<_, u8>(points.normals.as_flattened()));
    Ok(hex(digest.finalize()))
}

/// A digest of what a view is trained on.
fn of_view(view: &View) -> Result<String> {
    // Every field is named, so that a new one is not forgotten here.
    let View { name, image: _, camera, lens, mask, gain, shots } = view;
    let files = view.files().map(content).collect::<Result<Vec<_>>>()?;
    let exposures: Vec<f32> = shots.iter().map(|shot| shot.exposure).collect();
    let mask = mask.as_ref().map(of_mask).transpose()?;
    Ok(hex(Sha256::digest(json(&(name, camera, lens, gain, files, exposures, mask)))))
}

fn of_mask(mask: &Mask) -> Result<impl Serialize + use<>> {
    let Mask { alpha, file, inverted, lens } = mask;
    let [alpha, file] = [alpha, file].map(|path| path.as_deref().map(content).transpose());
    Ok((alpha?, file?, *inverted, *lens))
}

fn content(file: &Path) -> Result<String> {
    sha256_of_file(file).map(|(_, digest)| digest).map_err(Error::io(file))
}

fn json(parts: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(parts).unwrap_or_default()
}
