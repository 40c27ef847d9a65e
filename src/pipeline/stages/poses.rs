//! Poses of photographs that came without, by COLMAP.
//!
//! Features are found in pictures that are lit for this purpose, not much larger than useful: the training pictures are made
//! later, because they are undistorted, and may be small.

use super::enhance::{camera_files, photos_fingerprint};
use crate::capture::{self, Capture, View};
use crate::error::Result;
use crate::pipeline::Scope;
use crate::pipeline::definition::{Definition, PlanContext};
use crate::pipeline::fingerprint;
use crate::pipeline::output::names;
use crate::pipeline::record::Counts;
use crate::pipeline::session::{Session, counts};
use crate::pipeline::stage::Stage;
use crate::settings::Settings;
use crate::{enhance, poses, storage};
use std::path::Path;

pub(in crate::pipeline) struct Poses;

impl Definition for Poses {
    fn stage(&self) -> Stage {
        Stage::POSES
    }

    fn is_in(&self, _scope: &Scope) -> bool {
        // It runs before there are poses, in a plan of its own.
        false
    }

    fn builds_on(&self) -> &'static [Stage] {
        &[]
    }

    /// The model is written for the size of the lit photographs, so this is part of it.
    fn fingerprint(&self, plan: &PlanContext<'_>) -> String {
        let (settings, photos) = (&plan.job.settings, photos_fingerprint(plan.inputs, plan.capture));
        let lit = (photos, camera_files(plan.job, plan.inputs), lighting(settings).cache_key(), settings.downscale);
        fingerprint::of(&(lit, settings.poses.cache_key()))
    }

    fn outputs(&self, _plan: &PlanContext<'_>) -> Vec<String> {
        let files = ["cameras.txt", "images.txt", "points3D.txt", capture::LENSES];
        files.map(|name| format!("{}/{name}", names::MODEL)).to_vec()
    }

    fn make(&self, session: &mut Session<'_>) -> Result<Counts> {
        let (settings, photos) = (&session.job.settings, &session.capture);
        let (work, log) = (session.out(names::POSES), session.out(names::COLMAP_LOG));
        if !work.exists() {
            storage::create_folder(&work)?;
            storage::write_bytes(&log, b"")?;
        }
        let images = work.join(poses::PICTURES);
        light(session, &work, &images)?;
        let lit = |view: &View| View { camera: view.camera.downscaled(settings.downscale), ..view.clone() };
        let views: Vec<View> = photos.train.iter().map(lit).collect();
        let folders = poses::Folders { images: &images, work: &work, model: &session.out(names::MODEL), log: &log };
        let report = poses::estimate(&views, &folders, &settings.poses, session.progress)?;
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
        poses::remove_work(&work)?;
        counts(&report)
    }

    fn partial(&self) -> Option<String> {
        Some(format!("{}/{}", names::POSES, poses::DATABASE))
    }

    fn discard_partial(&self, out: &Path) -> Result<()> {
        poses::remove_work(&out.join(names::POSES))
    }
}

/// Lights the pictures that features are looked for in, where they are not complete.
fn light(session: &Session<'_>, work: &Path, images: &Path) -> Result<()> {
    let (settings, photos) = (&session.job.settings, &session.capture);
    let longest = photos.train.iter().map(|view| view.camera.width.max(view.camera.height)).max().unwrap_or(1);
    let factor = (longest / settings.poses.feature_size.max(1)).max(1);
    let picture = |view: &View| View { name: poses::picture_name(&view.name), ..view.clone() };
    let pictures = Capture { train: photos.train.iter().map(picture).collect(), ..photos.clone() };
    if pictures.train.iter().any(|view| !images.join(&view.name).is_file()) {
        poses::announce(work, pictures.train.iter().map(|view| view.name.as_str()))?;
        enhance::enhance_capture(session.gpu()?, &pictures, &lighting(settings), factor, images, session.progress)?;
    }
    Ok(())
}

/// How pictures are lit for features: without the chroma network, for features have no color.
fn lighting(settings: &Settings) -> enhance::Config {
    enhance::Config { weights: "none".into(), working: 0, ..settings.enhance.clone() }
}
