//! Where an interrupted run continues: parameters, optimizer moments, densification statistics, step and settings.
//!
//! The folder holds up to two generations, each a safetensors file of its own:
//!
//! ```text
//! latest.safetensors      the newest
//! previous.safetensors    the one before it
//! next.safetensors        only while a new one takes its place: complete, and newer than the others
//! ```
//!
//! A new generation is written as `next` (temporary name, sync, rename), then `latest` becomes `previous` and `next`
//! becomes `latest`. Each of these is one rename, so whenever the process dies, at least one complete generation is
//! there. A reader takes the first that is whole, in the order next, latest, previous.
//!
//! Generations of another run are not used either. The first write of this one moves them aside (`.bak`, which is never
//! read); what is not aside is removed at the end of the training ([`discard`]).
//!
//! Each file carries its format version and a SHA-256 over all of it ([`mod@format`]). Instead of a file that is damaged, or
//! that no training can have written, the older generation is used, with a warning.

mod format;
mod identity;
mod keeper;
#[cfg(test)]
mod tests;

pub use format::State;
pub use identity::identity;
pub use keeper::Keeper;

use super::changes::Change;
use super::config::Config;
use super::poses::Found;
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::splat::Tensors;
use crate::storage;
use std::path::{Path, PathBuf};

const LATEST: &str = "latest.safetensors";
const PREVIOUS: &str = "previous.safetensors";
const NEXT: &str = "next.safetensors";

/// A run in the middle, on the device. Everything random is a function of the seed and the step, so that no generator
/// state is kept.
pub struct Checkpoint {
    /// Steps done.
    pub step: u32,
    /// Seconds of training so far.
    pub seconds: f64,
    /// The splats.
    pub parameters: Tensors,
    /// Adam's running means of the gradients.
    pub first_moments: Tensors,
    /// Adam's running means of their squares.
    pub second_moments: Tensors,
    /// Per splat (gradient norm, views), as `Gradients::densify_statistics`.
    pub statistics: Vec<[f32; 2]>,
    /// Settings that were changed on the way.
    pub changes: Vec<Change>,
    /// Photographs that were found off their poses.
    pub found: Found,
}

impl Checkpoint {
    /// Brings `state` to the device.
    pub fn upload(gpu: &Gpu, state: State) -> Result<Self> {
        let State { step, seconds, changes, found, sh_degree, groups, statistics, .. } = state;
        let upload = |what: &str, tensors: &[Vec<f32>; 8]| -> Result<Tensors> {
            let group = Tensors::zeros(gpu, what, statistics.len(), statistics.len(), sh_degree)?;
            for (index, values) in tensors.iter().enumerate().filter(|(_, values)| !values.is_empty()) {
                group.write(gpu, index, values);
            }
            Ok(group)
        };
        Ok(Self {
            step,
            seconds,
            parameters: upload("splat", &groups[0])?,
            first_moments: upload("first moment of", &groups[1])?,
            second_moments: upload("second moment of", &groups[2])?,
            statistics,
            changes,
            found,
        })
    }
}

/// The generation that a run with this identity continues from, and whether it is the one named `latest`.
///
/// # Errors
/// There are generations, but none that is whole and of this run. Those of other runs alone are none.
fn load(dir: &Path, identity: &str, config: &Config) -> Result<Option<(State, bool)>> {
    let mut damaged: Vec<(PathBuf, String)> = Vec::new();
    let mut others = 0;
    for path in generations(dir) {
        let read = std::fs::read(&path).map_err(|e| e.to_string());
        match read.and_then(|bytes| format::decode(&bytes, identity, config)) {
            Ok(Some(state)) => {
                for (path, what) in &damaged {
                    let used = format!("continuing from step {} instead", state.step);
                    tracing::warn!("{}: damaged checkpoint ({what}); {used}", path.display());
                }
                return Ok(Some((state, path.ends_with(LATEST))));
            }
            Ok(None) => others += 1,
            Err(what) => damaged.push((path, what)),
        }
    }
    if let Some((path, _)) = damaged.first() {
        let list: Vec<String> = damaged
            .iter()
            .map(|(path, what)| format!("{}: {what}", path.file_name().unwrap_or_default().display()))
            .collect();
        let found = format!("no checkpoint here can be used ({})", list.join("; "));
        let remedy = format!("delete {} to start over", dir.display());
        return Err(Error::input(path, found, remedy));
    }
    if others > 0 {
        tracing::warn!(
            "the checkpoint in {} is of other settings or images, or of another version of the program: training starts anew",
            dir.display()
        );
    }
    Ok(None)
}

/// The generations that are in `dir`, the newest first.
pub fn generations(dir: &Path) -> Vec<PathBuf> {
    [NEXT, LATEST, PREVIOUS].map(|name| dir.join(name)).into_iter().filter(|path| path.exists()).collect()
}

/// Writes a generation; `rotate` keeps `latest`, which is of the same run, as the one before it.
fn save(dir: &Path, state: &State, rotate: bool) -> Result<()> {
    let [next, latest, previous] = [NEXT, LATEST, PREVIOUS].map(|name| dir.join(name));
    let bytes = format::encode(state).map_err(|what| Error::input(&next, what, "report this bug"))?;
    if !rotate {
        set_others_aside(dir, &state.identity)?;
    }
    storage::write_bytes(&next, &bytes)?;
    if rotate && latest.exists() {
        storage::rename(&latest, &previous)?;
    }
    storage::rename(&next, &latest)
}

/// Moves whole generations of other runs aside.
fn set_others_aside(dir: &Path, identity: &str) -> Result<()> {
    for path in &generations(dir) {
        let bytes = std::fs::read(path).unwrap_or_default();
        if format::identity_of(&bytes).is_ok_and(|found| found != identity) {
            let backup = storage::set_aside(path)?;
            tracing::warn!(
                "{} is of another training: kept as {} (rename it back to continue that one)",
                path.display(),
                backup.display()
            );
        }
    }
    Ok(())
}

/// Removes the generations of the run with this `identity`, and leaves those of others.
///
/// # Errors
/// A file that cannot be removed.
pub fn discard_of(dir: &Path, identity: &str) -> Result<()> {
    for path in &generations(dir) {
        let bytes = std::fs::read(path).unwrap_or_default();
        if format::identity_of(&bytes).is_ok_and(|found| found == identity) {
            storage::remove_file(path)?;
        }
    }
    Ok(())
}

/// Removes all generations, once the model they led to is safe or no longer wanted. A file of one of their names that is
/// no checkpoint is moved aside.
///
/// # Errors
/// A file that cannot be removed.
pub fn discard(dir: &Path) -> Result<()> {
    for path in &generations(dir) {
        if std::fs::read(path).is_ok_and(|bytes| format::is_checkpoint(&bytes)) {
            storage::remove_file(path)?;
        } else {
            let backup = storage::set_aside(path)?;
            tracing::warn!("{} is no checkpoint that can be read: kept as {}", path.display(), backup.display());
        }
    }
    storage::remove_leftovers(dir);
    storage::remove_empty_folder(dir);
    Ok(())
}
