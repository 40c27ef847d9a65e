//! Aligns a prior with the frame of a capture by the cameras that both have (NAKA-GS §3.2): [`align`].

mod names;
#[cfg(test)]
mod tests;

use crate::capture::{
    Basis, NamedPoses, Pair, Robust, Similarity, Undetermined, View, angle, extent, residual, robust,
};
use crate::error::{Error, Result};
use glam::DQuat;
use names::{Match, Rule};
use serde::{Deserialize, Serialize};

/// How the frames of a prior and of the capture may differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// By a rotation, a translation and a scale.
    #[default]
    Sim3,
    /// By a rotation and a translation.
    Rigid,
    /// Not at all.
    None,
}

/// What [`align`] found, for the record of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The file of the prior's cameras.
    pub cameras: String,
    /// `sim3`, `rigid` or `none` as asked for; `identity` where the frames agreed already.
    pub method: String,
    /// What the rotation follows from: `centers`, or where these leave it open `line` (orientations decide about the
    /// line that the cameras stand on) or `orientations`.
    pub basis: String,
    /// Cameras of the prior.
    pub prior_cameras: usize,
    /// Cameras that are views of the capture, by file name, stem, and number.
    pub matched: [usize; 3],
    /// Views whose camera in the prior does not fit the others.
    pub left_out: Vec<String>,
    /// Views that the prior does not have.
    pub unmatched: Vec<String>,
    /// Root of the mean square distance between camera centers, without those left out, in units of the capture.
    pub rmse: f64,
    /// `rmse` over the median distance of the cameras from their median.
    pub relative_rmse: f64,
    /// Units of the capture a unit of the prior.
    pub scale: f64,
    /// The transform from the prior's frame to the capture's, 4 × 4, row by row.
    pub transform: [[f64; 4]; 4],
}

/// The relation of a prior's cameras to those of a capture.
#[derive(Clone, Debug)]
pub struct Alignment {
    /// From the prior's frame to the capture's.
    pub similarity: Similarity,
    /// For every view the pose that the prior gives it, in the prior's frame; `None` where the prior lacks the view or
    /// its camera was left out.
    pub viewmats: Vec<Option<glam::DMat4>>,
    pub report: Report,
}

/// A residual above this part of the extent is suspicious.
const LARGE_RMSE: f64 = 0.1;
/// Above this part of the extent the alignment is refused: the cameras are not arranged alike.
const MAX_RELATIVE_RMSE: f64 = 0.5;
/// Frames agree already where most cameras differ by less: a part of the extent, and an angle (radians).
const AGREE: (f64, f64) = (1e-4, 2e-3);
/// What rounding of files to single precision may add: a part of the distance from the origin, at most one of the extent.
const ROUNDING: (f64, f64) = (1e-7, 1e-2);
const REMEDY: &str =
    "give a prior made from these photographs, or a points file that already is in the capture's frame";

/// Matches the cameras of a prior with `views` by name ([`names`]) and finds the transform between their frames.
///
/// # Errors
/// [`Error::Input`] naming the prior's cameras: too few matches, centers that coincide or lie on a line without
/// orientations that decide, cameras that are not arranged like the capture's.
pub fn align(prior: &NamedPoses, views: &[&View], method: Method, seed: u64) -> Result<Alignment> {
    let matches = names::matches(
        &prior.poses.iter().map(|pose| pose.image.as_str()).collect::<Vec<_>>(),
        &views.iter().map(|view| view.name.as_str()).collect::<Vec<_>>(),
    );
    let pair = |m: &Match| Pair::of(prior.poses[m.prior].viewmat, views[m.view].camera.viewmat);
    let pairs: Vec<Pair> = matches.iter().map(pair).collect();
    let problem = Problem { prior, views, matches, pairs };
    let (found, method, basis) = problem.solve(method, seed)?;
    let alignment = problem.describe(&found, method, basis);
    tell(&alignment.report, basis);
    Ok(alignment)
}

struct Problem<'a> {
    prior: &'a NamedPoses,
    views: &'a [&'a View],
    matches: Vec<Match>,
    pairs: Vec<Pair>,
}

