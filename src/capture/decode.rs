//! Image files to pictures in floating point.

use super::decoder::{CLAIMED, decode_dynamic, decoder};
use super::extras::curve_in;
use super::kinds::{Kind, is_exr};
use super::{Curve, Extras, Image, jpeg, raw};
use crate::color::to_srgb;
use crate::error::{Error, Result};
use crate::limits;
use ::image::{DynamicImage, ImageDecoder};
use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Read, Seek, SeekFrom};
use std::path::Path;

const JPEG: &[u8] = &[0xff, 0xd8];
/// Bytes that tell the kind of a file.
const START: u64 = 8 << 10;

/// Where more than this part of the float samples of a file exceeds that value, their white is not 1: lamps are smaller.
const MOST_SAMPLE: f32 = 2.0;
const MOST_ABOVE: f64 = 0.1;
/// Largest value of an EXR file that is kept: the largest that half floats hold.
const MOST_LIGHT: f32 = 65_504.0;

/// Reads a JPEG, PNG, TIFF, WebP, EXR or RAW file. JPEG is decoded without rounding or clipping (see [`mod@super::jpeg`]'s
/// header), 8- and 16-bit samples are divided by 255 and 65 535, float samples are taken as 0–1 and clipped. Samples of more
/// than 8 bits are brought from the curve of their color profile to sRGB's ([`mod@super::curve`]), whose primaries stay. Linear
/// light, of EXR and RAW files too, gets the sRGB curve also below black and above white; RAW files are turned upright. Gray
/// becomes three equal channels; alpha is dropped.
///
/// # Errors
/// [`Error::Io`] or [`Error::Input`], naming the file: missing, truncated, damaged, or of an unsupported kind.
pub fn read_image(path: &Path) -> Result<Image> {
    decode_image(path, &limits::read(path)?)
}

/// As [`read_image`], from the bytes of the file.
///
/// # Errors
/// As [`read_image`]; `path` only names the file.
pub fn decode_image(path: &Path, data: &[u8]) -> Result<Image> {
    decode_counted(path, data, data.len() as u64)
}

/// As [`read_image`], for a file whose memory was claimed before.
///
/// # Errors
/// As [`read_image`].
pub(super) fn read_claimed(path: &Path) -> Result<Image> {
    decode_counted(path, &limits::read(path)?, CLAIMED)
}

/// As [`decode_image`], for content that may take as much memory as a file of `counted` bytes.
fn decode_counted(path: &Path, data: &[u8], counted: u64) -> Result<Image> {
    match Kind::of(path, data) {
        Some(Kind::Raw) => return raw::decode(path, data),
        Some(kind) => return Err(kind.refuse(path)),
        None => {}
    }
    if data.starts_with(JPEG) {
        return jpeg::decode(path, data, counted);
    }
    let image = decode_dynamic(path, data, counted)?;
    match curve_in(path, data, counted) {
        Some(curve) if curve.is_linear => Ok(from_light(image)),
        _ if is_exr(data) => Ok(from_light(image)),
        None => from_dynamic(path, image),
        Some(curve) => {
            let mut image = from_dynamic(path, image)?;
            image.pixels.iter_mut().for_each(|pixel| *pixel = curve.light(*pixel).map(to_srgb));
            Ok(image)
        }
    }
}

/// A picture of linear light.
fn from_light(image: DynamicImage) -> Image {
    let (width, height) = (image.width(), image.height());
    let encoded = |v: f32| if v.is_nan() { 0.0 } else { to_srgb(v.clamp(-MOST_LIGHT, MOST_LIGHT)) };
    let pixels = image.into_rgb32f().pixels().map(|p| p.0.map(encoded)).collect();
    Image { width, height, pixels }
}

/// Whether the samples of a file are proportional to light, with no camera's curve in them: RAW and EXR, and deep pictures
/// with a profile that says so.
pub fn is_linear(path: &Path) -> bool {
    let mut start = Vec::new();
    let read = File::open(path).and_then(|file| file.take(START).read_to_end(&mut start));
    let by_profile = || own_curve(path, &start).is_some_and(|curve| curve.is_linear);
    read.is_ok() && (Kind::of(path, &start) == Some(Kind::Raw) || is_exr(&start) || by_profile())
}

/// Whether the pixels of a file are read by the curve of its color profile.
pub fn has_own_curve(path: &Path) -> bool {
    let mut start = [0; 2];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut start));
    read.is_ok() && own_curve(path, &start).is_some()
}

