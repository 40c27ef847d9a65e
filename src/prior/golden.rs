//! Golden files of points: the reader, and alignments by another implementation.

use crate::capture::{Pair, Similarity, fit};
use crate::error::{Error, Result};
use glam::{DMat3, DVec3};
use safetensors::{Dtype, SafeTensors};
use std::path::Path;

/// Compares the alignments in the golden file `path` (`points_NN.safetensors`) with this program's. Returns (quantity,
/// largest error, tolerance) each.
///
/// # Errors
/// A file that is missing or is not such a golden file.
pub fn golden_check(path: &Path) -> Result<Vec<(String, f64, f64)>> {
    let bytes = std::fs::read(path).map_err(Error::io(path))?;
    let golden = Tensors::new(path, &bytes)?;
    let points = |name| Ok(golden.get(name)?.chunks_exact(3).map(DVec3::from_slice).collect::<Vec<_>>());
    let (from, to): (Vec<_>, Vec<_>) = (points("align_src")?, points("align_dst")?);
    let pairs: Vec<Pair> = from.iter().zip(&to).map(|(&from, &to)| Pair { from, to, turn: None }).collect();
    let mut rows = Vec::new();
    for (kind, rigid) in [("sim3", false), ("rigid", true)] {
        let found =
            fit(&pairs, rigid).map_or(Similarity { scale: f64::NAN, ..Similarity::IDENTITY }, |(found, _)| found);
        let DMat3 { x_axis, y_axis, z_axis } = found.rotation.transpose();
        let rotation = [x_axis, y_axis, z_axis].map(|axis| axis.to_array()).concat();
        let expected = |name: &str| golden.get(&format!("{kind}_{name}"));
        let mut row = |name: &str, found: &[f64], expected: &[f64]| {
            rows.push((format!("{kind}_{name}"), largest_difference(found, expected), 1e-9));
        };
        row("rotation", &rotation, &expected("rotation")?);
        row("translation", &found.translation.to_array(), &expected("translation")?);
        row("scale", &[found.scale], &if rigid { vec![1.0] } else { expected("scale")? });
    }
    Ok(rows)
}

/// Largest absolute difference; infinite where the lengths differ or a value is NaN.
pub fn largest_difference(found: &[f64], expected: &[f64]) -> f64 {
    if found.len() != expected.len() {
        return f64::INFINITY;
    }
    let differences = found.iter().zip(expected).map(|(a, b)| (a - b).abs());
    differences.fold(0.0, |worst, d| if d.is_nan() { f64::INFINITY } else { worst.max(d) })
}

/// A golden file of points being read.
pub struct Tensors<'a> {
    path: &'a Path,
    bytes: &'a [u8],
    tensors: SafeTensors<'a>,
}

impl<'a> Tensors<'a> {
    /// # Errors
    /// `bytes`, the contents of `path`, that are no safetensors.
    pub fn new(path: &'a Path, bytes: &'a [u8]) -> Result<Self> {
        let tensors = SafeTensors::deserialize(bytes).map_err(|e| refuse(path, e.to_string()))?;
        Ok(Self { path, bytes, tensors })
    }

    /// The tensor `name`, flattened, whatever its number type.
    ///
    /// # Errors
    /// No such tensor, or another number type than those of golden files.
    pub fn get(&self, name: &str) -> Result<Vec<f64>> {
        let tensor = self.tensors.tensor(name).map_err(|e| refuse(self.path, e.to_string()))?;
        let data = tensor.data();
        Ok(match tensor.dtype() {
            Dtype::U8 => data.iter().map(|&v| f64::from(v)).collect(),
            Dtype::I32 => bytemuck::pod_collect_to_vec::<u8, i32>(data).into_iter().map(f64::from).collect(),
            Dtype::F32 => bytemuck::pod_collect_to_vec::<u8, f32>(data).into_iter().map(f64::from).collect(),
            Dtype::F64 => bytemuck::pod_collect_to_vec(data),
            other => return Err(refuse(self.path, format!("`{name}` is of type {other:?}"))),
        })
    }

    /// The number `key` of the metadata.
    ///
    /// # Errors
    /// No such number.
    pub fn number(&self, key: &str) -> Result<f64> {
        let (_, header) = SafeTensors::read_metadata(self.bytes).map_err(|e| refuse(self.path, e.to_string()))?;
        let value = header.metadata().as_ref().and_then(|map| map.get(key)?.parse::<f64>().ok());
        value.ok_or_else(|| refuse(self.path, format!("its metadata has no number `{key}`")))
    }
}

fn refuse(path: &Path, found: String) -> Error {
    Error::input(path, found, "give a points_NN.safetensors golden file")
}
