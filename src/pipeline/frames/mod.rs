//! A video as a scene: its sharpest frames, as photographs in a folder beside the output folder (photographs may not lie
//! in that).
//!
//! `frames.json` in the folder records their source and hashes. Frames of the same video and settings are kept, and missing
//! ones are made; like results, files that the program did not write are never replaced without `--overwrite`, which moves them
//! aside.

mod manifest;
mod source;
#[cfg(test)]
mod tests;

pub use source::Source;

use super::fingerprint::{Content, Hashes};
use super::output::OutputFolder;
use super::record::{Run, Stage};
use super::{Job, Scope};
use crate::capture;
use crate::error::{Error, Result};
use crate::hash::sha256;
use crate::poses::Program;
use crate::progress::Progress;
use crate::storage;
use crate::video::{Video, is_video};
use manifest::Manifest;
use std::path::{Path, PathBuf};

/// The file that records the frames of a folder.
pub const MANIFEST: &str = "frames.json";
/// Suffix of the folder's name after that of the output folder.
const ENDING: &str = ".frames";

/// Frames in their folder, which stays locked while this is held.
#[derive(Debug)]
pub(super) struct Frames {
    /// What they were made from.
    pub source: Source,
    _folder: OutputFolder,
}

/// The folder of the frames that belong to the output folder `out`.
///
/// # Errors
/// An output folder without a name (`/`).
pub fn folder_of(out: &Path) -> Result<PathBuf> {
    let full = std::path::absolute(out).map_err(Error::io(out))?;
    // `.` and `..` have no name of their own.
    let named = full.file_name().filter(|_| !out.ends_with("..")).map(|_| full.clone());
    let full = named.or_else(|| out.canonicalize().ok()).unwrap_or(full);
    let Some(name) = full.file_name() else {
        let remedy = "choose a folder with a name: a video's frames lie beside it";
        return Err(Error::setting("out", format!("'{}'", out.display()), remedy));
    };
    let mut name = name.to_owned();
    name.push(ENDING);
    Ok(out.parent().filter(|_| out.file_name().is_some()).map_or_else(|| full.with_file_name(&name), |p| p.join(&name)))
}

/// `job` with the folder of the frames for its scene, where that is a video; the frames are not looked at.
pub(super) fn of_frames(job: &Job) -> Result<Job> {
    let scene = if is_video(&job.scene) { folder_of(&job.out)? } else { job.scene.clone() };
    Ok(Job { scene, ..job.clone() })
}

/// [`of_frames`] where the frames are made unless they are there, and these. Nobody else may work in the output folder of
/// `job` meanwhile: its run may be reading frames.
///
/// # Errors
/// Those of [`crate::video`]; [`Error::Exists`] where files are in the way of the frames, or results of another run in that
/// of the job; poses that could not be estimated afterward.
pub(super) fn photographs(job: &Job, inputs: &Hashes, progress: &dyn Progress) -> Result<(Job, Option<Frames>)> {
    if !is_video(&job.scene) {
        return Ok((job.clone(), None));
    }
    if job.scope != Scope::Everything {
        let found = "is a video, whose frames have no poses yet";
        return Err(Error::input(&job.scene, found, "`naka-gs run` estimates them"));
    }
    std::fs::File::open(&job.scene).map_err(Error::io(&job.scene))?;
    let unreadable = || Error::input(&job.scene, "cannot be read", "check the file");
    let content = inputs.of(&job.scene).ok_or_else(unreadable)?;
    let source = Source { file: std::path::absolute(&job.scene).map_err(Error::io(&job.scene))?, content };
    check_before_extracting(job, &source)?;
    let folder = make(job, &source, progress)?;
    Ok((of_frames(job)?, Some(Frames { source, _folder: folder })))
}

/// Fails early for errors that would end the run after the frames are made, which takes long.
fn check_before_extracting(job: &Job, source: &Source) -> Result<()> {
    let earlier = super::earlier(job)?;
    let other = |run: &Run| run.video.as_ref().is_none_or(|video| video.content != source.content);
    if !job.overwrite && earlier.as_ref().is_some_and(|run| !run.stages.is_empty() && other(run)) {
        return Err(Error::Exists(job.out.join(super::record::RUN_FILE)));
    }
    let posed = earlier.as_ref().and_then(|run| run.stage(Stage::POSES)).is_some_and(|poses| poses.status.finished());
    if !posed && job.settings.poses.poses_from.is_empty() {
        Program::find(&job.settings.poses)?;
    }
    Ok(())
}

