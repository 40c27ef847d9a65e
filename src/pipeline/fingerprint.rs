//! Fingerprints of what a stage is made from. A stage with an unchanged fingerprint need not be made again.
//!
//! Files count by their content, wherever they lie and whenever they were touched. A hash is computed again only where a
//! file's size, times or inode changed since it was hashed last ([`Hashes`]).

use crate::capture::{Mask, View};
use crate::hash::{sha256, sha256_of_file};
use crate::sync::lock;
use crate::train::Change;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A file that changed less than this before it was hashed may change again within the same tick of the file system's
/// clock: its hash is not trusted the next time.
const SETTLED: Duration = Duration::from_secs(2);

/// SHA-256 (hex) of the JSON of `parts`.
pub fn of(parts: &impl Serialize) -> String {
    sha256(serde_json::to_vec(parts).unwrap_or_default())
}

/// The fingerprint of a model, from that of its training as `started` and the settings that were changed since.
pub(super) fn changed(started: &str, changes: &[Change]) -> String {
    if changes.is_empty() { started.into() } else { of(&(started, changes)) }
}

/// Length and SHA-256 of a file's content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// Its length.
    pub bytes: u64,
    /// SHA-256 of the content, in hex.
    pub sha256: String,
}

/// The file system's metadata of a file whose hash is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hashed {
    #[serde(flatten)]
    content: Content,
    state: State,
}

impl Hashed {
    /// What the file held.
    pub fn content(&self) -> &Content {
        &self.content
    }
}

/// What changes when a file is written to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct State {
    /// Nanoseconds since 1970 of the last change of the content, and (on Unix) of its metadata, which no program can set; 0
    /// where it cannot be trusted.
    modified_ns: u64,
    changed_ns: u64,
    inode: u64,
}

impl State {
    fn of(data: &Metadata) -> Self {
        let modified_ns = data.modified().map_or(0, nanoseconds);
        #[cfg(unix)]
        let (changed_ns, inode) = {
            use std::os::unix::fs::MetadataExt;
            (u64::try_from(data.ctime() * 1_000_000_000 + data.ctime_nsec()).unwrap_or(0), data.ino())
        };
        #[cfg(not(unix))]
        let (changed_ns, inode) = (0, 0);
        Self { modified_ns, changed_ns, inode }
    }

    fn settled(self) -> bool {
        let last = Duration::from_nanos(self.modified_ns.max(self.changed_ns));
        nanoseconds(SystemTime::now()).saturating_sub(last.as_nanos() as u64) > SETTLED.as_nanos() as u64
    }
}

fn nanoseconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |age| age.as_nanos() as u64)
}

/// Hashes of files, each taken once.
#[derive(Debug, Default)]
pub struct Hashes {
    known: Mutex<BTreeMap<String, Hashed>>,
    used: Mutex<BTreeMap<String, Hashed>>,
}

impl Hashes {
    /// Goes on from what an earlier run found.
    pub fn known(earlier: BTreeMap<String, Hashed>) -> Self {
        Self { known: Mutex::new(earlier), used: Mutex::default() }
    }

    /// Size and hash of the file `path`; `None` where there is no file that can be read.
    pub fn of(&self, path: &Path) -> Option<Content> {
        let data = std::fs::metadata(path).ok().filter(Metadata::is_file)?;
        let (name, state) = (key(path), State::of(&data));
        let known = lock(&self.known).get(&name).cloned();
        let found = match known {
            Some(hashed) if hashed.state == state && hashed.content.bytes == data.len() => hashed,
            _ => {
                let content = hash(path)?;
                Hashed { content, state: if state.settled() { state } else { State::default() } }
            }
        };
        lock(&self.known).insert(name.clone(), found.clone());
        lock(&self.used).insert(name, found.clone());
        Some(found.content)
    }

    /// Those that were asked for.
    pub fn used(&self) -> BTreeMap<String, Hashed> {
        lock(&self.used).clone()
    }

    /// Their paths.
    pub fn paths(&self) -> Vec<PathBuf> {
        lock(&self.used).keys().map(PathBuf::from).collect()
    }

    /// Contents of the file `path`, or of the files in the folder `path`.
    pub fn of_any(&self, path: &Path) -> Vec<(String, Option<Content>)> {
        let name = |file: &Path| file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        files_of(path).iter().map(|file| (name(file), self.of(file))).collect()
    }

    /// Fingerprint of posed photographs: names, cameras and contents, wherever the scene folder lies.
    pub fn of_views(&self, views: &[View]) -> String {
        let hashes: Vec<_> = views.par_iter().map(|view| Some(self.of(view.image.as_deref()?)?.sha256)).collect();
        let parts: Vec<_> = views.iter().zip(hashes).map(|(v, hash)| (&v.name, &v.camera, hash)).collect();
        let lenses: Vec<_> = views.iter().filter_map(|v| v.lens).collect();
        let mut fingerprint = if lenses.is_empty() { of(&parts) } else { of(&(parts, lenses)) };
        if views.iter().any(|view| !view.shots.is_empty()) {
            let shots = |view: &View| view.files().skip(1).map(|file| self.of(file)).collect::<Vec<_>>();
            let exposures: Vec<_> = views.iter().flat_map(|view| &view.shots).map(|shot| shot.exposure).collect();
            fingerprint = of(&(fingerprint, views.iter().map(shots).collect::<Vec<_>>(), exposures));
        }
        if views.iter().all(|view| view.mask.is_none()) {
            return fingerprint;
        }
        let mask = |mask: &Mask| (mask.alpha.is_some(), mask.inverted, mask.file.as_deref().map(|file| self.of(file)));
        of(&(fingerprint, views.iter().map(|view| view.mask.as_ref().map(mask)).collect::<Vec<_>>()))
    }
}

/// Whether a file has the content that a record says it had. Records may come from other people: this check keeps a crafted one
/// from exposing files that its author did not have.
pub fn has_recorded_content(recorded: &BTreeMap<String, Hashed>, path: &Path) -> bool {
    let Some(hashed) = recorded.get(&key(path)) else { return false };
    hash(path).as_ref() == Some(&hashed.content)
}

/// Wherever the program was started.
fn key(path: &Path) -> String {
    std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf()).to_string_lossy().into_owned()
}

fn hash(path: &Path) -> Option<Content> {
    sha256_of_file(path).ok().map(|(bytes, sha256)| Content { bytes, sha256 })
}

/// Fingerprint of poses alone.
pub fn of_poses(views: &[View]) -> String {
    of(&views.iter().map(|v| (&v.name, &v.camera)).collect::<Vec<_>>())
}

/// The files of an input that may be a file or a folder of files (a COLMAP model, a network's output), in order.
fn files_of(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_path_buf()];
    }
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut files: Vec<PathBuf> = entries.filter(|path| path.is_file()).collect();
    files.sort();
    files
}
