//! What the end of a run prints.

use super::eval::{mean, table};
use super::output;
use naka_gs::Result;
use naka_gs::pipeline::Outcome;
use std::path::Path;

/// The numbers of a run, and where its results are.
pub fn show(out: &Path, outcome: &Outcome) -> Result<()> {
    table(&outcome.metrics.metrics)?;
    if let Some(distilled) = &outcome.metrics.distilled {
        let groups = [("splats.ply alone", Some(&distilled.test)), ("of holdout", distilled.holdout.as_ref())];
        let measured = groups.into_iter().filter_map(|(label, group)| Some((label, group?)));
        measured.filter(|(_, group)| !group.views.is_empty()).try_for_each(|(label, group)| mean(label, group))?;
    }
    output::line(out.display().to_string())
}
