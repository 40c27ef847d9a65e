//! File and folder names: kinds and conventions that need no reading.

use crate::error::{Error, Result};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Endings of image files, in lower case.
pub const ENDINGS: [&str; 5] = ["png", "jpg", "jpeg", "tif", "tiff"];

/// The file by which a folder of results is known.
pub const RECORD: &str = "run.json";
/// The settings in an output folder.
pub const SETTINGS: &str = "settings.toml";
/// Files with the poses of a scene, in the order in which they are looked for.
pub const TRANSFORMS: [&str; 2] = ["transforms_train.json", "transforms.json"];

/// Ends of the names, less their endings, of masks that lie beside their photographs.
pub const MASK_ENDS: [&str; 2] = ["_mask", ".mask"];

/// The name of the photograph next to which a mask named like `path` lies: `0001` for `0001_mask.png`, `0001.JPG` for
/// `0001.JPG.mask.png`.
pub fn masked(path: &Path) -> Option<&str> {
    let stem = path.file_stem()?.to_str()?;
    let without = |end: &&str| {
        let (base, last) = stem.split_at_checked(stem.len().checked_sub(end.len())?)?;
        (!base.is_empty() && last.eq_ignore_ascii_case(end)).then_some(base)
    };
    MASK_ENDS.iter().find_map(without)
}

/// Whether the name of a file or folder begins with a period.
pub fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

/// The extension of a file name, in lower case.
pub fn ending(path: &Path) -> String {
    path.extension().map(|ending| ending.to_string_lossy().to_lowercase()).unwrap_or_default()
}

/// Refuses a path that records of a run, which are text, cannot hold.
pub fn check_text(path: &Path) -> Result<()> {
    match path.to_str() {
        Some(_) => Ok(()),
        None => Err(Error::input(path, "has a path that is not UTF-8", "rename the file or the folder")),
    }
}

/// Whether the folder `path` holds cameras, that is, whether [`super::load`] would find a scene there: a transforms
/// file, COLMAP's `sparse`, or a COLMAP model beside its photographs.
pub fn is_scene(path: impl AsRef<Path>) -> bool {
    let path = path.as_ref();
    let has = |name: &&str| path.join(name).exists();
    TRANSFORMS.iter().chain(&["sparse"]).any(has) || {
        let names = names_in(path);
        let is_picture =
            |name: &String| name == "images" || name == "train" || ENDINGS.contains(&&*ending(Path::new(name)));
        names.contains("sparse") || (are_model(&names) && names.iter().any(is_picture))
    }
}

/// Whether the folder `path` holds a COLMAP model. Images alone are none: lists of photographs have that name, too.
pub fn holds_model(path: &Path) -> bool {
    are_model(&names_in(path))
}

fn are_model(names: &BTreeSet<String>) -> bool {
    let has = |ending| ["images", "cameras"].iter().all(|name| names.contains(&format!("{name}.{ending}")));
    has("bin") || has("txt")
}

/// What lies in a folder, in lower case.
fn names_in(folder: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().to_lowercase()).collect()
}

/// The folder `name` of `folder`, or the first there that differs in letter case.
pub fn folder_in(folder: &Path, name: &str) -> Option<PathBuf> {
    let exact = folder.join(name);
    if exact.is_dir() {
        return Some(exact);
    }
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let alike = |path: &PathBuf| path.file_name().is_some_and(|own| own.eq_ignore_ascii_case(name)) && path.is_dir();
    entries.filter(alike).min()
}
