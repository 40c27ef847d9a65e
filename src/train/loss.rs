//! The training loss (1 − λ)·L1 + λ·(1 − SSIM) and its gradient (NAKA-GS §3; 3DGS, Kerbl et al. 2023, §5).
//!
//! SSIM (Wang et al. 2004) has a Gaussian window of 11 × 11 pixels, σ = 1.5, and is averaged over the windows that lie
//! inside the image. Windows are separable, so four passes a channel do it: rows and columns forward to SSIM and its
//! derivatives, rows and columns back to the image. Channels go one after the other in the same scratch space (seven
//! floats a pixel).

use crate::error::Result;
use crate::gpu::{Buffer, Gpu, Kernel, Recorder};
use crate::splat::{TILE, plane_len, tiles};
use bytemuck::{Pod, Zeroable};

const WORKGROUP: u32 = 64;
/// Pixels that an invocation makes.
const RUN: u32 = 8;
const CHANNELS: u32 = 3;
/// Pixels from the center of a window to its border.
const MARGIN: u32 = 5;
const SIGMA: f64 = 1.5;

/// Twin of `Channel` in `shaders/common/ssim_window.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Channel {
    width: u32,
    height: u32,
    pitch: u32,
    rows: u32,
    channel: u32,
    l1_scale: f32,
    ssim_scale: f32,
    groups: u32,
}

/// The kernels of the loss.
pub struct Loss {
    rows: Kernel,
    columns: Kernel,
    rows_backward: Kernel,
    columns_backward: Kernel,
    total: Kernel,
}

/// Maps in between, for one image size.
pub struct LossScratch {
    channels: Vec<Buffer<Channel>>,
    means: Buffer<[f32; 4]>,
    /// Workgroups of a kernel that makes one plane.
    groups: u32,
    /// Four planes: moments, then the blurred derivatives.
    moments: Buffer<f32>,
    /// Three planes: derivatives of SSIM.
    partials: Buffer<f32>,
    l1_sums: Buffer<f32>,
    ssim_sums: Buffer<f32>,
    totals: Buffer<u32>,
}

impl LossScratch {
    /// Mean L1 and mean SSIM of the last image, as the bits of two `f32`.
    pub fn totals(&self) -> &Buffer<u32> {
        &self.totals
    }
}

impl Loss {
    /// Compiles the kernels for packed 8-bit targets. `masked`: the fourth byte is how much the pixel counts, and the
    /// other three are multiplied by it; the rendered image is, too, before it is compared, so that what is hidden has no
    /// loss and no gradient.
    pub fn new(gpu: &Gpu, masked: bool) -> Result<Self> {
        Self::with_defines(gpu, if masked { &[("MASKED", "true")] } else { &[] })
    }

    /// Compiles the kernels for targets that are planes of floats like the rendered image.
    pub fn with_float_targets(gpu: &Gpu) -> Result<Self> {
        Self::with_defines(gpu, &[("FLOAT_TARGET", "true")])
    }

    fn with_defines(gpu: &Gpu, defines: &[(&str, &str)]) -> Result<Self> {
        let weights = window_weights().map(|weight| format!("{weight:.9}"));
        let names = ["W0", "W1", "W2", "W3", "W4", "W5"];
        let window: Vec<_> = names.into_iter().zip(weights.iter().map(String::as_str)).collect();
        let of_target: Vec<_> = window.iter().chain(defines).copied().collect();
        Ok(Self {
            rows: gpu.kernel("train/ssim_rows", &of_target)?,
            columns: gpu.kernel("train/ssim_columns", &window)?,
            rows_backward: gpu.kernel("train/ssim_rows_backward", &window)?,
            columns_backward: gpu.kernel("train/ssim_columns_backward", &of_target)?,
            total: gpu.kernel("train/loss_total", &[])?,
        })
    }

