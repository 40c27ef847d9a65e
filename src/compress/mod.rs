//! Splats to a budget: fewer of them, fitted to what all of them showed.
//!
//! [`Compressor`] renders the original from the given cameras, scores every splat by what its removal would change
//! ([`score`]), keeps the best in a few rounds, and fits the survivors to the original's renders ([`refit`]). Later rounds
//! score against the original, too: of splats that cover for each other the last one counts for all that went before it,
//! which a single ranking cannot know. [`to_budget`] finds the number of splats for a number of bytes or a PSNR.

mod budget;
mod cameras;
mod refit;
mod score;
#[cfg(test)]
mod score_tests;
mod subset;
#[cfg(test)]
mod tests;
mod trial;
mod views;

pub use budget::{Budget, Outcome, to_budget};
pub use cameras::around;
pub use trial::Trial;

use crate::capture::{Camera, View};
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::progress::{Progress, Silent};
use crate::splat::{Splats, Tensors};
use refit::Refit;
use score::{Score, Scorer, most_important};
use subset::{select, with_bands};
use views::{Goals, ViewRenderer, within_limits};

/// How splats are chosen and fitted.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Steps of the fit, one view each (0: none).
    pub steps: u32,
    /// Rounds in which splats are removed, by the same factor each.
    pub rounds: u32,
    /// What the Fisher information of position and size counts beside the change of the pictures.
    pub second_order: f32,
}

impl Default for Config {
    fn default() -> Self {
        Self { steps: 300, rounds: 4, second_order: 0.0 }
    }
}

/// What compressed splats are to look like.
#[derive(Clone, Copy, Debug)]
pub enum Reference<'a> {
    /// The original, from these cameras.
    Original(&'a [Camera]),
    /// Photographs, as the original was trained to look. Some are held out, and choose when the fit ends.
    Photographs(&'a [View]),
}

/// Of photographs every so many, from the first, is held out.
const HELD_OUT: usize = 8;
/// Part of the steps that the rounds before the last share.
const STEPS_BETWEEN: f32 = 0.3;

/// An original and its views, to be compressed as often as a search asks for.
pub struct Compressor<'g> {
    config: Config,
    splats: Splats,
    goals: Goals,
    /// Photographs that are not fitted to.
    held_out: Option<Goals>,
    first: Vec<Score>,
    renderer: ViewRenderer<'g>,
    scorer: Scorer,
    refit: Refit,
}

impl<'g> Compressor<'g> {
    /// Renders `splats` from the cameras of `reference` and scores them.
    ///
    /// # Errors
    /// No camera, too few photographs, or one that cannot be read; splats that are not finite, the device fails, or a stop is asked for.
    pub fn new(
        gpu: &'g Gpu,
        splats: Splats,
        antialiased: bool,
        reference: Reference<'_>,
        config: &Config,
        progress: &dyn Progress,
    ) -> Result<Self> {
        splats.check_finite("the model")?;
        let mut renderer = ViewRenderer::new(gpu, antialiased)?;
        let (scorer, refit) = (Scorer::new(gpu)?, Refit::new(gpu)?);
        let model = Tensors::from_splats(gpu, &splats, 0)?;
        let (goals, held_out) = match reference {
            Reference::Original([]) => {
                return Err(Error::setting("cameras", "no camera", "give a file or a scene with at least one"));
            }
            Reference::Original(cameras) => (Goals::render(&mut renderer, &model, cameras, progress)?, None),
            Reference::Photographs(views) if views.len() < 3 => {
                let found = format!("{} photographs", views.len());
                return Err(Error::setting(
                    "scene",
                    found,
                    "give at least 3, or leave it out: the original's own pictures then count",
                ));
            }
            Reference::Photographs(views) => {
                let mut photographs = |views: Vec<View>| -> Result<Goals> {
                    let cameras: Vec<Camera> = views.iter().map(|view| view.camera.clone()).collect();
                    let kept: Vec<View> = within_limits(&cameras).iter().map(|(at, _)| views[*at].clone()).collect();
                    Goals::render(&mut renderer, &model, &cameras, progress)?.photographs(gpu, &kept, progress)
                };
                let part = |held: bool| {
                    let views = views.iter().enumerate().filter(move |(at, _)| (at % HELD_OUT == 0) == held);
                    views.map(|(_, view)| view.clone()).collect()
                };
                (photographs(part(false))?, Some(photographs(part(true))?))
            }
        };
        let first = scorer.score(&mut renderer, &model, &goals, progress)?;
        Ok(Self { config: config.clone(), splats, goals, held_out, first, renderer, scorer, refit })
    }

