//! Poses and lenses for photographs that came without any: structure from motion by an installed COLMAP, on lit pictures, since
//! dark ones give no matches.
//!
//! COLMAP runs as a child process ([`child`]), step by step: features, matches, model. The flags of the installed version are
//! read from its help ([`program`]); versions 3.8 to 4 differ. Its database and the list of finished steps stay in a work
//! folder until all is done, so that what was interrupted continues.

mod camera;
mod child;
mod config;
mod focal;
mod masks;
mod model;
mod output;
mod program;
#[cfg(test)]
mod real_test;
mod steps;
#[cfg(all(test, unix))]
mod tests;
mod work;

pub use config::{Config, Lens, Mapper};
pub use program::Program;
pub use work::{DATABASE, PICTURES, announce, remove as remove_work};

use crate::capture::View;
use crate::error::{Error, Result};
use crate::progress::Progress;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::Path;

/// Where the stage reads and writes.
#[derive(Clone, Copy, Debug)]
pub struct Folders<'a> {
    /// The lit pictures that features are looked for in, named by [`picture_name`].
    pub images: &'a Path,
    /// For the database and other temporary files.
    pub work: &'a Path,
    /// For the model: `cameras.txt`, `images.txt`, `points3D.txt`, and the lenses (`capture::LENSES`).
    pub model: &'a Path,
    /// The log file of COLMAP's output.
    pub log: &'a Path,
}

/// What the stage did.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The program and its version.
    pub program: String,
    /// Photographs given.
    pub images: usize,
    /// Photographs with a pose.
    pub registered: usize,
    /// Names of those without.
    pub unregistered: Vec<String>,
    /// Whether all photographs, or all of each folder, share one camera.
    pub shared_camera: bool,
    /// COLMAP's cameras: name of the camera model, size of the images that features were looked for in, parameters.
    #[serde(default)]
    pub cameras: Vec<String>,
    /// Triangulated points.
    pub points: usize,
    /// Mean reprojection error of the points, in pixels of the images that features were looked for in.
    pub reprojection_error: f64,
    /// Separate models that were found; the one with the most photographs is used.
    pub models: usize,
}

/// Suffix of a picture's name after the view's. COLMAP 3.8 reads neither 16 bits nor, from other formats, EXIF data.
const PICTURE: &str = ".jpg";

/// The name of the picture that the features of the view `name` are looked for in.
pub fn picture_name(name: &str) -> String {
    format!("{name}{PICTURE}")
}

/// The fewest photographs with a pose that can be trained on.
pub const MIN_REGISTERED: usize = 3;

/// Estimates the poses of `views` (whose cameras say the size that the model is for; their poses are not looked at) and
/// writes the model to `folders.model`.
///
/// # Errors
/// COLMAP missing, crashing or running into the time limit; too few photographs with a pose; an interrupt, after which
/// the same call continues.
pub fn estimate(views: &[View], folders: &Folders<'_>, config: &Config, progress: &dyn Progress) -> Result<Report> {
    config.check()?;
    let program = Program::find(config)?;
    let shared_camera = focal::agree(views, folders.images)?;
    let sfm = steps::Steps { program: &program, views, folders, config, shared_camera, progress };
    let models = sfm.run()?;
    let best = model::largest(&models).ok_or_else(|| nothing_found(folders, views.len()))?;
    let text = sfm.as_text(best)?;
    let found = model::read(&text, views)?;
    let registered: BTreeSet<&str> = found.registered.iter().map(String::as_str).collect();
    let unregistered: Vec<String> =
        views.iter().map(|v| v.name.clone()).filter(|name| !registered.contains(name.as_str())).collect();
    if registered.len() < MIN_REGISTERED {
        return Err(nothing_found(folders, views.len()));
    }
    found.write(folders.model)?;
    if !unregistered.is_empty() {
        let (count, names) = (unregistered.len(), unregistered.join(", "));
        tracing::warn!("COLMAP found no pose for {count} of {} photographs: {names}", views.len());
    }
    Ok(Report {
        program: program.version.clone(),
        images: views.len(),
        registered: registered.len(),
        unregistered,
        shared_camera,
        cameras: found.cameras,
        points: found.points,
        reprojection_error: found.reprojection_error,
        models: models.len(),
    })
}

fn nothing_found(folders: &Folders<'_>, views: usize) -> Error {
    Error::input(
        folders.log,
        format!("COLMAP found poses for fewer than {MIN_REGISTERED} of {views} photographs"),
        "they must show the same still scene from different places, neighbors overlapping by two thirds: add \
         photographs between, raise `poses.max_features` or `poses.feature_size`, or take poses from elsewhere (`poses.poses_from`)",
    )
}
