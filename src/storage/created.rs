//! Files that a command creates: if something appears under their names meanwhile, it is kept.

use crate::error::Error;
use crate::sync::lock;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

static DUE: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// Lets the next write of `path` create the file: where something is at that name by then, even a dangling link,
/// the write fails, and what is there stays.
pub fn create_only(path: impl AsRef<Path>) {
    lock(&DUE).insert(path.as_ref().to_path_buf());
}

/// Whether the next write of `path` is to create it.
pub(super) fn is_due(path: &Path) -> bool {
    lock(&DUE).contains(path)
}

/// The file `path` is written.
pub(super) fn done(path: &Path) {
    lock(&DUE).remove(path);
}

/// The error for a file that is to be created, and is there.
pub(super) fn appeared(path: &Path) -> Error {
    let found = "appeared while this command worked, and is not replaced";
    Error::input(path, found, "`overwrite` replaces it, or choose another name (`out`)")
}
