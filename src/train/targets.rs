//! The images that training looks at, packed to 8 bits and kept within a budget.

use crate::capture::{View, resize_area};
use crate::color::exposed;
use crate::error::{Error, Result};
use crate::splat::{TILE, tiles};
use std::collections::HashMap;
use std::sync::mpsc::{Receiver, channel};

/// Bytes that packed images may hold; beyond it they are decoded again when needed.
const BUDGET: usize = 1 << 30;

/// A training image on its way to the device: RGBA, 8 bits each, one word a pixel, rows padded to whole tiles. A is how
/// much the pixel counts; colors are multiplied by it.
pub type Packed = std::sync::Arc<Vec<u32>>;

/// View and downscaling of an image that is being decoded, and where it will arrive.
type Coming = ((usize, u32), Receiver<Result<Packed>>);

/// Decodes, scales and packs the images of `views`; one image ahead of time in the background.
pub struct Targets {
    views: Vec<View>,
    kept: HashMap<(usize, u32), Packed>,
    bytes: usize,
    coming: Option<Coming>,
}

impl Targets {
    /// The images of `views`, which must all have one.
    pub fn new(views: Vec<View>) -> Self {
        Self { views, kept: HashMap::new(), bytes: 0, coming: None }
    }

    /// The packed image of view `index` at 1/`downscale`.
    ///
    /// # Errors
    /// The image cannot be read any more.
    pub fn get(&mut self, index: usize, downscale: u32) -> Result<Packed> {
        let key = (index, downscale);
        if let Some(packed) = self.kept.get(&key) {
            return Ok(packed.clone());
        }
        let packed = match self.coming.take() {
            Some((coming, receiver)) if coming == key => {
                receiver.recv().map_err(|e| Error::Gpu(format!("image decoder stopped: {e}")))??
            }
            _ => load(&self.views[index], downscale)?,
        };
        self.keep(key, &packed);
        Ok(packed)
    }

    /// Starts to decode the image that will be asked for next.
    pub fn prefetch(&mut self, index: usize, downscale: u32) {
        let key = (index, downscale);
        if self.kept.contains_key(&key) || self.coming.is_some() {
            return;
        }
        let (sender, receiver) = channel();
        let view = self.views[index].clone();
        rayon::spawn(move || {
            let _ = sender.send(load(&view, downscale));
        });
        self.coming = Some((key, receiver));
    }

    fn keep(&mut self, key: (usize, u32), packed: &Packed) {
        // A new size means that the old one is over.
        if self.kept.keys().any(|(_, downscale)| *downscale != key.1) {
            self.kept.clear();
            self.bytes = 0;
        }
        if self.bytes + packed.len() * 4 <= BUDGET {
            self.bytes += packed.len() * 4;
            self.kept.insert(key, packed.clone());
        }
    }
}

fn load(view: &View, downscale: u32) -> Result<Packed> {
    let camera = view.camera.downscaled(downscale);
    let (width, height) = (camera.width, camera.height);
    let mut image = view.read()?;
    if let Some(gain) = view.gain {
        image.pixels.iter_mut().for_each(|pixel| *pixel = std::array::from_fn(|c| exposed(pixel[c], gain[c])));
    }
    let image = if (image.width, image.height) == (width, height) { image } else { resize_area(&image, width, height) };
    let weights = view.read_weights(width, height)?;
    let pack = |(p, weight): (&[f32; 3], f32)| {
        let [r, g, b] = p.map(|v| (v.clamp(0.0, 1.0) * weight * 255.0).round() as u32);
        r | g << 8 | b << 16 | ((weight * 255.0).round() as u32) << 24
    };
    let weight = |row: usize, column: usize| weights.as_ref().map_or(1.0, |all| all[row * width as usize + column]);
    let pitch = (tiles(width, height)[0] * TILE) as usize;
    let mut packed = Vec::with_capacity(pitch * height as usize);
    for (row, pixels) in image.pixels.chunks_exact(width as usize).enumerate() {
        packed.extend(pixels.iter().enumerate().map(|(column, pixel)| pack((pixel, weight(row, column)))));
        packed.resize(packed.len().next_multiple_of(pitch), 0);
    }
    Ok(Packed::new(packed))
}
