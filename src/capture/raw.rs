//! RAW files: from sensor samples to linear light.
//!
//! `flashraw` reads the file (a comparison of libraries is in `docs/capture.md`). Its own development clips at black,
//! where the noise of dark pictures must stay centered, so the arithmetic is here: black and white level, [`super::mosaic`],
//! as-shot white balance, the camera's color matrix to linear sRGB, crop, orientation, sRGB curve. White is the sensor's
//! white level in every channel: beyond it a lamp would turn magenta, since channels saturate at different light.

use super::Image;
use super::image::pixels;
use super::kinds::{Kind, lacks_directory};
use super::mosaic::{LONGEST, Mosaic};
use crate::color::to_srgb;
use crate::error::{Error, Result};
use crate::limits;
use ::image::metadata::Orientation;
use ::image::{DynamicImage, ImageBuffer};
use exif::experimental::Writer;
use exif::{Field, In, Rational, Tag, Value};
use flashraw::{CfaPattern, CorruptionPolicy, DecodeOptions, FlashRaw, Limits, OutputFormat, RawFrame, Rect};
use glam::{Mat3, Vec3};
use rayon::prelude::*;
use std::io::Cursor;
use std::path::Path;

/// Memory of one sample of the sensor, as stored and in floating point twice, and of one pixel of the picture, twice.
const SAMPLE: u64 = 2 + 4 + 4;
const PIXEL: u64 = 2 * 12;
/// XYZ of the primaries of sRGB (IEC 61966-2-1), as rows of X, Y and Z.
const XYZ_OF_RGB: [[f32; 3]; 3] =
    [[0.412_456, 0.357_576, 0.180_438], [0.212_673, 0.715_152, 0.072_175], [0.019_334, 0.119_192, 0.950_304]];
const DAMAGED: &str = "copy it again from its source";

/// Width and height of the photograph, upright.
///
/// # Errors
/// [`Error::Input`], naming the file: damaged, or of a kind that is not read.
pub fn size(path: &Path, data: &[u8]) -> Result<(u32, u32)> {
    let file = open(path, data)?;
    let info = file.frame_info();
    let crop = inside(info.crop, Rect::full(info.width, info.height));
    let turned = info.orientation.swaps_dimensions();
    Ok(if turned { (crop.height, crop.width) } else { (crop.width, crop.height) })
}

/// The photograph, upright, with the sRGB curve; not clipped at black.
///
/// # Errors
/// As [`size`]; cut short; a mosaic of other colors than red, green and blue; more memory than the file may take.
pub fn decode(path: &Path, data: &[u8]) -> Result<Image> {
    let file = open(path, data)?;
    let info = file.frame_info();
    let area = u64::from(info.width) * u64::from(info.height);
    let needed = area.saturating_mul(u64::from(info.cpp) * SAMPLE + PIXEL);
    limits::claim(path, data.len() as u64, needed, &pixels(info.width, info.height))?;
    let frame = sensor(path, &file)?;
    let image = develop(path, &frame)?;
    let orientation = Orientation::from_exif(frame.orientation.exif() as u8).unwrap_or(Orientation::NoTransforms);
    Ok(upright(image, orientation))
}

/// How the photograph was taken, as an EXIF block.
pub fn exif(data: &[u8]) -> Option<Vec<u8>> {
    let file = FlashRaw::open(data).ok()?;
    let (metadata, taken) = (file.metadata(), &file.metadata().exposure);
    let ratio = |value: f64, denom: u32| {
        let num = (value * f64::from(denom)).round();
        (num >= 1.0 && num <= f64::from(u32::MAX)).then(|| Value::Rational(vec![Rational { num: num as u32, denom }]))
    };
    let text = |text: &str| (!text.is_empty()).then(|| Value::Ascii(vec![text.as_bytes().to_vec()]));
    let number = |value: u32| u16::try_from(value).map_or_else(|_| Value::Long(vec![value]), |v| Value::Short(vec![v]));
    let fields = [
        (Tag::Make, text(&metadata.make)),
        (Tag::Model, text(&metadata.model)),
        (Tag::ExposureTime, taken.exposure_time.and_then(|seconds| ratio(seconds, 1_000_000))),
        (Tag::FNumber, taken.f_number.and_then(|number| ratio(f64::from(number), 100))),
        (Tag::PhotographicSensitivity, taken.iso.map(number)),
        (Tag::FocalLength, taken.focal_length.and_then(|length| ratio(f64::from(length), 1000))),
        (Tag::FocalLengthIn35mmFilm, taken.focal_length_35mm.map(number)),
    ];
    let field = |(tag, value): (Tag, Option<Value>)| Some(Field { tag, ifd_num: In::PRIMARY, value: value? });
    let fields: Vec<Field> = fields.into_iter().filter_map(field).collect();
    let (mut writer, mut bytes) = (Writer::new(), Cursor::new(Vec::new()));
    fields.iter().for_each(|field| writer.push_field(field));
    writer.write(&mut bytes, false).ok()?;
    Some(bytes.into_inner()).filter(|_| !fields.is_empty())
}

