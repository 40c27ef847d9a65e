//! Files that are either the old one or the new one, never half of one: written under a temporary name in the same
//! folder, synced, then renamed over the target.

use crate::error::{Error, Result};
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// What the callers of [`write()`] write to.
pub type Writer = BufWriter<File>;

const BUFFER_BYTES: usize = 1 << 20;

/// Creates or replaces `path` with what `fill` writes; missing parent folders are created. If `fill` or the disk
/// fails, `path` is as it was before and the temporary file is gone.
///
/// # Errors
/// [`Error::Io`] naming `path`, or the error of `fill`.
pub fn write<T>(path: impl AsRef<Path>, fill: impl FnOnce(&mut Writer) -> Result<T>) -> Result<T> {
    let path = path.as_ref();
    write_by(path, |temporary| fill_new(path, temporary, fill))
}

/// [`write()`] for what another program writes: `make` gets the name of a file, which does not exist yet and has no
/// ending that says what is in it.
pub fn write_by<T>(path: impl AsRef<Path>, make: impl FnOnce(&Path) -> Result<T>) -> Result<T> {
    let path = path.as_ref();
    let parent = parent(path);
    fs::create_dir_all(parent).map_err(Error::io(parent))?;
    let temporary = temporary_name(path)?;
    let sync = || File::open(&temporary).and_then(|file| file.sync_all()).map_err(Error::io(path));
    let result = make(&temporary)
        .and_then(|value| sync().map(|()| value))
        .and_then(|value| fs::rename(&temporary, path).map(|()| value).map_err(Error::io(path)));
    match result {
        Ok(value) => {
            sync_folder(parent);
            Ok(value)
        }
        Err(error) => {
            // The first error is the one to tell; the temporary file may not even exist.
            let _ = fs::remove_file(&temporary);
            Err(error)
        }
    }
}

/// [`write()`] for content that is already in memory.
pub fn write_bytes(path: impl AsRef<Path>, content: &[u8]) -> Result<()> {
    let path = path.as_ref();
    write(path, |out| out.write_all(content).map_err(Error::io(path)))
}

fn fill_new<T>(path: &Path, temporary: &Path, fill: impl FnOnce(&mut Writer) -> Result<T>) -> Result<T> {
    let file = File::create_new(temporary).map_err(Error::io(path))?;
    let mut out = BufWriter::with_capacity(BUFFER_BYTES, file);
    let value = fill(&mut out)?;
    out.flush().map_err(Error::io(path))?;
    Ok(value)
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// `.NAME.PID-COUNT.part` beside the target: unique among the threads and processes of this machine.
fn temporary_name(path: &Path) -> Result<PathBuf> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let Some(name) = path.file_name() else {
        return Err(Error::input(path, "is not the name of a file", "give a file name to write to"));
    };
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let hidden = format!(".{}.{}-{count}.part", name.to_string_lossy(), std::process::id());
    Ok(path.with_file_name(hidden))
}

/// Makes the rename itself durable. Not every file system (and not Windows) can sync a folder; the content is safe
/// in any case.
fn sync_folder(folder: &Path) {
    if let Ok(handle) = File::open(folder) {
        let _ = handle.sync_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_and_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("new/folder/result.txt");
        write_bytes(&path, b"one").unwrap();
        write_bytes(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn a_failing_writer_keeps_the_old_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("result.txt");
        write_bytes(&path, b"old").unwrap();
        let failed = write(&path, |out| {
            out.write_all(b"half").map_err(Error::io(&path))?;
            Err::<(), _>(Error::Interrupted(String::new()))
        });
        assert!(matches!(failed, Err(Error::Interrupted(_))));
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_as_target_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let error = write_bytes(dir.path(), b"x").unwrap_err();
        assert!(error.to_string().contains(&dir.path().display().to_string()));
    }
}
