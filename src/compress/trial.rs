//! What a file of splats would be: its bytes and what it reads back as, by the real encoder.

use crate::capture::SceneFrame;
use crate::error::{Error, Result};
use crate::splat::{Splats, read_in, write};
use crate::storage;
use std::path::{Path, PathBuf};

/// Files on trial beside the file that is to be written, in its format.
pub struct Trial<'a> {
    /// The file to be written.
    pub path: &'a Path,
    /// The frame that splats are in.
    pub frame: SceneFrame,
    /// Whether they are for antialiased rendering.
    pub antialiased: bool,
}

/// Removes a file when it is dropped.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = storage::remove_file(&self.0) {
            tracing::warn!("{error}");
        }
    }
}

impl Trial<'_> {
    /// Bytes of the file of `splats`.
    ///
    /// # Errors
    /// Splats that the format cannot hold; a file that cannot be written.
    pub fn bytes(&self, splats: &Splats) -> Result<u64> {
        let scratch = self.write(splats)?;
        Ok(std::fs::metadata(&scratch.0).map_err(Error::io(&scratch.0))?.len())
    }

    /// What the file of `splats` reads back as.
    ///
    /// # Errors
    /// As [`Trial::bytes`].
    pub fn decoded(&self, splats: &Splats) -> Result<Splats> {
        let scratch = self.write(splats)?;
        read_in(&scratch.0, &self.frame)
    }

    fn write(&self, splats: &Splats) -> Result<Scratch> {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        let scratch = Scratch(self.path.with_file_name(format!(".trial-{}-{name}", std::process::id())));
        let export = write::Export { splats, frame: self.frame, antialiased: self.antialiased };
        write::write_silently(&scratch.0, &export)?;
        Ok(scratch)
    }
}
