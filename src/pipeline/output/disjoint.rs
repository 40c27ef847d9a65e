//! Results do not go among the photographs.

use super::names;
use crate::capture::Capture;
use crate::error::{Error, Result};
use crate::scenes::CAPTURE_FOLDER;
use std::path::{Component, Path, PathBuf};

/// Fails where the output folder `out` is, holds or lies within a folder that photographs of `capture` lie in (links
/// followed). A demo's capture may lie in the folder of its results: nothing else is written into its folder.
pub fn ensure_disjoint(out: &Path, capture: &Capture) -> Result<()> {
    let views = capture.train.iter().chain(&capture.holdout).chain(&capture.test);
    ensure_apart(out, views.flat_map(|view| view.files()))
}

/// [`ensure_disjoint`] for the photographs `files`.
///
/// # Errors
/// As there.
pub fn ensure_apart<'p>(out: &Path, files: impl Iterator<Item = &'p Path>) -> Result<()> {
    let out = real(out);
    let own_capture = out.join(CAPTURE_FOLDER);
    for folder in photo_folders(files) {
        let contains = folder.starts_with(&out) && !folder.starts_with(&own_capture);
        if contains || out.starts_with(&folder) {
            let found = format!("{} and {}, which holds photographs, overlap", out.display(), folder.display());
            return Err(Error::setting("out", found, "choose an output folder outside of the scene's photographs"));
        }
    }
    Ok(())
}

/// Fails where one of the `results` (names in `out`) is one of the files that are read.
pub fn ensure_no_input<'n>(out: &Path, results: impl Iterator<Item = &'n str>, inputs: &[PathBuf]) -> Result<()> {
    let inputs: Vec<PathBuf> = inputs.iter().filter_map(|path| path.canonicalize().ok()).collect();
    for target in results.chain([names::SETTINGS, names::RUN]).map(|name| out.join(name)) {
        if target.canonicalize().is_ok_and(|real| inputs.contains(&real)) {
            let found = format!(
                "{} is one of the photographs or other inputs of this run, and would be replaced",
                target.display()
            );
            return Err(Error::setting("out", found, "choose another output folder"));
        }
    }
    Ok(())
}

/// The folders of the photographs and references, and those of the files that links lead to.
fn photo_folders<'p>(files: impl Iterator<Item = &'p Path>) -> Vec<PathBuf> {
    let folder = |file: &Path| Some(real(&Path::new(".").join(file.parent()?)));
    let mut folders: Vec<PathBuf> =
        files.flat_map(|file| [folder(file), file.canonicalize().ok().as_deref().and_then(folder)]).flatten().collect();
    folders.sort();
    folders.dedup();
    folders
}

/// `path` without `..`, with links resolved in the part that exists.
fn real(path: &Path) -> PathBuf {
    let full = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    let mut real = PathBuf::new();
    for part in full.components() {
        match part {
            Component::ParentDir => _ = real.pop(),
            part => real.push(part),
        }
        if let Ok(found) = real.canonicalize() {
            real = found;
        }
    }
    real
}
