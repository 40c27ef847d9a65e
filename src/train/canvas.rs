//! Buffers of a training step that depend on the size of the image.

use super::loss::{Loss, LossScratch, partials_len};
use crate::capture::{Camera, View};
use crate::error::{Error, Result};
use crate::gpu::{Buffer, Gpu};
use crate::splat::{Workspace, plane_len};

/// Sizes of images whose scratch space is kept: portrait and landscape of two cameras.
const SIZES: usize = 4;

/// Fails where `gpu` cannot train on pictures of `views` that are `downscale` times smaller. Called early, because the stages
/// before training take long.
///
/// # Errors
/// [`Error::Setting`], which says what would fit.
pub fn check_size(gpu: &Gpu, views: &[View], downscale: u32) -> Result<()> {
    let of = |view: &View, downscale: u32| {
        let camera = view.camera.downscaled(downscale);
        ((partials_len(camera.width, camera.height) * size_of::<f32>()) as u64, camera)
    };
    let largest = views.iter().max_by_key(|view| of(view, 1).0);
    let Some((view, (bytes, camera))) = largest.map(|view| (view, of(view, downscale))) else { return Ok(()) };
    if bytes <= gpu.max_buffer_bytes() {
        return Ok(());
    }
    let fits = (downscale..=view.camera.width).find(|downscale| of(view, *downscale).0 <= gpu.max_buffer_bytes());
    let smaller = fits.map(|downscale| format!("`downscale = {downscale}`, or ")).unwrap_or_default();
    let found = format!(
        "{downscale}: training on pictures of {} x {} pixels takes {} MiB in one buffer, but {} allows {} MiB",
        camera.width,
        camera.height,
        bytes >> 20,
        gpu.name(),
        gpu.max_buffer_bytes() >> 20
    );
    Err(Error::setting("downscale", found, format!("use {smaller}an `adapter` that allows more")))
}

/// The buffers between the model, a training image and the gradient of the loss. One serves all views: captures mix
/// portrait and landscape, and buffers that follow the size of every view would be reallocated nearly every step.
pub struct Canvas {
    pub work: Workspace,
    pub v_image: Buffer<f32>,
    /// The latest last.
    losses: Vec<([u32; 2], LossScratch)>,
}

impl Canvas {
    /// For images of all `cameras`, with room for so many splats and splat–tile pairs.
    pub fn new(gpu: &Gpu, cameras: &[Camera], (splats, pairs): (usize, usize)) -> Result<Self> {
        let sizes: Vec<[u32; 2]> = cameras.iter().map(size).collect();
        let plane = sizes.iter().map(|&[width, height]| plane_len(width, height)).max().unwrap_or(0);
        Ok(Self {
            work: Workspace::for_sizes(gpu, splats, pairs, &sizes)?,
            v_image: gpu.buffer("image gradient", 4 * plane)?,
            losses: Vec::new(),
        })
    }

    /// Whether images of `camera` fit, with so many splats and pairs.
    pub fn fits(&self, camera: &Camera, splats: usize, pairs: usize) -> bool {
        let [width, height] = size(camera);
        let planes = self.v_image.len() >= 4 * plane_len(width, height);
        planes && self.work.fits(splats, width, height) && self.work.pair_capacity() >= pairs
    }

    /// Makes the scratch space of the loss that [`Canvas::loss`] returns one for images of `camera`.
    pub fn prepare_loss(&mut self, gpu: &Gpu, camera: &Camera, loss: &Loss, ssim_weight: f32) -> Result<()> {
        let size = size(camera);
        if let Some(known) = self.losses.iter().position(|(known, _)| *known == size) {
            self.losses[known..].rotate_left(1);
            return Ok(());
        }
        if self.losses.len() == SIZES {
            self.losses.remove(0);
        }
        let [width, height] = size;
        self.losses.push((size, loss.scratch(gpu, width, height, ssim_weight)?));
        Ok(())
    }

    /// The scratch space that was prepared last.
    pub fn loss(&self) -> Option<&LossScratch> {
        self.losses.last().map(|(_, scratch)| scratch)
    }
}

fn size(camera: &Camera) -> [u32; 2] {
    [camera.width, camera.height]
}
