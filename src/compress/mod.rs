//! Compression of splats to a budget: fewer of them, fitted to the renders of all.
//!
//! [`Compressor`] renders the original from the given cameras, scores every splat by what its removal would change ([`score`])
//! and every pair of neighbors by what both removals change beyond that ([`overlap`]), chooses which to remove ([`quadratic`])
//! and which to merge ([`merge`]) in a few rounds, and fits the survivors to the original's renders ([`refit`]). Later rounds
//! score against the original, too: of splats that substitute for each other, the last one inherits the importance of those
//! removed before. [`to_budget`] finds the number of splats for a number of bytes or a PSNR.

mod budget;
mod cameras;
mod distill;
#[cfg(test)]
mod distill_tests;
mod merge;
mod moments;
mod overlap;
#[cfg(test)]
mod overlap_tests;
mod precision;
mod quadratic;
mod refit;
mod score;
#[cfg(test)]
mod score_tests;
#[cfg(test)]
mod tests;
mod trial;
mod views;

pub use budget::{Budget, Outcome, to_budget};
pub use cameras::{around, between};
pub use distill::{Cameras, Distillation, Distilled, distill};
pub use trial::Trial;

use crate::capture::{Camera, View};
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::progress::{Progress, Silent};
use crate::splat::{Splats, Tensors, select, with_bands};
use merge::Merger;
use overlap::Pairs;
use quadratic::{Choice, Costs};
use refit::{Aim, Refit};
use score::{Score, Scorer, importance, most_important};
use views::{Goals, LIMITS, ViewRenderer, within};

/// How splats are chosen and fitted.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Steps of the fit, one view each (0: none).
    pub steps: u32,
    /// Rounds in which splats are removed, by the same factor each.
    pub rounds: u32,
    /// Weight of the Fisher information of position and size, relative to the change of the pictures.
    pub second_order: f32,
}

impl Default for Config {
    fn default() -> Self {
        Self { steps: 300, rounds: 4, second_order: 0.0 }
    }
}

impl Config {
    /// For an original of so many splats. The time of a step grows with their number, so that many splats get fewer steps and
    /// rounds: a million is to be done within two minutes on two cores.
    pub fn for_splats(count: usize) -> Self {
        let usual = Self::default();
        let count = count.max(1);
        Self {
            steps: (STEPS_TIMES_SPLATS / count).clamp(100, usual.steps as usize) as u32,
            rounds: (ROUNDS_TIMES_SPLATS / count).clamp(2, usual.rounds as usize) as u32,
            ..usual
        }
    }
}

/// What steps times splats, and rounds times splats, are at most.
const STEPS_TIMES_SPLATS: usize = 120_000_000;
const ROUNDS_TIMES_SPLATS: usize = 2_000_000;

/// What compressed splats are to look like.
#[derive(Clone, Copy, Debug)]
pub enum Likeness<'a> {
    /// The original, from these cameras.
    Original(&'a [Camera]),
    /// The photographs of these views. One of [`WITHHELD_EVERY`] is kept from scores and fits; these views decide which
    /// step of a fit is kept, and what PSNR is measured in.
    Photographs(&'a [View]),
}

impl Likeness<'_> {
    fn cameras(&self) -> usize {
        match self {
            Self::Original(cameras) => cameras.len(),
            Self::Photographs(views) => views.len(),
        }
    }
}

/// As of training with `--holdout`.
pub const WITHHELD_EVERY: usize = 8;
/// Fewer photographs are all fitted to.
const FEWEST_TO_WITHHOLD: usize = WITHHELD_EVERY / 2 + 1;

/// Splats are merged where at most this part of the original is to be left: above that, a fit compensates removals better than
/// blur.
const MERGED_BELOW: f64 = 0.3;

/// What progress calls a fit.
const FIT: &str = "compress: fit";

/// Part of the steps that the rounds before the last share.
const STEPS_BETWEEN: f32 = 0.2;

/// An original and its views, which a search may compress any number of times.
pub struct Compressor<'g> {
    config: Config,
    splats: Splats,
    goals: Goals,
    withheld: Option<Goals>,
    first: (Vec<Score>, Pairs),
    renderer: ViewRenderer<'g>,
    scorer: Scorer,
    refit: Refit,
}

impl<'g> Compressor<'g> {
    /// Renders `splats`, and scores them by their contribution to the `likeness`.
    ///
    /// # Errors
    /// No camera, a photograph that cannot be read, splats that are not finite, the device fails, or a stop is asked for.
    pub fn new(
        gpu: &'g Gpu,
        splats: Splats,
        antialiased: bool,
        likeness: Likeness<'_>,
        config: &Config,
        progress: &dyn Progress,
    ) -> Result<Self> {
        splats.check_finite("the model")?;
        let mut renderer = ViewRenderer::new(gpu, antialiased)?;
        let (scorer, refit) = (Scorer::new(gpu, config.second_order)?, Refit::new(gpu)?);
        let model = Tensors::from_splats(gpu, &splats, 0)?;
        if likeness.cameras() == 0 {
            return Err(Error::setting("cameras", "no camera", "give a file or a scene with at least one"));
        }
        let pairs = Pairs::of(&splats);
        let (goals, withheld, first) = match likeness {
            Likeness::Original(cameras) => {
                let cameras: Vec<Camera> = within(&LIMITS, cameras).into_iter().map(|(_, camera)| camera).collect();
                let mut sums = scorer.begin(gpu, &model, &cameras, pairs)?;
                let scored = |renderer: &ViewRenderer<'_>, camera: &Camera, goal: &_| sums.add(renderer, camera, goal);
                let goals = Goals::render_and(&mut renderer, &model, cameras, scored, progress)?;
                (goals, None, sums.finish(gpu)?)
            }
            Likeness::Photographs(views) => {
                let (fitted, withheld) = split(views);
                let mut of = |views: &[View]| Goals::photographs(&mut renderer, &model, views, progress);
                let withheld = if withheld.is_empty() { None } else { Some(of(&withheld)?) };
                let goals = of(&fitted)?;
                let first = scorer.score(&mut renderer, &model, &goals, pairs, progress)?;
                (goals, withheld, first)
            }
        };
        Ok(Self { config: config.clone(), splats, goals, withheld, first, renderer, scorer, refit })
    }

