//! Fingerprints of what a stage is made from. A stage with an unchanged fingerprint need not be made again.

use crate::capture::View;
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::path::Path;
use std::time::UNIX_EPOCH;

/// SHA-256 (hex) of the JSON of `parts`.
pub fn of(parts: &impl Serialize) -> String {
    of_bytes(&serde_json::to_vec(parts).unwrap_or_default())
}

/// SHA-256 (hex) of `bytes`.
pub fn of_bytes(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A file without reading it: length and time of the last change; nothing where there is no such file.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FileState {
    bytes: u64,
    changed_ns: u128,
}

impl FileState {
    /// The state of the file `path` now.
    pub fn of(path: &Path) -> Option<Self> {
        let data = std::fs::metadata(path).ok()?;
        let changed = data.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        Some(Self { bytes: data.len(), changed_ns: changed.map_or(0, |age| age.as_nanos()) })
    }
}

/// Fingerprint of posed photographs: names, cameras and the files' states, wherever the scene folder lies.
pub fn of_views(views: &[View]) -> String {
    let parts: Vec<_> = views.iter().map(|v| (&v.name, &v.camera, v.image.as_deref().map(FileState::of))).collect();
    let lenses: Vec<_> = views.iter().filter_map(|v| v.lens).collect();
    if lenses.is_empty() { of(&parts) } else { of(&(parts, lenses)) }
}

/// Fingerprint of poses alone.
pub fn of_poses(views: &[View]) -> String {
    of(&views.iter().map(|v| (&v.name, &v.camera)).collect::<Vec<_>>())
}
