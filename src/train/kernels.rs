//! All kernels of a training, compiled on all cores in parallel.

use super::adam::Adam;
use super::backward::{Backward, GradientOptions};
use super::config::Config;
use super::densify::{Densifier, Strategy};
use super::loss::Loss;
use super::scale_floor::ScaleFloor;
use super::soundness::Soundness;
use crate::capture::Camera;
use crate::error::Result;
use crate::gpu::Gpu;
use crate::splat::Renderer;

/// The parts of a step.
pub(super) struct Kernels {
    pub renderer: Renderer,
    pub backward: Backward,
    pub loss: Loss,
    pub adam: Adam,
    pub densifier: Densifier,
    /// Where splats have a smallest size.
    pub floor: Option<ScaleFloor>,
    pub soundness: Soundness,
}

impl Kernels {
    /// For a training with `config` from `cameras`, whose photographs may be `masked`.
    ///
    /// # Errors
    /// A kernel does not compile.
    pub fn new(gpu: &Gpu, config: &Config, cameras: &[Camera], masked: bool) -> Result<Self> {
        let fixed = config.deterministic;
        let gradients = GradientOptions { deterministic: fixed, absgrad: config.densify.strategy == Strategy::Gradual };
        let floor =
            || (config.scale_floor > 0.0).then(|| ScaleFloor::new(gpu, cameras, config.scale_floor)).transpose();
        let ((renderer, backward), (densifier, (loss, (adam, (floor, soundness))))) = rayon::join(
            || {
                rayon::join(
                    || if fixed { Renderer::deterministic(gpu) } else { Renderer::new(gpu) },
                    || Backward::with(gpu, gradients),
                )
            },
            || {
                rayon::join(
                    || Densifier::new(gpu, &config.densify),
                    || rayon::join(|| Loss::new(gpu, masked), || (Adam::new(gpu), (floor(), Soundness::new(gpu)))),
                )
            },
        );
        Ok(Self {
            renderer: renderer?,
            backward: backward?,
            loss: loss?,
            adam: adam?,
            densifier: densifier?,
            floor: floor?,
            soundness: soundness?,
        })
    }
}
