//! Whether photographs can share one camera.

use super::picture_name;
use crate::capture::{Extras, View};
use crate::error::Result;
use exif::{In, Reader, Tag, Value};
use std::collections::BTreeSet;
use std::path::Path;

/// Whether all views have one size and, as far as EXIF data says, one focal length (a zoom lens has many).
pub fn agree(views: &[View], images: &Path) -> Result<bool> {
    let sizes: BTreeSet<(u32, u32)> = views.iter().map(|view| (view.camera.width, view.camera.height)).collect();
    let focals: BTreeSet<[Option<u64>; 2]> =
        views.iter().map(|view| focal(&images.join(picture_name(&view.name)))).collect();
    Ok(sizes.len() <= 1 && focals.len() <= 1)
}

/// Focal length and its equivalent on 35 mm film, in micrometres.
fn focal(image: &Path) -> [Option<u64>; 2] {
    let block = Extras::read(image).exif;
    // A block that cannot be read says nothing.
    let parsed = block.and_then(|block| Reader::new().read_raw(block).ok());
    [Tag::FocalLength, Tag::FocalLengthIn35mmFilm].map(|tag| {
        let millimetres = match &parsed.as_ref()?.get_field(tag, In::PRIMARY)?.value {
            Value::Rational(values) => values.first()?.to_f64(),
            other => f64::from(other.get_uint(0)?),
        };
        Some((millimetres * 1000.0).round() as u64)
    })
}
