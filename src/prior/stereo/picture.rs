//! A view prepared for stereo: its colors, and its gray at several sizes.

use crate::capture::{Camera, Image, ImageCache, View, resize_area};
use crate::error::Result;
use std::sync::Arc;

/// Sizes of the pyramid, at most: each half of the one before.
const LEVELS: usize = 3;
/// The smallest side of a level but the first: a patch must be small compared with it.
const MIN_SIDE: u32 = 36;

/// One size of a view's gray.
pub struct Level {
    pub camera: Camera,
    /// Gray of a pixel and its right, lower and lower right neighbor, 8 bits each from the lowest on: what a bilinear
    /// sample needs. Row-major.
    pub quads: Vec<u32>,
}

/// A view at the resolution of the search.
pub struct Picture {
    pub camera: Camera,
    pub image: Arc<Image>,
    /// Whether each pixel is hidden by a mask; empty where none is.
    pub hidden: Vec<bool>,
    /// Largest first.
    pub levels: Vec<Level>,
}

impl Picture {
    /// The image of `view`, its longer side at most `size` pixels.
    ///
    /// # Errors
    /// The image cannot be read.
    pub fn load(view: &View, cache: &ImageCache, size: u32) -> Result<Self> {
        let (w, h) = (view.camera.width, view.camera.height);
        let scale = (f64::from(size) / f64::from(w.max(h))).min(1.0);
        let fit = |extent: u32| ((f64::from(extent) * scale).round() as u32).max(1);
        let image = cache.get(view, fit(w), fit(h))?;
        let weights = view.read_weights(image.width, image.height)?.unwrap_or_default();
        let hidden = weights.iter().map(|weight| *weight < 0.5).collect();
        Ok(Self { hidden, ..Self::new(&view.camera, image) })
    }

    /// `image` as seen by `camera` (of any size).
    pub fn new(camera: &Camera, image: Arc<Image>) -> Self {
        let camera = camera.resized(image.width, image.height);
        let gain = gain(&image);
        let size = |k: usize| (image.width.div_ceil(1 << k), image.height.div_ceil(1 << k));
        let is_large = |k: &usize| *k == 0 || size(*k).0.min(size(*k).1) >= MIN_SIDE;
        let levels = (0..LEVELS).take_while(is_large).map(|k| {
            let (width, height) = size(k);
            Level { camera: camera.resized(width, height), quads: quads(&resize_area(&image, width, height), gain) }
        });
        Self { levels: levels.collect(), camera, image, hidden: Vec::new() }
    }

    /// Color of the pixel with index `at`.
    pub fn color(&self, at: usize) -> [u8; 3] {
        self.image.pixels[at].map(|v| (v.clamp(0.0, 1.0) * 255.0).round() as u8)
    }
}

fn gray(rgb: [f32; 3]) -> f32 {
    (rgb[0] + rgb[1] + rgb[2]) / 3.0
}

/// The gain that takes the brightest hundredth of the pixels to 1, so that dim pictures use their 8 bits, too.
fn gain(image: &Image) -> f32 {
    let mut values: Vec<f32> = image.pixels.iter().map(|rgb| gray(*rgb)).filter(|v| v.is_finite()).collect();
    if values.is_empty() {
        return 1.0;
    }
    let at = values.len() * 99 / 100;
    (1.0 / values.select_nth_unstable_by(at, f32::total_cmp).1.max(1.0 / 16.0)).max(1.0)
}

fn quads(image: &Image, gain: f32) -> Vec<u32> {
    let (width, height) = (image.width as usize, image.height as usize);
    // `as` takes NaN to 0.
    let levels: Vec<u32> =
        image.pixels.iter().map(|rgb| (gray(*rgb) * gain * 255.0).clamp(0.0, 255.0).round() as u32).collect();
    let at = |x: usize, y: usize| levels[y.min(height - 1) * width + x.min(width - 1)];
    let quad = |x: usize, y: usize| at(x, y) | at(x + 1, y) << 8 | at(x, y + 1) << 16 | at(x + 1, y + 1) << 24;
    (0..width * height).map(|i| quad(i % width, i / width)).collect()
}
