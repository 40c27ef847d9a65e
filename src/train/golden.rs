//! The kernels against reference data: renders, gradients and the training loss of small scenes.
//!
//! A file holds one view of one model with inputs and the outputs of an independent implementation in 64-bit floats.
//! Errors of images are absolute, errors of gradients relative to the tensor's largest entry; the 99.9th percentile
//! must be within the tolerance, since a pixel at a threshold (α = 1/255, T = 10⁻⁴) may fall on the other side.

use super::backward::Backward;
use super::loss::Loss;
use crate::capture::Camera;
use crate::error::{Error, Result};
use crate::gpu::{Buffer, Gpu, Recorder};
use crate::splat::{RenderSettings, Renderer, Splats, Style, TILE, Tensors, plane_len, tiles};
use glam::DMat4;
use safetensors::SafeTensors;
use serde::Serialize;
use std::collections::HashMap;
use std::path::Path;

/// Tolerance of images and losses, absolute.
const IMAGE_TOLERANCE: f64 = 1e-4;
/// Tolerance of gradients, relative to the largest entry.
const GRADIENT_TOLERANCE: f64 = 1e-3;

/// Weight of 1 − SSIM in the reference's loss.
const SSIM_WEIGHT: f32 = 0.2;

/// How far one tensor is from its reference.
#[derive(Clone, Debug, Serialize)]
pub struct Deviation {
    /// The tensor's name in the file.
    pub name: String,
    /// 99.9th percentile of the error.
    pub p999: f64,
    /// Largest error.
    pub max: f64,
    /// What `p999` may be at most.
    pub tolerance: f64,
}

impl Deviation {
    /// Whether the tensor is close enough (NaN is not).
    pub fn passes(&self) -> bool {
        self.p999 <= self.tolerance
    }

    /// Of `found` from `expected`: absolute (`relative` false) or relative to the largest expected entry.
    pub fn between(name: &str, found: &[f32], expected: &[f32], relative: bool) -> Self {
        let scale =
            if relative { expected.iter().fold(0.0f64, |m, v| m.max(f64::from(v.abs()))).max(1e-30) } else { 1.0 };
        let error = |(a, b): (&f32, &f32)| (f64::from(*a) - f64::from(*b)).abs() / scale;
        let mut errors: Vec<f64> = found.iter().zip(expected).map(error).collect();
        if found.len() != expected.len() || errors.iter().any(|e| e.is_nan()) {
            errors = vec![f64::NAN];
        }
        errors.sort_by(f64::total_cmp);
        let rank = (errors.len() as f64 * 0.999).ceil() as usize;
        Self {
            name: name.into(),
            p999: errors.get(rank.saturating_sub(1)).copied().unwrap_or(0.0),
            max: errors.last().copied().unwrap_or(0.0),
            tolerance: if relative { GRADIENT_TOLERANCE } else { IMAGE_TOLERANCE },
        }
    }
}

/// One golden file.
struct Golden {
    path: std::path::PathBuf,
    bytes: Vec<u8>,
    metadata: HashMap<String, String>,
}

