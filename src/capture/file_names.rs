//! What names of files and folders say, before anything is read.

use crate::error::{Error, Result};
use std::path::Path;

/// Endings of image files, in lower case.
pub const ENDINGS: [&str; 5] = ["png", "jpg", "jpeg", "tif", "tiff"];

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
