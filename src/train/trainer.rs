//! The optimization loop: render a view, compare, step back through the kernels, update, now and then densify.
//!
//! A step is one recording; nothing is waited for but the figures of the step before last ([`LateReader`]).

use super::adam::{Moments, Update};
use super::backward::Gradients;
use super::canvas::Canvas;
use super::changes::Change;
use super::checkpoint::{Checkpoint, State as Saved};
use super::config::{Background, Config};
use super::densify::State;
use super::kernels::Kernels;
use super::loss::LossScratch;
use super::order::{Order, random};
use super::poses::Poses;
use super::soundness::{self, CHECK_EVERY, COUNTS};
use super::targets::{Budget, Targets};
use super::watch::{Snapshot, StepFigures};
use crate::capture::{Camera, Capture, Image};
use crate::error::{Error, Result};
use crate::gpu::{Buffer, Gpu, LateReader, Recorder, Timings};
use crate::progress::Stop;
use crate::splat::{Raster, RenderSettings, Splats, Style, Tensors, Workspace};
use rand::RngExt;

/// Steps between recordings whose kernels are timed.
const PROFILE_EVERY: u32 = 100;
/// Steps that the host may be ahead of the device.
const STEPS_AHEAD: usize = 2;
/// Steps between two raisings of scales to their floor: at the published rate they fall some 5 % below it in between.
const FLOOR_EVERY: u32 = 10;

/// Words of a step's figures that come home: counters and loss.
const FIGURES: usize = 4;

