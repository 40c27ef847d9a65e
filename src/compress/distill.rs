//! Distillation: one model fitted to the mean of the renders of several.
//!
//! Models of the same photographs that differ by their seeds err differently, and the mean of their renders is better than
//! each. No model shows that mean exactly; least squares finds one that comes close, starting from one of them.

use super::refit::{Aim, Refit};
use super::views::{Goals, Limits, PLANES, ViewRenderer, extent, within};
use crate::capture::Camera;
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::limits;
use crate::progress::Progress;
use crate::splat::{Splats, Tensors, plane_len};

/// A gibibyte of goals at their own size: 60 views of a megapixel. More views are made smaller, down to half a megapixel.
const LIMITS: Limits = Limits { each: u64::MAX, all: 1 << 26, fewest: 1 << 19 };

/// Learning rates by those of a fit that only closes holes. 200 steps toward the mean of three models of Laboratory at an
/// eighth of its size come from 39.9 dB to 43.1 dB at 1, 43.5 at 3, 43.4 at 5 and 42.4 at 8.
const RATES: f32 = 3.0;

/// Views that models are compared in.
const MEASURED: usize = 8;

/// The cameras whose pictures are fitted to the mean.
#[derive(Clone, Debug, Default)]
pub struct Cameras {
    /// Those that matter.
    pub needed: Vec<Camera>,
    /// Those in between, which are dropped first where memory is short.
    pub between: Vec<Camera>,
}

/// How models are rendered, and how one of them is fitted.
#[derive(Clone, Copy, Debug)]
pub struct Distillation {
    /// As in training.
    pub antialiased: bool,
    /// Whether the same models give the same bytes.
    pub deterministic: bool,
    /// Steps, one view each (0: none).
    pub steps: u32,
}

/// A model that shows the mean of several.
#[derive(Clone, Debug)]
pub struct Distilled {
    /// The model.
    pub splats: Splats,
    /// Views that it was fitted to.
    pub views: usize,
    /// Its mean PSNR against the mean, dB.
    pub psnr: f64,
    /// That of the model that it started from.
    pub psnr_before: f64,
}

/// The first of `models`, fitted to the mean of the renders of all from `cameras`; as it was, if that is closer to it.
///
/// # Errors
/// No model, no camera, splats that are not finite, the device fails, or a stop is asked for.
pub fn distill(
    gpu: &Gpu,
    models: &[Splats],
    cameras: Cameras,
    Distillation { antialiased, deterministic, steps }: Distillation,
    progress: &dyn Progress,
) -> Result<Distilled> {
    let first = models.first().ok_or_else(|| Error::setting("models", "none", "give at least one"))?;
    let (mut renderer, refit) = match deterministic {
        true => (ViewRenderer::deterministic(gpu, antialiased)?, Refit::deterministic(gpu)?),
        false => (ViewRenderer::new(gpu, antialiased)?, Refit::new(gpu)?),
    };
    let goals = mean(&mut renderer, models, chosen(cameras), progress)?;
    let psnr_before = psnr(&mut renderer, &goals, first)?;
    let aim = Aim { goals: &goals, withheld: None, steps, rates: RATES, name: "distill" };
    let splats = refit.fit(&mut renderer, first, aim, progress)?;
    let psnr = psnr(&mut renderer, &goals, &splats)?;
    let views = goals.cameras.len();
    // Models that hardly differ may be closer to their mean than a few steps get.
    match psnr < psnr_before {
        true => Ok(Distilled { splats: first.clone(), views, psnr: psnr_before, psnr_before }),
        false => Ok(Distilled { splats, views, psnr, psnr_before }),
    }
}

/// Mean PSNR of `splats` in a few of the views.
fn psnr(renderer: &mut ViewRenderer<'_>, goals: &Goals, splats: &Splats) -> Result<f64> {
    let model = Tensors::from_splats(renderer.gpu, splats, 0)?;
    goals.psnr(renderer, &model, MEASURED)
}

/// The cameras that fit the memory. Those in between are dropped first.
fn chosen(Cameras { needed, between }: Cameras) -> Vec<Camera> {
    let pixels = |cameras: &[Camera]| -> u64 {
        cameras.iter().map(|camera| u64::from(camera.width) * u64::from(camera.height)).sum()
    };
    let fit = pixels(&needed) + pixels(&between) <= LIMITS.all;
    let all = if fit { [needed, between].concat() } else { needed };
    within(&LIMITS, &all).into_iter().map(|(_, camera)| camera).collect()
}

/// The mean of the renders of `models` as they are displayed, and of their transmittances. One model is on the device at a
/// time.
fn mean(
    renderer: &mut ViewRenderer<'_>,
    models: &[Splats],
    cameras: Vec<Camera>,
    progress: &dyn Progress,
) -> Result<Goals> {
    if cameras.is_empty() {
        return Err(Error::setting("cameras", "no camera", "give at least one"));
    }
    let gpu = renderer.gpu;
    let buffer = |camera: &Camera| gpu.buffer("mean view", PLANES * plane_len(camera.width, camera.height));
    let planes = cameras.iter().map(buffer).collect::<Result<Vec<_>>>()?;
    let share = 1.0 / models.len() as f32;
    progress.begin("distill: views of the mean", "renders", (models.len() * cameras.len()) as u64);
    let mut done = 0;
    for (number, splats) in models.iter().enumerate() {
        splats.check_finite(format_args!("model {}", number + 1))?;
        let model = Tensors::from_splats(gpu, splats, 0)?;
        for (camera, goal) in cameras.iter().zip(&planes) {
            progress.check()?;
            limits::claim_picture(camera.width, camera.height)?;
            let work = renderer.render(&model, camera)?;
            let mut sum = if number == 0 { vec![0.0; goal.len()] } else { gpu.read(goal)? };
            for (sum, value) in sum.iter_mut().zip(gpu.read_part(&work.image, 0, goal.len())?) {
                *sum += share * value.clamp(0.0, 1.0);
            }
            goal.write(gpu, 0, &sum);
            done += 1;
            progress.set(done, "");
        }
    }
    progress.end();
    let extent = extent(&cameras);
    Ok(Goals { cameras, planes, extent })
}