impl Golden {
    fn open(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(Error::io(path))?;
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|e| {
            Error::input(path, format!("not a safetensors file ({e})"), "pass a folder of golden files")
        })?;
        let metadata = header.metadata().clone().unwrap_or_default();
        Ok(Self { path: path.into(), bytes, metadata })
    }

    fn tensor(&self, name: &str) -> Result<Vec<f32>> {
        let missing =
            |e: String| Error::input(&self.path, format!("tensor '{name}': {e}"), "the golden file is incomplete");
        let file = SafeTensors::deserialize(&self.bytes).map_err(|e| missing(e.to_string()))?;
        let tensor = file.tensor(name).map_err(|e| missing(e.to_string()))?;
        if tensor.dtype() != safetensors::Dtype::F32 {
            return Err(missing(format!("{:?} instead of F32", tensor.dtype())));
        }
        Ok(bytemuck::pod_collect_to_vec(tensor.data()))
    }

    fn rows<const N: usize>(&self, name: &str) -> Result<Vec<[f32; N]>> {
        Ok(self.tensor(name)?.as_chunks::<N>().0.to_vec())
    }

    fn value<T: std::str::FromStr>(&self, key: &str) -> Result<T> {
        let text = self.metadata.get(key).map_or("", String::as_str);
        text.parse().map_err(|_| {
            Error::input(&self.path, format!("metadata '{key}' is '{text}'"), "the golden file is incomplete")
        })
    }

    fn camera(&self) -> Result<Camera> {
        let view: Vec<f64> = self.tensor("view")?.into_iter().map(f64::from).collect();
        let rows: [f64; 16] = view
            .try_into()
            .map_err(|_| Error::input(&self.path, "'view' is not 4 × 4", "the golden file is incomplete"))?;
        Ok(Camera {
            width: self.value("width")?,
            height: self.value("height")?,
            fx: self.value("fx")?,
            fy: self.value("fy")?,
            cx: self.value("cx")?,
            cy: self.value("cy")?,
            viewmat: DMat4::from_cols_array(&rows).transpose(),
            reduction: 1.0,
        })
    }

    fn splats(&self) -> Result<Splats> {
        Ok(Splats {
            means: self.rows("means")?,
            quats: self.rows("quats")?,
            log_scales: self.rows("log_scales")?,
            logit_opacities: self.tensor("logit_opacities")?,
            sh: self.tensor("sh")?,
            sh_degree: 3,
        })
    }
}

/// Runs the model of `path` (a `splat_*.safetensors`) through the kernels of this adapter and compares every output.
///
/// # Errors
/// The file cannot be read, or the device fails.
pub fn golden_check(gpu: &Gpu, path: &Path) -> Result<Vec<Deviation>> {
    check(gpu, path, false)
}

fn check(gpu: &Gpu, path: &Path, deterministic: bool) -> Result<Vec<Deviation>> {
    let golden = Golden::open(path)?;
    let (camera, splats) = (golden.camera()?, golden.splats()?);
    let background = golden.tensor("background")?;
    let settings = RenderSettings {
        background: [background[0], background[1], background[2]],
        sh_degree: golden.value("sh_degree")?,
        antialiased: golden.value("antialiased")?,
        style: Style::default(),
    };
    let size = [camera.width, camera.height];
    let model = Tensors::from_splats(gpu, &splats, 0)?;
    let renderer = if deterministic { Renderer::deterministic(gpu)? } else { Renderer::new(gpu)? };
    let mut work = None;
    let rendered = renderer.render_image(gpu, &model, &camera, &settings, &mut work)?;
    let work = work.ok_or_else(|| Error::Gpu("the render left no workspace".into()))?;
    let absolute =
        |name: &str, found: &[f32]| Ok::<_, Error>(Deviation::between(name, found, &golden.tensor(name)?, false));
    let mut found = vec![
        absolute("image", rendered.image.pixels.as_flattened())?,
        absolute("alpha", &rendered.alpha)?,
        absolute("depth", &rendered.depth)?,
    ];

    let backward = if deterministic { Backward::deterministic(gpu)? } else { Backward::new(gpu)? };
    let gradients = backward.gradients(gpu, splats.len(), 3)?;
    let mut compare = |prefix: &str, v_image: &Buffer<f32>| -> Result<()> {
        let mut recorder = Recorder::new(gpu);
        backward.record(&mut recorder, &model, size, &work, v_image, &gradients);
        recorder.submit();
        let v = gradients.parameters.to_splats(gpu)?;
        let parts: [(&str, &[f32]); 5] = [
            ("means", v.means.as_flattened()),
            ("quats", v.quats.as_flattened()),
            ("log_scales", v.log_scales.as_flattened()),
            ("logit_opacities", &v.logit_opacities),
            ("sh", &v.sh),
        ];
        for (part, values) in parts {
            let name = format!("{prefix}.{part}");
            found.push(Deviation::between(&name, values, &golden.tensor(&name)?, true));
        }
        Ok(())
    };
    let mut cotangent = planes(&golden.tensor("image_cotangent")?, 3, size);
    cotangent.extend(planes(&golden.tensor("alpha_cotangent")?, 1, size));
    compare("grad_linear", &gpu.upload("cotangent", &cotangent)?)?;

    let loss = Loss::with_float_targets(gpu)?;
    let scratch = loss.scratch(gpu, camera.width, camera.height, SSIM_WEIGHT)?;
    let v_image = gpu.buffer("image gradient", 4 * plane_len(camera.width, camera.height))?;
    let target = gpu.upload("target", &planes(&golden.tensor("target")?, 3, size))?;
    let mut recorder = Recorder::new(gpu);
    loss.record(&mut recorder, &scratch, &work.image, &target, &v_image);
    recorder.submit();
    compare("grad_loss", &v_image)?;
    let totals = gpu.read(scratch.totals())?;
    let [l1, ssim] = [f32::from_bits(totals[0]), f32::from_bits(totals[1])];
    let value = (1.0 - SSIM_WEIGHT) * l1 + SSIM_WEIGHT * (1.0 - ssim);
    for (name, value) in [("l1", l1), ("ssim", ssim), ("loss", value)] {
        found.push(Deviation::between(name, &[value], &golden.tensor(name)?, false));
    }
    let v_image = unpad(&gpu.read(&v_image)?, size);
    found.push(Deviation::between("grad_loss.image", &v_image, &golden.tensor("grad_loss.image")?, true));
    Ok(found)
}