/// A run of the optimization: its kernels, the buffers that they share, and what of the run changes from step to step. All
/// of them are used in one recording, so that parts of it would be borrowed together anyway.
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
    /// No views, splats whose tensors differ in length, the device.
    pub fn new(gpu: &'g Gpu, capture: &Capture, splats: &Splats, config: &Config) -> Result<Self> {
        let parameters = Tensors::from_splats(gpu, splats, splats.len())?;
        let moments = |what: &str| Tensors::zeros(gpu, what, splats.len(), splats.len(), splats.sh_degree);
        let (m, v) = (moments("first moment of")?, moments("second moment of")?);
        Self::with_state(gpu, capture, config, parameters, m, v)
    }

    /// A run from a checkpoint.
    ///
    /// # Errors
    /// As there.
    pub fn resume(gpu: &'g Gpu, capture: &Capture, config: &Config, checkpoint: Checkpoint) -> Result<Self> {
        let Checkpoint { step, parameters, first_moments, second_moments, statistics, found, .. } = checkpoint;
        let mut trainer = Self::with_state(gpu, capture, config, parameters, first_moments, second_moments)?;
        trainer.step = step;
        trainer.poses.place_at(found);
        // Whatever it had: where a band had no gradient yet, its moments are zero.
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

    /// One step of the optimization.
    ///
    /// # Errors
    /// A training image cannot be read, the device fails, or the training diverged ([`crate::Error::NotFinite`]).
    pub fn step(&mut self) -> Result<()> {
        // Before a step rather than after one: what was just added or split is not fitted yet, and must not be what
        // a run ends with or is measured by.
        if self.kernels.densifier.due(self.step) {
            self.densify()?;
        }
        let step = self.step;
        let upcoming = self.order.upcoming(step, self.config.steps, |step| self.config.downscale_at(step));
        let (view, downscale) = upcoming[0];
        let camera = self.poses.cameras()[view].downscaled(downscale);
        let target = self.targets.get(self.gpu, upcoming[0], &upcoming[1..])?;
        let settings = self.render_settings(step, self.background(step));
        self.fit_canvas(&camera)?;
        if self.config.deterministic {
            self.render_whole(&camera, &settings)?;
        }
        self.trained_degree = self.trained_degree.max(settings.sh_degree);
        self.gradients.sh_degree = self.trained_degree;
        let timed = step % PROFILE_EVERY == PROFILE_EVERY / 4;
        let mut recorder = if timed { Recorder::profiled(self.gpu) } else { Recorder::new(self.gpu) };
        self.record_gradients(&mut recorder, &camera, &settings, &target)?;
        self.record_update(&mut recorder);
        if step % CHECK_EVERY == CHECK_EVERY - 1 {
            let groups = [&self.parameters, &self.first_moments, &self.second_moments];
            self.kernels.soundness.record(&mut recorder, groups);
            self.checked = step + 1;
        }
        self.submit(recorder, timed)?;
        self.step += 1;
        self.targets.prefetch(&upcoming[1..]);
        Ok(())
    }

    /// Records the render of a view (a deterministic training has it already), its loss and the gradients.
    fn record_gradients(
        &self,
        recorder: &mut Recorder<'_>,
        camera: &Camera,
        settings: &RenderSettings,
        target: &Buffer<u32>,
    ) -> Result<()> {
        let Self { kernels, parameters, gradients, .. } = self;
        let (Canvas { work, v_image, .. }, scratch) = of_step(self.canvas.as_ref())?;
        if !self.config.deterministic {
            kernels.renderer.record(recorder, parameters, camera, settings, work, Raster::Color);
        }
        kernels.loss.record(recorder, scratch, &work.image, target, v_image);
        kernels.backward.record(recorder, parameters, [camera.width, camera.height], work, v_image, gradients);
        Ok(())
    }

    /// Records what the gradients do to the model, and what else happens to it between two steps.
    fn record_update(&self, recorder: &mut Recorder<'_>) {
        let Self { gpu, config, kernels, parameters, step, .. } = self;
        let (gradients, m, v) = (&self.gradients.parameters, &self.first_moments, &self.second_moments);
        let (opacity, scale) = (config.opacity_regularizer, config.scale_regularizer);
        if (opacity, scale) != (0.0, 0.0) {
            kernels.densifier.record_regularizers(gpu, recorder, parameters, gradients, opacity, scale);
        }
        let rates = config.learning_rates(*step, self.scene_scale);
        let update = Update { learning_rates: rates, step: step + 1, sh_degree: self.trained_degree };
        kernels.adam.record(recorder, parameters, gradients, Moments { first: m, second: v }, update);
        kernels.densifier.record_noise(gpu, recorder, parameters, rates[0], *step, config.seed);
        if kernels.densifier.reset_due(step + 1) {
            kernels.densifier.record_reset(recorder, parameters, m, v);
        }
        let last = step + 1 == config.steps;
        if let Some(floor) = kernels.floor.as_ref().filter(|_| last || step % FLOOR_EVERY == FLOOR_EVERY - 1) {
            floor.record(recorder, parameters);
        }
    }

    /// Submits a step, and takes note of the figures of an earlier one. One that is `timed` is waited for.
    fn submit(&mut self, recorder: Recorder<'g>, timed: bool) -> Result<()> {
        if timed {
            for (kernel, milliseconds) in recorder.submit_timed()? {
                *self.timings.entry(kernel).or_default() += milliseconds;
            }
            self.timed_steps += 1;
            return Ok(());
        }
        let (Canvas { work, .. }, scratch) = of_step(self.canvas.as_ref())?;
        let figures = [(&work.counters, 2), (scratch.totals(), 2), (self.kernels.soundness.counts(), COUNTS)];
        match self.late.submit(self.gpu, recorder, &figures)? {
            Some(words) => self.note(&words),
            None => Ok(()),
        }
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

    /// Adds and removes splats; what depends on their number is made anew.
    fn densify(&mut self) -> Result<()> {
        // Densification removes splats that are not finite, and with them what would tell.
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

    /// Compares the photographs of `views` with the model, and moves those that lie elsewhere than their poses say; none where it was
    /// stopped.
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

    /// A copy of the model as it is now, within the device. Nothing is waited for: whatever is submitted later, by
    /// anyone, comes after it.
    pub fn snapshot(&self) -> Result<Snapshot> {
        let sh_degree = self.config.sh_degree_at(self.step).min(self.parameters.sh_degree);
        let splats = self.parameters.duplicate(self.gpu, "snapshot of")?;
        Ok(Snapshot { step: self.step, splats, sh_degree, antialiased: self.config.antialiased })
    }

    /// Goes on with `config`, which differs from the present settings in what [`super::CHANGEABLE`] names.
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

    /// Renders a view into the canvas with all of its splat–tile pairs. Otherwise pairs that find no room are left out
    /// of a step, and how much room there is depends on when the run was last interrupted. Waits for the device.
    fn render_whole(&mut self, camera: &Camera, settings: &RenderSettings) -> Result<()> {
        loop {
            self.fit_canvas(camera)?;
            let Some(Canvas { work, .. }) = &self.canvas else { return Ok(()) };
            let mut recorder = Recorder::new(self.gpu);
            self.kernels.renderer.record(&mut recorder, &self.parameters, camera, settings, work, Raster::Color);
            recorder.submit();
            let wanted = self.gpu.read_part(&work.counters, 1, 1)?.iter().sum::<u32>() as usize;
            if wanted <= work.pair_capacity() {
                return Ok(());
            }
            self.pairs = Workspace::room_for(self.gpu, wanted);
        }
    }

    fn note(&mut self, words: &[u32]) -> Result<()> {
        soundness::verdict(&words[FIGURES..], self.parameters.count, self.checked)?;
        let wanted = words[1] as usize;
        let [l1, ssim] = [f32::from_bits(words[2]), f32::from_bits(words[3])];
        let loss = (1.0 - self.config.ssim_weight) * l1 + self.config.ssim_weight * (1.0 - ssim);
        self.figures = StepFigures { loss, visible: words[0] as usize, pairs: wanted };
        let room = self.canvas.as_ref().map_or(0, |c| c.work.pair_capacity());
        self.overflows += u32::from(wanted > room);
        if wanted > room {
            tracing::debug!("{wanted} splat–tile pairs, room for {room}: some were left out of one step");
        }
        // Grow before it overflows: the count changes little from view to view.
        if wanted + wanted / 8 > self.pairs {
            self.pairs = Workspace::room_for(self.gpu, wanted);
        }
        soundness::check_loss(loss, self.step)
    }

    fn fit_canvas(&mut self, camera: &Camera) -> Result<()> {
        let (count, pairs) = (self.parameters.count, self.pairs);
        let mut canvas = match self.canvas.take().filter(|canvas| canvas.fits(camera, count, pairs)) {
            Some(canvas) => canvas,
            // The old one is gone by now, so that both need not fit.
            None => Canvas::new(self.gpu, self.poses.cameras(), (self.parameters.capacity, pairs))?,
        };
        canvas.prepare_loss(self.gpu, camera, &self.kernels.loss, self.config.ssim_weight)?;
        self.canvas = Some(canvas);
        Ok(())
    }

    fn background(&self, step: u32) -> [f32; 3] {
        match self.config.background {
            Background::Black => [0.0; 3],
            Background::Random => random(self.config.seed, 2, step).random(),
        }
    }
}

/// The buffers of a step, which are made before it is recorded.
fn of_step(canvas: Option<&Canvas>) -> Result<(&Canvas, &LossScratch)> {
    let both = canvas.and_then(|canvas| Some((canvas, canvas.loss()?)));
    both.ok_or_else(|| Error::Gpu("a training step has no buffers for its image".into()))
}
