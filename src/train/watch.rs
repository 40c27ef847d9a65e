//! Observing and controlling a training run.
//!
//! This trait is all that training knows of its observers. It is called on the training thread, between steps, and its
//! commands are followed; a watcher that panics is left out from then on. [`super::Live`] is the watcher that another
//! thread can look through.

use super::changes::Change;
use super::config::Config;
use super::{CurvePoint, Report};
use crate::capture::{Capture, Image};
use crate::error::Result;
use crate::gpu::Timings;
use crate::prior::PointCloud;
use crate::progress::Stop;
use crate::splat::{RenderSettings, Style, Tensors};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

/// What training does next.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// One step of the optimization.
    Step,
    /// Write a checkpoint and end with [`crate::Error::Interrupted`].
    Stop,
    /// Copy the parameters within the device and hand the copy over.
    Snapshot,
    /// Write the splats as a PLY file, whole or not at all; a file of that name is replaced.
    Save(PathBuf),
    /// Continue with these settings ([`Config::change_to`] says which may differ from the present ones).
    Change(Box<Config>),
}

/// What came of a command.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// The file was written.
    Saved(PathBuf),
    /// The settings are in force; nothing in it where nothing was new.
    Changed(Change),
}

/// What a run starts from, or continues with.
#[derive(Clone, Copy)]
pub struct Start<'a> {
    /// The views that are trained on, with lit images.
    pub capture: &'a Capture,
    /// What it starts from.
    pub points: &'a PointCloud,
    /// The settings in force.
    pub config: &'a Config,
    /// Changes to the settings before a resumed run was interrupted.
    pub changes: &'a [Change],
    /// Steps done before.
    pub step: u32,
}

/// Figures of one step, known a little later.
#[derive(Clone, Copy, Debug, Default)]
pub struct StepFigures {
    /// The loss.
    pub loss: f32,
    /// Splats in the image.
    pub visible: usize,
    /// Splat–tile pairs.
    pub pairs: usize,
}

/// A run between two steps.
#[derive(Clone, Copy)]
pub struct StepInfo<'a> {
    /// Steps done.
    pub step: u32,
    /// Steps to do in all.
    pub steps: u32,
    /// Loss and counts of the last step that is known, two steps late at most.
    pub figures: StepFigures,
    /// Splats in the model.
    pub splats: usize,
    /// Wall milliseconds of the last step.
    pub milliseconds: f64,
    /// Seconds of training so far.
    pub seconds: f64,
    /// Milliseconds per kernel, summed over `timed_steps`.
    pub timings: &'a Timings,
    /// Steps whose kernels were timed.
    pub timed_steps: u32,
    /// Device memory in buffers now, of everyone on the device, bytes.
    pub device_bytes: u64,
    /// The most of it at one time, bytes.
    pub peak_device_bytes: u64,
}

/// The model after `step` steps, in tensors of its own: it can be rendered while training goes on.
pub struct Snapshot {
    /// Steps done.
    pub step: u32,
    /// The splats.
    pub splats: Tensors,
    /// SH bands in use at this step.
    pub sh_degree: u32,
    /// Whether opacity is compensated for the low-pass filter.
    pub antialiased: bool,
}

impl Snapshot {
    /// How to render it as training itself does, over `background`.
    pub fn render_settings(&self, background: [f32; 3]) -> RenderSettings {
        RenderSettings { background, sh_degree: self.sh_degree, antialiased: self.antialiased, style: Style::default() }
    }
}

/// An observer. Everything is called on the training thread.
pub trait Watch: Sync {
    /// Training begins.
    fn begin(&self, _start: &Start<'_>) {}
    /// What to do next. Asked again after every command until it is a step or the end; may block, which is a pause
    /// (not counted as training time), but must look at `stop` meanwhile.
    fn next(&self, stop: &Stop) -> Command;
    /// A step was done.
    fn stepped(&self, _now: &StepInfo<'_>) {}
    /// A point of the curve was measured.
    fn measured(&self, _point: &CurvePoint) {}
    /// Whether [`Watch::rendered`] is of use: it costs a render for each measurement, or every 500 steps.
    fn wants_pictures(&self) -> bool {
        false
    }
    /// A render of the model after `step` steps, of the first held-out view or, where none is, of the first that is
    /// trained on.
    fn rendered(&self, _step: u32, _view: &str, _picture: &Image) {}
    /// The snapshot that was asked for; the last model comes unasked.
    fn snapshot(&self, _snapshot: Snapshot) {}
    /// The result of a command. An error does not end training.
    fn answered(&self, _answer: Result<Answer>) {}
    /// Training is over: its report, or nothing where it was stopped or failed.
    fn end(&self, _report: Option<&Report>) {}
}

/// The watcher of a run, if it has one, for as long as it does not panic.
pub(super) struct Observers<'a>(pub Option<&'a dyn Watch>);

impl Observers<'_> {
    /// Calls the watcher; nothing where there is none.
    pub fn tell<T>(&mut self, call: impl FnOnce(&dyn Watch) -> T) -> Option<T> {
        let watch = self.0?;
        let told = catch_unwind(AssertUnwindSafe(|| call(watch)));
        if told.is_err() {
            tracing::warn!("an observer of the training panicked; training continues without it");
            self.0 = None;
        }
        told.ok()
    }
}
