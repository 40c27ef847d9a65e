//! The response against reference data.

use super::config::{Config, Normalize, Response, Sigma};
use super::{Kernels, estimate};
use crate::capture::Image;
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use std::path::Path;

/// Settings under which the outputs of an `enhance_*.safetensors` file were made, by tensor name.
fn cases() -> [(&'static str, Config); 4] {
    let published = Config::published();
    [
        ("naka", published.clone()),
        ("naka_auto_sigma", Config { sigma: Sigma::Auto, ..published.clone() }),
        (
            "naka_n074_percentile",
            Config { n: 0.74, sigma: Sigma::Value(0.03), normalize: Normalize::Percentile, ..published.clone() },
        ),
        ("log", Config { response: Response::Log, sigma: Sigma::Auto, ..published }),
    ]
}

/// Largest absolute error of every response in an `enhance_*.safetensors` file (input `low_u8` [H, W, 3], outputs of
/// the same shape), computed by the kernels on `gpu`. Outputs that the file does not hold are left out.
///
/// # Errors
/// [`Error::Io`] and [`Error::Input`] for a file that is not such a file, and those of the device.
pub fn golden_check(gpu: &Gpu, path: &Path) -> Result<Vec<(String, f64)>> {
    let data = std::fs::read(path).map_err(Error::io(path))?;
    let bad = |found: String| Error::input(path, found, "it must be an enhance_*.safetensors file of golden data");
    let file = SafeTensors::deserialize(&data).map_err(|e| bad(e.to_string()))?;
    let low = file.tensor("low_u8").map_err(|e| bad(e.to_string()))?;
    let image = input(&low).ok_or_else(|| bad("low_u8 is not a tensor of u8 [H, W, 3]".into()))?;
    let kernels = Kernels::new(gpu)?;
    let mut errors = Vec::new();
    for (name, config) in cases() {
        let Ok(expected) = file.tensor(name) else { continue };
        if expected.dtype() != Dtype::F32 || expected.shape() != low.shape() {
            return Err(bad(format!("{name} is not a tensor of f32 in the shape of low_u8")));
        }
        let found = kernels.apply(&image, &estimate(&config, &image.pixels))?;
        let truth = expected.data().as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes));
        // A comparison that NaN cannot pass.
        let worst = found.pixels.iter().flatten().zip(truth).fold(0.0f64, |worst, (a, b)| {
            let error = f64::from((a - b).abs());
            if worst.is_nan() || error <= worst { worst } else { error }
        });
        errors.push((name.to_string(), worst));
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
