//! Masks in COLMAP's form: it detects no features where a picture's mask is black.

use super::{Folders, picture_name, work};
use crate::capture::View;
use crate::error::{Error, Result};
use crate::parallel::try_map;
use crate::storage;
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder};
use std::path::PathBuf;

/// Writes the masks of those of `views` that have one, at the size of their pictures, and returns their folder; nothing
/// where no view has one.
///
/// # Errors
/// A mask or a picture that cannot be read, the disk.
pub fn write(views: &[View], folders: &Folders<'_>) -> Result<Option<PathBuf>> {
    let masked: Vec<&View> = views.iter().filter(|view| view.mask.is_some()).collect();
    let folder = folders.work.join(work::MASKS);
    try_map(&masked, |view| {
        let name = picture_name(&view.name);
        let picture = folders.images.join(&name);
        let size = image::image_dimensions(&picture);
        let (width, height) =
            size.map_err(|error| Error::input(&picture, error.to_string(), "run the same command again"))?;
        let Some(weights) = view.read_weights(width, height)? else { return Ok(()) };
        let pixels: Vec<u8> = weights.iter().map(|weight| if *weight >= 0.5 { 255 } else { 0 }).collect();
        let path = folder.join(work::mask_name(&name));
        storage::write(&path, |out| {
            let written = PngEncoder::new(out).write_image(&pixels, width, height, ExtendedColorType::L8);
            written.map_err(|error| Error::io(&path)(std::io::Error::other(error)))
        })
    })?;
    Ok((!masked.is_empty()).then_some(folder))
}
