//! Finds the cameras that splats were trained from by the files next to them.

use super::output::names;
use super::record::{RUN_FILE, Run};
use super::{Job, Scope, capture_of};
use crate::capture::{self, Camera, SceneFrame, View};
use crate::error::{Error, Result};
use crate::progress::Silent;
use std::path::Path;

/// What a scene folder has that holds poses.
const SCENE_FILES: [&str; 3] = ["transforms_train.json", "transforms.json", "sparse"];

/// The training cameras of `scene`, in the capture's coordinates and as viewers show their pictures: an output folder of a
/// run, a scene folder with poses, or a transforms file with `w` and `h`.
///
/// # Errors
/// A folder without poses; a scene that cannot be read any more.
pub fn training_cameras(scene: &Path) -> Result<Vec<Camera>> {
    let cameras = if Run::is_in(scene) {
        of_run(scene)?
    } else if scene.is_dir() {
        shown(&capture::load(scene, &capture::Options::default())?.train)
    } else {
        shown(&capture::poses(scene)?)
    };
    match cameras.is_empty() {
        true => {
            Err(Error::input(scene, "has no training camera", "give a scene folder or a transforms file with poses"))
        }
        false => Ok(cameras),
    }
}

/// [`training_cameras`] the folder that the file `splats` is in, where that is a run's or a scene's. Cameras that are there and
/// cannot be read are a warning.
pub fn training_cameras_beside(splats: &Path) -> Option<Vec<Camera>> {
    let folder = splats.parent().map(|folder| if folder.as_os_str().is_empty() { Path::new(".") } else { folder })?;
    if !Run::is_in(folder) && !SCENE_FILES.iter().any(|name| folder.join(name).exists()) {
        return None;
    }
    training_cameras(folder)
        .map_err(|error| tracing::warn!("the cameras of {} are not used: {error}", folder.display()))
        .ok()
}

fn of_run(out: &Path) -> Result<Vec<Camera>> {
    let run = Run::read(out)?.ok_or_else(|| {
        Error::input(out.join(RUN_FILE), "is not there any more", format!("give the folder of {}", names::SPLATS))
    })?;
    let (settings, scene) = (run.settings(out)?, run.scene);
    let job = Job { scene, out: out.to_path_buf(), settings, overwrite: false, scope: Scope::Everything };
    let capture = capture_of(&job, &Silent::default())?;
    // From the frame of the training back to the capture's coordinates.
    let SceneFrame { origin, unit } = capture.frame;
    let leave = SceneFrame { origin: -origin / unit, unit: 1.0 / unit };
    Ok(capture.train.iter().map(|view| leave.camera(&view.shown_camera())).collect())
}

fn shown(views: &[View]) -> Vec<Camera> {
    views.iter().map(View::shown_camera).collect()
}
