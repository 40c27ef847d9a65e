//! Metadata of image files.

use super::decoder::{CLAIMED, decode_dynamic, decoder};
use super::kinds::Kind;
use super::{Curve, Image, raw, tiff_exif};
use crate::error::Result;
use crate::limits;
use ::image::metadata::Orientation;
use ::image::{DynamicImage, ImageDecoder};
use std::fs::File;
use std::io::{BufRead, BufReader, Cursor};
use std::path::Path;

/// The tag of the main directory that points to the EXIF directory.
const EXIF_DIRECTORY: usize = 0x8769;
/// ExposureTime, PhotographicSensitivity, SensitivityType to ISOSpeedLatitudezzz, ShutterSpeedValue, BrightnessValue and
/// ExposureBiasValue.
const EXPOSURE: [usize; 11] = [0x829a, 0x8827, 0x8830, 0x8831, 0x8832, 0x8833, 0x8834, 0x8835, 0x9201, 0x9203, 0x9204];

/// Orientation, depth and the blocks of bytes that belong to the photograph rather than to its pixels. They never change
/// how pixels are read: poses are those of the pixels as they are stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Extras {
    /// How a viewer turns the picture.
    pub orientation: Orientation,
    /// The EXIF block (a TIFF structure, without the `Exif\0\0` of JPEG), its thumbnail unlinked.
    pub exif: Option<Vec<u8>>,
    /// The ICC profile of its RGB colors.
    pub profile: Option<Vec<u8>>,
    /// Whether samples have more than 8 bits.
    pub deep: bool,
    /// Whether there is a channel of opacity.
    pub alpha: bool,
}

impl Default for Extras {
    fn default() -> Self {
        Self { orientation: Orientation::NoTransforms, exif: None, profile: None, deep: false, alpha: false }
    }
}

impl Extras {
    /// Reads them from the file's header. What cannot be read counts as absent: the picture is usable without it.
    pub fn read(path: &Path) -> Self {
        Self::find(path).unwrap_or_default()
    }

    fn find(path: &Path) -> Option<Self> {
        let file = File::open(path).ok()?;
        let bytes = file.metadata().ok()?.len();
        let mut file = BufReader::new(file);
        if Kind::of(path, file.fill_buf().ok()?) == Some(Kind::Raw) {
            // Their pixels are turned upright while they are read.
            let exif = raw::exif(&limits::read(path).ok()?);
            return Some(Self { exif, deep: true, ..Self::default() });
        }
        let start = file.fill_buf().ok()?;
        let is_tiff = start.starts_with(b"II") || start.starts_with(b"MM");
        let mut decoder = decoder(path, file, bytes).ok()?;
        let color = decoder.color_type();
        Some(Self {
            orientation: decoder.orientation().unwrap_or(Orientation::NoTransforms),
            exif: match is_tiff {
                true => tiff_exif::exif(BufReader::new(File::open(path).ok()?)),
                false => decoder.exif_metadata().ok().flatten().map(without_thumbnail),
            },
            profile: profile(&mut decoder),
            deep: is_deep(&decoder),
            alpha: color.has_alpha(),
        })
    }

    /// The curve of the profile, where pixels are read by it.
    pub(super) fn curve(&self) -> Option<Curve> {
        self.profile.as_deref().filter(|_| self.deep).and_then(Curve::of)
    }

    /// Removes the EXIF data on time, sensitivity and metering, which are wrong for a picture whose exposure was changed.
    #[must_use]
    pub fn without_exposure(mut self) -> Self {
        if let Some(exif) = &mut self.exif {
            // A malformed block does not state them either.
            let _ = remove_exposure(exif);
        }
        self
    }

    /// Turns a picture as a viewer would.
    pub fn upright(&self, image: &Image) -> Image {
        let mut turned = DynamicImage::ImageRgb8(image.to_rgb8());
        turned.apply_orientation(self.orientation);
        Image::from_rgb8(&turned.to_rgb8())
    }
}

/// [`Extras::curve`] of the file with the content `data`, which may take as much memory as one of `counted` bytes.
pub(super) fn curve_in(path: &Path, data: &[u8], counted: u64) -> Option<Curve> {
    let mut decoder = decoder(path, Cursor::new(data), counted).ok()?;
    if is_deep(&decoder) { Curve::of(&profile(&mut decoder)?) } else { None }
}

/// The profile of a gray picture does not describe the colors it becomes.
fn profile(decoder: &mut impl ImageDecoder) -> Option<Vec<u8>> {
    decoder.icc_profile().ok().flatten().filter(|icc| icc.get(16..20) == Some(b"RGB "))
}

fn is_deep(decoder: &impl ImageDecoder) -> bool {
    let color = decoder.color_type();
    color.bytes_per_pixel() / color.channel_count() > 1
}

/// The opacity of an image file, 0–1 in all three channels; nothing where it has none.
///
/// # Errors
/// As [`super::read_image`].
pub fn read_alpha(path: &Path) -> Result<Option<Image>> {
    alpha(path, None)
}

/// As [`read_alpha`], for a file whose memory was claimed before.
///
/// # Errors
/// As there.
pub(super) fn read_alpha_claimed(path: &Path) -> Result<Option<Image>> {
    alpha(path, Some(CLAIMED))
}

