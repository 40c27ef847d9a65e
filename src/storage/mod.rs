//! Every change that the program makes to the file system: writes, renames, removals, new folders.
//!
//! A file is either the old one or the new one, never half of one: it is written under a temporary name in the same
//! folder, synced, then renamed over the target. Nothing here deletes a folder with something in it.
//! Because all changes pass through this module, the tests can let each of them fail in turn (`faults`).

mod created;
#[cfg(test)]
pub(crate) mod faults;
mod held;
mod leftovers;
mod unfinished;

pub use created::create_only;
pub use held::{HeldFolder, ensure_held, holds_folders, is_same_file};
pub use leftovers::{remove_leftovers, remove_leftovers_below, remove_leftovers_of};
pub use unfinished::remove_unfinished;

use crate::error::{Error, Result};
use crate::hash::sha256;
use serde::Serialize;
use std::fs::{self, File};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use tempfile::TempPath;
use unfinished::Unfinished;

const BUFFER_BYTES: usize = 1 << 20;

/// Temporary names are `.NAME.XXXXXXXX.naka-part` with random letters, so that no two processes share one, on one
/// machine or on several.
const TEMPORARY_ENDING: &str = ".naka-part";
const RANDOM_LETTERS: usize = 8;

/// What the callers of [`write()`] write to.
pub type Writer = BufWriter<Output>;

/// A temporary file that becomes the target once it is complete.
pub struct Output {
    file: File,
    /// The target, which is the name that errors have.
    #[cfg_attr(not(test), expect(dead_code, reason = "faults are injected by target"))]
    target: PathBuf,
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        #[cfg(test)]
        let bytes = faults::write(&self.target, bytes)?;
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Seek for Output {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

/// Announces a change at `path`; fails in a folder that was replaced by another one.
fn announce(kind: Change, path: &Path) -> io::Result<()> {
    held::check(path)?;
    #[cfg(test)]
    return faults::change(kind, path);
    #[cfg(not(test))]
    {
        let _ = (kind, path);
        Ok(())
    }
}

/// The kinds of change that can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    Create,
    Sync,
    Rename,
    Remove,
    Folder,
}

/// Creates or replaces `path` with what `fill` writes; missing parent folders are created. If `fill` or the disk
/// fails, `path` is as it was before and the temporary file is gone.
///
/// # Errors
/// [`Error::Io`] naming `path`, or the error of `fill`.
pub fn write<T>(path: impl AsRef<Path>, fill: impl FnOnce(&mut Writer) -> Result<T>) -> Result<T> {
    let path = path.as_ref();
    replace(path, |temporary| {
        let file = create_locked(temporary).map_err(Error::io(path))?;
        let mut out = BufWriter::with_capacity(BUFFER_BYTES, Output { file, target: path.to_path_buf() });
        let filled = fill(&mut out);
        // Without this, dropping the writer would flush the rest of an abandoned file.
        let (output, rest) = out.into_parts();
        let value = filled?;
        let rest = rest.map_err(|error| Error::io(path)(io::Error::other(error)))?;
        let mut output = output;
        output.write_all(&rest).and_then(|()| output.flush()).map_err(Error::io(path))?;
        Ok((value, output.file))
    })
}

/// [`write()`] of `value` as JSON.
///
/// # Errors
/// As there; a value that JSON cannot hold.
pub fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    let mut text = serde_json::to_string_pretty(value).map_err(|e| Error::io(path)(e.into()))?;
    text.push('\n');
    write_bytes(path, text.as_bytes())
}

/// [`write()`] for what another program writes: `make` gets the name of a file to replace, which has no ending that says
/// what is in it.
pub fn write_by<T>(path: impl AsRef<Path>, make: impl FnOnce(&Path) -> Result<T>) -> Result<T> {
    let path = path.as_ref();
    let mut held = None;
    replace(path, |temporary| {
        // Where locks are mandatory the other program could not write: on Windows, where an open file cannot be removed
        // either, and on network shares.
        if cfg!(unix) {
            held = Some(create_locked(temporary).map_err(Error::io(path))?).filter(|_| lets_others_write(temporary));
        }
        let value = make(temporary)?;
        Ok((value, open_to_sync(temporary).map_err(Error::io(path))?))
    })
}