impl Problem<'_> {
    /// The fit, the method that found it, and its support.
    fn solve(&self, method: Method, seed: u64) -> Result<(Robust, &'static str, Basis)> {
        let identity = |kept| Robust { similarity: Similarity::IDENTITY, kept };
        if let Some(kept) = self.agreeing() {
            return Ok((identity(kept), "identity", Basis::Centers));
        }
        let (rigid, name) = match method {
            Method::None => return Ok((identity(vec![true; self.pairs.len()]), "none", Basis::Centers)),
            Method::Rigid => (true, "rigid"),
            Method::Sim3 => (false, "sim3"),
        };
        if self.pairs.len() < 2 {
            let example = |names: Vec<&str>| names.into_iter().take(3).collect::<Vec<_>>().join(", ");
            let found = format!(
                "{} of its {} cameras are views of the capture (its names: {}; the capture's: {}), 3 are needed",
                self.pairs.len(),
                self.prior.poses.len(),
                example(self.prior.poses.iter().map(|pose| pose.image.as_str()).collect()),
                example(self.views.iter().map(|view| view.name.as_str()).collect()),
            );
            return Err(self.refuse(&found));
        }
        let (found, basis) = robust(&self.pairs, rigid, seed).map_err(|reason| self.refuse(self.explain(reason)))?;
        let relative = self.rmse(&found) / extent(&self.pairs);
        if basis != Basis::Orientations && (relative.is_nan() || relative > MAX_RELATIVE_RMSE) {
            let found = format!(
                "its cameras are not arranged like those of the capture (RMSE {:.0} % of their extent){}",
                100.0 * relative,
                if rigid { "; `prior.align = sim3` lets their scale differ" } else { "" }
            );
            return Err(self.refuse(&found));
        }
        Ok((found, name, basis))
    }

    /// Which cameras are where the capture has them, if most are.
    fn agreeing(&self) -> Option<Vec<bool>> {
        let extent = extent(&self.pairs);
        let tolerance = AGREE.0 * extent;
        let agrees = |pair: &Pair| {
            let rounding = (ROUNDING.0 * pair.to.length()).min(ROUNDING.1 * extent);
            let turn = pair.turn.map_or(0.0, |turn| angle(turn, DQuat::IDENTITY));
            pair.from.distance(pair.to) <= tolerance + rounding && turn <= AGREE.1
        };
        let kept: Vec<bool> = self.pairs.iter().map(agrees).collect();
        let count = kept.iter().filter(|kept| **kept).count();
        (count >= 2 && 2 * count > kept.len()).then_some(kept)
    }

    fn explain(&self, reason: Undetermined) -> &'static str {
        match reason {
            Undetermined::Coincident => {
                "all its cameras, or all of the capture's, stand at one point: their distances tell no scale \
                 (`prior.align = rigid` needs none)"
            }
            Undetermined::Line if self.pairs.len() == 2 => {
                "only 2 of its cameras are views of the capture, and their orientations contradict each other; 3 are \
                 needed"
            }
            Undetermined::Line => {
                "the cameras stand on one line, so that the rotation about it is open, and their orientations \
                 contradict each other"
            }
        }
    }

    fn refuse(&self, found: impl AsRef<str>) -> Error {
        Error::input(&self.prior.path, format!("cannot be aligned: {}", found.as_ref()), REMEDY)
    }

    fn rmse(&self, found: &Robust) -> f64 {
        let squares = self.pairs.iter().zip(&found.kept).filter(|(_, kept)| **kept);
        let squares: Vec<f64> = squares.map(|(pair, _)| residual(&found.similarity, pair).powi(2)).collect();
        (squares.iter().sum::<f64>() / squares.len().max(1) as f64).sqrt()
    }

    fn describe(&self, found: &Robust, method: &str, basis: Basis) -> Alignment {
        let mut viewmats = vec![None; self.views.len()];
        let mut left_out = Vec::new();
        for (m, kept) in self.matches.iter().zip(&found.kept) {
            match kept {
                true => viewmats[m.view] = Some(self.prior.poses[m.prior].viewmat),
                false => left_out.push(self.views[m.view].name.clone()),
            }
        }
        let matched = |view: usize| self.matches.iter().any(|m| m.view == view);
        let unmatched = self.views.iter().enumerate().filter(|(index, _)| !matched(*index));
        let count = |rule: Rule| self.matches.iter().filter(|m| m.rule == rule).count();
        let rmse = self.rmse(found);
        let extent = extent(&self.pairs);
        let report = Report {
            cameras: self.prior.path.display().to_string(),
            method: method.into(),
            basis: basis.name().into(),
            prior_cameras: self.prior.poses.len(),
            matched: [Rule::Name, Rule::Stem, Rule::Number].map(count),
            left_out,
            unmatched: unmatched.map(|(_, view)| view.name.clone()).collect(),
            rmse,
            relative_rmse: if extent > 0.0 { rmse / extent } else { 0.0 },
            scale: found.similarity.scale,
            transform: found.similarity.matrix().transpose().to_cols_array_2d(),
        };
        Alignment { similarity: found.similarity, viewmats, report }
    }
}

/// Warns of what may be wrong.
fn tell(report: &Report, basis: Basis) {
    let Report { cameras, rmse, relative_rmse, .. } = report;
    match basis {
        Basis::Centers => (),
        Basis::Line => tracing::warn!(
            "{cameras}: the cameras that it shares with the capture stand on one line; the rotation about that line is \
             taken from their orientations"
        ),
        Basis::Orientations => {
            tracing::warn!("{cameras}: all cameras stand at one point; the rotation is that of their orientations");
        }
    }
    if !report.left_out.is_empty() {
        let names = report.left_out.join(", ");
        tracing::warn!("{cameras}: cameras left out, because they do not fit the others: {names}");
    }
    if *relative_rmse > LARGE_RMSE {
        let percent = 100.0 * relative_rmse;
        tracing::warn!("{cameras}: the cameras fit badly, RMSE {rmse:.3} ({percent:.1} % of their extent)");
    }
}
