//! Fits the remaining splats to the views again: least squares by Adam, with the kernels of training.
//!
//! Color and opacity alone cannot close the holes that splats leave, so that positions, sizes and rotations move, too, at
//! small rates.

use super::views::{Goals, ViewRenderer};
use crate::error::Result;
use crate::gpu::{Buffer, Gpu, Kernel, Recorder, WORKGROUP};
use crate::progress::Progress;
use crate::random::hash;
use crate::splat::{Splats, Tensors, plane_len, tiles};
use crate::train::{Adam, Backward, Gradients, Moments, Update};

/// Learning rates of training (`train::Config`) for means (times the extent of the cameras), quaternions, log-scales,
/// logit opacities, constant SH coefficients, and the bands above.
const RATES: [f32; 8] = [1.6e-4, 1e-3, 5e-3, 2.5e-2, 2.5e-3, 2.5e-4, 2.5e-4, 2.5e-4];
/// Final factor on the learning rates: a short fit must end with small steps.
const DECAY: f32 = 0.03;
const SEED: u64 = 42;

/// How often a fit looks at withheld views.
const LOOKS: u32 = 10;

/// What a fit moves toward.
#[derive(Clone, Copy)]
pub(super) struct Aim<'a> {
    pub goals: &'a Goals,
    /// Views that no step sees.
    pub withheld: Option<&'a Goals>,
    pub steps: u32,
    /// What learning rates are multiplied by.
    pub rates: f32,
    /// What progress calls it.
    pub name: &'static str,
}

/// The kernels.
pub(super) struct Refit {
    squared_error: Kernel,
    backward: Backward,
    adam: Adam,
}

/// State of a fit besides the model.
struct State {
    first: Tensors,
    second: Tensors,
    gradients: Gradients,
    v_image: Option<Buffer<f32>>,
}

impl Refit {
    pub fn new(gpu: &Gpu) -> Result<Self> {
        Self::with(gpu, Backward::new(gpu)?)
    }

    /// A fit that gives the same bytes every time, with a renderer that does.
    pub fn deterministic(gpu: &Gpu) -> Result<Self> {
        Self::with(gpu, Backward::deterministic(gpu)?)
    }

    fn with(gpu: &Gpu, backward: Backward) -> Result<Self> {
        Ok(Self { squared_error: gpu.kernel("compress/squared_error", &[])?, backward, adam: Adam::new(gpu)? })
    }

    /// `splats` after `steps` steps toward `goals`, one view each; with `withheld` views, in the state that fitted these best.
    ///
    /// # Errors
    /// The device fails, a stop is asked for, or values are not finite any more.
    pub fn fit(
        &self,
        renderer: &mut ViewRenderer<'_>,
        splats: &Splats,
        Aim { goals, withheld, steps, rates: factor, name }: Aim<'_>,
        progress: &dyn Progress,
    ) -> Result<Splats> {
        if steps == 0 || splats.is_empty() {
            return Ok(splats.clone());
        }
        let gpu = renderer.gpu;
        let model = Tensors::from_splats(gpu, splats, 0)?;
        let moments = |what: &str| Tensors::zeros(gpu, what, model.count, model.count, model.sh_degree);
        let (first, second) = (moments("first moment of")?, moments("second moment of")?);
        let gradients = self.backward.gradients(gpu, model.count, model.sh_degree)?;
        let mut state = State { first, second, gradients, v_image: None };
        let mut order: Vec<usize> = Vec::new();
        let mut best: Option<(f64, Splats)> = None;
        let every = steps.div_ceil(LOOKS);
        progress.begin(name, "steps", u64::from(steps));
        for step in 0..steps {
            progress.check()?;
            if order.is_empty() {
                order = shuffled(goals.cameras.len(), u64::from(step));
            }
            let view = order.pop().unwrap_or_default();
            let factor = factor * DECAY.powf(step as f32 / steps as f32);
            let mut rates = RATES.map(|rate| rate * factor);
            rates[0] *= goals.extent as f32;
            let update = Update { learning_rates: rates, step: step + 1, sh_degree: model.sh_degree };
            self.step(renderer, &model, goals, view, update, &mut state)?;
            progress.set(u64::from(step) + 1, "");
            if let Some(withheld) = withheld.filter(|_| (step + 1) % every == 0) {
                let psnr = withheld.psnr(renderer, &model, usize::MAX)?;
                if best.as_ref().is_none_or(|(most, _)| psnr > *most) {
                    best = Some((psnr, model.to_splats(gpu)?));
                }
            }
        }
        gpu.wait()?;
        progress.end();
        let fitted = match best {
            Some((_, best)) => best,
            None => model.to_splats(gpu)?,
        };
        fitted.check_finite("the fitted splats")?;
        Ok(fitted)
    }

    fn step(
        &self,
        renderer: &mut ViewRenderer<'_>,
        model: &Tensors,
        goals: &Goals,
        view: usize,
        update: Update,
        state: &mut State,
    ) -> Result<()> {
        let (gpu, camera) = (renderer.gpu, &goals.cameras[view]);
        let plane = plane_len(camera.width, camera.height);
        let v_image = match state.v_image.take().filter(|buffer| buffer.len() == 4 * plane) {
            Some(buffer) => buffer,
            None => gpu.buffer("image gradient", 4 * plane)?,
        };
        let work = renderer.render(model, camera)?;
        let mut recorder = Recorder::new(gpu);
        let [x, y] = tiles(camera.width, camera.height);
        let bindings = [work.view.binding(), work.image.binding(), goals.planes[view].binding(), v_image.binding()];
        // A tile has as many quads of pixels as a workgroup has threads.
        debug_assert_eq!(plane as u32 / 4, x * y * WORKGROUP);
        recorder.dispatch(&self.squared_error, &bindings, x * y);
        self.backward.record(&mut recorder, model, [camera.width, camera.height], work, &v_image, &state.gradients);
        let moments = Moments { first: &state.first, second: &state.second };
        self.adam.record(&mut recorder, model, &state.gradients.parameters, moments, update);
        recorder.submit();
        state.v_image = Some(v_image);
        Ok(())
    }
}

/// 0 to `count` in an order of its own for each `epoch`.
fn shuffled(count: usize, epoch: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by_key(|view| hash(SEED, epoch, *view as u64));
    order
}
