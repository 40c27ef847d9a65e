//! Planes of views that are finished, in files, so that a killed run continues after them.
//!
//! `NNNN.planes` has [`MAGIC`], the SHA-256 over the identity of what it was made from and its own content, and the planes
//! of view NNNN as little-endian floats. A file that is damaged, or of another identity, is made again.

use super::matcher::Plane;
use crate::error::Result;
use crate::storage;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const MAGIC: &[u8; 16] = b"naka-gs planes 1";
const ENDING: &str = "planes";
const DIGEST_BYTES: usize = 32;
/// Time between two writes: the most that a kill can lose, besides the current view.
pub const WRITE_EVERY: Duration = Duration::from_secs(10);

/// The folder of the planes of one search, and their identity.
#[derive(Debug)]
pub struct Kept {
    folder: PathBuf,
    identity: String,
    every: Duration,
}

impl Kept {
    /// In `folder`, which need not exist. `identity` says which photographs and settings they are made from.
    pub fn new(folder: &Path, identity: String, every: Duration) -> Self {
        Self { folder: folder.into(), identity, every }
    }

    fn path(&self, view: usize) -> PathBuf {
        self.folder.join(format!("{view:04}.{ENDING}"))
    }

    /// The planes of `view`, where an earlier run has left them.
    pub fn read(&self, view: usize) -> Option<Vec<Plane>> {
        let bytes = std::fs::read(self.path(view)).ok()?;
        let content = bytes.strip_prefix(MAGIC)?;
        let (digest, planes) = content.split_at_checked(DIGEST_BYTES)?;
        let whole = digest == self.digest(view, planes) && planes.len() % size_of::<Plane>() == 0;
        whole.then(|| bytemuck::pod_collect_to_vec(planes))
    }

    fn digest(&self, view: usize, planes: &[u8]) -> [u8; DIGEST_BYTES] {
        let mut sha = Sha256::new();
        sha.update(format!("{}\n{view}\n", self.identity));
        sha.update(planes);
        sha.finalize().into()
    }

    fn write(&self, view: usize, planes: &[Plane]) -> Result<()> {
        let path = self.path(view);
        if path.exists() && !is_ours(&path) {
            tracing::warn!("{} is not a file of this program: left alone, not replaced", path.display());
            return Ok(());
        }
        let planes = bytemuck::cast_slice(planes);
        storage::write_bytes(path, &[&MAGIC[..], &self.digest(view, planes), planes].concat())
    }
}

/// Planes that are to be written once it is time.
pub struct Pending<'k> {
    kept: Option<&'k Kept>,
    views: Vec<(usize, Vec<Plane>)>,
    written: Instant,
}

impl<'k> Pending<'k> {
    pub fn new(kept: Option<&'k Kept>) -> Self {
        Self { kept, views: Vec::new(), written: Instant::now() }
    }

    /// Notes that a view is finished. A write that fails is a warning, no more.
    pub fn finished(&mut self, view: usize, planes: &[Plane]) {
        let Some(kept) = self.kept else { return };
        self.views.push((view, planes.to_vec()));
        if self.written.elapsed() >= kept.every {
            self.write();
        }
    }

    /// Writes what is not written yet.
    pub fn write(&mut self) {
        let Some(kept) = self.kept else { return };
        for (view, planes) in self.views.drain(..) {
            if let Err(error) = kept.write(view, &planes) {
                tracing::warn!("depths found so far could not be kept: {error}; the search goes on");
            }
        }
        self.written = Instant::now();
    }
}

fn is_ours(path: &Path) -> bool {
    let mut start = [0; MAGIC.len()];
    File::open(path).and_then(|mut file| file.read_exact(&mut start)).is_ok_and(|()| start == *MAGIC)
}

/// Removes the planes kept in `folder`, and the folder if nothing else is in it.
///
/// # Errors
/// A file that cannot be removed.
pub fn discard(folder: &Path) -> Result<()> {
    storage::remove_leftovers(folder);
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    for path in entries.filter(|path| path.extension().is_some_and(|ending| ending == ENDING) && is_ours(path)) {
        storage::remove_file(path)?;
    }
    storage::remove_empty_folder(folder);
    Ok(())
}
