//! Which pixels of a photograph count: those that neither its alpha channel nor a mask file hides. What is
//! black in a mask file is hidden, by the convention of COLMAP and nerfstudio, and so are transparent pixels.

use super::decode::read_claimed;
use super::extras::{read_alpha, read_alpha_claimed};
use super::file_names::ending;
use super::fill::fill_hidden;
use super::{Image, Lens, View, resize_area};
use crate::error::Result;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Whether mask files are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MaskUse {
    /// What is black in them is hidden.
    #[default]
    Use,
    /// What is bright in them is hidden.
    Invert,
    /// They are not looked for, and alpha channels are not read.
    Ignore,
}

/// What hides pixels of a view.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Mask {
    /// The photograph, where it has an alpha channel.
    pub alpha: Option<PathBuf>,
    /// The mask file.
    pub file: Option<PathBuf>,
    /// Whether the mask file hides what is bright instead of what is black.
    pub inverted: bool,
    /// The lens of the photograph, where the view's image is no longer seen through it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lens: Option<Lens>,
}

/// Endings of formats that keep every pixel as it was: there, only 0 is black.
const EXACT: [&str; 3] = ["png", "tif", "tiff"];

impl Mask {
    /// The weight of every pixel of the photograph, 0 (hidden) to 1, in all three channels; `None` where all count.
    ///
    /// # Errors
    /// Files that cannot be read.
    pub fn read(&self) -> Result<Option<Image>> {
        let alpha = match &self.alpha {
            Some(path) => read_alpha(path)?,
            None => None,
        };
        let Some(file) = &self.file else { return Ok(alpha) };
        let ending = ending(file);
        let black = if EXACT.contains(&ending.as_str()) { 0.0 } else { 0.5 };
        let mut mask = read_claimed(file)?;
        // Erasers of image editors leave transparent white.
        let opacity = read_alpha_claimed(file)?;
        for (at, pixel) in mask.pixels.iter_mut().enumerate() {
            let opacity = opacity.as_ref().map_or(1.0, |opacity| opacity.pixels[at][0]);
            let shown = pixel.iter().any(|value| *value * opacity > black) != self.inverted;
            *pixel = [f32::from(u8::from(shown)); 3];
        }
        let Some(alpha) = alpha else { return Ok(Some(mask)) };
        let mut both = resize_area(&mask, alpha.width, alpha.height);
        both.pixels
            .iter_mut()
            .zip(&alpha.pixels)
            .for_each(|(both, alpha)| *both = both.map(|weight| weight * alpha[0]));
        Ok(Some(both))
    }
}

impl View {
    /// How much each pixel counts, 0 (hidden) to 1, for the view's image at `width` × `height`, row-major; `None` where
    /// all count.
    ///
    /// # Errors
    /// A mask that cannot be read.
    pub fn read_weights(&self, width: u32, height: u32) -> Result<Option<Vec<f32>>> {
        let Some(mut weights) = self.weights_of_file()? else { return Ok(None) };
        if let Some(lens) = self.lens {
            weights = lens.undistort(&weights);
        }
        Ok(Some(resize_area(&weights, width, height).pixels.iter().map(|pixel| pixel[0]).collect()))
    }

    /// Fills what is hidden of the picture in the view's image file.
    pub(super) fn fill_hidden(&self, image: &mut Image) -> Result<()> {
        if let Some(weights) = self.weights_of_file()? {
            let weights = resize_area(&weights, image.width, image.height);
            fill_hidden(image, |at| weights.pixels[at][0] >= 0.5);
        }
        Ok(())
    }

    /// The weights of the picture in the view's image file.
    fn weights_of_file(&self) -> Result<Option<Image>> {
        let Some(mask) = &self.mask else { return Ok(None) };
        let weights = mask.read()?;
        Ok(weights.map(|weights| mask.lens.map(|lens| lens.undistort(&weights)).unwrap_or(weights)))
    }

    /// The mask of an image of this view that has been undistorted.
    pub fn undistorted_mask(&self) -> Option<Mask> {
        self.mask.clone().map(|mask| Mask { lens: mask.lens.or(self.lens), ..mask })
    }
}
