//! Pictures read back from the device.

use super::Tensors;
use super::renderer::{PLANES, Raster, Renderer, Workspace};
use super::view::{RenderSettings, TILE, plane_len, tiles};
use crate::capture::{Camera, Image};
use crate::error::{Error, Result};
use crate::gpu::{Buffer, Gpu, Kernel, Recorder, WORKGROUP};
use image::RgbImage;
use std::ops::Range;

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
    /// Splats that were projected, those of each strip where it took several.
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
        self.read(gpu, splats, camera, settings, work, PLANES)
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
        Ok(self.read(gpu, splats, camera, settings, work, COLORS)?.image)
    }

    /// Renders one picture and reads its first `planes` planes back.
    fn read(
        &self,
        gpu: &Gpu,
        splats: &Tensors,
        camera: &Camera,
        settings: &RenderSettings,
        work: &mut Option<Workspace>,
        planes: usize,
    ) -> Result<Rendered> {
        let raster = if planes > COLORS { Raster::Depth } else { Raster::Color };
        let mut whole: Option<Rendered> = None;
        self.draw(gpu, splats, (camera, settings), work, raster, &mut |strip| {
            let read = strip.read(gpu, planes)?;
            match &mut whole {
                Some(whole) => whole.append(read),
                None => whole = Some(read),
            }
            Ok(())
        })?;
        whole.unwrap_or_else(|| unpack(&[], 0, 0, [0; 2])).checked()
    }

    /// Draws a picture, with all of its splats and pairs, into `work`, which grows as needed. Where a binding does not hold the
    /// image, its visible splats or its pairs, this takes several strips of rows, one after the other; `each` sees them.
    ///
    /// # Errors
    /// Those of `each`; [`Error::OutOfMemory`] where a row of tiles does not fit either.
    pub(super) fn draw(
        &self,
        gpu: &Gpu,
        splats: &Tensors,
        (camera, settings): (&Camera, &RenderSettings),
        work: &mut Option<Workspace>,
        raster: Raster,
        each: &mut dyn FnMut(Strip<'_>) -> Result<()>,
    ) -> Result<()> {
        let all = camera.height.div_ceil(TILE);
        let mut tiles =
            all.min((gpu.max_buffer_bytes() / Workspace::image_bytes(camera.width.max(1), TILE)).max(1) as u32);
        let mut top = 0;
        while top < camera.height {
            let rows = top..(top + tiles * TILE).min(camera.height);
            let view = (camera, rows.clone());
            match self.draw_rows(gpu, splats, view, settings, work, raster)? {
                Some((drawn, [visible, pairs])) => {
                    let size = [camera.width, rows.end - rows.start];
                    each(Strip { work: drawn, top, size, visible, pairs })?;
                    top = rows.end;
                }
                None if tiles > 1 => tiles = tiles.div_ceil(2),
                None => {
                    return Err(Error::OutOfMemory(format!(
                        "16 rows of a picture of {} x {} pixels show more splats than {} binds",
                        camera.width,
                        camera.height,
                        gpu.name()
                    )));
                }
            }
        }
        Ok(())
    }

    /// Draws the rows of a view with all of their pairs into `work`: where they are, and their visible splats and pairs;
    /// nothing where these do not fit a binding.
    fn draw_rows<'w>(
        &self,
        gpu: &Gpu,
        splats: &Tensors,
        (camera, rows): (&Camera, Range<u32>),
        settings: &RenderSettings,
        work: &'w mut Option<Workspace>,
        raster: Raster,
    ) -> Result<Option<(&'w Workspace, [usize; 2])>> {
        let (width, height) = (camera.width, rows.end - rows.start);
        // Kernels that keep the order of splats cannot leave any out.
        let most = if self.is_ordered() { usize::MAX } else { Workspace::most_splats(gpu) };
        let slots = splats.count.min(most);
        let mut kept = work.take();
        let initial = Workspace::initial_pairs(gpu, splats.count);
        let mut pairs = kept.as_ref().map_or(0, Workspace::pair_capacity).max(initial);
        loop {
            let fitting = kept.take().filter(|w| w.fits(slots, width, height) && w.pair_capacity() >= pairs);
            let ready = match fitting {
                Some(ready) => ready,
                None => Workspace::new(gpu, slots, pairs, width, height)?,
            };
            let mut recorder = Recorder::new(gpu);
            self.record_rows(&mut recorder, splats, (camera, rows.clone()), settings, &ready, raster);
            recorder.submit();
            let counters = gpu.read(&ready.counters)?;
            let [visible, wanted, without_slot] = [0, 1, 2].map(|at| counters[at] as usize);
            if without_slot > 0 || wanted > Workspace::most_pairs(gpu) {
                *work = Some(ready);
                return Ok(None);
            }
            if wanted <= pairs {
                return Ok(Some((work.insert(ready), [visible, wanted])));
            }
            pairs = Workspace::room_for(gpu, wanted);
        }
    }
}

