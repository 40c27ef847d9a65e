//! Owns an output folder: the names in it, its lock, and what may be deleted there.
//!
//! A file is *ours* if `run.json` lists it with its content's hash ([`Content`]) and it still has that content; files of no run
//! are listed in `results.json` ([`Listed`]). A file that was being made when the program was killed is listed without a hash,
//! and is ours. Ours are deleted or replaced as a run needs. Anything else in the place of a result is never deleted: without
//! `--overwrite` it is an error, with it the file is moved aside ([`OutputFolder::make_way`]).

mod disjoint;
mod lock;
pub mod names;
mod results;

pub use disjoint::{ensure_apart, ensure_disjoint, ensure_no_input};
pub use results::{Listed, NOTE_EVERY, Results};

use super::fingerprint::{Content, Hashes};
use crate::error::Result;
use crate::storage;
use lock::Lock;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

/// Files by their path below the output folder, with `/` between folders; without a [`Content`] while they are made.
pub type Files = BTreeMap<String, Option<Content>>;

/// An output folder that no other process works in while this is held.
#[derive(Debug)]
pub struct OutputFolder {
    path: PathBuf,
    hashes: Hashes,
    _lock: Lock,
}

impl OutputFolder {
    /// Locks the folder `path`, which is created if there is none, and removes temporary files that a killed run left.
    ///
    /// # Errors
    /// [`Error::InUse`](crate::Error::InUse) where another process works in it.
    pub fn open(path: &Path) -> Result<Self> {
        let lock = Lock::take(path)?;
        storage::remove_leftovers(path);
        names::FOLDERS.iter().for_each(|name| storage::remove_leftovers_below(&path.join(name)));
        Ok(Self { path: path.to_path_buf(), hashes: Hashes::default(), _lock: lock })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Fails where it was moved, or removed and recreated.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io) naming the folder.
    pub fn ensure_held(&self) -> Result<()> {
        storage::ensure_held(&self.path)
    }

    /// The file or folder `name` in it.
    pub fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The size and hash of the file `name`; `None` where there is no plain file of that name.
    pub fn content(&self, name: &str) -> Option<Content> {
        let path = self.join(name);
        let is_file = std::fs::symlink_metadata(&path).is_ok_and(|data| data.is_file());
        self.hashes.of(&path).filter(|_| is_file)
    }

    /// Whether the file `name` is the one that was `written`.
    pub fn unchanged(&self, name: &str, written: &Content) -> bool {
        let same_size = std::fs::symlink_metadata(self.join(name)).is_ok_and(|data| data.len() == written.bytes);
        same_size && self.content(name).as_ref() == Some(written)
    }

    /// Whether all `files` were finished and are as they were written.
    pub fn intact(&self, files: &Files) -> bool {
        files.iter().all(|(name, written)| written.as_ref().is_some_and(|written| self.unchanged(name, written)))
    }

    /// Whether something is at `name`: also a dangling link, or a file where one of its folders should be.
    pub fn occupied(&self, name: &str) -> bool {
        std::fs::symlink_metadata(self.join(name)).is_ok() || self.in_place_of_folder(name).is_some()
    }

    /// Whether a plain file is at `name`, within the folder.
    fn has_file(&self, name: &str) -> bool {
        self.within(name) && std::fs::symlink_metadata(self.join(name)).is_ok_and(|data| data.is_file())
    }

    /// The file that is where one of the folders of `name` should be.
    fn in_place_of_folder(&self, name: &str) -> Option<String> {
        let ends = name.match_indices('/').map(|(end, _)| &name[..end]);
        ends.map(String::from).find(|folder| {
            let path = self.join(folder);
            std::fs::symlink_metadata(&path).is_ok() && !path.is_dir()
        })
    }

    /// Deletes those of `files`, which a run listed as its own, that are as they were written, or were not finished. Files that
    /// were changed since stay.
    ///
    /// # Errors
    /// A file that cannot be removed. Names that lead out of the folder are skipped, with a warning.
    pub fn remove(&self, files: &Files) -> Result<()> {
        for (name, written) in files {
            if !self.within(name) {
                // Where its folder is gone, so is the file.
                if self.occupied(name) {
                    tracing::warn!("{name}: listed as a result, but not inside this folder: not deleted");
                }
                continue;
            }
            match written {
                Some(written) if !self.unchanged(name, written) => {
                    if self.occupied(name) {
                        tracing::info!("{} was changed after the run: left alone", self.join(name).display());
                    }
                }
                _ => storage::remove_file(self.join(name))?,
            }
        }
        let folders: BTreeSet<&str> = files
            .keys()
            .filter(|name| self.within(name))
            .flat_map(|name| name.match_indices('/').map(|(end, _)| &name[..end]))
            .collect();
        // What is within another folder goes before it.
        for folder in folders.into_iter().rev() {
            storage::remove_empty_folder(self.join(folder));
        }
        Ok(())
    }

    /// The name of the file `path` in the folder.
    pub fn name_of(&self, path: &Path) -> String {
        let below = path.strip_prefix(&self.path).unwrap_or(path);
        let parts: Vec<_> = below.iter().map(|part| part.to_string_lossy()).collect();
        parts.join("/")
    }

    /// Gives the file `from` the name `to`, at which nothing is.
    ///
    /// # Errors
    /// It cannot be renamed.
    pub fn rename(&self, from: &str, to: &str) -> Result<()> {
        self.join(to).parent().map_or(Ok(()), storage::create_folder)?;
        storage::rename(self.join(from), self.join(to))
    }

    /// Moves what is at `name` aside, to `NAME.bak` or the next free name like it, unless it is `ours`. Afterward the name is
    /// free for a new file.
    pub fn make_way(&self, name: &str, ours: Option<&Option<Content>>) -> Result<()> {
        if let Some(file) = self.in_place_of_folder(name) {
            return self.set_aside(&file);
        }
        let is_ours = match ours {
            None => false,
            Some(None) => true,
            Some(Some(written)) => self.unchanged(name, written),
        };
        if is_ours || !self.occupied(name) { Ok(()) } else { self.set_aside(name) }
    }

    fn set_aside(&self, name: &str) -> Result<()> {
        let path = self.join(name);
        let backup = storage::set_aside(&path)?;
        tracing::warn!("{} was not written by naka-gs, or was edited: kept as {}", path.display(), backup.display());
        Ok(())
    }

    /// Whether `name`, which may come from a record that somebody else wrote, is the name of a file within the folder,
    /// links followed.
    fn within(&self, name: &str) -> bool {
        let path = Path::new(name);
        let plain = path.components().all(|part| matches!(part, Component::Normal(_)));
        let Some(parent) = path.parent().filter(|_| plain) else { return false };
        match (self.path.canonicalize(), self.path.join(parent).canonicalize()) {
            (Ok(root), Ok(folder)) => folder == root.join(parent),
            // Where there is no folder there is no file.
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests;
