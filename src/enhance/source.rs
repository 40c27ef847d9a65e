//! Sources of dark pictures: views of a capture, from their files, or pictures in memory.

use super::choose::Choice;
use super::config::Config;
use super::tone::Tone;
use super::{chroma_noise, dequantize};
use crate::capture::{Image, View, is_linear, resize_area};
use crate::color::exposed_unclipped;
use crate::error::Result;
use rayon::prelude::*;
use std::borrow::Cow;

/// A dark picture.
#[derive(Clone, Copy)]
pub enum Source<'a> {
    /// A view, whose file is read each time.
    View(&'a View),
    /// A picture of that name in memory.
    Memory { name: &'a str, image: &'a Image },
}

impl<'a> Source<'a> {
    pub fn name(&self) -> &'a str {
        match self {
            Self::View(view) => &view.name,
            Self::Memory { name, .. } => name,
        }
    }

    /// The view, where it is one.
    pub fn view(&self) -> Option<&'a View> {
        match self {
            Self::View(view) => Some(view),
            Self::Memory { .. } => None,
        }
    }

    /// Pixels of the file.
    pub fn pixels(&self) -> u64 {
        let [width, height] = match self {
            Self::View(view) => [view.camera.width, view.camera.height],
            Self::Memory { image, .. } => [image.width, image.height],
        };
        u64::from(width) * u64::from(height)
    }

    /// Whether its file has linear light, with no curve of a camera in it.
    pub fn is_linear(&self) -> bool {
        match self {
            Self::View(view) => view.image.as_deref().is_some_and(is_linear),
            Self::Memory { .. } => false,
        }
    }

    /// The picture as the response takes it: decoded, its colors estimated, averaged to the size it is trained at, still
    /// dark.
    pub fn prepared(&self, config: &Config, choice: &Choice, downscale: u32) -> Result<Image> {
        let mut image = self.decoded(config)?.into_owned();
        let brightened = choice.restoration.tone != Tone::Identity;
        if config.dequantize && brightened && self.is_rounded() {
            image = dequantize::dequantize_toward(image, choice.shadow_hue);
        }
        self.expose(&mut image, config);
        Ok(chroma_noise::denoise(self.averaged(&image, downscale), config.denoise, downscale))
    }

    /// The decoded picture, averaged to the size it is trained at.
    pub fn dark(&self, config: &Config, downscale: u32) -> Result<Image> {
        let mut image = self.decoded(config)?.into_owned();
        self.expose(&mut image, config);
        Ok(self.averaged(&image, downscale))
    }

    /// How much each pixel counts at this size; `None` where all do.
    pub fn weights(&self, width: u32, height: u32) -> Result<Option<Vec<f32>>> {
        match self {
            Self::View(view) => view.read_weights(width, height),
            Self::Memory { .. } => Ok(None),
        }
    }

    fn decoded(&self, config: &Config) -> Result<Cow<'a, Image>> {
        let image = match self {
            Self::View(view) => Cow::Owned(view.read()?),
            Self::Memory { image, .. } => Cow::Borrowed(*image),
        };
        Ok(if config.eight_bit { Cow::Owned(Image::from_rgb8(&image.to_rgb8())) } else { image })
    }

    /// Whether its values were rounded to 8 bits.
    fn is_rounded(&self) -> bool {
        match self {
            // A merged bracket is no longer rounded.
            Self::View(view) => view.shots.is_empty() && view.image.as_deref().is_none_or(dequantize::rounded),
            // Only the settings tell how a picture in memory was stored.
            Self::Memory { .. } => true,
        }
    }

    /// The gain to the mean exposure of its capture, where EXIF data exist and are trusted.
    pub fn gain(&self, config: &Config) -> Option<[f32; 3]> {
        self.view()?.gain.filter(|_| config.exif_exposure)
    }

    /// Brings a dark picture to the mean exposure of its capture.
    fn expose(&self, image: &mut Image, config: &Config) {
        if let Some(gain) = self.gain(config) {
            let exposed = |p: &mut [f32; 3]| *p = std::array::from_fn(|c| exposed_unclipped(p[c], gain[c]));
            image.pixels.par_iter_mut().for_each(exposed);
        }
    }

    fn averaged(&self, image: &Image, downscale: u32) -> Image {
        match self {
            Self::View(view) => {
                let camera = view.camera.downscaled(downscale);
                resize_area(image, camera.width, camera.height)
            }
            Self::Memory { .. } => image.clone(),
        }
    }
}
