//! Determines the source of a capture's points and the cameras that follow from it, before anything is made, so that every
//! later stage, in this run or a resumed one, sees the same cameras.

use super::align::{self, Alignment, align};
use super::config::{Config, Poses};
use super::read::file_in_folder;
use crate::capture::{Camera, Capture, NamedPoses, Similarity, View, file_in, named_poses};
use crate::error::{Error, Result};
use std::path::{Path, PathBuf};

/// What [`locate`] found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Origin {
    /// The file or COLMAP model to read points from; nothing where they are to be made from the images.
    pub points: Option<PathBuf>,
    /// Whether the user named it: then made points do not replace it.
    pub asked: bool,
    /// From the points' frame to the scene frame of the capture that [`locate`] returns.
    pub similarity: Similarity,
    /// How the prior's cameras lie to the capture's, where it has some.
    pub alignment: Option<align::Report>,
    /// The same for the frame of cameras that lie beside the points and may or may not be theirs.
    pub beside: Option<(Similarity, align::Report)>,
    /// Why these points, in a few words.
    pub reason: String,
}

const REMEDY: &str = "give a points file, a COLMAP model, a network's output (sparse/ and points.ply), or a folder with \
                      transforms.json and its PLY";

/// Finds the prior of `capture`: `config.points`, else what came with the capture. Where the prior has cameras, its
/// frame is aligned with the capture's by those that both have.
///
/// Returns the capture with the poses that `config.poses` asks for. Views whose camera the prior lacks, or that was
/// left out of the alignment because it does not fit the others, keep the capture's pose (in the prior's frame if that
/// is the one asked for), and so do test views. All of them are in the scene frame for the cameras
/// ([`Capture::in_scene_frame`]): poses are compared in double precision and the capture's own unit, and all that follows
/// is in single precision.
///
/// # Errors
/// A prior that cannot be read, or, if it was asked for by `config.points` or `config.poses`, not be aligned.
pub fn locate(capture: &Capture, config: &Config) -> Result<(Capture, Origin)> {
    let (posed, origin) = locate_in_own_frame(capture, config)?;
    let posed = posed.in_scene_frame();
    let similarity = origin.similarity.in_frame(&posed.frame);
    let beside = origin.beside.map(|(similarity, report)| (similarity.in_frame(&posed.frame), report));
    Ok((posed, Origin { similarity, beside, ..origin }))
}

fn locate_in_own_frame(capture: &Capture, config: &Config) -> Result<(Capture, Origin)> {
    let asked = config.points.is_some();
    let own = capture.points.as_deref().filter(|_| !config.ignore_existing);
    let path = config.points.as_deref().or(own);
    let Some(path) = path else {
        if config.poses != Poses::Replace {
            return Err(no_poses(config, &capture.root));
        }
        let reason = if capture.points.is_some() { "the scene's own points are ignored" } else { "the scene has none" };
        return Ok((capture.clone(), Origin { reason: reason.into(), ..Origin::default() }));
    };
    let source = Source::find(path)?;
    let reason = if asked { "asked for" } else { "the scene's own" };
    let origin = Origin { points: source.points, asked, reason: reason.into(), ..Origin::default() };
    let Some(cameras) = source.cameras else {
        return match config.poses {
            Poses::Replace => Ok((capture.clone(), origin)),
            _ => Err(no_poses(config, path)),
        };
    };
    if origin.points.is_none() && config.poses == Poses::Replace {
        return Err(Error::input(path, "holds cameras, but no points", REMEDY));
    }
    let views: Vec<&View> = capture.train.iter().chain(&capture.holdout).collect();
    if !source.together && config.poses == Poses::Replace {
        let beside = align(&cameras, &views, config.align, config.seed).ok();
        let beside = beside.map(|found| (found.similarity, found.report)).filter(|(s, _)| *s != Similarity::IDENTITY);
        return Ok((capture.clone(), Origin { beside, ..origin }));
    }
    match align(&cameras, &views, config.align, config.seed) {
        Ok(found) => Ok(posed(capture, found, config.poses, origin)),
        Err(error) if !asked && config.poses == Poses::Replace => {
            tracing::warn!("{error}; making points from the images");
            let reason = "the scene's own points cannot be aligned".into();
            Ok((capture.clone(), Origin { reason, ..Origin::default() }))
        }
        Err(error) => Err(error),
    }
}

