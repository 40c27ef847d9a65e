//! Finds the mask files of photographs by the folders and names that other programs use.

use super::extras::Extras;
use super::file_names::{ENDINGS, MASK_ENDS};
use super::image::pixels;
use super::kinds::SECOND;
use super::loose::images_in;
use super::mask::{Mask, MaskUse};
use super::messages::list_names;
use super::resolve::{Folders, Purpose, Resolver};
use super::turn::Turn;
use super::{Capture, image_size, names};
use crate::error::{Error, Result};
use crate::limits;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Folders of masks, in any letter case.
const FOLDERS: [&str; 2] = ["masks", "mask"];
/// Folders of a scene's photographs.
const PHOTOGRAPHS: [&str; 2] = ["images", "train"];
/// Those of its references.
const REFERENCES: [&str; 2] = ["test", "val"];
/// Memory of a pixel of a mask while it is decoded.
const BYTES: u64 = 8 + 12;
/// Files that a warning names.
const NAMED: usize = 3;

/// Finds the masks of photographs.
pub struct Finder<'a> {
    /// The scene folder.
    root: &'a Path,
    masks: MaskUse,
    folders: Folders,
}

impl<'a> Finder<'a> {
    pub fn new(root: &'a Path, masks: MaskUse) -> Self {
        Self { root, masks, folders: Folders::default() }
    }

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
        let (name, stem) = (image.file_name()?.to_string_lossy(), image.file_stem()?.to_string_lossy());
        let in_folders =
            self.folders(image).into_iter().find_map(|folder| self.first(&folder, own_names(&name, &stem)));
        in_folders.or_else(|| self.first(image.parent()?, names_beside(&name, &stem)))
    }

    /// The existing folders that may hold the mask of the photograph `image`.
    fn folders(&self, image: &Path) -> Vec<PathBuf> {
        self.places(image).iter().filter_map(|[_, own]| self.folders.folder(own)).collect()
    }

    /// Candidate folders for the mask, each after the folder of masks that contains it or is the same.
    fn places(&self, image: &Path) -> Vec<[PathBuf; 2]> {
        let (Some(folder), Some(name)) = (image.parent(), image.file_name()) else { return Vec::new() };
        let mut places = vec![(folder, Path::new(name))];
        if let Ok(below) = image.strip_prefix(self.root) {
            places.push((self.root, below));
            let mut parts = below.components();
            let first = parts.next();
            match (first, parts.as_path()) {
                (Some(first), rest) if !rest.as_os_str().is_empty() => {
                    let first = first.as_os_str().to_str().unwrap_or_default();
                    let of_photographs =
                        names::is_customary(first) && !REFERENCES.iter().any(|name| first.eq_ignore_ascii_case(name));
                    if of_photographs || !self.is_photograph(rest) {
                        places.push((self.root, rest));
                    }
                }
                // The scene is the folder of the photographs.
                _ => places.extend(self.root.parent().map(|parent| (parent, below))),
            }
        }
        let of = |(base, below): (&Path, &Path)| {
            FOLDERS.map(|masks| {
                let top = base.join(masks);
                let own = top.join(below.parent().unwrap_or(Path::new("")));
                [top, own]
            })
        };
        places.into_iter().flat_map(of).collect()
    }

    /// Whether the scene has a photograph with the path `below`, whatever its ending: its mask is not that of a picture
    /// elsewhere, such as in `test/`.
    fn is_photograph(&self, below: &Path) -> bool {
        let (Some(stem), Some(folder)) = (below.file_stem(), below.parent()) else { return false };
        let stem = stem.to_string_lossy();
        let of = |base: &str| self.folders.folder(&self.root.join(base).join(folder));
        PHOTOGRAPHS
            .iter()
            .filter_map(|base| of(base))
            .any(|folder| self.first(&folder, with_endings(stem.to_string())).is_some())
    }

    fn first(&self, folder: &Path, mut names: impl Iterator<Item = String>) -> Option<PathBuf> {
        names.find_map(|name| self.folders.file(folder, &name))
    }

    /// Logs how many photographs have masks, and warns where files look like masks that nothing uses.
    pub fn report(&self, capture: &Capture) {
        let photographs = || capture.train.iter().chain(&capture.holdout);
        let masks: Vec<&Mask> = photographs().filter_map(|view| view.mask.as_ref()).collect();
        let (files, of) = (masks.iter().filter(|mask| mask.file.is_some()).count(), photographs().count());
        if files > 0 && files < of {
            let without: Vec<&str> =
                photographs().filter(|view| view.mask.is_none()).map(|view| view.name.as_str()).collect();
            tracing::warn!(
                "{}: {files} of {of} photographs have a mask; nothing is hidden in {}",
                capture.root.display(),
                list_names(&without)
            );
        } else if !masks.is_empty() {
            tracing::info!(
                "{files} of {of} photographs have a mask file, {} an alpha channel",
                masks.iter().filter(|mask| mask.alpha.is_some()).count()
            );
        }
        if files == 0 && self.masks != MaskUse::Ignore {
            self.misnamed(capture).iter().for_each(|found| tracing::warn!("{found}"));
        }
    }

    /// Warnings about folders of masks whose images are not the mask of any photograph.
    pub(super) fn misnamed(&self, capture: &Capture) -> Vec<String> {
        let images = capture.train.iter().chain(&capture.holdout).filter_map(|view| view.image.as_deref());
        // By the nearest existing folder: the place of a photograph's mask, and the photograph. The first photograph and the
        // last of its places win: below the folder of masks as below that of the photographs.
        let mut found = BTreeMap::<PathBuf, (PathBuf, &Path)>::new();
        for image in images.rev() {
            for [top, own] in self.places(image) {
                let mut within = own.ancestors().take_while(|folder| folder.starts_with(&top));
                if let Some(folder) = within.find_map(|folder| self.folders.folder(folder)) {
                    found.insert(folder, (own, image));
                }
            }
        }
        let told = found.iter().filter_map(|(folder, (own, image))| Some((folder, misplaced(folder, own, image)?)));
        let told: Vec<(&PathBuf, String)> = told.collect();
        // Files in a subfolder are reported for the subfolder.
        let is_above = |folder: &PathBuf| told.iter().any(|(other, _)| *other != folder && other.starts_with(folder));
        told.iter().filter(|(folder, _)| !is_above(folder)).map(|(_, words)| words.clone()).collect()
    }
}