/// A new file under a lock, which says that it is no leftover. A file system without locks has one reader of leftovers at
/// a time, by the lock on the output folder.
fn create_locked(temporary: &Path) -> io::Result<File> {
    let file = File::create_new(temporary)?;
    let _ = file.lock();
    Ok(file)
}

/// Whether a file under our lock can be written to by another way; nothing is left in it.
fn lets_others_write(temporary: &Path) -> bool {
    let try_it = || File::create(temporary)?.write_all(b"?");
    try_it().is_ok() && File::create(temporary).is_ok()
}

/// A finished file, to be synced: Windows does that only for those who may write.
fn open_to_sync(temporary: &Path) -> io::Result<File> {
    File::options().write(true).open(temporary)
}

/// Errors of macOS file systems that do not support the full sync that std requests there: EINVAL (FUSE, WebDAV), ENOTTY,
/// ENOTSUP (SMB).
const NO_FULL_SYNC: [i32; 3] = [22, 25, 45];

/// Makes a file's content durable where its file system supports that.
fn sync_file(file: &File) -> io::Result<()> {
    let cannot = |error: &io::Error| error.raw_os_error().is_some_and(|code| NO_FULL_SYNC.contains(&code));
    match file.sync_all() {
        Err(error) if cfg!(target_vendor = "apple") && cannot(&error) => Ok(()),
        synced => synced,
    }
}

/// Pauses before a rename is tried again.
const PAUSES_MS: [u64; 5] = [10, 30, 100, 300, 1000];

/// Renames. On Windows virus scanners and indexers hold new files for a moment (access denied, sharing violation).
fn rename_patiently(from: &Path, to: &Path) -> io::Result<()> {
    for pause in PAUSES_MS {
        match fs::rename(from, to) {
            Err(error) if cfg!(windows) && matches!(error.raw_os_error(), Some(5 | 32)) => {
                std::thread::sleep(std::time::Duration::from_millis(pause));
            }
            renamed => return renamed,
        }
    }
    fs::rename(from, to)
}

/// Puts in the place of `path` the file that `make` makes under a temporary name and returns.
fn replace<T>(path: &Path, make: impl FnOnce(&Path) -> Result<(T, File)>) -> Result<T> {
    ensure_plain(path)?;
    let parent = parent(path);
    create_folder(parent)?;
    announce(Change::Create, path).map_err(Error::io(path))?;
    let mut temporary = temporary_path(path, parent)?;
    let _unfinished = Unfinished::new(&temporary);
    let made = make(&temporary).and_then(|(value, file)| {
        let synced = announce(Change::Sync, path).and_then(|()| sync_file(&file));
        synced.and_then(|()| announce(Change::Rename, path)).map_err(Error::io(path))?;
        Ok((value, file))
    });
    match made {
        // The file stays locked until it has its name.
        Ok((value, _file)) => {
            let gone = give_name(&temporary, path)? || announce(Change::Remove, &temporary).is_err();
            created::done(path);
            temporary.disable_cleanup(gone);
            drop(temporary);
            sync_folder(parent);
            Ok(value)
        }
        Err(error) => {
            // The temporary file is removed with its name, except in a simulated kill.
            if announce(Change::Remove, &temporary).is_err() {
                let _ = temporary.keep();
            }
            Err(error)
        }
    }
}

/// Gives the file `temporary` the name `path`; whether nothing has the temporary name any more.
fn give_name(temporary: &Path, path: &Path) -> Result<bool> {
    if created::is_due(path) {
        // A second name replaces nothing.
        match fs::hard_link(temporary, path) {
            Ok(()) => return Ok(false),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(created::appeared(path)),
            // Not every file system has hard links.
            Err(_) if occupied(path) => return Err(created::appeared(path)),
            Err(_) => {}
        }
    }
    // Not `persist`, which on Windows replaces no file that is open, and knows no long paths.
    rename_patiently(temporary, path).map(|()| true).map_err(Error::io(path))
}

