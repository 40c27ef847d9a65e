//! Folders that this process has locked. Once the name of one refers to another folder, since it was moved, or removed and
//! recreated, every change below that name fails.

use crate::error::{Error, Result};
use crate::sync::lock;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

static HELD: Mutex<Vec<Arc<Locked>>> = Mutex::new(Vec::new());

#[derive(Debug)]
struct Locked {
    folder: PathBuf,
    /// The lock file, and its name.
    file: File,
    path: PathBuf,
}

impl Locked {
    fn is_here(&self) -> bool {
        match std::fs::symlink_metadata(&self.path) {
            // A network share that does not answer proves nothing about the folder.
            Err(error) if error.kind() != io::ErrorKind::NotFound => true,
            _ => is_same_file(&self.file, &self.path),
        }
    }
}

/// A folder that this process has locked, until this is dropped.
#[derive(Debug)]
pub struct HeldFolder(Arc<Locked>);

impl HeldFolder {
    /// Of the lock file `path` in `folder`, which is open and locked as `file`.
    pub fn new(folder: &Path, path: &Path, file: File) -> Self {
        let locked = Arc::new(Locked { folder: folder.into(), file, path: path.into() });
        lock(&HELD).push(Arc::clone(&locked));
        Self(locked)
    }
}

impl Drop for HeldFolder {
    fn drop(&mut self) {
        lock(&HELD).retain(|other| !Arc::ptr_eq(other, &self.0));
        // A check under way on another thread keeps the file open.
        let _ = self.0.file.unlock();
    }
}

/// Whether this process works in an output folder.
pub fn holds_folders() -> bool {
    !lock(&HELD).is_empty()
}

/// Fails where `path` is, or lies below, the name of a folder that this process has locked and that is not there any more.
pub(super) fn check(path: &Path) -> io::Result<()> {
    let above: Vec<Arc<Locked>> =
        lock(&HELD).iter().filter(|locked| path.starts_with(&locked.folder)).cloned().collect();
    let Some(lost) = above.iter().find(|locked| !locked.is_here()) else { return Ok(()) };
    if lost.folder.is_dir() && std::fs::symlink_metadata(&lost.path).is_err() {
        return Err(io::Error::other(format!(
            "{}, by which this command holds the output folder, was deleted, or the folder was made anew; run the same \
             command again",
            lost.path.display()
        )));
    }
    Err(io::Error::other(
        "the output folder was moved, or removed and made anew, since this command began; move it back, or run the same \
         command again",
    ))
}

/// Fails where the name `folder` no longer refers to the folder that this process has locked.
///
/// # Errors
/// [`Error::Io`] naming the folder.
pub fn ensure_held(folder: &Path) -> Result<()> {
    check(folder).map_err(Error::io(folder))
}

/// Whether the open `file` is the one at `path`.
#[cfg(unix)]
pub fn is_same_file(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (file.metadata(), std::fs::symlink_metadata(path)) {
        (Ok(a), Ok(b)) => (a.dev(), a.ino()) == (b.dev(), b.ino()),
        _ => false,
    }
}

/// Whether the open `file` is the one at `path`. A file that is open cannot be removed there.
#[cfg(not(unix))]
pub fn is_same_file(_file: &File, path: &Path) -> bool {
    path.exists()
}
