//! What names of files and folders say, before anything is read.

use crate::error::{Error, Result};
use std::path::Path;

/// Endings of image files, in lower case.
pub const ENDINGS: [&str; 5] = ["png", "jpg", "jpeg", "tif", "tiff"];

/// Ends of the names, less their endings, of masks that lie beside their photographs.
pub const MASK_ENDS: [&str; 2] = ["_mask", ".mask"];

/// What the photograph is called beside which a mask named as `path` lies: `0001` for `0001_mask.png`, `0001.JPG` for
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

/// What stands behind the last period of a file's name, in lower case.
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

/// Whether the folder `path` holds cameras, that is, whether [`super::load`] would find a scene there.
pub fn is_scene(path: impl AsRef<Path>) -> bool {
    let has = |name: &&str| path.as_ref().join(name).exists();
    ["transforms_train.json", "transforms.json", "sparse"].iter().any(has)
}