    /// The original.
    pub fn original(&self) -> &Splats {
        &self.splats
    }

    /// Views that results are compared in.
    pub fn views(&self) -> usize {
        self.measured().cameras.len()
    }

    /// Whether views are measured that no fit sees.
    pub fn withholds(&self) -> bool {
        self.withheld.is_some()
    }

    fn measured(&self) -> &Goals {
        self.withheld.as_ref().unwrap_or(&self.goals)
    }

    /// Splats of the original that no view shows.
    pub fn unseen(&self) -> usize {
        self.first.0.iter().filter(|score| score.weight == 0.0).count()
    }

    /// The original's `count` most important splats by their first score, as they are.
    pub fn ranked(&self, count: usize, sh_degree: u32) -> Splats {
        let kept = most_important(&self.first.0, self.config.second_order, count);
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
            model = self.thin(&model, scores, left.max(count), count);
            if round == rounds {
                model = with_bands(&model, sh_degree);
            }
            let steps = if round == rounds { steps - between * (rounds - 1) } else { between };
            // Between the rounds a fit only closes holes.
            let withheld = self.withheld.as_ref().filter(|_| round == rounds);
            let aim = Aim { goals: &self.goals, withheld, steps, rates: 1.0, name: FIT };
            model = self.refit.fit(&mut self.renderer, &model, aim, progress)?;
        }
        Ok(model)
    }

    /// Levels of detail: the original, and `levels` − 1 times half of the level before, each fitted in `steps` steps.
    ///
    /// # Errors
    /// The device fails, or a stop is asked for.
    pub fn to_levels(&mut self, levels: usize, steps: u32, progress: &dyn Progress) -> Result<Vec<Splats>> {
        let mut all = vec![self.splats.clone()];
        while let Some(last) = all.last()
            && all.len() < levels
            && last.len() > 1
        {
            let scores = self.score(last, progress)?;
            let half = self.thin(last, scores, last.len() / 2, last.len() / 2);
            let aim = Aim { goals: &self.goals, withheld: self.withheld.as_ref(), steps, rates: 1.0, name: FIT };
            all.push(self.refit.fit(&mut self.renderer, &half, aim, progress)?);
        }
        Ok(all)
    }

    /// The `count` most important of `splats`, unchanged.
    pub(crate) fn thinned(&mut self, splats: &Splats, count: usize) -> Result<Splats> {
        let scores = self.score(splats, &Silent::default())?;
        Ok(self.thin(splats, scores, count, count))
    }

    /// `count` of `splats`, some of which may have absorbed others, on the way to `goal`.
    fn thin(&self, splats: &Splats, (scores, pairs): (Vec<Score>, Pairs), count: usize, goal: usize) -> Splats {
        let merges = if goal as f64 <= MERGED_BELOW * self.splats.len() as f64 {
            let merger = Merger::new(splats, &scores, &self.goals.cameras, self.renderer.antialiased);
            merger.merges(&pairs.neighbors)
        } else {
            Vec::new()
        };
        let single = scores.iter().map(|score| f64::from(importance(score, self.config.second_order)));
        let Choice { kept, merged } = Costs::new(single.collect(), pairs.changes(), merges).choose(count);
        tracing::debug!("{count} of {} splats: {} go into others", splats.len(), merged.len());
        let kept: Vec<usize> = (0..splats.len()).filter(|i| kept[*i]).collect();
        let mut splats = splats.clone();
        merge::merge(&mut splats, &merged);
        select(&splats, &kept)
    }

    /// Mean PSNR of `splats` in the views that are measured: all, or of photographs those that no fit sees.
    ///
    /// # Errors
    /// The device fails, or a view is not finite.
    pub fn psnr(&mut self, splats: &Splats) -> Result<f64> {
        self.psnr_of(splats, usize::MAX)
    }

    /// As [`Compressor::psnr`], of at most `most` of the views.
    fn psnr_of(&mut self, splats: &Splats, most: usize) -> Result<f64> {
        let model = Tensors::from_splats(self.renderer.gpu, splats, 0)?;
        self.withheld.as_ref().unwrap_or(&self.goals).psnr(&mut self.renderer, &model, most)
    }

    fn score(&mut self, splats: &Splats, progress: &dyn Progress) -> Result<(Vec<Score>, Pairs)> {
        let model = Tensors::from_splats(self.renderer.gpu, splats, 0)?;
        self.scorer.score(&mut self.renderer, &model, &self.goals, Pairs::of(splats), progress)
    }
}

/// The views that are fitted to, and those that are not.
fn split(views: &[View]) -> (Vec<View>, Vec<View>) {
    if views.len() < FEWEST_TO_WITHHOLD {
        return (views.to_vec(), Vec::new());
    }
    let withheld = |at: usize| at % WITHHELD_EVERY == WITHHELD_EVERY / 2;
    let part = |kept: bool| -> Vec<View> {
        views.iter().enumerate().filter(|(at, _)| withheld(*at) == kept).map(|(_, view)| view.clone()).collect()
    };
    (part(false), part(true))
}
