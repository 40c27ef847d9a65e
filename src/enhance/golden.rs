//! The response and the network against reference data.

use super::config::{Config, Normalize, Response, Sigma};
use super::weights::Weights;
use super::{Kernels, estimate, network};
use crate::capture::Image;
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use std::path::Path;

/// Tolerances: of responses by arithmetic, of those by logarithms and powers, and of the network, all absolute.
const ARITHMETIC: f64 = 1e-6;
const TRANSCENDENTAL: f64 = 1e-5;
const NETWORK: f64 = 2e-4;

/// Settings under which the outputs of an `enhance_*.safetensors` file were made, by tensor name, and the tolerance.
fn cases() -> [(&'static str, Config, f64); 4] {
    let published = Config::published();
    [
        ("naka", published.clone(), ARITHMETIC),
        ("naka_auto_sigma", Config { sigma: Sigma::Auto, ..published.clone() }, ARITHMETIC),
        (
            "naka_n074_percentile",
            Config { n: 0.74, sigma: Sigma::Value(0.03), normalize: Normalize::Percentile, ..published.clone() },
            TRANSCENDENTAL,
        ),
        ("log", Config { response: Response::Log, sigma: Sigma::Auto, ..published }, TRANSCENDENTAL),
    ]
}

/// Largest absolute error, and what it may be, of every output in an `enhance_*.safetensors` file (input `low_u8`
/// [H, W, 3]), computed by the kernels on `gpu`: responses [H, W, 3], and where a checkpoint of the same name ending in
/// `.pth` lies beside it the network's outputs [C, H, W]. Outputs that the file does not hold are left out.
///
/// # Errors
/// [`Error::Io`] and [`Error::Input`] for a file that is not such a file, and those of the device.
pub fn golden_check(gpu: &Gpu, path: &Path) -> Result<Vec<(String, f64, f64)>> {
    let data = std::fs::read(path).map_err(Error::io(path))?;
    let bad = |found: String| Error::input(path, found, "it must be an enhance_*.safetensors file of golden data");
    let file = SafeTensors::deserialize(&data).map_err(|e| bad(e.to_string()))?;
    let low = file.tensor("low_u8").map_err(|e| bad(e.to_string()))?;
    let image = input(&low).ok_or_else(|| bad("low_u8 is not a tensor of u8 [H, W, 3]".into()))?;
    let mut found = Vec::new();
    let kernels = Kernels::new(gpu)?;
    for (name, config, tolerance) in cases() {
        let lit = kernels.apply(&image, &estimate(&config, &image.pixels))?;
        found.push((name.to_string(), lit.pixels.into_flattened(), tolerance));
    }
    let checkpoint = path.with_extension("pth");
    if checkpoint.is_file() {
        let naka = kernels.apply(&image, &estimate(&Config::published(), &image.pixels))?;
        let outputs = network::golden::outputs(gpu, &Weights::read(&checkpoint)?, &image, &naka)?;
        found.extend(outputs.into_iter().map(|(name, values)| (name, values, NETWORK)));
    }
    let mut errors = Vec::new();
    for (name, values, tolerance) in found {
        let Ok(expected) = file.tensor(&name) else { continue };
        if expected.dtype() != Dtype::F32 || expected.data().len() != 4 * values.len() {
            return Err(bad(format!("{name} is not a tensor of f32 with {} values", values.len())));
        }
        let truth = expected.data().as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes));
        // A comparison that NaN cannot pass.
        let worst = values.iter().zip(truth).fold(0.0f64, |worst, (a, b)| {
            let error = f64::from((a - b).abs());
            if worst.is_nan() || error <= worst { worst } else { error }
        });
        errors.push((name, worst, tolerance));
    }
    Ok(errors)
}

fn input(tensor: &TensorView<'_>) -> Option<Image> {
    let &[height, width, 3] = tensor.shape() else { return None };
    if tensor.dtype() != Dtype::U8 {
        return None;
    }
    let pixels = tensor.data().as_chunks().0.iter().map(|p: &[u8; 3]| p.map(|v| f32::from(v) / 255.0)).collect();
    Some(Image { width: u32::try_from(width).ok()?, height: u32::try_from(height).ok()?, pixels })
}
