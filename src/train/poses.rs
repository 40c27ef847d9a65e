//! Poses of the training views, and the correction of wrong ones.
//!
//! Now and then every photograph is compared with the model ([`register`](super::register)), which is made from the other
//! photographs as well. One that twice in a row lies at the same place, and not where its pose says, is trained from the pose
//! that was found. The others keep the given poses exactly, which also keeps the model in place. Only where most are off,
//! all move.

use super::config::Config;
use super::register::{Pair, Registered, register};
use super::targets::lit_image;
use crate::capture::{Camera, SceneFrame, View};
use crate::error::Result;
use crate::parallel;
use crate::progress::Stop;
use crate::splat::Rendered;
use glam::DMat4;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Parts of the steps after which photographs are compared with the model: once it shows enough, and while corrections can
/// still help.
const AFTER: [f32; 6] = [0.1, 0.15, 0.2, 0.3, 0.5, 0.8];
/// How many times all are compared. After that only those that were off the time before: correcting the others gains nothing.
const ALL_TIMES: usize = 3;
/// Steps before the first time, by views: the model must know them.
const LEAST_EPOCHS: u32 = 4;
/// Pixels of a picture for this. At the noise of a dark photograph it is exact to a hundredth of a pixel.
const MOST_PIXELS: u64 = 100_000;
/// Pixels of these pictures by which what they show must be off its pose, on average, for a photograph to be moved (at most 0.9
/// of a photograph of 2 megapixels), and to stay so. Half of the photographs with poses by COLMAP seem to be off by 0.2 to 0.3;
/// correcting these gains nothing.
const OFF: (f64, f64) = (0.15, 0.075);
/// Where most are off by so many, poses are rough, and so are those of the others.
const ROUGH: f64 = 0.3;
/// The part of the way from the given pose within which it must be found again, and pixels that are near enough in any case.
/// The suggestions of a poor model differ each time.
const AGAIN: (f64, f64) = (1.0 / 3.0, 0.05);

/// Most photographs that are named in one message.
const NAMED: usize = 5;

/// The cameras of the training views.
pub(super) struct Poses {
    /// The photographs, with the poses that are given.
    views: Vec<View>,
    /// From where they are trained.
    cameras: Vec<Camera>,
    found: Found,
}

/// Views that were found off their poses, by their numbers.
pub type Found = BTreeMap<usize, Place>;

/// Where a view was found when photographs were last compared.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Place {
    /// World to camera, column by column; in the single precision of the kernels.
    viewmat: [f32; 16],
    /// Pixels of the photograph from the given pose, on average over the picture.
    pixels: f64,
    /// Whether it was found there twice in a row, and so is trained from there.
    trusted: bool,
}

/// A photograph that lies elsewhere than its pose says.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MovedPose {
    /// The view's name.
    pub view: String,
    /// Pixels of the photograph by which what it shows was off, on average.
    pub pixels: f64,
    /// The pose that was found: camera to world, OpenGL axes, row by row, in the capture's unit, as in `transforms.json`.
    pub transform_matrix: [[f64; 4]; 4],
}

impl Poses {
    /// As they are given.
    pub fn new(views: Vec<View>) -> Self {
        let cameras = views.iter().map(|view| view.camera.clone()).collect();
        Self { views, cameras, found: Found::new() }
    }

    /// The cameras as they are now.
    pub fn cameras(&self) -> &[Camera] {
        &self.cameras
    }

    /// What a checkpoint holds of them.
    pub fn found(&self) -> &Found {
        &self.found
    }

    /// Trains from where photographs were `found`, when they were last compared or by a checkpoint; the others are where they
    /// are given.
    pub fn place_at(&mut self, found: Found) {
        self.found = found;
        self.found.retain(|view, _| *view < self.views.len());
        for (camera, view) in self.cameras.iter_mut().zip(&self.views) {
            camera.clone_from(&view.camera);
        }
        for (&view, place) in self.found.iter().filter(|(_, place)| place.trusted) {
            self.cameras[view].viewmat = DMat4::from_cols_array(&place.viewmat.map(f64::from));
        }
    }

    /// Those that were moved, in the unit of the capture whose frame is `frame`.
    pub fn moved(&self, frame: &SceneFrame) -> Vec<MovedPose> {
        let moved = |(&view, place): (&usize, &Place)| {
            let mut pose = self.cameras[view].opengl_c2w();
            pose.w_axis = frame.leave(pose.w_axis.truncate()).extend(1.0);
            let transform_matrix = pose.transpose().to_cols_array_2d();
            MovedPose { view: self.views[view].name.clone(), pixels: place.pixels, transform_matrix }
        };
        self.found.iter().filter(|(_, place)| place.trusted).map(moved).collect()
    }

