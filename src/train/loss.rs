//! The training loss (1 − λ)·L1 + λ·(1 − SSIM) and its gradient (NAKA-GS §3; 3DGS, Kerbl et al. 2023, §5).
//!
//! SSIM (Wang et al. 2004) has a Gaussian window of 11 × 11 pixels, σ = 1.5, and is averaged over the windows that lie
//! inside the image. One kernel makes SSIM and its derivatives by the local moments, one takes them back to the image; both
//! blur down the columns in registers and then along the rows (`shaders/common/ssim_window.wgsl`). In between lie nine
//! floats a pixel.

pub(crate) mod reference;

use crate::error::Result;
use crate::gpu::{Buffer, Gpu, Kernel, Recorder};
use crate::splat::{TILE, plane_len, raster_switches, tiles};
use bytemuck::{Pod, Zeroable};

const CHANNELS: u32 = 3;
/// Pixels from the center of a window to its border.
const MARGIN: u32 = 5;
/// Columns that a workgroup makes (`LINE_OUTPUTS` in `shaders/common/ssim_window.wgsl`).
const LINE: u32 = 54;
const SIGMA: f64 = 1.5;

/// Twin of `Layout` in `shaders/common/ssim_window.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Layout {
    width: u32,
    height: u32,
    pitch: u32,
    rows: u32,
    l1_scale: f32,
    ssim_scale: f32,
    lines: u32,
    lines_back: u32,
}

/// The kernels of the loss.
pub struct Loss {
    forward: Kernel,
    backward: Kernel,
    total: Kernel,
    /// Rows that a workgroup makes.
    strip: u32,
}

/// Maps in between, for one image size.
pub struct LossScratch {
    layout: Buffer<Layout>,
    means: Buffer<[f32; 4]>,
    /// Workgroups of the forward and of the backward kernel.
    groups: [u32; 2],
    /// Nine planes: derivatives of SSIM.
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

/// Floats of the partial derivatives of SSIM, the longest buffer of a training on pictures of this size.
pub(super) fn partials_len(width: u32, height: u32) -> usize {
    3 * CHANNELS as usize * plane_len(width, height)
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
        // Tall strips load fewer rows twice, short ones keep more threads busy.
        let strip = if gpu.tall() { 64 } else { 16 };
        let (weights, strip_text) = (window_weights().map(|weight| format!("{weight:.9}")), format!("{strip}u"));
        let names = ["W0", "W1", "W2", "W3", "W4", "W5"];
        let mut all: Vec<_> = names.into_iter().zip(weights.iter().map(String::as_str)).collect();
        all.push(("STRIP", &strip_text));
        all.extend(defines);
        let all = raster_switches(gpu, &all);
        Ok(Self {
            forward: gpu.kernel("train/ssim", &all)?,
            backward: gpu.kernel("train/ssim_backward", &all)?,
            total: gpu.kernel("train/loss_total", &[])?,
            strip,
        })
    }

    /// Scratch space for images of `width` × `height` (at least 1 × 1); `ssim_weight` is λ. Images of less than 11
    /// pixels a side have no window: their SSIM counts as 0 and has no gradient.
    ///
    /// # Errors
    /// [`crate::Error::OutOfMemory`] where nine floats a pixel don't fit.
    pub fn scratch(&self, gpu: &Gpu, width: u32, height: u32, ssim_weight: f32) -> Result<LossScratch> {
        let [pitch, rows] = tiles(width, height).map(|side| side * TILE);
        let inside = |side: u32| side.saturating_sub(2 * MARGIN);
        let values = (CHANNELS * width * height) as f32;
        let windows = (CHANNELS * inside(width) * inside(height)).max(1) as f32;
        let [lines, lines_back] = [inside(width), pitch].map(|columns| columns.div_ceil(LINE));
        let strips = [inside(height), rows].map(|rows| rows.div_ceil(self.strip));
        let groups = [CHANNELS * lines * strips[0], CHANNELS * lines_back * strips[1]];
        let layout = Layout {
            width,
            height,
            pitch,
            rows,
            l1_scale: (1.0 - ssim_weight) / values,
            ssim_scale: -ssim_weight / windows,
            lines,
            lines_back,
        };
        Ok(LossScratch {
            layout: gpu.upload("loss layout", &[layout])?,
            means: gpu.upload("loss means", &[[1.0 / values, 1.0 / windows, 0.0, 0.0]])?,
            groups,
            partials: gpu.buffer("SSIM partials", partials_len(width, height))?,
            l1_sums: gpu.buffer("L1 sums", groups[1] as usize)?,
            ssim_sums: gpu.buffer("SSIM sums", groups[0] as usize)?,
            totals: gpu.buffer("loss", 2)?,
        })
    }

    /// Records the loss of `rendered` (planes, see [`plane_len`]) against `target` and its gradient with respect to red,
    /// green, blue and alpha (which is 0) into `v_image`. `target` is RGBA in 8 bits, a word a pixel, rows as long as the
    /// rendered image's padded ones (or planes of floats, [`Loss::with_float_targets`]).
    pub fn record<T: Pod>(
        &self,
        recorder: &mut Recorder<'_>,
        scratch: &LossScratch,
        rendered: &Buffer<f32>,
        target: &Buffer<T>,
        v_image: &Buffer<f32>,
    ) {
        let (layout, partials) = (scratch.layout.binding(), scratch.partials.binding());
        let (rendered, target, v_image) = (rendered.binding(), target.binding(), v_image.binding());
        let (l1_sums, ssim_sums) = (scratch.l1_sums.binding(), scratch.ssim_sums.binding());
        let [forward, backward] = scratch.groups;
        let bindings = [layout.clone(), rendered.clone(), target.clone(), partials.clone(), ssim_sums.clone()];
        recorder.dispatch(&self.forward, &bindings, forward);
        let bindings = [layout, partials, rendered, target, v_image, l1_sums.clone()];
        recorder.dispatch(&self.backward, &bindings, backward);
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
