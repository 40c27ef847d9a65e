//! The program's own kernels against golden files: the check that a driver computes what it should.

use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::{enhance, ppm, prior, train};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What was found in one file.
#[derive(Clone, Debug, Serialize)]
pub struct GoldenReport {
    /// The file's name.
    pub file: String,
    /// Whether everything is within its tolerance.
    pub pass: bool,
    /// Error of each quantity that is compared with its tolerance: of images absolute, of gradients relative to the
    /// tensor's largest entry, both at the 99.9th percentile where there are enough values.
    pub errors: BTreeMap<String, f64>,
    /// Largest error of each quantity.
    pub max_errors: BTreeMap<String, f64>,
    /// What `errors` may be at most.
    pub tolerances: BTreeMap<String, f64>,
}

/// The golden files in `folder` that this program can check, by name.
///
/// # Errors
/// A folder that cannot be read or holds none.
pub fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).map_err(Error::io(folder))?;
    let paths = entries.map(|entry| entry.map(|e| e.path())).collect::<std::io::Result<Vec<_>>>();
    let mut paths = paths.map_err(Error::io(folder))?;
    paths.retain(|path| path.extension().is_some_and(|e| e == "safetensors") && kind(path).is_some());
    paths.sort();
    if paths.is_empty() {
        let remedy = "pass a folder with splat_*.safetensors, enhance_*.safetensors or points_*.safetensors";
        return Err(Error::input(folder, "holds no golden files", remedy));
    }
    Ok(paths)
}

/// Compares one file.
///
/// # Errors
/// A file that is no such file, or a failing device.
pub fn check(gpu: &Gpu, path: &Path) -> Result<GoldenReport> {
    let rows: Vec<(String, f64, f64, f64)> = match kind(path) {
        Some(Kind::Splat) => {
            let found = train::golden_check(gpu, path)?;
            found.into_iter().map(|d| (d.name, d.p999, d.max, d.tolerance)).collect()
        }
        Some(Kind::Enhance) => {
            let found = enhance::golden_check(gpu, path)?;
            found.into_iter().map(|(name, worst, tolerance)| (name, worst, worst, tolerance)).collect()
        }
        Some(Kind::Points) => {
            let found = ppm::golden_check(path)?.into_iter().chain(prior::golden_check(path)?);
            found.map(|(name, worst, tolerance)| (name, worst, worst, tolerance)).collect()
        }
        None => {
            return Err(Error::input(path, "is no golden file", "its name starts with splat_, enhance_ or points_"));
        }
    };
    gpu.check()?;
    let file = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    // A comparison that NaN cannot pass.
    let pass = !rows.is_empty() && rows.iter().all(|(_, error, _, tolerance)| error <= tolerance);
    let mut report =
        GoldenReport { file, pass, errors: BTreeMap::new(), max_errors: BTreeMap::new(), tolerances: BTreeMap::new() };
    for (name, error, max, tolerance) in rows {
        report.errors.insert(name.clone(), error);
        report.max_errors.insert(name.clone(), max);
        report.tolerances.insert(name, tolerance);
    }
    Ok(report)
}

enum Kind {
    Splat,
    Enhance,
    Points,
}

fn kind(path: &Path) -> Option<Kind> {
    let name = path.file_name()?.to_str()?;
    match name.split('_').next()? {
        "splat" => Some(Kind::Splat),
        "enhance" => Some(Kind::Enhance),
        "points" => Some(Kind::Points),
        _ => None,
    }
}