    /// Scratch space for images of `width` × `height` (at least 1 × 1); `ssim_weight` is λ. Images of less than 11
    /// pixels a side have no window: their SSIM counts as 0 and has no gradient.
    ///
    /// # Errors
    /// [`crate::Error::OutOfMemory`] where seven floats a pixel don't fit.
    pub fn scratch(&self, gpu: &Gpu, width: u32, height: u32, ssim_weight: f32) -> Result<LossScratch> {
        let [pitch, rows] = tiles(width, height).map(|side| side * TILE);
        let plane = plane_len(width, height);
        let groups = (pitch * rows).div_ceil(WORKGROUP * RUN);
        let inside = |side: u32| side.saturating_sub(2 * MARGIN);
        let values = (CHANNELS * width * height) as f32;
        let windows = (CHANNELS * inside(width) * inside(height)).max(1) as f32;
        let channel = |channel| Channel {
            width,
            height,
            pitch,
            rows,
            channel,
            l1_scale: (1.0 - ssim_weight) / values,
            ssim_scale: -ssim_weight / windows,
            groups,
        };
        let sums = (CHANNELS * groups) as usize;
        Ok(LossScratch {
            channels: (0..CHANNELS).map(|c| gpu.upload("loss channel", &[channel(c)])).collect::<Result<_>>()?,
            means: gpu.upload("loss means", &[[1.0 / values, 1.0 / windows, 0.0, 0.0]])?,
            groups,
            moments: gpu.buffer("SSIM moments", 4 * plane)?,
            partials: gpu.buffer("SSIM partials", 3 * plane)?,
            l1_sums: gpu.buffer("L1 sums", sums)?,
            ssim_sums: gpu.buffer("SSIM sums", sums)?,
            totals: gpu.buffer("loss", 2)?,
        })
    }

    /// Records the loss of `rendered` (planes, see [`plane_len`]) against `target` and its gradient with respect to
    /// the first three planes into `v_image`. `target` is RGBA in 8 bits, a word a pixel, rows as long as the rendered
    /// image's padded ones (or planes of floats, [`Loss::with_float_targets`]).
    pub fn record<T: Pod>(
        &self,
        recorder: &mut Recorder<'_>,
        scratch: &LossScratch,
        rendered: &Buffer<f32>,
        target: &Buffer<T>,
        v_image: &Buffer<f32>,
    ) {
        let (moments, partials) = (scratch.moments.binding(), scratch.partials.binding());
        let (rendered, target, v_image) = (rendered.binding(), target.binding(), v_image.binding());
        let (l1_sums, ssim_sums) = (scratch.l1_sums.binding(), scratch.ssim_sums.binding());
        let groups = scratch.groups;
        for channel in &scratch.channels {
            let info = channel.binding();
            let bindings = [info.clone(), rendered.clone(), target.clone(), moments.clone()];
            recorder.dispatch(&self.rows, &bindings, groups);
            let bindings = [info.clone(), moments.clone(), partials.clone(), ssim_sums.clone()];
            recorder.dispatch(&self.columns, &bindings, groups);
            let bindings = [info.clone(), partials.clone(), moments.clone()];
            recorder.dispatch(&self.rows_backward, &bindings, 3 * groups);
            let bindings = [info, moments.clone(), rendered.clone(), target.clone(), v_image.clone(), l1_sums.clone()];
            recorder.dispatch(&self.columns_backward, &bindings, groups);
        }
        let bindings = [scratch.means.binding(), l1_sums, ssim_sums, scratch.totals.binding()];
        recorder.dispatch(&self.total, &bindings, 1);
    }
}

/// The outer half of the normalized Gaussian window, outermost weight first, center last.
fn window_weights() -> [f64; 6] {
    let gauss = |d: f64| (-0.5 * (d / SIGMA).powi(2)).exp();
    let total: f64 = (-5..=5).map(|d| gauss(f64::from(d))).sum();
    std::array::from_fn(|i| gauss(5.0 - i as f64) / total)
}

#[cfg(test)]
mod tests;
