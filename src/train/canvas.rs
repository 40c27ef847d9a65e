//! Buffers of a training step that depend on the size of the image.

use super::loss::{Loss, LossScratch};
use crate::capture::Camera;
use crate::error::Result;
use crate::gpu::{Buffer, Gpu};
use crate::splat::{Workspace, plane_len};

/// What lies between the model, a training image and the gradient of the loss.
pub struct Canvas {
    size: [u32; 2],
    pub work: Workspace,
    pub target: Buffer<u32>,
    pub v_image: Buffer<f32>,
    pub loss: LossScratch,
}

impl Canvas {
    /// For images of `camera`, with room for so many splats and splat–tile pairs.
    pub fn new(
        gpu: &Gpu,
        camera: &Camera,
        (splats, pairs): (usize, usize),
        loss: &Loss,
        ssim_weight: f32,
    ) -> Result<Self> {
        let (width, height) = (camera.width, camera.height);
        Ok(Self {
            size: [width, height],
            work: Workspace::new(gpu, splats, pairs, width, height)?,
            target: gpu.buffer("target", plane_len(width, height))?,
            v_image: gpu.buffer("image gradient", 4 * plane_len(width, height))?,
            loss: loss.scratch(gpu, width, height, ssim_weight)?,
        })
    }

    /// Whether images of `camera` fit, with so many splats and pairs.
    pub fn fits(&self, camera: &Camera, splats: usize, pairs: usize) -> bool {
        let (width, height) = (camera.width, camera.height);
        self.size == [width, height] && self.work.fits(splats, width, height) && self.work.pair_capacity() >= pairs
    }
}