/// The first three padded planes as row-major `[H, W, 3]`: the inverse of [`planes`].
fn unpad(values: &[f32], [width, height]: [u32; 2]) -> Vec<f32> {
    let (pitch, plane) = (tiles(width, height)[0] * TILE, plane_len(width, height));
    let pixels = (0..height).flat_map(|y| (0..width).map(move |x| (y * pitch + x) as usize));
    pixels.flat_map(|at| [values[at], values[plane + at], values[2 * plane + at]]).collect()
}

/// Row-major `[H, W, channels]` values as padded planes, the layout of images in device memory.
fn planes(values: &[f32], channels: usize, [width, height]: [u32; 2]) -> Vec<f32> {
    let (pitch, plane) = ((tiles(width, height)[0] * TILE) as usize, plane_len(width, height));
    let mut out = vec![0.0; channels * plane];
    for (i, value) in values.iter().enumerate() {
        let (pixel, channel) = (i / channels, i % channels);
        let (x, y) = (pixel % width as usize, pixel / width as usize);
        out[channel * plane + y * pitch + x] = *value;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::{Choice, Mask};

    fn check_all(mask: Mask, deterministic: bool) {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/golden");
        let Ok(entries) = std::fs::read_dir(&dir) else {
            eprintln!("skipped: no golden data at {}", dir.display());
            return;
        };
        let gpu = Gpu::open(&Choice::Best, mask).unwrap();
        let mut files: Vec<_> = entries.map(|e| e.unwrap().path()).collect();
        files.retain(|p| p.file_name().unwrap().to_string_lossy().starts_with("splat_"));
        files.sort();
        for file in files {
            for deviation in check(&gpu, &file, deterministic).unwrap() {
                eprintln!("{} {deviation:?}", file.display());
                assert!(deviation.passes(), "{}: {deviation:?}", file.display());
            }
        }
    }

    #[test]
    fn goldens_with_every_feature() {
        check_all(Mask::default(), false);
    }

    #[test]
    fn goldens_without_optional_features() {
        check_all(Mask::ALL, false);
    }

    #[test]
    fn goldens_of_a_deterministic_training() {
        check_all(Mask::default(), true);
        check_all(Mask::ALL, true);
    }
}