/// Rows of a picture as drawn; all of them where they fit.
pub(super) struct Strip<'w> {
    pub work: &'w Workspace,
    /// The first row.
    pub top: u32,
    /// Width and rows.
    pub size: [u32; 2],
    pub visible: usize,
    pub pairs: usize,
}

impl Strip<'_> {
    /// Reads the first `planes` planes back.
    ///
    /// # Errors
    /// Those of the device.
    pub fn read(&self, gpu: &Gpu, planes: usize) -> Result<Rendered> {
        let [width, height] = self.size;
        let drawn = gpu.read_part(&self.work.image, 0, planes * plane_len(width, height))?;
        Ok(unpack(&drawn, width, height, [self.visible, self.pairs]))
    }
}

impl Rendered {
    /// Fails where a pixel is not finite: such a picture must not pass for a dark one, nor enter a measurement.
    pub(super) fn checked(self) -> Result<Self> {
        let colors = self.image.pixels.iter().filter(|rgb| !rgb.iter().sum::<f32>().is_finite()).count();
        let others = self.alpha.iter().zip(&self.depth).filter(|(alpha, depth)| !(*alpha + *depth).is_finite()).count();
        not_finite(colors.max(others), self.image.width, self.image.height)?;
        Ok(self)
    }

    /// Adds the rows below.
    fn append(&mut self, below: Self) {
        self.image.height += below.image.height;
        self.image.pixels.extend(below.image.pixels);
        self.alpha.extend(below.alpha);
        self.depth.extend(below.depth);
        self.visible += below.visible;
        self.pairs += below.pairs;
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
        let (mut bytes, mut broken) = (Vec::with_capacity(3 * width as usize * height as usize), 0);
        renderer.draw(gpu, splats, (camera, settings), work, Raster::Color, &mut |strip| {
            let [width, height] = strip.size;
            let pixels = width as usize * height as usize;
            let words = match self.words.take().filter(|words| words.len() >= pixels) {
                Some(words) => words,
                None => gpu.buffer("picture", pixels)?,
            };
            let words = self.words.insert(words);
            let mut recorder = Recorder::new(gpu);
            let bindings = [strip.work.view.binding(), strip.work.image.binding(), words.binding()];
            recorder.dispatch(&self.quantize, &bindings, (pixels as u32).div_ceil(WORKGROUP));
            recorder.submit();
            let words = gpu.read_part(words, 0, pixels)?;
            broken += words.iter().filter(|word| *word >> 24 == 0).count();
            bytes.extend(words.iter().flat_map(|word| [*word as u8, (word >> 8) as u8, (word >> 16) as u8]));
            Ok(())
        })?;
        not_finite(broken, width, height)?;
        Ok(RgbImage::from_raw(width, height, bytes).expect("a picture has width × height pixels"))
    }
}

fn unpack(planes: &[f32], width: u32, height: u32, [visible, pairs]: [usize; 2]) -> Rendered {
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