/// The warning about the images in `folder`, none of which is the mask of a photograph; that of `image` would be in `own`.
fn misplaced(folder: &Path, own: &Path, image: &Path) -> Option<String> {
    let files = images_in(folder).ok()?;
    let names: Vec<_> = files.iter().take(NAMED).filter_map(|file| file.strip_prefix(folder).ok()?.to_str()).collect();
    let (name, stem) = (image.file_name()?.to_string_lossy(), image.file_stem()?.to_string_lossy());
    Some(format!(
        "{}: holds {} images ({}{}), but none has the place and the name of a photograph's mask, so they hide nothing: \
         the mask of {} would be {name}.png, {stem}.png or {stem}_mask.png in {}",
        folder.display(),
        files.len(),
        names.join(", "),
        if files.len() > NAMED { ", …" } else { "" },
        image.display(),
        own.display()
    ))
}

/// Possible names of the mask of the photograph `name` in a folder of masks.
fn own_names(name: &str, stem: &str) -> impl Iterator<Item = String> {
    let plain = [format!("{name}.png"), format!("{stem}.png"), name.to_string()];
    let bare = with_endings(stem.to_string());
    let front = with_endings(format!("mask_{stem}"));
    plain.into_iter().chain(bare).chain(names_beside(name, stem)).chain(front)
}

/// Its possible names next to the photograph, where the name must identify it as a mask.
fn names_beside(name: &str, stem: &str) -> impl Iterator<Item = String> {
    let bases: Vec<String> =
        MASK_ENDS.iter().flat_map(|end| [format!("{stem}{end}"), format!("{name}{end}")]).collect();
    bases.into_iter().flat_map(with_endings)
}

fn with_endings(base: String) -> impl Iterator<Item = String> {
    ENDINGS.iter().chain(&SECOND).map(move |ending| format!("{base}.{ending}"))
}

/// Compares a mask with its photograph. A few even areas take next to no bytes at any size, so the mask may take as
/// much memory as the photograph may.
fn check_size(mask: &Path, image: &Path) -> Result<()> {
    let ((w, h), (width, height)) = (image_size(mask)?, image_size(image)?);
    let fits = |w: u32, h: u32| {
        let (across, down) = (f64::from(w) / f64::from(width), f64::from(h) / f64::from(height));
        // The same to a pixel of the smaller one.
        (across / down - 1.0).abs() <= 1.0 / f64::from(w.min(h).min(width).min(height))
    };
    if !fits(w, h) {
        let found = format!("the mask has {w} × {h} pixels, its photograph {} {width} × {height}", image.display());
        let remedy = match Turn::to_stored(image) {
            Some(_) if fits(h, w) => {
                "the photograph is stored turned, and viewers turn it back as its EXIF data say: turn the mask to the \
                 stored pixels, or save the photograph upright"
            }
            _ => "give a mask of the photograph's shape, or remove it",
        };
        return Err(Error::input(mask, found, remedy));
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
    let finder = Finder::new(&root, masks);
    for view in &mut photos.train {
        if let Some(image) = &view.image {
            view.mask = finder.find(image, None)?;
        }
    }
    finder.report(photos);
    Ok(())
}

/// What hides pixels of pictures without a capture, `images` in or below `folder`, by their paths: their alpha channels, and
/// mask files where a scene has them of the test pictures in `folder`.
///
/// # Errors
/// A mask of another shape than its picture.
pub fn masks_of<'a>(
    folder: &Path,
    images: impl IntoIterator<Item = &'a Path>,
    masks: MaskUse,
) -> Result<BTreeMap<PathBuf, Mask>> {
    let absolute = |path: &Path| std::path::absolute(path).map_err(Error::io(path));
    let folder = absolute(folder)?;
    // The scene.
    let finder = Finder::new(folder.parent().unwrap_or(&folder), masks);
    let mut found = BTreeMap::new();
    for image in images {
        if let Some(mask) = finder.find(&absolute(image)?, None)? {
            found.insert(image.to_path_buf(), mask);
        }
    }
    Ok(found)
}
