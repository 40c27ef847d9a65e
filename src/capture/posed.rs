//! Photographs that get their poses after they were read.

use super::scene::{MIN_VIEWS, split_holdout};
use super::{Camera, Capture, Lens, View, colmap};
use crate::error::{Error, Result};
use crate::limits;
use std::collections::BTreeMap;
use std::path::Path;

/// The file beside a model that has the lenses of its distorted cameras by their ids (`{"1": …}`, see [`Lens`]). The
/// model itself is that of the pinholes, and so fits the undistorted pictures.
pub const LENSES: &str = "lenses.json";

const AGAIN: &str = "estimate poses again";

/// The photographs of `photos` (see [`super::readable_photos`]) with the cameras of the COLMAP model in `model` and the
/// lenses in its [`LENSES`], at the photographs' own sizes. Every `holdout`-th photograph by index, from 0, is held out;
/// then those that the model does not have are left out. The model's points are not the capture's: they are few, and those
/// made from the photographs train better (`docs/poses.md`).
///
/// # Errors
/// A model or lenses that cannot be read; fewer than three views to train on.
pub fn posed(photos: &Capture, model: &Path, holdout: Option<u32>) -> Result<Capture> {
    let lenses = lenses(&model.join(LENSES))?;
    let mut cameras = BTreeMap::new();
    for (id, frame) in colmap::read_with_cameras(model)? {
        let camera = frame.camera(frame.size.unwrap_or((1, 1))).and_then(|(camera, distorted)| match distorted {
            None => Ok(camera),
            Some(_) => Err("its camera is no pinhole".into()),
        });
        let refuse = |found| Error::input(model, format!("image `{}`: {found}", frame.image), AGAIN);
        cameras.insert(frame.image.clone(), (camera.map_err(refuse)?, lenses.get(&id)));
    }
    let (held, kept) = match holdout {
        Some(every) => split_holdout(photos.train.clone(), every)?,
        None => (Vec::new(), photos.train.clone()),
    };
    let pose = |view: View| cameras.get(&view.name).map(|(camera, lens)| at_size_of(view, camera, *lens));
    let train: Vec<View> = kept.into_iter().filter_map(pose).collect();
    let holdout: Vec<View> = held.into_iter().filter_map(pose).collect();
    if train.len() < MIN_VIEWS {
        let found = format!("has poses of {} views to train on ({} held out)", train.len(), holdout.len());
        return Err(Error::input(model, found, "at least 3 are needed: add photographs, or hold out fewer"));
    }
    Ok(Capture { root: photos.root.clone(), train, holdout, ..Capture::default() })
}

fn lenses(path: &Path) -> Result<BTreeMap<u32, Lens>> {
    let text = limits::read(path)?;
    serde_json::from_slice(&text).map_err(|error| Error::input(path, format!("holds no lenses ({error})"), AGAIN))
}

fn at_size_of(view: View, camera: &Camera, lens: Option<&Lens>) -> View {
    let Camera { width, height, .. } = view.camera;
    View { camera: camera.resized(width, height), lens: lens.map(|lens| lens.resized(width, height)), ..view }
}
