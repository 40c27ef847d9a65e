//! What the end of a run prints.

use super::eval::table;
use super::output;
use naka_gs::Result;
use naka_gs::pipeline::Outcome;
use std::path::Path;

/// The numbers of a run, and where its results are.
pub fn show(out: &Path, outcome: &Outcome) -> Result<()> {
    table(&outcome.metrics.metrics)?;
    output::line(out.display().to_string())
}
