//! The decoders of the crate `image`, limited to the memory that a file may take.

use super::image::pixels;
use super::kinds::Kind;
use crate::error::{Error, Result};
use crate::limits;
use ::image::{DynamicImage, ImageDecoder, ImageError, ImageReader, Limits, error::LimitErrorKind};
use std::io::{BufRead, Cursor, Seek};
use std::path::Path;

/// Most bytes of a PNG's profile, text or row of pixels.
const PNG_PARTS: u64 = 64 << 20;
/// Instead of a file's size: lifts the limit that depends on it.
pub const CLAIMED: u64 = u64::MAX;

/// The pixels of a PNG or TIFF file, after claiming the memory for them and their conversions: as much as a file of
/// `counted` bytes may take.
pub fn decode_dynamic(path: &Path, data: &[u8], counted: u64) -> Result<DynamicImage> {
    let decoder = decoder(path, Cursor::new(data), counted)?;
    let (width, height) = decoder.dimensions();
    // The pixels as they are stored, with as many channels of 16 bits, and in floating point.
    let needed = decoder.total_bytes().saturating_add((u64::from(width) * u64::from(height)).saturating_mul(8 + 12));
    limits::claim(path, counted, needed, &pixels(width, height))?;
    DynamicImage::from_decoder(decoder).map_err(|error| refusal(path, &error))
}

/// The decoder of a file of `bytes` by its content, held to the memory that the file may take.
pub fn decoder<'a>(path: &Path, mut file: impl BufRead + Seek + 'a, bytes: u64) -> Result<impl ImageDecoder + 'a> {
    let start = file.fill_buf().map_err(Error::io(path))?;
    if let Some(kind) = Kind::starting(start) {
        return Err(kind.refuse(path));
    }
    // Of a PNG, only profiles and single rows count.
    let most = if start.starts_with(b"\x89PNG") { PNG_PARTS } else { limits::allowed(bytes) };
    let mut reader = ImageReader::new(file).with_guessed_format().map_err(Error::io(path))?;
    let mut held = Limits::default();
    held.max_alloc = Some(most);
    reader.limits(held);
    reader.into_decoder().map_err(|error| refusal(path, &error))
}

fn refusal(path: &Path, error: &ImageError) -> Error {
    match error {
        ImageError::Unsupported(what) => Error::input(
            path,
            format!("not an image this program reads ({what})"),
            "use JPEG, PNG, TIFF, WebP, EXR or RAW",
        ),
        ImageError::Limits(limits) if matches!(limits.kind(), LimitErrorKind::InsufficientMemory) => {
            Error::input(path, "takes more memory than it may", "reduce it, or allow it (`max_memory`)")
        }
        other => Error::input(path, format!("damaged or truncated ({other})"), "copy it again from its source"),
    }
}
