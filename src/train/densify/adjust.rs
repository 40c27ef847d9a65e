//! Small changes that are recorded with a training step: opacity reset, regularizers, jitter.

use super::rebuild::seed_words;
use crate::error::Result;
use crate::gpu::{Buffer, Gpu, Kernel, Recorder, WORKGROUP};
use crate::splat::Tensors;

/// Opacity that a reset leaves at most.
const RESET_OPACITY: f32 = 0.01;

/// Opacity above which jitter fades, and how sharply.
const NOISE_OPACITY: f32 = 0.005;
const NOISE_SHARPNESS: f32 = 100.0;

/// `shaders/train/densify_noise.wgsl`.
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
struct Noise {
    seed: [u32; 2],
    count: u32,
    step: u32,
    strength: f32,
    padding: [u32; 3],
}

/// `shaders/train/densify_regularize.wgsl`.
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
struct Weights {
    count: u32,
    opacity: f32,
    scale: f32,
    padding: u32,
}

/// The kernels and their settings.
pub(super) struct Adjust {
    reset: Kernel,
    regularize: Kernel,
    weights: Buffer<Weights>,
    jitter: Kernel,
    noise: Buffer<Noise>,
}

impl Adjust {
    pub(super) fn new(gpu: &Gpu) -> Result<Self> {
        let reset_logit = format!("{:?}", (RESET_OPACITY / (1.0 - RESET_OPACITY)).ln());
        let (opacity, sharpness) = (format!("{NOISE_OPACITY:?}"), format!("{NOISE_SHARPNESS:?}"));
        let gate = [("NOISE_OPACITY", opacity.as_str()), ("NOISE_SHARPNESS", sharpness.as_str())];
        Ok(Self {
            reset: gpu.kernel("train/densify_reset", &[("RESET_LOGIT", &reset_logit)])?,
            regularize: gpu.kernel("train/densify_regularize", &[])?,
            weights: gpu.buffer("regularizer weights", 1)?,
            jitter: gpu.kernel("train/densify_noise", &gate)?,
            noise: gpu.buffer("noise settings", 1)?,
        })
    }

    pub(super) fn record_reset(&self, recorder: &mut Recorder<'_>, params: &Tensors, m: &Tensors, v: &Tensors) {
        let bindings = [params, m, v].map(|tensors| tensors.logit_opacities.binding());
        recorder.dispatch(&self.reset, &bindings, (params.count as u32).div_ceil(WORKGROUP));
    }

    pub(super) fn record_regularizers(
        &self,
        gpu: &Gpu,
        recorder: &mut Recorder<'_>,
        params: &Tensors,
        gradients: &Tensors,
        opacity_weight: f32,
        scale_weight: f32,
    ) {
        let splats = params.count.max(1) as f32;
        let weights = Weights {
            count: params.count as u32,
            opacity: opacity_weight / splats,
            scale: scale_weight / (3.0 * splats),
            padding: 0,
        };
        self.weights.write(gpu, 0, &[weights]);
        let bindings = [
            self.weights.binding(),
            params.logit_opacities.binding(),
            params.log_scales.binding(),
            gradients.logit_opacities.binding(),
            gradients.log_scales.binding(),
        ];
        recorder.dispatch(&self.regularize, &bindings, weights.count.div_ceil(WORKGROUP));
    }

    pub(super) fn record_noise(
        &self,
        gpu: &Gpu,
        recorder: &mut Recorder<'_>,
        params: &Tensors,
        strength: f32,
        step: u32,
        seed: u64,
    ) {
        let noise = Noise { seed: seed_words(seed), count: params.count as u32, step, strength, padding: [0; 3] };
        self.noise.write(gpu, 0, &[noise]);
        let bindings = [
            self.noise.binding(),
            params.quats.binding(),
            params.log_scales.binding(),
            params.logit_opacities.binding(),
            params.means.binding(),
        ];
        recorder.dispatch(&self.jitter, &bindings, noise.count.div_ceil(WORKGROUP));
    }
}
