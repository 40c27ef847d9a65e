//! Temporary files of a process that was killed while it wrote.

use super::{RANDOM_LETTERS, TEMPORARY_ENDING};
use std::fs::{self, File};
use std::path::Path;

/// Removes the temporary files that killed processes left in `folder` (not in folders below it). A file that is being
/// written is locked by its writer, and stays.
pub fn remove_leftovers(folder: &Path) {
    remove_those(folder, is_temporary);
}

/// [`remove_leftovers`] of the file `path` alone, beside it.
pub fn remove_leftovers_of(path: &Path) {
    let Some(prefix) = super::temporary_prefix(path) else { return };
    let length = prefix.len() + RANDOM_LETTERS + TEMPORARY_ENDING.len();
    let is_of_it = |name: &str| is_temporary(name) && name.starts_with(&prefix) && name.len() == length;
    remove_those(super::parent(path), is_of_it);
}

/// Removes the temporary files in `folder` whose names are `wanted`.
fn remove_those(folder: &Path, wanted: impl Fn(&str) -> bool) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten().filter(|entry| entry.file_name().to_str().is_some_and(&wanted)) {
        let path = entry.path();
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        // Open for writing: over NFS only such a file can be locked.
        let file = || File::options().write(true).open(&path);
        let abandoned = is_file && file().is_ok_and(|file| file.try_lock().is_ok());
        if abandoned && let Err(error) = super::remove_file(&path) {
            tracing::debug!("a temporary file of an earlier run stays: {error}");
        }
    }
}

/// [`remove_leftovers`] of `folder` and the folders below it; links are not followed.
pub fn remove_leftovers_below(folder: &Path) {
    if !fs::symlink_metadata(folder).is_ok_and(|data| data.is_dir()) {
        return;
    }
    remove_leftovers(folder);
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_leftovers_below(&entry.path());
        }
    }
}

/// `.NAME.XXXXXXXX.naka-part`.
fn is_temporary(name: &str) -> bool {
    let random = name
        .strip_suffix(TEMPORARY_ENDING)
        .and_then(|rest| rest.strip_prefix('.'))
        .and_then(|rest| rest.rsplit_once('.'))
        .map(|(_, random)| random);
    random
        .is_some_and(|random| random.len() == RANDOM_LETTERS && random.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}
