//! Photographs alone: they are posed before anything else of a run can be planned, because all that follows depends on
//! poses and lenses. What comes out is a capture like any other; no stage but this one ever sees one without poses.

use super::demo::spread;
use super::plan::{Action, Step, decide};
use super::record::{Run, Stage};
use super::session::Session;
use super::{Job, Scope, Shared, camera_files, earlier, fingerprint, keep_apart, photos, photos_fingerprint};
use crate::capture::{self, Capture, View};
use crate::enhance;
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::poses::{self, MIN_REGISTERED, Program, Report};
use crate::prior::Origin;
use crate::progress::Progress;
use crate::settings::Settings;
use std::path::{Path, PathBuf};

/// Most training views that are rendered where there are no other poses to render.
const RENDERED: usize = 32;

/// The photographs of a scene folder without poses: those directly in it, or in its `images/` or `train/`.
///
/// # Errors
/// Fewer than three that can be read. Others that cannot be read are left out, with a warning.
pub(super) fn find(job: &Job, progress: &dyn Progress) -> Result<Option<Capture>> {
    let posed = capture::is_scene(&job.scene) || job.settings.capture_options(&job.scene).cameras.is_some();
    if job.scope != Scope::Everything || posed || !job.scene.is_dir() {
        return Ok(None);
    }
    let Some(folder) = capture::photo_folder(&job.scene) else { return Ok(None) };
    let (mut found, mut unreadable) = capture::readable_photos(&[&folder])?;
    unreadable.extend(photos::set_aside(&mut found, progress)?);
    for error in &unreadable {
        tracing::warn!("left out: {error}");
    }
    found.root = job.scene.clone();
    if found.train.len() < MIN_REGISTERED {
        let count = found.train.len();
        let found = format!("holds {count} readable photographs and no poses");
        return Err(Error::input(&folder, found, format!("at least {MIN_REGISTERED} are needed, better 20 or more")));
    }
    Ok(Some(found))
}

/// Poses `photos` where that is not done; returns the capture, and the record of the run so far.
///
/// # Errors
/// COLMAP missing, before anything is written; those of the stage.
pub(super) fn pose(
    job: &Job,
    photos: &Capture,
    shared: &Shared<'_>,
    progress: &dyn Progress,
) -> Result<(Capture, Run)> {
    let folders = ["", "images", "poses"].map(|name| job.out.join(name));
    keep_apart(&folders, photos)?;
    let step = step(job, photos);
    let before = earlier(job)?;
    let action = decide(std::slice::from_ref(&step), before.as_ref(), job.overwrite)?[0];
    let idle = action == Action::Keep;
    if !idle {
        Program::find(&job.settings.poses)?;
        refuse_strangers(job, photos, before.as_ref())?;
    }
    let gpu = if idle { None } else { Some(shared.gpu(job)?) };
    let mut session = Session::new(job, shared, photos.clone(), Origin::default(), gpu, before, progress)?;
    match action {
        Action::Keep => session.keep(&step)?,
        Action::Make | Action::Replace => session.make(&step, action)?,
    }
    Ok((posed(job, photos)?, session.finish()))
}

/// Fails where files that no run recorded are where the lit photographs will go: better now than after the search for
/// poses, which takes long.
fn refuse_strangers(job: &Job, photos: &Capture, before: Option<&Run>) -> Result<()> {
    let recorded = before.is_some_and(|run| run.stage(Stage::Enhance).is_some());
    let mut lit = photos.train.iter().map(|view| job.out.join("images").join(&view.name));
    match lit.find(|path| !recorded && !job.overwrite && path.exists()) {
        Some(present) => Err(Error::Exists(present)),
        None => Ok(()),
    }
}

/// `photos` with the poses in the output folder.
pub(super) fn posed(job: &Job, photos: &Capture) -> Result<Capture> {
    let mut posed = capture::posed(photos, &model(&job.out), job.settings.holdout)?;
    let seen = if posed.holdout.is_empty() { &posed.train } else { &posed.holdout };
    posed.test = spread(seen, RENDERED).map(|view| View { image: None, ..view.clone() }).collect();
    Ok(posed)
}

/// The stage; the model is written for the size of the lit photographs, so this is part of its fingerprint.
fn step(job: &Job, photos: &Capture) -> Step {
    let settings = &job.settings;
    let lit = (photos_fingerprint(photos), camera_files(job), lighting(settings), settings.downscale);
    let fingerprint = fingerprint::of(&(lit, settings.poses.essence()));
    let outputs = ["cameras.txt", "images.txt", "points3D.txt", capture::LENSES].map(|name| model(&job.out).join(name));
    Step { stage: Stage::Poses, fingerprint, outputs: outputs.to_vec() }
}

/// How pictures are lit for features: without the chroma network, for features have no colour.
fn lighting(settings: &Settings) -> enhance::Config {
    enhance::Config { weights: "none".into(), working: 0, ..settings.enhance.clone() }
}

/// The folder of the model in an output folder.
pub(super) fn model(out: &Path) -> PathBuf {
    out.join("sparse/0")
}

/// The stage itself. Features are looked for in pictures that are lit for the purpose, not much larger than is of use: those
/// to train on come after it, because they are undistorted, and may be small.
pub(super) fn estimate(job: &Job, photos: &Capture, gpu: &Gpu, progress: &dyn Progress) -> Result<Report> {
    let (settings, work, log) = (&job.settings, job.out.join("poses"), job.out.join("colmap.log"));
    if !work.exists() {
        std::fs::create_dir_all(&work).map_err(Error::io(&work))?;
        crate::storage::write_bytes(&log, b"")?;
    }
    let images = work.join("images");
    let longest = photos.train.iter().map(|view| view.camera.width.max(view.camera.height)).max().unwrap_or(1);
    let factor = (longest / settings.poses.feature_size.max(1)).max(1);
    let picture = |view: &View| View { name: poses::picture_name(&view.name), ..view.clone() };
    let pictures = Capture { train: photos.train.iter().map(picture).collect(), ..photos.clone() };
    let complete = pictures.train.iter().all(|view| images.join(&view.name).is_file());
    if !complete {
        enhance::enhance_capture(gpu, &pictures, &lighting(settings), factor, &images, progress)?;
    }
    let lit = |view: &View| View { camera: view.camera.downscaled(settings.downscale), ..view.clone() };
    let views: Vec<View> = photos.train.iter().map(lit).collect();
    let folders = poses::Folders { images: &images, work: &work, model: &model(&job.out), log: &log };
    let report = poses::estimate(&views, &folders, &settings.poses, progress)?;
    tracing::info!(
        "{}: {} of {} photographs, {} points, reprojection error {:.2} pixels",
        report.program,
        report.registered,
        report.images,
        report.points,
        report.reprojection_error
    );
    if let [camera] = &report.cameras[..] {
        tracing::info!("camera: {camera}");
    }
    std::fs::remove_dir_all(&work).map_err(Error::io(&work))?;
    Ok(report)
}