/// Whether something is at `path`, even a dangling link.
pub fn occupied(path: impl AsRef<Path>) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// Fails where something other than a file is at `path`, links followed: a rename would put a file in the place of
/// `/dev/null`.
fn ensure_plain(path: &Path) -> Result<()> {
    match fs::metadata(path) {
        Ok(data) if !data.is_file() => {
            let kind = if data.is_dir() { "a folder" } else { "a device or a pipe" };
            Err(Error::input(path, format!("is {kind}, not a file, and is never replaced"), "choose another name"))
        }
        _ => Ok(()),
    }
}

/// [`write()`] for content that is already in memory.
pub fn write_bytes(path: impl AsRef<Path>, content: &[u8]) -> Result<()> {
    let path = path.as_ref();
    write(path, |out| out.write_all(content).map_err(Error::io(path)))
}

/// Creates a folder and those above it; one that exists is left as it is.
pub fn create_folder(path: impl AsRef<Path>) -> Result<()> {
    let path = path.as_ref();
    if path.is_dir() {
        return Ok(());
    }
    announce(Change::Folder, path).and_then(|()| fs::create_dir_all(path)).map_err(Error::io(path))
}

/// Renames a file or folder; a file of that name is replaced.
pub fn rename(from: impl AsRef<Path>, to: impl AsRef<Path>) -> Result<()> {
    let (from, to) = (from.as_ref(), to.as_ref());
    announce(Change::Rename, to).and_then(|()| rename_patiently(from, to)).map_err(Error::io(to))?;
    sync_folder(parent(to));
    Ok(())
}

/// Moves a file or folder of the user out of the way, to `NAME.bak` or the next free name like it, which
/// it returns.
pub fn set_aside(path: impl AsRef<Path>) -> Result<PathBuf> {
    let path = path.as_ref();
    for number in 1.. {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(if number == 1 { ".bak".into() } else { format!(".bak{number}") });
        let backup = path.with_file_name(name);
        if !occupied(&backup) {
            rename(path, &backup)?;
            return Ok(backup);
        }
    }
    Err(Error::input(path, "has too many backups", "move it away"))
}

/// Removes a file. That there is none is no error; one that is yet to be created ([`create_only`]) is not ours to remove.
pub fn remove_file(path: impl AsRef<Path>) -> Result<()> {
    let path = path.as_ref();
    if !occupied(path) {
        return Ok(());
    }
    if created::is_due(path) {
        return Err(created::appeared(path));
    }
    match announce(Change::Remove, path).and_then(|()| fs::remove_file(path)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed.map_err(Error::io(path)),
    }
}

/// Removes a folder if nothing is in it; whether it is gone.
pub fn remove_empty_folder(path: impl AsRef<Path>) -> bool {
    let path = path.as_ref();
    // `remove_dir` removes no folder with anything in it.
    path.is_dir() && announce(Change::Remove, path).is_ok() && fs::remove_dir(path).is_ok()
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Letters of the target's name that a temporary one has: whole, it could become longer than the file system allows.
const NAME_LETTERS: usize = 24;
/// Hexadecimal digits that tell longer names apart.
const HASH_LETTERS: usize = 8;

/// Prefix of the temporary names of `path`; `None` where it is not a file name.
fn temporary_prefix(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_string_lossy();
    if name.chars().nth(NAME_LETTERS).is_none() {
        return Some(format!(".{name}."));
    }
    let start: String = name.chars().take(NAME_LETTERS).collect();
    Some(format!(".{start}.{}.", &sha256(name.as_bytes())[..HASH_LETTERS]))
}

/// The path of a file that does not exist yet, in the folder of `path`.
fn temporary_path(path: &Path, parent: &Path) -> Result<TempPath> {
    let Some(prefix) = temporary_prefix(path) else {
        return Err(Error::input(path, "is not the name of a file", "give a file name to write to"));
    };
    let unused = |path: &Path| match occupied(path) {
        true => Err(io::Error::from(io::ErrorKind::AlreadyExists)),
        false => Ok(()),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(&prefix).suffix(TEMPORARY_ENDING).rand_bytes(RANDOM_LETTERS);
    Ok(builder.make_in(parent, unused).map_err(Error::io(path))?.into_temp_path())
}

/// Makes the rename itself durable. Not every file system (and not Windows) can sync a folder; the content is safe
/// in any case.
fn sync_folder(folder: &Path) {
    if let Ok(handle) = File::open(folder) {
        let _ = handle.sync_all();
    }
}

#[cfg(test)]
mod tests;
