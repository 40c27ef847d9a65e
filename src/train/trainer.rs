//! The optimization loop: render a view, compute the loss, propagate gradients backward, update, and densify at intervals.
//!
//! [`step`] has what happens in each of its steps.

mod step;

use super::backward::Gradients;
use super::canvas::Canvas;
use super::changes::Change;
use super::checkpoint::{Checkpoint, State as Saved};
use super::config::Config;
use super::densify::State;
use super::kernels::Kernels;
use super::order::Order;
use super::poses::Poses;
use super::soundness::{self, COUNTS};
use super::targets::{Budget, Targets};
use super::watch::{Snapshot, StepFigures};
use crate::capture::{Camera, Capture, Image};
use crate::error::{Error, Result};
use crate::gpu::{Gpu, LateReader, Recorder, Timings};
use crate::progress::Stop;
use crate::splat::{RenderSettings, Splats, Style, Tensors, Workspace};

/// Steps that the host may be ahead of the device.
const STEPS_AHEAD: usize = 2;

/// Words of a step's figures that come home: counters and loss.
const FIGURES: usize = 4;

/// A run of the optimization: its kernels, the buffers that they share, and what of the run changes from step to step. One
/// recording uses all of them, so splitting the struct would not help borrowing.
pub struct Trainer<'g> {
    gpu: &'g Gpu,
    config: Config,
    poses: Poses,
    scene_scale: f64,
    pub(super) targets: Targets,
    kernels: Kernels,
    /// Steps that were done when the soundness of the model was last looked at.
    checked: u32,
    parameters: Tensors,
    first_moments: Tensors,
    second_moments: Tensors,
    gradients: Gradients,
    canvas: Option<Canvas>,
    /// For pictures between steps.
    preview: Option<Workspace>,
    late: LateReader,
    /// Splat–tile pairs to have room for.
    pub(super) pairs: usize,
    order: Order,
    /// The highest SH degree that has had gradients.
    trained_degree: u32,
    /// Steps done.
    pub step: u32,
    /// Figures of the last step that is known.
    pub figures: StepFigures,
    /// Milliseconds per kernel, summed over `timed_steps`.
    pub timings: Timings,
    /// Steps whose kernels were timed.
    pub timed_steps: u32,
    /// Steps whose pairs did not fit; their gradient lacked the farthest splats of some tiles.
    pub overflows: u32,
}

impl<'g> Trainer<'g> {
    /// A run from the start.
    ///
    /// # Errors
    /// [`Error::Input`] without views, [`Error::Setting`] for splats whose tensors differ in length; the device fails.
    pub fn new(gpu: &'g Gpu, capture: &Capture, splats: &Splats, config: &Config) -> Result<Self> {
        let parameters = Tensors::from_splats(gpu, splats, splats.len())?;
        let moments = |what: &str| Tensors::zeros(gpu, what, splats.len(), splats.len(), splats.sh_degree);
        let (m, v) = (moments("first moment of")?, moments("second moment of")?);
        Self::with_state(gpu, capture, config, parameters, m, v)
    }

    /// A run from a checkpoint.
    ///
    /// # Errors
    /// [`Error::Input`] without views; the device fails.
    pub fn resume(gpu: &'g Gpu, capture: &Capture, config: &Config, checkpoint: Checkpoint) -> Result<Self> {
        let Checkpoint { step, parameters, first_moments, second_moments, statistics, found, .. } = checkpoint;
        let mut trainer = Self::with_state(gpu, capture, config, parameters, first_moments, second_moments)?;
        trainer.step = step;
        trainer.poses.place_at(found);
        // The full degree is safe: where a band had no gradient yet, its moments are zero.
        trainer.trained_degree = trainer.parameters.sh_degree;
        trainer.gradients.densify_statistics.write(gpu, 0, &statistics);
        Ok(trainer)
    }

    fn with_state(
        gpu: &'g Gpu,
        capture: &Capture,
        config: &Config,
        parameters: Tensors,
        first_moments: Tensors,
        second_moments: Tensors,
    ) -> Result<Self> {
        if capture.train.is_empty() {
            return Err(Error::input(&capture.root, "has no views to train on", "give a capture with photographs"));
        }
        let pairs = Workspace::initial_pairs(gpu, parameters.count);
        let poses = Poses::new(capture.train.clone());
        let kernels = Kernels::new(gpu, config, poses.cameras(), capture.train.iter().any(|view| view.mask.is_some()))?;
        Ok(Self {
            gpu,
            config: config.clone(),
            poses,
            scene_scale: capture.scene_scale(),
            targets: Targets::new(capture.train.clone(), Budget::of(gpu)),
            checked: 0,
            gradients: kernels.backward.gradients(gpu, parameters.capacity, parameters.sh_degree)?,
            kernels,
            parameters,
            first_moments,
            second_moments,
            canvas: None,
            preview: None,
            late: LateReader::new(gpu, FIGURES + COUNTS, STEPS_AHEAD),
            pairs,
            order: Order::new(capture.train.len(), config.seed),
            trained_degree: 0,
            step: 0,
            figures: StepFigures::default(),
            timings: Timings::new(),
            timed_steps: 0,
            overflows: 0,
        })
    }