/// Makes the frames that are not there yet, in the folder that it returns.
fn make(job: &Job, source: &Source, progress: &dyn Progress) -> Result<OutputFolder> {
    let folder = OutputFolder::open(&folder_of(&job.out)?)?;
    let config = &job.settings.video;
    let (current, outdated) = match Manifest::read(folder.path()) {
        Some(manifest) if manifest.is_of(source, config) => (Some(manifest), None),
        other => (None, other),
    };
    if !job.overwrite
        && let Some(present) = in_the_way(&folder, current.as_ref())
    {
        return Err(Error::Exists(present));
    }
    if let Some(manifest) = current.as_ref().filter(|manifest| folder.intact(&manifest.files())) {
        set_aside_others(&folder, manifest)?;
        tracing::info!("{}: the frames of {} are kept", folder.path().display(), source.file.display());
        return Ok(folder);
    }
    let video = Video::open(&source.file, progress)?;
    let manifest = match current {
        Some(manifest) => manifest,
        // Nothing is removed before there is something to replace it.
        None => replace(&folder, outdated.as_ref(), Manifest::new(source, config, video.choose(config, progress)?))?,
    };
    set_aside_others(&folder, &manifest)?;
    extract(&video, &folder, manifest, progress)?;
    Ok(folder)
}

/// Makes room for the frames of `manifest`: those of an `outdated` one go, and whatever else has their names is kept.
fn replace(folder: &OutputFolder, outdated: Option<&Manifest>, manifest: Manifest) -> Result<Manifest> {
    if let Some(outdated) = outdated {
        folder.remove(&outdated.files())?;
    }
    folder.make_way(MANIFEST, outdated.map(|_| None).as_ref())?;
    // Whatever remains under these names belongs to the user.
    manifest.files().keys().try_for_each(|name| folder.make_way(name, None))?;
    Ok(manifest)
}

/// Writes the frames that are missing or not as they were written.
fn extract(video: &Video, folder: &OutputFolder, mut manifest: Manifest, progress: &dyn Progress) -> Result<()> {
    let files = manifest.files();
    let missing: Vec<usize> = (0..manifest.frames.len())
        .filter(|place| {
            let (name, written) = manifest.frames[*place].file();
            !written.is_some_and(|written| folder.unchanged(&name, &written))
        })
        .collect();
    for place in &missing {
        let (name, _) = manifest.frames[*place].file();
        folder.make_way(&name, files.get(&name))?;
        manifest.frames[*place].content = None;
    }
    manifest.write(folder.path())?;
    let indices: Vec<u64> = missing.iter().map(|place| manifest.frames[*place].frame.index).collect();
    video.extract(&indices, progress, |nth, png| {
        let frame = &mut manifest.frames[missing[nth]];
        storage::write_bytes(folder.join(&frame.name), png)?;
        frame.content = Some(Content { bytes: png.len() as u64, sha256: sha256(png) });
        manifest.write(folder.path())
    })?;
    let (count, path) = (manifest.frames.len(), folder.path().display());
    tracing::info!("{count} frames of {} are photographs in {path}", manifest.video.file.display());
    Ok(())
}

/// What is not a frame of `kept`, or not as it was written.
fn in_the_way(folder: &OutputFolder, kept: Option<&Manifest>) -> Option<PathBuf> {
    if kept.is_none() && folder.occupied(MANIFEST) {
        return Some(folder.join(MANIFEST));
    }
    let files = kept.map(Manifest::files).unwrap_or_default();
    let changed = |(name, written): (&String, &Option<Content>)| {
        let other = written.as_ref().is_some_and(|written| folder.occupied(name) && !folder.unchanged(name, written));
        other.then(|| folder.join(name))
    };
    files.iter().find_map(changed).or_else(|| others(folder, kept).into_iter().next().map(|name| folder.join(&name)))
}

/// Images in the folder that are not frames of `manifest`: they would be taken for photographs of the scene.
fn others(folder: &OutputFolder, manifest: Option<&Manifest>) -> Vec<String> {
    let files = manifest.map(Manifest::files).unwrap_or_default();
    let entries = std::fs::read_dir(folder.path()).into_iter().flatten().flatten().map(|entry| entry.path());
    let images = entries.filter(|path| capture::is_image(path));
    let names = images.filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned()));
    let mut names: Vec<String> = names.filter(|name| !files.contains_key(name)).collect();
    names.sort();
    names
}

fn set_aside_others(folder: &OutputFolder, manifest: &Manifest) -> Result<()> {
    others(folder, Some(manifest)).iter().try_for_each(|name| folder.make_way(name, None))
}
