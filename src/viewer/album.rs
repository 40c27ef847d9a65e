//! The photographs of the scene's cameras as textures, read on a thread of their own.

use super::scene::Photo;
use crate::capture::{Image, read_image, resize_area};
use crate::color::exposed;
use crate::error::Result;
use egui::{ColorImage, TextureHandle, TextureOptions};
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, Sender, channel};

/// Longest side of a photograph that is compared, and of one in a frustum, in pixels.
const WHOLE: u32 = 2048;
const SMALL: u32 = 192;

/// Which picture of a camera.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// As it came.
    Dark,
    /// Lit.
    Lit,
    /// Lit if it is, and small.
    Small,
}

struct Job {
    key: (usize, Kind),
    photo: Photo,
}

/// A picture and the texture that was made of it, with the factor of its values.
struct Picture {
    image: Image,
    texture: Option<([f32; 3], TextureHandle)>,
}

/// Pictures by camera and kind. A picture is available some frames after its first request.
pub struct Album {
    jobs: Sender<Job>,
    done: Receiver<((usize, Kind), Result<Image>)>,
    /// `None` while it is read, or where it cannot be.
    pictures: BTreeMap<(usize, Kind), Option<Picture>>,
}

impl Album {
    /// An empty album. `wake` is called, from a thread, whenever a picture has come.
    pub fn new(wake: impl Fn() + Send + 'static) -> Self {
        let (jobs, work) = channel::<Job>();
        let (out, done) = channel();
        std::thread::spawn(move || {
            for Job { key, photo } in work {
                if out.send((key, read(&photo, key.1))).is_err() {
                    break;
                }
                wake();
            }
        });
        Self { jobs, done, pictures: BTreeMap::new() }
    }

    /// Takes what has been read. Returns what could not be.
    pub fn update(&mut self) -> Vec<crate::Error> {
        let mut errors = Vec::new();
        while let Ok((key, image)) = self.done.try_recv() {
            match image {
                Ok(image) => {
                    self.pictures.insert(key, Some(Picture { image, texture: None }));
                }
                Err(error) => errors.push(error),
            }
        }
        errors
    }

    /// Forgets the whole pictures of all cameras but `index`.
    pub fn keep_only(&mut self, index: usize) {
        self.pictures.retain(|(camera, kind), _| *kind == Kind::Small || *camera == index);
    }

    /// The texture of a camera's picture under an exposure `gain` times as long, if it is ready.
    pub fn texture(
        &mut self,
        context: &egui::Context,
        index: usize,
        photo: &Photo,
        kind: Kind,
        gain: [f32; 3],
    ) -> Option<egui::TextureId> {
        let key = (index, kind);
        let picture = match self.pictures.entry(key) {
            std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut().as_mut()?,
            std::collections::btree_map::Entry::Vacant(entry) => {
                entry.insert(None);
                if self.jobs.send(Job { key, photo: photo.clone() }).is_err() {
                    tracing::debug!("the album's thread is gone");
                }
                return None;
            }
        };
        if picture.texture.as_ref().is_none_or(|(made, _)| *made != gain) {
            let pixels = colors(&picture.image, gain);
            match &mut picture.texture {
                Some((made, texture)) => {
                    texture.set(pixels, TextureOptions::LINEAR);
                    *made = gain;
                }
                None => {
                    let texture = context.load_texture(&photo.name, pixels, TextureOptions::LINEAR);
                    picture.texture = Some((gain, texture));
                }
            }
        }
        picture.texture.as_ref().map(|(_, texture)| texture.id())
    }
}

/// Draws stripes over what a mask hides, whose pixels are filled by those around them.
fn cross_out(image: &mut Image, weights: &[f32]) {
    let width = image.width as usize;
    // Some forty stripes along the longer side, whatever its size.
    let stripe = (image.width.max(image.height) as usize / 80).max(1);
    for (at, pixel) in image.pixels.iter_mut().enumerate().filter(|(at, _)| weights[*at] < 0.5) {
        let level = if ((at % width + at / width) / stripe).is_multiple_of(2) { 0.5 } else { 0.1 };
        *pixel = [level, 0.0, level];
    }
}

fn colors(image: &Image, gain: [f32; 3]) -> ColorImage {
    let lit = |v: f32, gain: f32| if gain == 1.0 { v } else { exposed(v, gain) };
    let byte = |v: f32| (v * 255.0).round().clamp(0.0, 255.0) as u8;
    let rgb = |pixel: &[f32; 3]| -> [u8; 3] { std::array::from_fn(|c| byte(lit(pixel[c], gain[c]))) };
    let bytes: Vec<u8> = image.pixels.par_iter().flat_map_iter(rgb).collect();
    ColorImage::from_rgb([image.width as usize, image.height as usize], &bytes)
}

fn read(photo: &Photo, kind: Kind) -> Result<Image> {
    let lit = || photo.lit.as_deref().map(read_image);
    let dark = || photo.dark.as_ref().map(|view| view.read());
    let image = match kind {
        Kind::Dark => dark(),
        Kind::Lit => lit(),
        Kind::Small => lit().or_else(dark),
    };
    let mut image = image.transpose()?.unwrap_or_default();
    if let Some(weights) = photo.dark.as_ref().map(|view| view.read_weights(image.width, image.height)).transpose()? {
        weights.iter().for_each(|weights| cross_out(&mut image, weights));
    }
    let longest = image.width.max(image.height).max(1);
    let most = if kind == Kind::Small { SMALL } else { WHOLE };
    if longest <= most {
        return Ok(image);
    }
    let side = |full: u32| (full * most).div_ceil(longest);
    Ok(resize_area(&image, side(image.width), side(image.height)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::{Camera, Mask, View};
    use glam::DMat4;

    #[test]
    fn what_a_mask_hides_is_crossed_out() {
        let dir = tempfile::tempdir().unwrap();
        let [file, mask] = ["a.png", "mask.png"].map(|name| dir.path().join(name));
        ::image::RgbImage::from_pixel(8, 6, ::image::Rgb([10, 20, 30])).save(&file).unwrap();
        ::image::GrayImage::from_fn(8, 6, |x, _| ::image::Luma([if x < 4 { 255 } else { 0 }])).save(&mask).unwrap();
        let camera = Camera {
            width: 8,
            height: 6,
            fx: 8.0,
            fy: 8.0,
            cx: 4.0,
            cy: 3.0,
            viewmat: DMat4::IDENTITY,
            reduction: 1.0,
        };
        let mask = Some(Mask { file: Some(mask), ..Mask::default() });
        let (name, shots) = ("a.png".to_string(), Vec::new());
        let view = View { name: name.clone(), image: Some(file.clone()), camera, lens: None, mask, gain: None, shots };
        let photo = Photo { name, camera: view.camera.clone(), dark: Some(view), lit: Some(file), gain: [1.0; 3] };
        for kind in [Kind::Dark, Kind::Lit, Kind::Small] {
            let image = read(&photo, kind).unwrap();
            assert_eq!(image.at(1, 2)[1], 20.0 / 255.0, "{kind:?}");
            assert!(image.at(6, 2)[1] == 0.0 && image.at(6, 2)[0] > 0.0, "{kind:?}");
        }
    }
}
