//! Pictures read back from the device.

use super::Tensors;
use super::renderer::{PLANES, Raster, Renderer, Workspace};
use super::view::{RenderSettings, TILE, plane_len, tiles};
use crate::capture::{Camera, Image};
use crate::error::{Error, Result};
use crate::gpu::{Gpu, Recorder};

/// The first planes of an image, those of color.
const COLORS: usize = 3;

/// A finished picture in host memory.
pub struct Rendered {
    /// RGB over the background.
    pub image: Image,
    /// Opacity of each pixel, row-major.
    pub alpha: Vec<f32>,
    /// α-weighted camera z of each pixel (not divided by alpha), row-major.
    pub depth: Vec<f32>,
    /// Splats that were projected.
    pub visible: usize,
    /// Splat–tile pairs that were blended.
    pub pairs: usize,
}

impl Renderer {
    /// Renders one picture with its depth and reads it back; grows `work` as needed.
    ///
    /// # Errors
    /// [`crate::Error::OutOfMemory`] where the buffers do not fit the adapter; [`crate::Error::NotFinite`] where the
    /// picture is none.
    pub fn render_image(
        &self,
        gpu: &Gpu,
        splats: &Tensors,
        camera: &Camera,
        settings: &RenderSettings,
        work: &mut Option<Workspace>,
    ) -> Result<Rendered> {
        self.render_planes(gpu, splats, camera, settings, work, Raster::Depth)
    }

    /// The same without opacity and depth: neither is drawn nor read.
    ///
    /// # Errors
    /// As [`Renderer::render_image`].
    pub fn render_color(
        &self,
        gpu: &Gpu,
        splats: &Tensors,
        camera: &Camera,
        settings: &RenderSettings,
        work: &mut Option<Workspace>,
    ) -> Result<Image> {
        self.render_planes(gpu, splats, camera, settings, work, Raster::Color).map(|rendered| rendered.image)
    }

    fn render_planes(
        &self,
        gpu: &Gpu,
        splats: &Tensors,
        camera: &Camera,
        settings: &RenderSettings,
        work: &mut Option<Workspace>,
        raster: Raster,
    ) -> Result<Rendered> {
        let planes = if raster == Raster::Color { COLORS } else { PLANES };
        let (width, height) = (camera.width, camera.height);
        let mut pairs = work.as_ref().map_or(0, Workspace::pair_capacity).max(Workspace::initial_pairs(splats.count));
        loop {
            let fitting = work.take().filter(|w| w.fits(splats.count, width, height) && w.pair_capacity() >= pairs);
            let ready = match fitting {
                Some(ready) => ready,
                None => Workspace::new(gpu, splats.count, pairs, width, height)?,
            };
            let ready = work.insert(ready);
            let mut recorder = Recorder::new(gpu);
            self.record(&mut recorder, splats, camera, settings, ready, raster);
            recorder.submit();
            let counters = gpu.read(&ready.counters)?;
            let wanted = counters[1] as usize;
            if wanted <= pairs {
                let planes = gpu.read_part(&ready.image, 0, planes * plane_len(width, height))?;
                return unpack(&planes, width, height, counters[0] as usize, wanted).checked();
            }
            pairs = Workspace::room_for(wanted);
        }
    }
}

impl Rendered {
    /// Fails where a pixel is not finite: such a picture must pass neither for a dark one nor for a measurement.
    fn checked(self) -> Result<Self> {
        let colors = self.image.pixels.iter().filter(|rgb| !rgb.iter().sum::<f32>().is_finite()).count();
        let others = self.alpha.iter().zip(&self.depth).filter(|(alpha, depth)| !(*alpha + *depth).is_finite()).count();
        match colors.max(others) {
            0 => Ok(self),
            broken => Err(Error::NotFinite {
                what: format!("a render of {} x {} pixels", self.image.width, self.image.height),
                found: format!("{broken} pixels are not finite"),
                remedy: "the model is broken; train it again with lower learning rates".into(),
            }),
        }
    }
}

fn unpack(planes: &[f32], width: u32, height: u32, visible: usize, pairs: usize) -> Rendered {
    let pitch = (tiles(width, height)[0] * TILE) as usize;
    let plane = plane_len(width, height);
    let offsets = (0..height as usize).flat_map(|y| (0..width as usize).map(move |x| y * pitch + x));
    let mut image = Image::new(width, height);
    for (pixel, at) in image.pixels.iter_mut().zip(offsets.clone()) {
        *pixel = [planes[at], planes[plane + at], planes[2 * plane + at]];
    }
    // Where they were read.
    let rest = |index: usize| planes.get(index * plane..).filter(|plane| !plane.is_empty());
    let alpha = rest(3).map(|through| offsets.clone().map(|at| 1.0 - through[at]).collect());
    let depth = rest(4).map(|depth| offsets.map(|at| depth[at]).collect());
    let (alpha, depth) = (alpha.unwrap_or_default(), depth.unwrap_or_default());
    Rendered { image, alpha, depth, visible, pairs }
}
