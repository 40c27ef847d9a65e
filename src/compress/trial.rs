//! Trial files of splats: their size and what they read back as, by the real encoder.

use crate::capture::SceneFrame;
use crate::error::{Error, Result};
use crate::splat::{Splats, read_in, write};
use crate::storage;
use glam::DVec3;
use std::path::{Path, PathBuf};

/// Trial files next to the file that is to be written, in its format.
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
        // A file that cannot state the frame's origin is relative to it: reading must not subtract it once more.
        let origin = if write::Format::of_ending(self.path)?.tells_origin() { self.frame.origin } else { DVec3::ZERO };
        read_in(&scratch.0, &SceneFrame { origin, ..self.frame })
    }

    fn write(&self, splats: &Splats) -> Result<Scratch> {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        let scratch = Scratch(self.path.with_file_name(format!(".trial-{}-{name}", std::process::id())));
        let export = write::Export { splats, frame: self.frame, antialiased: self.antialiased };
        write::write_silently(&scratch.0, &export)?;
        Ok(scratch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::splat::reference;

    #[test]
    fn files_that_state_no_origin_read_back_where_they_were() {
        let dir = tempfile::tempdir().unwrap();
        let before = reference::splats(&reference::cloud(50, 1));
        let frame = SceneFrame { origin: DVec3::new(432_096.0, 5_412_256.0, 160.0), unit: 2.0 };
        let center = |splats: &Splats| {
            let means = splats.means.iter().map(|mean| DVec3::from(mean.map(f64::from)));
            means.sum::<DVec3>() / splats.len() as f64
        };
        for name in ["a.ply", "a.compressed.ply", "a.spz", "a.v4.spz", "a.sog", "a.glb", "a.splat"] {
            let path = dir.path().join(name);
            let trial = Trial { path: &path, frame, antialiased: false };
            let back = trial.decoded(&before).unwrap();
            assert!(center(&back).distance(center(&before)) < 0.05, "{name}: {}", center(&back));
        }
    }
}