    /// Splats in the model.
    pub fn count(&self) -> usize {
        self.parameters.count
    }

    /// Waits for all steps that are under way.
    pub fn finish(&mut self) -> Result<()> {
        while let Some(words) = self.late.take(self.gpu)? {
            self.note(&words)?;
        }
        self.gpu.wait()
    }

    /// Fails unless the model and its moments are finite as they are now.
    fn verify(&mut self) -> Result<()> {
        self.finish()?;
        let mut recorder = Recorder::new(self.gpu);
        self.kernels.soundness.record(&mut recorder, [&self.parameters, &self.first_moments, &self.second_moments]);
        recorder.submit();
        self.checked = self.step;
        soundness::verdict(&self.gpu.read(self.kernels.soundness.counts())?, self.parameters.count, self.step)
    }

    /// Adds and removes splats; buffers that depend on their number are reallocated.
    fn densify(&mut self) -> Result<()> {
        // Densification removes splats that are not finite, and with them the evidence.
        self.verify()?;
        let state = State { params: &mut self.parameters, m: &mut self.first_moments, v: &mut self.second_moments };
        let statistics = &self.gradients.densify_statistics;
        let scale = self.scene_scale as f32;
        let counts = self.kernels.densifier.run(self.gpu, state, statistics, self.step, self.config.seed, scale)?;
        tracing::debug!("step {}: {counts:?}", self.step);
        if self.gradients.parameters.capacity < self.parameters.capacity {
            let Tensors { capacity, sh_degree, .. } = self.parameters;
            self.gradients = self.kernels.backward.gradients(self.gpu, capacity, sh_degree)?;
        } else {
            let mut recorder = Recorder::new(self.gpu);
            recorder.clear(&self.gradients.densify_statistics);
            recorder.submit();
        }
        Ok(())
    }

    /// Compares the photographs of `views` with the model, and moves those that lie elsewhere than their poses say; none where
    /// it was stopped.
    ///
    /// # Errors
    /// A photograph cannot be read any more; the device fails.
    pub(super) fn refine_poses(&mut self, views: &[usize], stop: &Stop) -> Result<()> {
        self.finish()?;
        let settings = self.render_settings(self.step, [0.0; 3]);
        let (gpu, parameters, renderer) = (self.gpu, &self.parameters, &self.kernels.renderer);
        // Not kept: training needs the memory.
        let mut work = None;
        let render = |camera: &Camera| renderer.render_image(gpu, parameters, camera, &settings, &mut work);
        self.poses.refine(views, self.config.downscale_at(self.step), stop, render)
    }

    /// Where photographs are.
    pub(super) fn poses(&self) -> &Poses {
        &self.poses
    }

    /// The model as it is now.
    ///
    /// # Errors
    /// The device fails, or the model is broken.
    pub fn splats(&mut self) -> Result<Splats> {
        self.verify()?;
        self.parameters.to_splats(self.gpu)
    }

    /// A copy of the model as it is now, within the device. Does not wait: later submissions, by any thread, come after it.
    pub fn snapshot(&self) -> Result<Snapshot> {
        let sh_degree = self.config.sh_degree_at(self.step).min(self.parameters.sh_degree);
        let splats = self.parameters.duplicate(self.gpu, "snapshot of")?;
        Ok(Snapshot { step: self.step, splats, sh_degree, antialiased: self.config.antialiased })
    }

    /// Continues with `config`, which differs from the present settings in what [`super::CHANGEABLE`] names.
    pub fn change(&mut self, config: &Config) -> Result<()> {
        // Figures under way are of the old settings.
        self.finish()?;
        if config.ssim_weight != self.config.ssim_weight {
            self.canvas = None;
        }
        self.config = config.clone();
        Ok(())
    }

    /// The state of the run in host memory, to continue from later.
    ///
    /// # Errors
    /// The device fails, or the model is broken.
    pub fn state(&mut self, identity: &str, seconds: f64, changes: &[Change]) -> Result<Saved> {
        self.verify()?;
        let count = self.parameters.count;
        let mut state = Saved {
            identity: identity.into(),
            step: self.step,
            seconds,
            changes: changes.to_vec(),
            sh_degree: self.parameters.sh_degree,
            found: self.poses.found().clone(),
            statistics: self.gpu.read_part(&self.gradients.densify_statistics, 0, count)?,
            ..Saved::default()
        };
        let groups = [&self.parameters, &self.first_moments, &self.second_moments];
        for (group, values) in groups.into_iter().zip(&mut state.groups) {
            for (index, values) in values.iter_mut().enumerate() {
                *values = group.read(self.gpu, index)?;
            }
        }
        Ok(state)
    }

    /// A picture of the model as it is now, on black.
    pub fn render(&mut self, camera: &Camera) -> Result<Image> {
        self.finish()?;
        let settings = self.render_settings(self.step, [0.0; 3]);
        self.kernels.renderer.render_color(self.gpu, &self.parameters, camera, &settings, &mut self.preview)
    }

    fn render_settings(&self, step: u32, background: [f32; 3]) -> RenderSettings {
        let sh_degree = self.config.sh_degree_at(step).min(self.parameters.sh_degree);
        RenderSettings { background, sh_degree, antialiased: self.config.antialiased, style: Style::default() }
    }
}
