//! Which pixels of a photograph count: those that neither its alpha channel nor a mask file beside it hides.
//!
//! Mask files are looked for where other programs put them: where a frame's `mask_path` says (nerfstudio), else under the
//! photograph's name in `masks/` or `mask/`, beside the folder of the photographs or in it, as `NAME.EXT.png` (COLMAP) or
//! with another ending (`NAME.png`). What is black there is hidden, as COLMAP and nerfstudio have it.

use super::decode::read_claimed;
use super::extras::{Extras, read_alpha};
use super::file_names::ENDINGS;
use super::fill::fill_hidden;
use super::image::pixels;
use super::messages::some;
use super::resolve::{Purpose, Resolver, file_in};
use super::{Capture, Image, Lens, View, image_size, resize_area};
use crate::error::{Error, Result};
use crate::limits;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Whether mask files are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MaskUse {
    /// What is black in them is hidden.
    #[default]
    Use,
    /// What is bright in them is hidden.
    Invert,
    /// They are not looked for, and alpha channels are not read.
    Ignore,
}

/// What hides pixels of a view.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Mask {
    /// The photograph, where it has an alpha channel.
    pub alpha: Option<PathBuf>,
    /// The mask file.
    pub file: Option<PathBuf>,
    /// Whether the mask file hides what is bright instead of what is black.
    pub inverted: bool,
    /// The lens of the photograph, where the view's image is no longer seen through it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lens: Option<Lens>,
}

const FOLDERS: [&str; 2] = ["masks", "mask"];
/// Memory of a pixel of a mask while it is decoded.
const BYTES: u64 = 8 + 12;
/// Endings of formats that keep every pixel as it was: there, only 0 is black.
const EXACT: [&str; 3] = ["png", "tif", "tiff"];

/// Finds the masks of photographs.
pub struct Finder<'a> {
    /// The scene folder.
    pub root: &'a Path,
    pub masks: MaskUse,
}

impl Finder<'_> {
    /// What hides pixels of the photograph `image`, which `source` gives the mask file `named`.
    ///
    /// # Errors
    /// A `mask_path` that leads to no file or out of the scene, and a mask of another shape than the photograph.
    pub fn find(&self, image: &Path, named: Option<(&Resolver<'_>, &Path, &str)>) -> Result<Option<Mask>> {
        if self.masks == MaskUse::Ignore {
            return Ok(None);
        }
        let file = match named {
            Some((resolver, source, named)) => Some(self.named(resolver, source, named)?),
            None => self.beside(image),
        };
        if let Some(file) = &file {
            check_size(file, image)?;
        }
        let alpha = Extras::read(image).alpha.then(|| image.to_path_buf());
        let inverted = self.masks == MaskUse::Invert;
        Ok((alpha.is_some() || file.is_some()).then_some(Mask { alpha, file, inverted, lens: None }))
    }

    fn named(&self, resolver: &Resolver<'_>, source: &Path, named: &str) -> Result<PathBuf> {
        resolver.find(source, named, Purpose::Reference)?.ok_or_else(|| {
            let found = format!("`mask_path` names `{named}`, which does not exist");
            Error::input(source, found, "restore the mask, or remove `mask_path`")
        })
    }

    /// The mask file of a photograph, where it has a place of its own.
    fn beside(&self, image: &Path) -> Option<PathBuf> {
        let (folder, name) = (image.parent()?, Path::new(image.file_name()?));
        let mut places = vec![(folder, name)];
        if let Ok(below) = image.strip_prefix(self.root) {
            places.push((self.root, below));
            let mut parts = below.components();
            let first = parts.next();
            match (first, parts.as_path()) {
                (Some(_), rest) if !rest.as_os_str().is_empty() => places.push((self.root, rest)),
                // The scene is the folder of the photographs.
                _ => places.extend(self.root.parent().map(|parent| (parent, below))),
            }
        }
        places.into_iter().find_map(|(base, below)| {
            FOLDERS.iter().map(|folder| base.join(folder)).find_map(|folder| mask_in(&folder, below))
        })
    }
}

/// The mask of the photograph `below` in a folder of masks.
fn mask_in(masks: &Path, below: &Path) -> Option<PathBuf> {
    let folder = masks.join(below.parent()?);
    if !folder.is_dir() {
        return None;
    }
    let (name, stem) = (below.file_name()?.to_string_lossy(), below.file_stem()?.to_string_lossy());
    let names = [format!("{name}.png"), format!("{stem}.png"), name.to_string()].into_iter();
    names.chain(ENDINGS.iter().map(|ending| format!("{stem}.{ending}"))).find_map(|name| file_in(&folder, &name))
}