    /// The views whose photographs are compared with the model before `step`.
    pub fn due(&self, config: &Config, step: u32) -> Vec<usize> {
        let known = LEAST_EPOCHS * self.views.len() as u32;
        let mut times = AFTER.iter().map(|part| (part * config.steps as f32) as u32).filter(|time| *time >= known);
        match times.position(|time| time == step).filter(|_| config.refine_poses) {
            Some(time) if time < ALL_TIMES => (0..self.views.len()).collect(),
            Some(_) => self.found.keys().copied().collect(),
            None => Vec::new(),
        }
    }

    /// Compares the photographs of `views` at 1/`downscale` of the training size with what `render` shows from their cameras.
    /// Nothing changes where `stop` was asked for meanwhile.
    ///
    /// # Errors
    /// Those of `render`, and of photographs that cannot be read any more.
    pub fn refine(
        &mut self,
        views: &[usize],
        downscale: u32,
        stop: &Stop,
        mut render: impl FnMut(&Camera) -> Result<Rendered>,
    ) -> Result<()> {
        let unstopped = views.iter().take_while(|_| !stop.requested());
        let rendered = unstopped.map(|&view| {
            let camera = small(&self.cameras[view], downscale);
            Ok((view, render(&camera)?, camera))
        });
        let found = parallel::overlap(rendered, |(view, render, camera)| {
            let photograph = lit_image(&self.views[view], camera.width, camera.height)?;
            let weights = self.views[view].read_weights(camera.width, camera.height)?;
            let pair = Pair { camera: &camera, render: &render, photograph: &photograph, weights: weights.as_deref() };
            Ok(self.place(view, &pair).map(|(place, moved)| (view, place, moved)))
        })?;
        if stop.requested() {
            return Ok(());
        }
        let found: Vec<(usize, Place, f64)> = found.into_iter().flatten().collect();
        let rough = 2 * found.iter().filter(|(_, _, moved)| *moved >= ROUGH).count() > self.views.len();
        let stays = |view: &usize| self.found.get(view).is_some_and(|last| last.trusted);
        let off = |view: &usize, moved: f64| rough || moved >= if stays(view) { OFF.1 } else { OFF.0 };
        let kept = found.iter().filter(|(view, _, moved)| off(view, *moved));
        self.place_at(kept.map(|(view, place, _)| (*view, *place)).collect());
        Ok(())
    }

    /// Where the photograph of `view` is now, and pixels of these pictures from its pose; `None` where it cannot be determined.
    fn place(&self, view: usize, pair: &Pair<'_>) -> Option<(Place, f64)> {
        let last = self.found.get(&view);
        let viewmat = |place: &Place| DMat4::from_cols_array(&place.viewmat.map(f64::from));
        let others: Vec<DMat4> = [self.views[view].camera.viewmat].into_iter().chain(last.map(viewmat)).collect();
        let Registered { viewmat, moved } = register(pair, &others)?;
        tracing::debug!("view {view}: {:.3} pixels off its pose", moved[0] * pair.camera.reduction);
        let trusted = moved.get(1).is_some_and(|since| *since <= (AGAIN.0 * moved[0]).max(AGAIN.1));
        let viewmat = viewmat.as_mat4().to_cols_array();
        Some((Place { viewmat, pixels: moved[0] * pair.camera.reduction, trusted }, moved[0]))
    }
}

/// Logs which of the `views` were moved.
pub(super) fn tell(moved: &[MovedPose], views: usize) {
    if moved.is_empty() {
        return;
    }
    let mut worst: Vec<&MovedPose> = moved.iter().collect();
    worst.sort_by(|a, b| b.pixels.total_cmp(&a.pixels));
    let named: Vec<String> =
        worst.iter().take(NAMED).map(|pose| format!("{} by {:.1}", pose.view, pose.pixels)).collect();
    let more = if worst.len() > NAMED { ", …" } else { "" };
    let list = format!("{}{more} pixels", named.join(", "));
    if 2 * moved.len() > views {
        tracing::warn!(
            "{} of {views} training photographs do not match their poses ({list}); these poses were corrected. Views \
             rendered from the other given poses may be off as well: pass the photographs without their pose files, and \
             COLMAP estimates new poses",
            moved.len()
        );
    } else {
        tracing::info!(
            "{} of {views} training photographs did not match their poses, which were corrected: {list}",
            moved.len()
        );
    }
}

/// `camera` at the size of comparisons.
fn small(camera: &Camera, downscale: u32) -> Camera {
    let pixels = |factor: u32| u64::from(camera.width / factor) * u64::from(camera.height / factor);
    let factor = (downscale..).find(|&factor| pixels(factor) <= MOST_PIXELS).unwrap_or(downscale);
    camera.downscaled(factor)
}
