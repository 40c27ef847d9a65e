//! Pictures read back from the device.

use super::Tensors;
use super::renderer::{PLANES, Raster, Renderer, WORKGROUP, Workspace};
use super::view::{RenderSettings, TILE, plane_len, tiles};
use crate::capture::{Camera, Image};
use crate::error::{Error, Result};
use crate::gpu::{Buffer, Gpu, Kernel, Recorder};
use image::RgbImage;

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
        let (ready, counts) = self.draw(gpu, splats, camera, settings, work, Raster::Depth)?;
        Rendered::read(gpu, ready, camera, PLANES, counts)
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
        let (ready, counts) = self.draw(gpu, splats, camera, settings, work, Raster::Color)?;
        Ok(Rendered::read(gpu, ready, camera, COLORS, counts)?.image)
    }

    /// Draws a picture with all of its pairs into `work`, which grows as needed: where it is, and its visible splats and pairs.
    fn draw<'w>(
        &self,
        gpu: &Gpu,
        splats: &Tensors,
        camera: &Camera,
        settings: &RenderSettings,
        work: &'w mut Option<Workspace>,
        raster: Raster,
    ) -> Result<(&'w Workspace, [usize; 2])> {
        let (width, height) = (camera.width, camera.height);
        let mut kept = work.take();
        let mut pairs = kept.as_ref().map_or(0, Workspace::pair_capacity).max(Workspace::initial_pairs(splats.count));
        loop {
            let fitting = kept.take().filter(|w| w.fits(splats.count, width, height) && w.pair_capacity() >= pairs);
            let ready = match fitting {
                Some(ready) => ready,
                None => Workspace::new(gpu, splats.count, pairs, width, height)?,
            };
            let mut recorder = Recorder::new(gpu);
            self.record(&mut recorder, splats, camera, settings, &ready, raster);
            recorder.submit();
            let counters = gpu.read(&ready.counters)?;
            let wanted = counters[1] as usize;
            if wanted <= pairs {
                return Ok((work.insert(ready), [counters[0] as usize, wanted]));
            }
            pairs = Workspace::room_for(wanted);
        }
    }
}

impl Rendered {
    /// The first `planes` planes of what was drawn into `work`, of which `counts` are its visible splats and pairs.
    fn read(gpu: &Gpu, work: &Workspace, camera: &Camera, planes: usize, counts: [usize; 2]) -> Result<Self> {
        let (width, height) = (camera.width, camera.height);
        let drawn = gpu.read_part(&work.image, 0, planes * plane_len(width, height))?;
        unpack(&drawn, width, height, counts[0], counts[1]).checked()
    }

    /// Fails where a pixel is not finite: such a picture must pass neither for a dark one nor for a measurement.
    fn checked(self) -> Result<Self> {
        let colors = self.image.pixels.iter().filter(|rgb| !rgb.iter().sum::<f32>().is_finite()).count();
        let others = self.alpha.iter().zip(&self.depth).filter(|(alpha, depth)| !(*alpha + *depth).is_finite()).count();
        not_finite(colors.max(others), self.image.width, self.image.height)?;
        Ok(self)
    }
}

fn not_finite(pixels: usize, width: u32, height: u32) -> Result<()> {
    match pixels {
        0 => Ok(()),
        broken => Err(Error::NotFinite {
            what: format!("a render of {width} x {height} pixels"),
            found: format!("{broken} pixels are not finite"),
            remedy: "the model is broken; train it again with lower learning rates".into(),
        }),
    }
}

/// Pictures for files: rounded to 8 bits by the device, a fifth of the bytes of [`Renderer::render_image`] to read back.
pub struct EightBit {
    quantize: Kernel,
    words: Option<Buffer<u32>>,
}

impl EightBit {
    /// Compiles the kernel.
    ///
    /// # Errors
    /// The device fails.
    pub fn new(gpu: &Gpu) -> Result<Self> {
        Ok(Self { quantize: gpu.kernel("splat/quantize", &[])?, words: None })
    }

    /// Renders one picture by `renderer` as [`Renderer::render_color`] does, rounded as [`Image::to_rgb8`] rounds.
    ///
    /// # Errors
    /// As [`Renderer::render_image`].
    pub fn render(
        &mut self,
        gpu: &Gpu,
        renderer: &Renderer,
        splats: &Tensors,
        camera: &Camera,
        settings: &RenderSettings,
        work: &mut Option<Workspace>,
    ) -> Result<RgbImage> {
        let (width, height) = (camera.width, camera.height);
        let pixels = width as usize * height as usize;
        let words = match self.words.take().filter(|words| words.len() >= pixels) {
            Some(words) => words,
            None => gpu.buffer("picture", pixels)?,
        };
        let words = self.words.insert(words);
        let (drawn, _) = renderer.draw(gpu, splats, camera, settings, work, Raster::Color)?;
        let mut recorder = Recorder::new(gpu);
        let bindings = [drawn.view.binding(), drawn.image.binding(), words.binding()];
        recorder.dispatch(&self.quantize, &bindings, (pixels as u32).div_ceil(WORKGROUP));
        recorder.submit();
        let words = gpu.read_part(words, 0, pixels)?;
        let broken = words.iter().filter(|word| *word >> 24 == 0).count();
        not_finite(broken, width, height)?;
        let bytes = words.iter().flat_map(|word| [*word as u8, (word >> 8) as u8, (word >> 16) as u8]).collect();
        Ok(RgbImage::from_raw(width, height, bytes).expect("a picture has width × height pixels"))
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