    /// The original.
    pub fn original(&self) -> &Splats {
        &self.splats
    }

    /// Views that results are compared in.
    pub fn views(&self) -> usize {
        self.held_out.as_ref().unwrap_or(&self.goals).cameras.len()
    }

    /// Splats of the original that no view shows.
    pub fn unseen(&self) -> usize {
        self.first.iter().filter(|score| score.weight == 0.0).count()
    }

    /// The original's `count` most important splats by their first score, as they are.
    pub fn ranked(&self, count: usize, sh_degree: u32) -> Splats {
        let kept = most_important(&self.first, self.config.second_order, count);
        with_bands(&select(&self.splats, &kept), sh_degree)
    }

    /// Exactly `count` splats (or all, if there are fewer) of at most `sh_degree`, fitted in `steps` steps.
    ///
    /// # Errors
    /// The device fails, or a stop is asked for.
    pub fn to_count(&mut self, count: usize, sh_degree: u32, steps: u32, progress: &dyn Progress) -> Result<Splats> {
        let all = self.splats.len();
        let count = count.min(all);
        let rounds = if count < all { self.config.rounds.max(1) } else { 1 };
        let between = if rounds > 1 { (steps as f32 * STEPS_BETWEEN) as u32 / (rounds - 1) } else { 0 };
        let mut model = self.splats.clone();
        for round in 1..=rounds {
            let left = match round == rounds {
                true => count,
                false => (all as f64 * (count as f64 / all as f64).powf(f64::from(round) / f64::from(rounds))) as usize,
            };
            let scores = match round {
                1 => self.first.clone(),
                _ => self.score(&model, progress)?,
            };
            model = select(&model, &most_important(&scores, self.config.second_order, left.max(count)));
            if round == rounds {
                model = with_bands(&model, sh_degree);
            }
            let steps = if round == rounds { steps - between * (rounds - 1) } else { between };
            model = self.fit(&model, steps, round == rounds, progress)?;
        }
        Ok(model)
    }

    /// The `count` most important of `splats`, as they are.
    pub(crate) fn thinned(&mut self, splats: &Splats, count: usize) -> Result<Splats> {
        let scores = self.score(splats, &Silent::default())?;
        Ok(select(splats, &most_important(&scores, self.config.second_order, count)))
    }

    /// Mean PSNR of the views of `splats` against those of the original, or against the held-out photographs.
    ///
    /// # Errors
    /// The device fails, or a view is not finite.
    pub fn psnr(&mut self, splats: &Splats) -> Result<f64> {
        let model = Tensors::from_splats(self.renderer.gpu, splats, 0)?;
        self.held_out.as_ref().unwrap_or(&self.goals).psnr(&mut self.renderer, &model)
    }

    fn score(&mut self, splats: &Splats, progress: &dyn Progress) -> Result<Vec<Score>> {
        let model = Tensors::from_splats(self.renderer.gpu, splats, 0)?;
        self.scorer.score(&mut self.renderer, &model, &self.goals, progress)
    }

    /// `splats` fitted; in the `last` round the state is kept that the held-out photographs find best.
    fn fit(&mut self, splats: &Splats, steps: u32, last: bool, progress: &dyn Progress) -> Result<Splats> {
        let held_out = self.held_out.as_ref().filter(|_| last);
        self.refit.fit(&mut self.renderer, splats, (&self.goals, held_out), steps, progress)
    }
}
