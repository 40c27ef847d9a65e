//! Lit pictures as files, in the format their names ask for.

use crate::atomic_file;
use crate::capture::Image;
use crate::error::{Error, Result};
use ::image::{DynamicImage, ImageBuffer, ImageFormat};
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use std::io::Cursor;
use std::path::Path;

/// Quality of lit JPEGs, with full-size colour: they are training data.
const QUALITY: u8 = 98;

/// Writes `image` as the ending of `path` says: PNG in 8 bits, TIFF in 16, everything else as JPEG. The file appears
/// under its name only when it is complete.
///
/// # Errors
/// [`Error::Io`] where it cannot be written, [`Error::Input`] where the format cannot hold the picture's size.
pub fn write(path: &Path, image: &Image) -> Result<()> {
    let ending = path.extension().map(|e| e.to_string_lossy().to_lowercase()).unwrap_or_default();
    let bytes = match ending.as_str() {
        "png" => encode(path, &image.to_rgb8().into(), ImageFormat::Png),
        "tif" | "tiff" => encode(path, &deep(image), ImageFormat::Tiff),
        _ => jpeg(path, image),
    }?;
    atomic_file::write_bytes(path, &bytes)
}

fn encode(path: &Path, image: &DynamicImage, format: ImageFormat) -> Result<Vec<u8>> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).map_err(|e| refusal(path, &e.to_string()))?;
    Ok(bytes.into_inner())
}

fn deep(image: &Image) -> DynamicImage {
    let value = |x: u32, y: u32| image.at(x, y).map(|v| (v.clamp(0.0, 1.0) * 65_535.0).round() as u16);
    ImageBuffer::from_fn(image.width, image.height, |x, y| ::image::Rgb(value(x, y))).into()
}

fn jpeg(path: &Path, image: &Image) -> Result<Vec<u8>> {
    let (Ok(width), Ok(height)) = (u16::try_from(image.width), u16::try_from(image.height)) else {
        return Err(refusal(path, "larger than 65535 pixels"));
    };
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, QUALITY);
    encoder.set_sampling_factor(SamplingFactor::F_1_1);
    let pixels = image.to_rgb8();
    encoder.encode(pixels.as_raw(), width, height, ColorType::Rgb).map_err(|e| refusal(path, &e.to_string()))?;
    Ok(bytes)
}

fn refusal(path: &Path, found: &str) -> Error {
    Error::input(path, format!("a picture this format cannot hold ({found})"), "use --downscale")
}
