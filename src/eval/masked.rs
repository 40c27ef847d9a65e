//! Which pixels of a picture are compared.
//!
//! PSNR and color fits are over the pixels that count. Of SSIM's windows those count whose center does; pixels of a
//! window that do not count are those of the reference in both pictures. Sharpness is that of windows in which all pixels
//! count, and places of LPIPS' layers count by the pixels there that do.

use crate::capture::{Image, View, resize_area};
use crate::color::exposed;

/// The least weight of a pixel that is compared.
const LEAST: f32 = 0.5;

/// Which pixels of a picture count.
pub struct Counted {
    width: u32,
    height: u32,
    counts: Vec<bool>,
}

impl Counted {
    /// From the weight of every pixel, 0 to 1, row-major (see [`crate::capture::View::read_weights`]).
    pub fn new(width: u32, height: u32, weights: &[f32]) -> Self {
        Self { width, height, counts: weights.iter().map(|weight| *weight >= LEAST).collect() }
    }

    /// Whether nothing counts.
    pub fn is_empty(&self) -> bool {
        !self.counts.contains(&true)
    }

    /// For a picture of another size.
    pub(super) fn resized(&self, width: u32, height: u32) -> Self {
        Self::new(width, height, &self.shares(width, height))
    }

    /// The share of the pixels that count, 0 to 1, at each place of a grid over the picture.
    pub(super) fn shares(&self, width: u32, height: u32) -> Vec<f32> {
        let pixels = self.counts.iter().map(|counts| [f32::from(u8::from(*counts)); 3]).collect();
        let resized = resize_area(&Image { width: self.width, height: self.height, pixels }, width, height);
        resized.pixels.iter().map(|pixel| pixel[0]).collect()
    }

    /// Whether the pixel with index `at` counts.
    pub(super) fn at(&self, at: usize) -> bool {
        self.counts[at]
    }

    /// The pixels that count, in one row.
    pub fn only(&self, image: &Image) -> Image {
        let pixels: Vec<[f32; 3]> =
            image.pixels.iter().zip(&self.counts).filter(|(_, counts)| **counts).map(|(pixel, _)| *pixel).collect();
        Image { width: pixels.len() as u32, height: 1, pixels }
    }

    /// `render` with the pixels of `reference` where they do not count.
    pub(super) fn merged(&self, render: &Image, reference: &Image) -> Image {
        let pixels = render.pixels.iter().zip(&reference.pixels).zip(&self.counts);
        let pixels = pixels.map(|((render, reference), counts)| if *counts { *render } else { *reference });
        Image { width: render.width, height: render.height, pixels: pixels.collect() }
    }
}

/// A render, which has the capture's mean exposure and white balance, as the photograph of `view` was exposed.
pub fn as_exposed(render: &mut Image, view: &View) {
    if let Some(gain) = view.gain {
        let as_taken = |pixel: [f32; 3]| std::array::from_fn(|c| exposed(pixel[c], 1.0 / gain[c]));
        render.pixels.iter_mut().for_each(|pixel| *pixel = as_taken(*pixel));
    }
}