fn open<'a>(path: &Path, data: &'a [u8]) -> Result<FlashRaw<'a>> {
    if lacks_directory(data) {
        return Err(Error::input(path, "a truncated RAW file: its directory is missing", DAMAGED));
    }
    let most = limits::allowed(data.len() as u64) / SAMPLE;
    let file = FlashRaw::open_with(data, Limits::default().with_max_samples(most)).map_err(|e| refusal(path, &e))?;
    let (info, metadata) = (file.frame_info(), file.metadata());
    // A TIFF file without the marks of a RAW file holds a picture, such as the thumbnail of a truncated one.
    if info.cfa.is_none() && info.bits_per_sample <= 8 && metadata.dng_version.is_none() {
        return Err(Error::input(path, "is called a RAW file, but holds no sensor data", DAMAGED));
    }
    Ok(file)
}

/// The sensor's samples, all of them.
fn sensor(path: &Path, file: &FlashRaw) -> Result<RawFrame> {
    let options = |output| DecodeOptions { output, corruption_policy: CorruptionPolicy::Strict, ..Default::default() };
    let decode = |output| file.decode(options(output)).map_err(|e| refusal(path, &e));
    let frame = decode(OutputFormat::RawF32)?;
    // Maps of the lens's shading, which telephones need, are only applied to normalized samples; these end at black.
    let shaded = frame.stats.opcodes.iter().any(|note| note.starts_with("OpcodeList2: not applied"));
    if shaded { decode(OutputFormat::NormalizedF32) } else { Ok(frame) }
}

/// Linear sRGB of the crop, with the sRGB curve.
fn develop(path: &Path, frame: &RawFrame) -> Result<Image> {
    let whole = Rect::full(frame.width, frame.height);
    let active = inside(frame.active_area, whole);
    let crop = inside(frame.crop, active);
    let (left, top) = ((crop.x - active.x) as usize, (crop.y - active.y) as usize);
    let (width, height) = (crop.width as usize, crop.height as usize);
    let values = normalized(path, frame, active)?;
    let row = active.width as usize;
    let mut pixels = match (frame.cfa, frame.cpp) {
        (Some(pattern), 1) => {
            let colors = colors(path, pattern, (active.x + frame.origin.0, active.y + frame.origin.1))?;
            let period = (pattern.width(), pattern.height());
            Mosaic { width: row, values: &values, period, colors: &colors }.develop(left, top, width, height)
        }
        (None, cpp @ (1 | 3)) => {
            let at = |i: usize| ((top + i / width) * row + left + i % width) * cpp as usize;
            let color = |i: usize, c: usize| values[at(i) + if cpp == 3 { c } else { 0 }];
            (0..width * height).into_par_iter().map(|i| std::array::from_fn(|c| color(i, c))).collect()
        }
        _ => return Err(unknown(path, &format!("{} samples a pixel", frame.cpp))),
    };
    let balance = balance(frame);
    let matrix = if frame.cfa.is_none() && frame.cpp == 1 { Mat3::IDENTITY } else { matrix(frame) };
    pixels.par_iter_mut().for_each(|pixel: &mut [f32; 3]| {
        let light = matrix * (Vec3::from(*pixel) * balance).min(Vec3::ONE);
        *pixel = light.to_array().map(to_srgb);
    });
    Ok(Image { width: crop.width, height: crop.height, pixels })
}

/// Samples of the `active` area on a scale from black to white.
fn normalized(path: &Path, frame: &RawFrame, active: Rect) -> Result<Vec<f32>> {
    let Some(samples) = frame.as_f32() else { return Err(unknown(path, "samples that are no numbers")) };
    let (cpp, width) = (frame.cpp as usize, active.width as usize);
    let done = frame.output == OutputFormat::NormalizedF32;
    let mut values = vec![0.0; width * active.height as usize * cpp];
    values.par_chunks_exact_mut(width * cpp).enumerate().for_each(|(row, line)| {
        let y = active.y as usize + row;
        let start = (y * frame.width as usize + active.x as usize) * cpp;
        for (i, (value, sample)) in line.iter_mut().zip(&samples[start..]).enumerate() {
            let (x, channel) = (active.x as usize + i / cpp, i % cpp);
            let (x_of, y_of) = (x + frame.origin.0 as usize, y + frame.origin.1 as usize);
            let color = frame.cfa.map_or(channel, |pattern| pattern.color_at(x_of, y_of) as usize);
            let black = frame.black_level.at(x_of, y_of, channel);
            let range = frame.white_level.at(color) as f32 - black;
            *value = if done || range <= 0.0 { *sample } else { (sample - black) / range };
            if !value.is_finite() {
                *value = 0.0;
            }
        }
    });
    Ok(values)
}

