//! Pictures with a pixel a splat.

use crate::error::{Error, Result};
use image_webp::{ColorType, WebPEncoder};
use std::path::Path;

pub type Pixel = [u8; 4];

/// Which splat each pixel is of, row by row.
pub struct Layout {
    pub order: Vec<u32>,
}

pub struct Picture {
    pub name: &'static str,
    pub pixels: Vec<Pixel>,
    /// Width and height.
    pub size: [usize; 2],
}

impl Layout {
    /// Width and height: about square, in multiples of four.
    fn size(&self) -> [usize; 2] {
        let count = self.order.len();
        let width = (((count as f64).sqrt() / 4.0).ceil() as usize * 4).max(4);
        [width, count.div_ceil(width).next_multiple_of(4)]
    }

    pub fn picture(&self, name: &'static str, pixel: impl Fn(usize) -> Pixel) -> Picture {
        let size = self.size();
        let mut pixels: Vec<Pixel> = self.order.iter().map(|i| pixel(*i as usize)).collect();
        pixels.resize(size[0] * size[1], [0; 4]);
        Picture { name, pixels, size }
    }
}

impl Picture {
    /// As lossless WebP.
    pub fn encode(&self, path: &Path) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let [width, height] = self.size.map(|v| u32::try_from(v).unwrap_or(u32::MAX));
        let encoded = WebPEncoder::new(&mut bytes).encode(self.pixels.as_flattened(), width, height, ColorType::Rgba8);
        encoded.map_err(|error| {
            let found = format!("cannot hold {} in a picture of {width} × {height} pixels: {error}", self.name);
            Error::input(path, found, "choose .spz, or fewer splats")
        })?;
        Ok(bytes)
    }
}