fn no_poses(config: &Config, path: &Path) -> Error {
    let found = format!("`{}`, but {} holds no cameras of a prior", word(config.poses), path.display());
    Error::setting("prior.poses", found, "name a COLMAP model or a folder with transforms.json by `prior.points`")
}

fn word(poses: Poses) -> &'static str {
    match poses {
        Poses::Replace => "replace",
        Poses::Align => "align",
        Poses::Prior => "prior",
    }
}

/// The capture with the requested poses, and the transform of the points to it.
fn posed(capture: &Capture, found: Alignment, poses: Poses, origin: Origin) -> (Capture, Origin) {
    let Alignment { similarity, viewmats, report } = found;
    let back = similarity.inverse();
    let keeps = viewmats.iter().filter(|viewmat| viewmat.is_none()).count();
    if poses != Poses::Replace && keeps > 0 {
        tracing::warn!("{}: {keeps} views have no usable camera there and keep the capture's pose", report.cameras);
    }
    let pose = |view: &View, prior: Option<glam::DMat4>| {
        let own = view.camera.viewmat;
        let viewmat = match poses {
            Poses::Replace => own,
            Poses::Align => prior.map_or(own, |viewmat| similarity.viewmat(viewmat)),
            Poses::Prior => prior.unwrap_or_else(|| back.viewmat(own)),
        };
        View { camera: Camera { viewmat, ..view.camera.clone() }, ..view.clone() }
    };
    let of = |views: &[View], viewmats: &[Option<glam::DMat4>]| {
        views.iter().zip(viewmats).map(|(view, prior)| pose(view, *prior)).collect()
    };
    let (train, holdout) = viewmats.split_at(capture.train.len());
    let moved = Capture {
        train: of(&capture.train, train),
        holdout: of(&capture.holdout, holdout),
        test: capture.test.iter().map(|view| pose(view, None)).collect(),
        ..capture.clone()
    };
    let similarity = if poses == Poses::Prior { Similarity::IDENTITY } else { similarity };
    (moved, Origin { similarity, alignment: Some(report), ..origin })
}

/// A prior as files.
struct Source {
    points: Option<PathBuf>,
    cameras: Option<NamedPoses>,
    /// Whether the points are certainly in the frame of the cameras.
    together: bool,
}

impl Source {
    fn find(path: &Path) -> Result<Self> {
        let is_folder = std::fs::metadata(path).map_err(Error::io(path))?.is_dir();
        if !is_folder {
            return Self::of_file(path);
        }
        let cameras = named_poses(path)?;
        let named = cameras.as_ref().and_then(|cameras| cameras.points.clone());
        let points = named.or_else(|| file_in_folder(path));
        if points.is_none() && cameras.is_none() {
            return Err(Error::input(path, "a folder without points", REMEDY));
        }
        Ok(Self { points, cameras, together: true })
    }

    /// The cameras of a file are those of the COLMAP model that it lies in. A network writes `points.ply` beside the
    /// folder `sparse` of its cameras, but there may be a `sparse` beside any points.
    fn of_file(path: &Path) -> Result<Self> {
        let folder = path.parent().unwrap_or(Path::new(""));
        let together = holds_images(folder);
        let beside = ["sparse/0", "sparse"].iter().map(|name| folder.join(name)).find(|model| holds_images(model));
        let model = if together { Some(folder.to_path_buf()) } else { beside };
        let cameras = model.as_deref().map(named_poses).transpose()?.flatten();
        Ok(Self { points: Some(path.to_path_buf()), cameras, together })
    }
}

fn holds_images(folder: &Path) -> bool {
    ["images.bin", "images.txt"].iter().any(|name| file_in(folder, name).is_some())
}