fn alpha(path: &Path, counted: Option<u64>) -> Result<Option<Image>> {
    if !Extras::read(path).alpha {
        return Ok(None);
    }
    let data = limits::read(path)?;
    let image = decode_dynamic(path, &data, counted.unwrap_or(data.len() as u64))?.into_rgba16();
    let pixels = image.pixels().map(|p| [f32::from(p.0[3]) / 65_535.0; 3]).collect();
    Ok(Some(Image { width: image.width(), height: image.height(), pixels }))
}

/// Unlinks the thumbnail, which shows the dark picture: the first directory of the EXIF block gets no successor.
fn without_thumbnail(mut exif: Vec<u8>) -> Vec<u8> {
    // A block that is not built as it should be stays as it is.
    let _ = unlink_second_directory(&mut exif);
    exif
}

fn unlink_second_directory(exif: &mut [u8]) -> Option<()> {
    let order = Order::of(exif)?;
    let directory = order.long(exif, 4)?;
    let link = directory.checked_add(2 + 12 * order.short(exif, directory)?)?;
    exif.get_mut(link..link.checked_add(4)?)?.fill(0);
    Some(())
}

/// Takes the entries of [`EXPOSURE`] out of the directory that cameras write them to.
fn remove_exposure(exif: &mut [u8]) -> Option<()> {
    let order = Order::of(exif)?;
    let main = order.long(exif, 4)?;
    let entries = |exif: &[u8], directory: usize| {
        let count = order.short(exif, directory)?;
        (0..count).map(|i| directory.checked_add(2 + 12 * i)).collect::<Option<Vec<_>>>()
    };
    let pointer = entries(exif, main)?.into_iter().find(|at| order.short(exif, *at) == Some(EXIF_DIRECTORY))?;
    let directory = order.long(exif, pointer.checked_add(8)?)?;
    let all = entries(exif, directory)?;
    let end = directory.checked_add(2 + 12 * all.len() + 4)?;
    let mut kept = Vec::new();
    for at in &all {
        if !EXPOSURE.contains(&order.short(exif, *at)?) {
            kept.extend_from_slice(exif.get(*at..at.checked_add(12)?)?);
        }
    }
    let count = u16::try_from(kept.len() / 12).ok()?;
    // The link to the next directory follows the last entry.
    kept.extend_from_slice(exif.get(end - 4..end)?);
    kept.resize(end - directory - 2, 0);
    exif.get_mut(directory..directory + 2)?.copy_from_slice(&order.bytes(count));
    exif.get_mut(directory + 2..end)?.copy_from_slice(&kept);
    Some(())
}

/// The order of bytes of a TIFF structure.
#[derive(Clone, Copy)]
struct Order {
    big: bool,
}

impl Order {
    fn of(exif: &[u8]) -> Option<Self> {
        match exif.first_chunk()? {
            b"MM\0\x2a" => Some(Self { big: true }),
            b"II\x2a\0" => Some(Self { big: false }),
            _ => None,
        }
    }

    fn short(self, exif: &[u8], at: usize) -> Option<usize> {
        let bytes = *exif.get(at..)?.first_chunk()?;
        Some(usize::from(if self.big { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) }))
    }

    fn long(self, exif: &[u8], at: usize) -> Option<usize> {
        let bytes = *exif.get(at..)?.first_chunk()?;
        usize::try_from(if self.big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }).ok()
    }

    fn bytes(self, short: u16) -> [u8; 2] {
        if self.big { short.to_be_bytes() } else { short.to_le_bytes() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::image::{ImageBuffer, Rgba};

    #[test]
    fn the_thumbnail_is_unlinked_and_nothing_else() {
        let exif = |big: bool, next: u32| {
            let (short, long) = if big {
                (u16::to_be_bytes as fn(u16) -> [u8; 2], u32::to_be_bytes as fn(u32) -> [u8; 4])
            } else {
                (u16::to_le_bytes as _, u32::to_le_bytes as _)
            };
            let mut bytes = if big { b"MM\0\x2a".to_vec() } else { b"II\x2a\0".to_vec() };
            bytes.extend(long(8));
            bytes.extend(short(1));
            bytes.extend([short(0x0112), short(3)].concat());
            bytes.extend([long(1), long(6)].concat());
            bytes.extend(long(next));
            bytes.extend(b"more");
            bytes
        };
        for big in [true, false] {
            assert_eq!(without_thumbnail(exif(big, 4711)), exif(big, 0));
        }
        let odd = [b"II\x2a\0\xff\xff\xff\xff".to_vec(), exif(true, 1)[..12].to_vec(), vec![], b"JFIF".to_vec()];
        for block in odd {
            assert_eq!(without_thumbnail(block.clone()), block);
        }
    }

    #[test]
    fn opacity_is_read_and_pictures_without_have_none() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.png");
        ImageBuffer::from_fn(3, 2, |x, _| Rgba([9u8, 9, 9, 127 * x as u8])).save(&path).unwrap();
        let alpha = read_alpha(&path).unwrap().unwrap();
        assert_eq!((alpha.width, alpha.height, alpha.at(0, 1)), (3, 2, [0.0; 3]));
        assert!((alpha.at(2, 0)[1] - 254.0 / 255.0).abs() < 1e-4);
        ::image::RgbImage::new(3, 2).save(&path).unwrap();
        assert_eq!(read_alpha(&path).unwrap(), None);
    }
}