/// The curve of the file `path`, which begins with `start`; headers of JPEG, which has none, are not read.
fn own_curve(path: &Path, start: &[u8]) -> Option<Curve> {
    if start.starts_with(JPEG) { None } else { Extras::read(path).curve() }
}

/// Width and height of an image file in pixels; reads no more than its header (of RAW files, which have headers in many
/// places, all).
///
/// # Errors
/// As [`read_image`].
pub fn image_size(path: &Path) -> Result<(u32, u32)> {
    let file = File::open(path).map_err(Error::io(path))?;
    let bytes = file.metadata().map_err(Error::io(path))?.len();
    let mut file = BufReader::new(file);
    match Kind::of(path, file.fill_buf().map_err(Error::io(path))?) {
        Some(Kind::Raw) => raw::size(path, &limits::read(path)?),
        Some(kind) => Err(kind.refuse(path)),
        None => size_in(path, file, bytes),
    }
}

/// As [`image_size`], from the bytes of the file.
///
/// # Errors
/// As [`read_image`]; `path` only names the file.
pub fn encoded_size(path: &Path, data: &[u8]) -> Result<(u32, u32)> {
    size_in(path, Cursor::new(data), data.len() as u64)
}

fn size_in(path: &Path, mut file: impl BufRead + Seek, bytes: u64) -> Result<(u32, u32)> {
    let mut start = [0; 2];
    if file.read_exact(&mut start).is_err() {
        return Err(Error::input(path, "the file is empty", "copy it again from its source, or remove its frame"));
    }
    if start == [0xff, 0xd8] {
        return jpeg_size(&mut file).ok_or_else(|| {
            Error::input(path, "a JPEG file without a complete header", "copy it again from its source")
        });
    }
    file.rewind().map_err(Error::io(path))?;
    decoder(path, file, bytes).map(|decoder| decoder.dimensions())
}

/// The size in a JPEG's frame header (any SOF marker), looked for from after the SOI marker on.
fn jpeg_size(file: &mut (impl Read + Seek)) -> Option<(u32, u32)> {
    loop {
        let mut byte = [0; 1];
        file.read_exact(&mut byte).ok()?;
        if byte[0] != 0xff {
            continue;
        }
        while byte[0] == 0xff {
            file.read_exact(&mut byte).ok()?;
        }
        match byte[0] {
            0x01 | 0xd0..=0xd8 => {}
            0x00 | 0xd9 | 0xda => return None,
            marker => {
                let mut length = [0; 2];
                file.read_exact(&mut length).ok()?;
                if matches!(marker, 0xc0..=0xcf) && !matches!(marker, 0xc4 | 0xc8 | 0xcc) {
                    let mut frame = [0; 5];
                    file.read_exact(&mut frame).ok()?;
                    let [_, h1, h0, w1, w0] = frame.map(u32::from);
                    let (width, height) = (w1 << 8 | w0, h1 << 8 | h0);
                    return (width > 0 && height > 0).then_some((width, height));
                }
                file.seek(SeekFrom::Current(i64::from(u16::from_be_bytes(length)) - 2)).ok()?;
            }
        }
    }
}

fn from_dynamic(path: &Path, image: DynamicImage) -> Result<Image> {
    let (width, height) = (image.width(), image.height());
    let pixels = match image {
        DynamicImage::ImageRgb32F(_) | DynamicImage::ImageRgba32F(_) => {
            nominal(path, image.into_rgb32f().pixels().map(|p| p.0).collect())?
        }
        DynamicImage::ImageLuma16(_)
        | DynamicImage::ImageLumaA16(_)
        | DynamicImage::ImageRgb16(_)
        | DynamicImage::ImageRgba16(_) => {
            image.into_rgb16().pixels().map(|p| p.0.map(|v| f32::from(v) / 65_535.0)).collect()
        }
        _ => return Ok(Image::from_rgb8(&image.into_rgb8())),
    };
    Ok(Image { width, height, pixels })
}

