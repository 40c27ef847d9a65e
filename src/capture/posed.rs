//! Photographs that get their poses after they were read.

use super::scene::{MIN_VIEWS, split_holdout};
use super::{Camera, Capture, Lens, View, bracket, colmap};
use crate::error::{Error, Result};
use crate::limits;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The file beside a model that has the lenses of its distorted cameras by their ids (`{"1": …}`, see [`Lens`]). The
/// model itself is that of the pinholes, and so fits the undistorted pictures.
pub const LENSES: &str = "lenses.json";

const AGAIN: &str = "estimate poses again";

/// The photographs of `photos` (see [`super::readable_photos`]) with the cameras of the COLMAP model in `model` and the lenses
/// in its [`LENSES`], at the photographs' own sizes. Every `holdout`-th photograph by index, from 0, is held out (a bracket of
/// exposures counts as one); then those that the model does not have are left out. The model's points are not the capture's:
/// they are few, and those made from the photographs train better (`docs/poses.md`).
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
    let pose = |view: &View| cameras.get(&view.name).map(|(camera, lens)| at_size_of(view.clone(), camera, *lens));
    let joined = bracket::join(photos.train.iter().filter_map(pose).collect())?;
    let shots: BTreeSet<&Path> = joined.iter().flat_map(|view| view.files().skip(1)).collect();
    let is_shot = |view: &&View| view.image.as_deref().is_some_and(|image| shots.contains(image));
    let photos_left: Vec<View> = photos.train.iter().filter(|view| !is_shot(view)).cloned().collect();
    let (held, kept) = match holdout {
        Some(every) => split_holdout(photos_left, every)?,
        None => (Vec::new(), photos_left),
    };
    let of = |views: Vec<View>| {
        let named: BTreeSet<String> = views.into_iter().map(|view| view.name).collect();
        joined.iter().filter(|view| named.contains(&view.name)).cloned().collect::<Vec<View>>()
    };
    let (train, holdout) = (of(kept), of(held));
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