/// The colors of `pattern` from `origin` on.
fn colors(path: &Path, pattern: CfaPattern, origin: (u32, u32)) -> Result<Vec<usize>> {
    let shifted = pattern.shifted(origin.0 as usize % pattern.width(), origin.1 as usize % pattern.height());
    let colors: Vec<usize> = shifted.colors().iter().map(|color| *color as usize).collect();
    let known = pattern.width().max(pattern.height()) <= LONGEST && (0..3).all(|color| colors.contains(&color));
    match known && colors.iter().all(|color| *color < 3) {
        true => Ok(colors),
        false => Err(unknown(path, &format!("a mosaic of the colors {pattern}"))),
    }
}

/// What red, green and blue are multiplied by: the camera's own white balance, or that of daylight.
fn balance(frame: &RawFrame) -> Vec3 {
    let daylight = || frame.color_matrices.preferred()?.multipliers_for([1.0; 3]);
    let factors = match frame.white_balance {
        _ if frame.white_balance_applied => None,
        Some(balance) => Some(balance.coeffs.to_vec()),
        None => daylight(),
    };
    let factors = factors.filter(|_| frame.cfa.is_some() || frame.cpp == 3);
    let balance = factors.filter(|f| f.len() >= 3).map_or(Vec3::ONE, |f| Vec3::new(f[0], f[1], f[2]));
    // A saturated pixel is white: no channel may fall below 1.
    if balance.min_element() > 0.0 && balance.is_finite() { balance / balance.min_element() } else { Vec3::ONE }
}

/// From the camera's balanced colors to linear sRGB. White stays white.
fn matrix(frame: &RawFrame) -> Mat3 {
    let Some(found) = frame.color_matrices.preferred().filter(|matrix| matrix.rows == 3) else { return Mat3::IDENTITY };
    let xyz = Mat3::from_cols_array_2d(&XYZ_OF_RGB).transpose();
    let rows: [Vec3; 3] = std::array::from_fn(|row| {
        let camera = Vec3::from_array(std::array::from_fn(|column| found.get(row, column)));
        let of_rgb = xyz.transpose() * camera;
        of_rgb / of_rgb.element_sum()
    });
    let inverse = Mat3::from_cols(rows[0], rows[1], rows[2]).transpose().inverse();
    if inverse.is_finite() { inverse } else { Mat3::IDENTITY }
}

/// The part of `part` within `whole`, or all of it where there is none.
fn inside(part: Rect, whole: Rect) -> Rect {
    part.intersect(&whole).unwrap_or(whole)
}

/// The picture as its viewer sees it. Programs that develop RAW files turn them, so poses are those of upright pictures.
fn upright(image: Image, orientation: Orientation) -> Image {
    if orientation == Orientation::NoTransforms {
        return image;
    }
    let buffer = ImageBuffer::from_raw(image.width, image.height, image.pixels.into_flattened());
    let mut turned = DynamicImage::ImageRgb32F(buffer.expect("an image has width × height pixels"));
    turned.apply_orientation(orientation);
    let turned = turned.into_rgb32f();
    Image { width: turned.width(), height: turned.height(), pixels: turned.pixels().map(|pixel| pixel.0).collect() }
}

fn unknown(path: &Path, found: &str) -> Error {
    Error::input(path, format!("a RAW file of a kind that is not read ({found})"), Kind::Raw.remedy())
}

fn refusal(path: &Path, error: &flashraw::Error) -> Error {
    use flashraw::Error as E;
    match error {
        E::UnsupportedFormat(_) => {
            let remedy = format!("if it is cut, {DAMAGED}, else {}", Kind::Raw.remedy());
            Error::input(path, format!("cannot be read as a RAW file ({error})"), remedy)
        }
        E::InvalidMetadata(what) if what.contains("CFA") => {
            unknown(path, &format!("a mosaic that is not known: {what}"))
        }
        // The crate leaves this decoder out by default, since it has no memory limit.
        E::UnsupportedCompression { .. } if error.to_string().contains("JPEG XL") => {
            unknown(path, "its samples are compressed as JPEG XL")
        }
        E::UnsupportedCompression { .. } | E::CameraUnsupported { .. } | E::NotAvailable(_) => {
            unknown(path, &error.to_string())
        }
        E::LimitExceeded(_) => {
            let found = format!("takes more memory than it may ({error})");
            Error::input(path, found, "copy it again if that is wrong, or allow it (`max_memory`)")
        }
        E::OutOfMemory(_) => Error::OutOfHostMemory(format!("{}: {error}", path.display())),
        _ => Error::input(path, format!("a damaged or truncated RAW file ({error})"), DAMAGED),
    }
}

#[cfg(test)]
#[path = "raw_tests.rs"]
mod tests;
