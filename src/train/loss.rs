//! The training loss (1 − λ)·L1 + λ·(1 − SSIM) and its gradient (3DGS §5; SSIM of Wang et al. 2004, windows of 11 × 11
//! with σ = 1.5, averaged over the windows that lie inside the image).
//!
//! Four kernels a channel: moments along rows, along columns with the partial derivatives, and back the same way.
//! Channels go one after the other, so that the maps in between stay small.

use crate::error::Result;
use crate::gpu::{Buffer, Gpu, Kernel, Recorder};
use crate::splat::{plane_len, tiles};
use bytemuck::{Pod, Zeroable};

const WORKGROUP: u32 = 64;
const CHANNELS: u32 = 3;

/// Twin of `Size` in `shaders/common/loss_size.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Size {
    width: u32,
    height: u32,
    quads: u32,
    rows: u32,
    channel: u32,
    l1_weight: f32,
    ssim_weight: f32,
    padding: u32,
}

/// The kernels of the loss.
pub struct Loss {
    rows: Kernel,
    columns: Kernel,
    backward_rows: Kernel,
    gradient: Kernel,
    total: Kernel,
}

/// Maps in between, for one image size.
pub struct LossScratch {
    quads: u32,
    rows: u32,
    height: u32,
    sizes: Vec<Buffer<Size>>,
    scales: Buffer<[f32; 4]>,
    moments: Buffer<f32>,
    partials: Buffer<f32>,
    l1_sums: Vec<Buffer<f32>>,
    ssim_sums: Vec<Buffer<f32>>,
    all_l1: Buffer<f32>,
    all_ssim: Buffer<f32>,
    groups: u32,
    totals: Buffer<u32>,
}

impl LossScratch {
    /// Mean L1 and mean SSIM of the last image, as the bits of two `f32`.
    pub fn totals(&self) -> &Buffer<u32> {
        &self.totals
    }
}

impl Loss {
    /// Compiles the kernels for packed 8-bit targets.
    pub fn new(gpu: &Gpu) -> Result<Self> {
        Self::with_defines(gpu, &[])
    }

    /// Compiles the kernels for targets that are planes of floats like the rendered image.
    pub fn with_float_targets(gpu: &Gpu) -> Result<Self> {
        Self::with_defines(gpu, &[("FLOAT_TARGET", "true")])
    }

    fn with_defines(gpu: &Gpu, defines: &[(&str, &str)]) -> Result<Self> {
        Ok(Self {
            rows: gpu.kernel("train/ssim_rows", defines)?,
            columns: gpu.kernel("train/ssim_columns", &[])?,
            backward_rows: gpu.kernel("train/ssim_backward_rows", &[])?,
            gradient: gpu.kernel("train/loss_gradient", defines)?,
            total: gpu.kernel("train/loss_total", &[])?,
        })
    }

    /// Scratch space for images of `width` × `height`; `ssim_weight` is λ. Images of less than 11 pixels a side have
    /// no window: their SSIM counts as 0 and has no gradient.
    pub fn scratch(&self, gpu: &Gpu, width: u32, height: u32, ssim_weight: f32) -> Result<LossScratch> {
        let [tiles_x, tiles_y] = tiles(width, height);
        let (quads, rows, plane) = (tiles_x * 4, tiles_y * 16, plane_len(width, height));
        let values = (CHANNELS * width * height) as f32;
        let windows = (CHANNELS * width.saturating_sub(10) * height.saturating_sub(10)).max(1) as f32;
        let size = |channel| Size {
            width,
            height,
            quads,
            rows,
            channel,
            l1_weight: (1.0 - ssim_weight) / values,
            ssim_weight: -ssim_weight / windows,
            padding: 0,
        };
        let groups = (quads * rows / 4).div_ceil(WORKGROUP);
        let sums = |what: &str| (0..CHANNELS).map(|_| gpu.buffer(what, groups as usize)).collect::<Result<Vec<_>>>();
        Ok(LossScratch {
            quads,
            rows,
            height,
            sizes: (0..CHANNELS).map(|c| gpu.upload("loss size", &[size(c)])).collect::<Result<_>>()?,
            scales: gpu.upload("loss scales", &[[1.0 / values, 1.0 / windows, 0.0, 0.0]])?,
            moments: gpu.buffer("SSIM moments", 4 * plane)?,
            partials: gpu.buffer("SSIM partials", 3 * plane)?,
            l1_sums: sums("L1 sums")?,
            ssim_sums: sums("SSIM sums")?,
            all_l1: gpu.buffer("all L1 sums", (CHANNELS * groups) as usize)?,
            all_ssim: gpu.buffer("all SSIM sums", (CHANNELS * groups) as usize)?,
            groups,
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
        let per_quad = |rows: u32| (scratch.quads * rows).div_ceil(WORKGROUP);
        let (moments, partials) = (&scratch.moments, &scratch.partials);
        for channel in 0..CHANNELS as usize {
            let size = &scratch.sizes[channel];
            let bindings = [size.binding(), rendered.binding(), target.binding(), moments.binding()];
            recorder.dispatch(&self.rows, &bindings, per_quad(scratch.height));
            let sums = &scratch.ssim_sums[channel];
            let bindings = [size.binding(), moments.binding(), partials.binding(), sums.binding()];
            recorder.dispatch(&self.columns, &bindings, scratch.groups);
            let bindings = [size.binding(), partials.binding(), moments.binding()];
            recorder.dispatch(&self.backward_rows, &bindings, per_quad(scratch.rows));
            let sums = &scratch.l1_sums[channel];
            let bindings = [
                size.binding(),
                rendered.binding(),
                target.binding(),
                moments.binding(),
                v_image.binding(),
                sums.binding(),
            ];
            recorder.dispatch(&self.gradient, &bindings, scratch.groups);
            let (at, count) = (channel * scratch.groups as usize, scratch.groups as usize);
            recorder.copy(&scratch.l1_sums[channel], 0, &scratch.all_l1, at, count);
            recorder.copy(&scratch.ssim_sums[channel], 0, &scratch.all_ssim, at, count);
        }
        let bindings =
            [scratch.scales.binding(), scratch.all_l1.binding(), scratch.all_ssim.binding(), scratch.totals.binding()];
        recorder.dispatch(&self.total, &bindings, 1);
    }
}

#[cfg(test)]
mod tests;
