//! Whether photographs can share one camera, or those of each folder can.

use super::picture_name;
use crate::capture::{Extras, View};
use crate::error::Result;
use exif::{In, Reader, Tag, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Whether all views of a folder have one size and, as far as EXIF data says, one focal length (a zoom lens has many).
pub fn agree(views: &[View], images: &Path) -> Result<bool> {
    let mut kinds = BTreeMap::<&str, BTreeSet<_>>::new();
    for view in views {
        let folder = view.name.rsplit_once('/').map_or("", |(folder, _)| folder);
        let focal = focal(&images.join(picture_name(&view.name)));
        kinds.entry(folder).or_default().insert((view.camera.width, view.camera.height, focal));
    }
    Ok(kinds.values().all(|kinds| kinds.len() <= 1))
}

/// Focal length and its equivalent on 35 mm film, in micrometers.
fn focal(image: &Path) -> [Option<u64>; 2] {
    let block = Extras::read(image).exif;
    // An unreadable block counts as absent.
    let parsed = block.and_then(|block| Reader::new().read_raw(block).ok());
    [Tag::FocalLength, Tag::FocalLengthIn35mmFilm].map(|tag| {
        let millimeters = match &parsed.as_ref()?.get_field(tag, In::PRIMARY)?.value {
            Value::Rational(values) => values.first()?.to_f64(),
            other => f64::from(other.get_uint(0)?),
        };
        Some((millimeters * 1000.0).round() as u64)
    })
}
