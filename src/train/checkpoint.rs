//! Where an interrupted run goes on from: parameters, optimiser moments, densification statistics, step and settings.

use super::changes::Change;
use super::config::Config;
use crate::capture::Capture;
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::prior::PointCloud;
use crate::splat::{TENSOR_NAMES, TENSOR_WIDTHS, Tensors};
use crate::storage;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// The file in the checkpoint folder. One is kept: a newer one replaces it in one step.
const FILE: &str = "latest.safetensors";

/// A run in the middle. Everything random is a function of the seed and the step, so that no generator state is kept.
pub struct Checkpoint {
    /// Steps done.
    pub step: u32,
    /// Seconds of training so far.
    pub seconds: f64,
    pub parameters: Tensors,
    pub first_moments: Tensors,
    pub second_moments: Tensors,
    /// Per splat (gradient norm, views), as `Gradients::densify_statistics`.
    pub statistics: Vec<[f32; 2]>,
    /// Settings that were changed on the way.
    pub changes: Vec<Change>,
}

/// Path of the checkpoint in `dir`.
pub fn path(dir: &Path) -> PathBuf {
    dir.join(FILE)
}

/// Removes the checkpoints in `dir`, and the folder if nothing else is in it.
///
/// # Errors
/// A file that cannot be removed.
pub fn remove(dir: &Path) -> Result<()> {
    storage::remove_file(path(dir))?;
    storage::remove_leftovers(dir);
    storage::remove_empty_folder(dir);
    Ok(())
}

/// A digest of what two runs must share for one to continue the other: settings, views and initial points.
pub fn identity(config: &Config, capture: &Capture, points: &PointCloud) -> String {
    let mut digest = Sha256::new();
    digest.update(serde_json::to_vec(&(config, &capture.train)).unwrap_or_default());
    digest.update(bytemuck::cast_slice::<_, u8>(points.positions.as_flattened()));
    digest.update(points.colors.as_flattened());
    digest.update(bytemuck::cast_slice::<_, u8>(points.normals.as_flattened()));
    digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A run in the middle, borrowed.
pub struct View<'a> {
    pub step: u32,
    pub seconds: f64,
    /// Parameters, first and second moments.
    pub groups: [&'a Tensors; 3],
    pub statistics: &'a [[f32; 2]],
    /// Changes to the settings, which `identity` does not know: it stands for those the run was started with.
    pub changes: &'a [Change],
}

/// Names of the tensor groups in the file.
const GROUPS: [&str; 3] = ["parameters", "m", "v"];

/// Writes to a temporary name, syncs and renames: an interruption leaves the older file whole.
pub fn save(gpu: &Gpu, dir: &Path, identity: &str, state: &View<'_>) -> Result<()> {
    let mut data: Vec<(String, Vec<usize>, Vec<f32>)> = Vec::new();
    for (group, tensors) in GROUPS.into_iter().zip(state.groups) {
        for ((name, width), tensor) in TENSOR_NAMES.iter().zip(TENSOR_WIDTHS).zip(tensors.all()) {
            if tensor.is_empty() {
                continue;
            }
            let mut values = gpu.read(tensor)?;
            values.truncate(tensors.count * width);
            data.push((format!("{group}.{name}"), vec![tensors.count, width], values));
        }
    }
    data.push(("densify".into(), vec![state.statistics.len(), 2], state.statistics.as_flattened().to_vec()));
    let metadata = HashMap::from([
        ("step".to_string(), state.step.to_string()),
        ("seconds".to_string(), state.seconds.to_string()),
        ("identity".to_string(), identity.to_string()),
        ("changes".to_string(), serde_json::to_string(state.changes).map_err(|e| Error::io(dir)(e.into()))?),
    ]);
    let path = path(dir);
    let broken = |e: safetensors::SafeTensorError| Error::input(&path, e.to_string(), "report this bug");
    let mut views = Vec::new();
    for (name, shape, values) in &data {
        let view = TensorView::new(Dtype::F32, shape.clone(), bytemuck::cast_slice(values)).map_err(broken)?;
        views.push((name.as_str(), view));
    }
    let bytes = safetensors::serialize(views, Some(metadata)).map_err(broken)?;
    storage::write_bytes(&path, &bytes)?;
    Ok(())
}

impl Checkpoint {
    /// The checkpoint in `dir`, if there is one of the same run.
    ///
    /// # Errors
    /// The file is there but broken. A checkpoint of another run is none.
    pub fn load(gpu: &Gpu, dir: &Path, identity: &str, sh_degree: u32) -> Result<Option<Self>> {
        let path = path(dir);
        if !path.exists() {
            return Ok(None);
        }
        let bytes = std::fs::read(&path).map_err(Error::io(&path))?;
        let broken =
            |what: String| Error::input(&path, format!("broken checkpoint ({what})"), "delete it to start over");
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|e| broken(e.to_string()))?;
        let metadata = header.metadata().clone().unwrap_or_default();
        if metadata.get("identity").map(String::as_str) != Some(identity) {
            tracing::info!("{} belongs to other settings or images; starting anew", path.display());
            return Ok(None);
        }
        let number = |key: &str| metadata.get(key).ok_or_else(|| broken(format!("no {key}")));
        let file = SafeTensors::deserialize(&bytes).map_err(|e| broken(e.to_string()))?;
        let read = |name: &str| -> Result<(usize, Vec<f32>)> {
            let tensor = file.tensor(name).map_err(|e| broken(e.to_string()))?;
            let rows = tensor.shape().first().copied().unwrap_or_default();
            Ok((rows, bytemuck::pod_collect_to_vec(tensor.data())))
        };
        let group = |group: &str| -> Result<Tensors> {
            let (count, _) = read(&format!("{group}.means"))?;
            let tensors = Tensors::zeros(gpu, group, count, count, sh_degree)?;
            for (name, tensor) in TENSOR_NAMES.iter().zip(tensors.all()).filter(|(_, t)| !t.is_empty()) {
                let (_, values) = read(&format!("{group}.{name}"))?;
                if values.len() != tensor.len() {
                    return Err(broken(format!("{group}.{name} has {} values, not {}", values.len(), tensor.len())));
                }
                tensor.write(gpu, 0, &values);
            }
            Ok(tensors)
        };
        Ok(Some(Self {
            step: number("step")?.parse().map_err(|_| broken("step".into()))?,
            seconds: number("seconds")?.parse().map_err(|_| broken("seconds".into()))?,
            parameters: group("parameters")?,
            first_moments: group("m")?,
            second_moments: group("v")?,
            statistics: read("densify")?.1.as_chunks::<2>().0.to_vec(),
            // Files of older versions have none.
            changes: match metadata.get("changes") {
                Some(text) => serde_json::from_str(text).map_err(|e| broken(format!("changes: {e}")))?,
                None => Vec::new(),
            },
        }))
    }
}