/// Float samples of 0–1, clipped; what is not a number becomes 0. They are never scaled by what one picture holds: a lamp
/// in one view would darken it against the others. Nothing tells another scale, so files of one are refused.
fn nominal(path: &Path, mut pixels: Vec<[f32; 3]>) -> Result<Vec<[f32; 3]>> {
    let above = pixels.iter().flatten().filter(|v| v.is_finite() && **v > MOST_SAMPLE).count();
    if above as f64 > MOST_ABOVE * 3.0 * pixels.len() as f64 {
        let part = 100.0 * above as f64 / (3 * pixels.len()) as f64;
        let found = format!("{part:.0} % of its float samples lie above {MOST_SAMPLE}, where 1 should be white");
        return Err(Error::input(
            path,
            found,
            "divide them by the value of white, or save the picture with 16 bits a channel",
        ));
    }
    for value in pixels.iter_mut().flatten() {
        *value = if value.is_nan() { 0.0 } else { value.clamp(0.0, 1.0) };
    }
    Ok(pixels)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::color::linear_to_srgb;
    use ::image::{ImageBuffer, ImageFormat, Rgb, RgbImage, Rgba};

    #[test]
    fn light_of_exr_files_gets_the_curve_and_keeps_what_is_beyond_white() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.exr");
        let light = [[0.02f32, 0.2, 4.0], [-0.01, 1.0, f32::NAN]];
        ImageBuffer::from_fn(2, 1, |x, _| Rgb(light[x as usize])).save(&path).unwrap();
        let image = read_image(&path).unwrap();
        assert_eq!((image_size(&path).unwrap(), is_linear(&path)), ((2, 1), true));
        let [dark, other] = [image.at(0, 0), image.at(1, 0)];
        assert!((dark[0] - linear_to_srgb(0.02)).abs() < 1e-5 && (dark[1] - linear_to_srgb(0.2)).abs() < 1e-5);
        assert!(dark[2] > 1.5 && (other[0] + linear_to_srgb(0.01)).abs() < 1e-5);
        assert!((other[1] - 1.0).abs() < 1e-5 && other[2] == 0.0);
        let extras = crate::capture::Extras::read(&path);
        assert!(extras.deep && !extras.alpha);
        ImageBuffer::from_fn(2, 1, |x, _| Rgba([0.5, 0.5, 0.5, x as f32])).save(&path).unwrap();
        let alpha = crate::capture::read_alpha(&path).unwrap().unwrap();
        assert_eq!([alpha.at(0, 0)[0], alpha.at(1, 0)[0]], [0.0, 1.0]);
        let bytes = std::fs::read(&path).unwrap();
        let cut = decode_image(&path, &bytes[..bytes.len() - 4]).unwrap_err().to_string();
        assert!(cut.contains("a.exr") && cut.contains("damaged or truncated"), "{cut}");
    }

    #[test]
    fn float_samples_are_those_of_the_file_whatever_else_a_picture_shows() {
        let dir = tempfile::tempdir().unwrap();
        let read = |lamp: f32, scale: f32| {
            let path = dir.path().join("a.tif");
            let value = |x: u32, y: u32| if (x, y) == (3, 3) { lamp } else { scale * (0.01 + 0.001 * x as f32) };
            ImageBuffer::from_fn(20, 10, |x, y| Rgb([value(x, y), 0.5 * value(x, y), -0.1])).save(&path).unwrap();
            read_image(&path)
        };
        let (plain, lamp) = (read(0.02, 1.0).unwrap(), read(7.0, 1.0).unwrap());
        assert_eq!(plain.at(9, 5), lamp.at(9, 5));
        let want = [0.019, 0.0095, 0.0];
        assert!(plain.at(9, 5).iter().zip(want).all(|(v, want)| (v - want).abs() < 1e-6), "{:?}", plain.at(9, 5));
        assert_eq!(lamp.at(3, 3), [1.0, 1.0, 0.0]);
        // Levels of 255 are no light that is known.
        let found = read(200.0, 255.0).unwrap_err().to_string();
        assert!(found.contains("a.tif") && found.contains("above 2") && found.contains("16 bits"), "{found}");
    }

    #[test]
    fn webp_is_read_and_named_among_results_as_jpeg() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.webp");
        RgbImage::from_fn(5, 3, |x, y| Rgb([x as u8, y as u8, 200]))
            .save_with_format(&path, ImageFormat::WebP)
            .unwrap();
        assert_eq!((image_size(&path).unwrap(), is_linear(&path)), ((5, 3), false));
        assert_eq!(read_image(&path).unwrap().to_rgb8().get_pixel(4, 2).0, [4, 2, 200]);
        assert!(!crate::capture::Extras::read(&path).deep);
        let names = |dir: &Path| {
            crate::capture::photos(dir).unwrap().train.into_iter().map(|view| view.name).collect::<Vec<_>>()
        };
        assert_eq!(names(dir.path()), ["a.JPG"]);
        // Depth maps and copies lie beside common pictures.
        RgbImage::new(5, 3).save(dir.path().join("b.png")).unwrap();
        assert_eq!(names(dir.path()), ["b.png"]);
        let bytes = std::fs::read(&path).unwrap();
        assert!(decode_image(&path, &bytes[..bytes.len() / 2]).unwrap_err().to_string().contains("a.webp"));
    }
}
