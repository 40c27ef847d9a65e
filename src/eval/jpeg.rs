//! Writes JPEG files for challenges and sheets, atomically.

use crate::capture::Image;
use crate::error::{Error, Result};
use crate::storage;
use image::RgbImage;
use jpeg_encoder::{ColorType, Encoder, EncodingError, SamplingFactor};
use std::path::Path;

/// How the two color planes are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sampling {
    /// 4:2:0, color at half resolution: what cameras and most programs write.
    Half,
    /// 4:4:4, color at full resolution: for references.
    Full,
}

/// Writes `image` rounded to 8 bits, quality 95, 4:2:0. The file appears under its name only when it is complete.
///
/// # Errors
/// [`Error::Io`] if the file cannot be written, [`Error::Input`] if the picture is empty or a side exceeds 65 535 pixels.
pub fn write_jpeg(path: &Path, image: &Image) -> Result<()> {
    write_jpeg_with(path, image, 95, Sampling::Half)
}

/// [`write_jpeg`] with a choice of `quality` (1–100) and color `sampling`.
///
/// # Errors
/// As [`write_jpeg`].
pub fn write_jpeg_with(path: &Path, image: &Image, quality: u8, sampling: Sampling) -> Result<()> {
    write_encoded(path, encode(&image.to_rgb8(), quality, sampling, None))
}

/// [`write_jpeg_with`] of a picture that has 8 bits already.
///
/// # Errors
/// As [`write_jpeg`].
pub fn write_jpeg_rgb8(path: &Path, image: &RgbImage, quality: u8, sampling: Sampling) -> Result<()> {
    write_encoded(path, encode(image, quality, sampling, None))
}

/// [`write_jpeg_with`] with a block of EXIF data (a TIFF structure).
///
/// # Errors
/// As [`write_jpeg`].
pub fn write_jpeg_with_exif(path: &Path, image: &Image, quality: u8, sampling: Sampling, exif: &[u8]) -> Result<()> {
    write_encoded(path, encode(&image.to_rgb8(), quality, sampling, Some(exif)))
}

fn write_encoded(path: &Path, encoded: std::result::Result<Vec<u8>, EncodingError>) -> Result<()> {
    let bytes = encoded.map_err(|error| match error {
        EncodingError::IoError(source) => Error::io(path)(source),
        other => Error::input(path, other.to_string(), "a JPEG has 1 to 65535 pixels a side"),
    })?;
    storage::write_bytes(path, &bytes)
}

/// The bytes of a JPEG file. `quality` is clipped to 1–100.
///
/// # Errors
/// The encoder's, if a side is zero or exceeds 65 535 pixels.
pub fn encode_jpeg(image: &Image, quality: u8, sampling: Sampling) -> std::result::Result<Vec<u8>, EncodingError> {
    encode(&image.to_rgb8(), quality, sampling, None)
}

/// `image` after JPEG compression (quality 95, 4:2:0); `None` where JPEG does not allow its size.
pub(super) fn through_jpeg(image: &Image) -> Option<Image> {
    let bytes = encode_jpeg(image, 95, Sampling::Half).ok()?;
    let decoded = ::image::load_from_memory_with_format(&bytes, ::image::ImageFormat::Jpeg).ok()?;
    Some(Image::from_rgb8(&decoded.to_rgb8()))
}

fn encode(
    image: &RgbImage,
    quality: u8,
    sampling: Sampling,
    exif: Option<&[u8]>,
) -> std::result::Result<Vec<u8>, EncodingError> {
    let side = |n: u32| u16::try_from(n).unwrap_or(u16::MAX);
    let (width, height) = (side(image.width()), side(image.height()));
    if (u32::from(width), u32::from(height)) != image.dimensions() {
        return Err(EncodingError::BadImageData { length: image.as_raw().len(), required: usize::from(u16::MAX) });
    }
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, quality.clamp(1, 100));
    encoder.set_sampling_factor(match sampling {
        Sampling::Half => SamplingFactor::F_2_2,
        Sampling::Full => SamplingFactor::F_1_1,
    });
    exif.map_or(Ok(()), |exif| encoder.add_exif_metadata(exif))?;
    encoder.encode(image.as_raw(), width, height, ColorType::Rgb)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_survives_and_nothing_else_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let mut image = Image::new(33, 17);
        for (i, p) in image.pixels.iter_mut().enumerate() {
            *p = [0.2 + 0.01 * (i % 33) as f32, 0.6, 1.3 - 0.05 * (i / 33) as f32];
        }
        for sampling in [Sampling::Half, Sampling::Full] {
            let path = dir.path().join("0001.JPG");
            write_jpeg_with(&path, &image, 98, sampling).unwrap();
            let back = Image::from_rgb8(&::image::open(&path).unwrap().to_rgb8());
            assert!(super::super::psnr(&back, &image).unwrap() > 36.0);
        }
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn sizes_that_no_jpeg_has() {
        let dir = tempfile::tempdir().unwrap();
        for (width, height) in [(0, 5), (65_536, 1)] {
            let path = dir.path().join("a.jpg");
            let error = write_jpeg(&path, &Image::new(width, height)).unwrap_err();
            assert!(error.to_string().contains("65535"), "{error}");
            assert!(!path.exists());
        }
        std::fs::write(dir.path().join("file"), "").unwrap();
        let nowhere = dir.path().join("file/a.jpg");
        assert!(matches!(write_jpeg(&nowhere, &Image::new(8, 8)), Err(Error::Io { .. })));
    }
}
