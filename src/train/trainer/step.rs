//! One step of the optimization: a single recording, without a wait except for the figures of the step before last.

use super::{FIGURES, Trainer};
use crate::capture::Camera;
use crate::error::{Error, Result};
use crate::gpu::{Buffer, Recorder};
use crate::splat::{Raster, RenderSettings, Workspace};
use crate::train::adam::{Moments, Update};
use crate::train::canvas::Canvas;
use crate::train::config::Background;
use crate::train::loss::LossScratch;
use crate::train::order::random;
use crate::train::soundness::{self, CHECK_EVERY, COUNTS};
use crate::train::watch::StepFigures;
use rand::RngExt;

/// Steps between recordings whose kernels are timed.
const PROFILE_EVERY: u32 = 100;
/// Steps between two raisings of scales to their floor: at the published rate they fall some 5 % below it in between.
const FLOOR_EVERY: u32 = 10;

impl<'g> Trainer<'g> {
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
        if self.config.deterministic {
            self.render_whole(&camera, &settings)?;
        } else {
            self.fit_canvas(&camera)?;
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

    /// Records the update of the model by its gradients, and its other changes between two steps.
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

    /// Renders a view into the canvas with all of its splat–tile pairs. Otherwise pairs that find no room are left out
    /// of a step, and how much room there is depends on when the run was last interrupted. Waits for the device.
    fn render_whole(&mut self, camera: &Camera, settings: &RenderSettings) -> Result<()> {
        loop {
            self.fit_canvas(camera)?;
            let (Canvas { work, .. }, _) = of_step(self.canvas.as_ref())?;
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

    pub(super) fn note(&mut self, words: &[u32]) -> Result<()> {
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
