//! Photographs that get their poses after they were read.

use super::scene::{MIN_VIEWS, split_holdout};
use super::{Camera, Capture, View, colmap};
use crate::error::{Error, Result};
use std::collections::BTreeMap;
use std::path::Path;

/// The photographs of `photos` (see [`super::readable_photos`]) with the cameras of the COLMAP model in `model`, at the
/// photographs' own sizes. Every `holdout`-th photograph by index, from 0, is held out; then those that the model does
/// not have are left out. The model's points are not the capture's: they are few, and those made from the photographs
/// train better (`docs/poses.md`).
///
/// # Errors
/// A model that cannot be read; fewer than three views to train on.
pub fn posed(photos: &Capture, model: &Path, holdout: Option<u32>) -> Result<Capture> {
    let mut cameras = BTreeMap::new();
    for frame in colmap::read(model)? {
        let camera = frame.camera(frame.size.unwrap_or((1, 1))).and_then(|(camera, lens)| match lens {
            None => Ok(camera),
            Some(_) => Err("its lens is distorted".into()),
        });
        let refuse = |found| Error::input(model, format!("image `{}`: {found}", frame.image), "estimate poses again");
        cameras.insert(frame.image.clone(), camera.map_err(refuse)?);
    }
    let (held, kept) = match holdout {
        Some(every) => split_holdout(photos.train.clone(), every)?,
        None => (Vec::new(), photos.train.clone()),
    };
    let pose = |view: View| cameras.get(&view.name).map(|camera| at_size_of(view, camera));
    let train: Vec<View> = kept.into_iter().filter_map(pose).collect();
    let holdout: Vec<View> = held.into_iter().filter_map(pose).collect();
    if train.len() < MIN_VIEWS {
        let found = format!("has poses of {} views to train on ({} held out)", train.len(), holdout.len());
        return Err(Error::input(model, found, "at least 3 are needed: add photographs, or hold out fewer"));
    }
    Ok(Capture { root: photos.root.clone(), train, holdout, test: Vec::new(), points: None })
}

fn at_size_of(view: View, camera: &Camera) -> View {
    let camera = camera.resized(view.camera.width, view.camera.height);
    View { camera, ..view }
}