/// Compares a mask with its photograph. A few even areas take next to no bytes at any size, so the mask may take as much
/// memory as the photograph may.
fn check_size(mask: &Path, image: &Path) -> Result<()> {
    let ((w, h), (width, height)) = (image_size(mask)?, image_size(image)?);
    // The same to a pixel of the smaller one.
    let (across, down) = (f64::from(w) / f64::from(width), f64::from(h) / f64::from(height));
    let slack = 1.0 / f64::from(w.min(h).min(width).min(height));
    if (across / down - 1.0).abs() > slack {
        let found = format!("the mask has {w} × {h} pixels, its photograph {} {width} × {height}", image.display());
        return Err(Error::input(mask, found, "give a mask of the photograph's shape, or remove it"));
    }
    let bytes = |path: &Path| std::fs::metadata(path).map(|data| data.len()).map_err(Error::io(path));
    let needed = u64::from(w) * u64::from(h) * BYTES;
    limits::claim(mask, bytes(mask)?.max(bytes(image)?), needed, &pixels(w, h))
}

/// Finds the masks of photographs without poses.
///
/// # Errors
/// A mask of another shape than its photograph.
pub fn add_masks(photos: &mut Capture, masks: MaskUse) -> Result<()> {
    let root = photos.root.clone();
    let finder = Finder { root: &root, masks };
    for view in &mut photos.train {
        if let Some(image) = &view.image {
            view.mask = finder.find(image, None)?;
        }
    }
    report(photos);
    Ok(())
}

/// Says how many photographs have masks, where some have.
pub(super) fn report(capture: &Capture) {
    let photographs = || capture.train.iter().chain(&capture.holdout);
    let masks: Vec<&Mask> = photographs().filter_map(|view| view.mask.as_ref()).collect();
    let (files, of) = (masks.iter().filter(|mask| mask.file.is_some()).count(), photographs().count());
    if files > 0 && files < of {
        let without: Vec<&str> =
            photographs().filter(|view| view.mask.is_none()).map(|view| view.name.as_str()).collect();
        tracing::warn!(
            "{}: {files} of {of} photographs have a mask; nothing is hidden in {}",
            capture.root.display(),
            some(&without)
        );
    } else if !masks.is_empty() {
        tracing::info!(
            "{files} of {of} photographs have a mask file, {} an alpha channel",
            masks.iter().filter(|mask| mask.alpha.is_some()).count()
        );
    }
}

impl Mask {
    /// The weight of every pixel of the photograph, 0 (hidden) to 1, in all three channels.
    fn read(&self) -> Result<Option<Image>> {
        let alpha = match &self.alpha {
            Some(path) => read_alpha(path)?,
            None => None,
        };
        let Some(file) = &self.file else { return Ok(alpha) };
        let ending = file.extension().map(|ending| ending.to_string_lossy().to_lowercase()).unwrap_or_default();
        let black = if EXACT.contains(&ending.as_str()) { 0.0 } else { 0.5 };
        let mut mask = read_claimed(file)?;
        for pixel in &mut mask.pixels {
            let shown = pixel.iter().any(|value| *value > black) != self.inverted;
            *pixel = [f32::from(u8::from(shown)); 3];
        }
        let Some(alpha) = alpha else { return Ok(Some(mask)) };
        let mut both = resize_area(&mask, alpha.width, alpha.height);
        both.pixels
            .iter_mut()
            .zip(&alpha.pixels)
            .for_each(|(both, alpha)| *both = both.map(|weight| weight * alpha[0]));
        Ok(Some(both))
    }
}

impl View {
    /// How much each pixel counts, 0 (hidden) to 1, for the view's image at `width` × `height`, row-major; `None` where
    /// all count.
    ///
    /// # Errors
    /// A mask that cannot be read.
    pub fn read_weights(&self, width: u32, height: u32) -> Result<Option<Vec<f32>>> {
        let Some(mut weights) = self.weights_of_file()? else { return Ok(None) };
        if let Some(lens) = self.lens {
            weights = lens.undistort(&weights);
        }
        Ok(Some(resize_area(&weights, width, height).pixels.iter().map(|pixel| pixel[0]).collect()))
    }

    /// Fills what is hidden of the picture in the view's image file.
    pub(super) fn fill_hidden(&self, image: &mut Image) -> Result<()> {
        if let Some(weights) = self.weights_of_file()? {
            let weights = resize_area(&weights, image.width, image.height);
            fill_hidden(image, |at| weights.pixels[at][0] >= 0.5);
        }
        Ok(())
    }

    /// The weights of the picture in the view's image file.
    fn weights_of_file(&self) -> Result<Option<Image>> {
        let Some(mask) = &self.mask else { return Ok(None) };
        let weights = mask.read()?;
        Ok(weights.map(|weights| mask.lens.map(|lens| lens.undistort(&weights)).unwrap_or(weights)))
    }

    /// The mask of an image of this view that has been undistorted.
    pub fn undistorted_mask(&self) -> Option<Mask> {
        self.mask.clone().map(|mask| Mask { lens: mask.lens.or(self.lens), ..mask })
    }
}
