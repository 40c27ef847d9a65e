//! JPEG files in memory.

use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use naka_gs::capture::Image;
use naka_gs::{Error, Result};
use rayon::prelude::*;
use std::path::Path;

/// How a file is written.
#[derive(Clone, Copy, Debug)]
pub struct Jpeg {
    pub quality: u8,
    pub sampling: SamplingFactor,
}

impl Jpeg {
    /// The file of a picture, rounded to 8-bit RGB.
    ///
    /// # Errors
    /// For pictures that no JPEG can hold.
    pub fn encode(self, image: &Image) -> Result<Vec<u8>> {
        self.bytes(image.to_rgb8().as_raw(), (image.width, image.height), ColorType::Rgb)
    }

    /// What a reader of 8-bit RGB gets of a file into which a camera put the values `at(index)` of 0–1: rounded to
    /// 8-bit YCbCr, not to RGB.
    ///
    /// # Errors
    /// As [`Self::encode`].
    pub fn through(self, width: u32, height: u32, at: impl Fn(usize) -> [f32; 3] + Sync) -> Result<Image> {
        let mut samples = vec![0; width as usize * height as usize * 3];
        samples.par_chunks_mut(3).enumerate().for_each(|(i, out)| out.copy_from_slice(&ycbcr(at(i))));
        let bytes = self.bytes(&samples, (width, height), ColorType::Ycbcr)?;
        let read = image::load_from_memory_with_format(&bytes, image::ImageFormat::Jpeg).map_err(|e| bad(&e))?;
        Ok(Image::from_rgb8(&read.to_rgb8()))
    }

    fn bytes(self, samples: &[u8], (width, height): (u32, u32), colors: ColorType) -> Result<Vec<u8>> {
        let side = |n: u32| u16::try_from(n).map_err(|e| bad(&e));
        let mut bytes = Vec::new();
        let mut encoder = Encoder::new(&mut bytes, self.quality);
        encoder.set_sampling_factor(self.sampling);
        encoder.encode(samples, side(width)?, side(height)?, colors).map_err(|e| bad(&e))?;
        Ok(bytes)
    }
}

fn bad(error: &dyn std::fmt::Display) -> Error {
    Error::input(Path::new("a JPEG in memory"), error.to_string(), "choose smaller pictures")
}

/// 8-bit YCbCr (JFIF 1.02) of RGB of 0–1.
fn ycbcr(rgb: [f32; 3]) -> [u8; 3] {
    let [r, g, b] = rgb.map(|v| 255.0 * v.clamp(0.0, 1.0));
    let y = 0.299 * r + 0.587 * g + 0.114 * b;
    [y, 128.0 + (b - y) / 1.772, 128.0 + (r - y) / 1.402].map(|v| v.round() as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_have_the_tables_of_known_captures() {
        let jpeg = Jpeg { quality: 95, sampling: SamplingFactor::F_2_2 };
        let bytes = jpeg.encode(&Image::new(32, 16)).unwrap();
        let at = bytes.windows(2).position(|w| w == [0xff, 0xdb]).unwrap();
        // The first steps of luma and their places in zigzag order: row 2 1 1 2 2, column 2 1 1 1 2 of the table.
        assert_eq!(&bytes[at + 5..at + 15], &[2, 1, 1, 1, 1, 1, 2, 1, 1, 1]);
        let frame = bytes.windows(2).position(|w| w == [0xff, 0xc0]).unwrap();
        assert_eq!(bytes[frame + 11], 0x22);
    }

    #[test]
    fn a_camera_rounds_color_to_whole_levels() {
        let jpeg = Jpeg { quality: 97, sampling: SamplingFactor::F_2_1 };
        let faint = jpeg.through(32, 32, |_| [3.0 / 255.0, 3.0 / 255.0, 3.6 / 255.0]).unwrap();
        assert!(faint.pixels.iter().all(|p| p[0] == p[2]));
        let clear = jpeg.through(32, 32, |_| [3.0 / 255.0, 3.0 / 255.0, 9.0 / 255.0]).unwrap();
        assert!(clear.pixels.iter().all(|p| p[2] > p[0] + 3.0 / 255.0));
    }
}
