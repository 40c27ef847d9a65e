//! One process at a time in an output folder.
//!
//! The lock is the operating system's, on the file `.naka-gs.lock`: it ends with the process, however that ends, so a stale
//! file does no harm. On Linux it works over NFS (`flock` is a byte-range lock there). The file names the owner, and is removed
//! at the end. Where the folder is moved, or removed and recreated, nothing more is written under its name ([`HeldFolder`]).

use crate::error::{Error, Result};
use crate::storage::{self, HeldFolder, is_same_file};
use std::fs::{File, TryLockError};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

const FILE: &str = ".naka-gs.lock";

/// Held while a process works in a folder.
#[derive(Debug)]
pub struct Lock {
    folder: PathBuf,
    /// The folders that were created for it, and go if nothing was written into them; the innermost first.
    created: Vec<PathBuf>,
    held: Option<HeldFolder>,
}

impl Lock {
    /// Locks `folder`, which is created if there is none.
    pub fn take(folder: &Path) -> Result<Self> {
        let missing = folder.ancestors().take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists());
        let created = missing.map(Path::to_path_buf).collect();
        storage::create_folder(folder)?;
        let path = folder.join(FILE);
        loop {
            ensure_plain(&path)?;
            let open = File::options().read(true).write(true).create(true).truncate(false).open(&path);
            let mut file = open.map_err(Error::io(&path))?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(in_use(folder, &mut file)),
                Err(TryLockError::Error(error)) => {
                    tracing::warn!(
                        "{}: this file system has no locks ({error}); do not start a second run in this folder",
                        folder.display()
                    );
                    return Ok(Self { folder: folder.into(), created, held: None });
                }
            }
            // Its last owner may have removed the file between the opening and the lock.
            if is_same_file(&file, &path) {
                let owner = format!("{} on {}\n", std::process::id(), host());
                // Only a message of other processes depends on it.
                let _ = file.set_len(0).and_then(|()| file.write_all(owner.as_bytes()));
                let held = Some(HeldFolder::new(folder, &path, file));
                return Ok(Self { folder: folder.into(), created, held });
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // After the folder was moved or recreated, whatever has its name is not ours.
        if storage::ensure_held(&self.folder).is_err() {
            return;
        }
        if let Some(held) = self.held.take() {
            // While the lock is held, so that nobody else's file is removed.
            let _ = std::fs::remove_file(self.folder.join(FILE));
            drop(held);
        }
        let mut created = self.created.iter();
        // What is in the folder needs those above it, also one that the name only passes through (`new/../out`).
        if created.next().is_some_and(storage::remove_empty_folder) {
            created.for_each(|folder| _ = storage::remove_empty_folder(folder));
        }
    }
}

/// Fails where a link or a folder is in the place of the lock: whoever works here writes into the file, and a received
/// folder may have a link to anything.
fn ensure_plain(path: &Path) -> Result<()> {
    match std::fs::symlink_metadata(path) {
        Ok(data) if !data.is_file() => {
            let found = "is not a regular file, as a lock must be";
            Err(Error::input(path, found, "remove it if you trust this folder, or choose another output (`out`)"))
        }
        _ => Ok(()),
    }
}

fn in_use(folder: &Path, file: &mut File) -> Error {
    let mut owner = String::new();
    let known = file.read_to_string(&mut owner).is_ok_and(|_| !owner.trim().is_empty());
    let owner = if known { owner.trim().to_string() } else { "unknown".into() };
    Error::InUse { folder: folder.into(), owner }
}

fn host() -> String {
    gethostname::gethostname().to_string_lossy().into_owned()
}
