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

use crate::capture::Camera;
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::progress::{Progress, Silent};
use crate::splat::{Splats, Tensors};
use refit::Refit;
use score::{Score, Scorer, most_important};
use subset::{select, with_bands};
use views::{Goals, ViewRenderer};

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

/// Part of the steps that the rounds before the last share.
const STEPS_BETWEEN: f32 = 0.3;

/// An original and its views, to be compressed as often as a search asks for.
pub struct Compressor<'g> {
    config: Config,
    splats: Splats,
    goals: Goals,
    first: Vec<Score>,
    renderer: ViewRenderer<'g>,
    scorer: Scorer,
    refit: Refit,
}

impl<'g> Compressor<'g> {
    /// Renders `splats` from `cameras`, whose pictures are to stay as they are, and scores them.
    ///
    /// # Errors
    /// No camera, splats that are not finite, the device fails, or a stop is asked for.
    pub fn new(
        gpu: &'g Gpu,
        splats: Splats,
        antialiased: bool,
        cameras: &[Camera],
        config: &Config,
        progress: &dyn Progress,
    ) -> Result<Self> {
        splats.check_finite("the model")?;
        let mut renderer = ViewRenderer::new(gpu, antialiased)?;
        let (scorer, refit) = (Scorer::new(gpu)?, Refit::new(gpu)?);
        let model = Tensors::from_splats(gpu, &splats, 0)?;
        if cameras.is_empty() {
            return Err(Error::setting("cameras", "no camera", "give a file or a scene with at least one"));
        }
        let goals = Goals::render(&mut renderer, &model, cameras, progress)?;
        let first = scorer.score(&mut renderer, &model, &goals, progress)?;
        Ok(Self { config: config.clone(), splats, goals, first, renderer, scorer, refit })
    }

    /// The original.
    pub fn original(&self) -> &Splats {
        &self.splats
    }

    /// Views that results are compared in.
    pub fn views(&self) -> usize {
        self.goals.cameras.len()
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
            model = self.refit.fit(&mut self.renderer, &model, &self.goals, steps, progress)?;
        }
        Ok(model)
    }

    /// The `count` most important of `splats`, as they are.
    pub(crate) fn thinned(&mut self, splats: &Splats, count: usize) -> Result<Splats> {
        let scores = self.score(splats, &Silent::default())?;
        Ok(select(splats, &most_important(&scores, self.config.second_order, count)))
    }

    /// Mean PSNR of the views of `splats` against those of the original.
    ///
    /// # Errors
    /// The device fails, or a view is not finite.
    pub fn psnr(&mut self, splats: &Splats) -> Result<f64> {
        let model = Tensors::from_splats(self.renderer.gpu, splats, 0)?;
        self.goals.psnr(&mut self.renderer, &model)
    }

    fn score(&mut self, splats: &Splats, progress: &dyn Progress) -> Result<Vec<Score>> {
        let model = Tensors::from_splats(self.renderer.gpu, splats, 0)?;
        self.scorer.score(&mut self.renderer, &model, &self.goals, progress)
    }
}
