//! `naka-gs report`

use super::once::again;
use super::output;
use super::progress::Reporter;
use naka_gs::pipeline::record::Run;
use naka_gs::{Progress, Result, page};
use std::path::{Path, PathBuf};

/// Make report.html of runs and batches again
#[derive(clap::Args)]
pub struct Report {
    /// Output folders of runs and batches
    #[arg(required = true, value_name = "OUT")]
    outs: Vec<PathBuf>,
}

impl Report {
    pub fn run(self, reporter: &Reporter) -> Result<()> {
        self.outs.iter().try_for_each(|out| output::line(page::write_any(out, reporter)?.display().to_string()))
    }
}

/// Writes the page of a run that has just finished. The run is whole without it, so a failure is a warning.
pub fn of_run(out: &Path, run: &Run, progress: &dyn Progress) {
    let there = run.all_kept() && out.join(page::PAGE_FILE).exists();
    if there {
        return;
    }
    if let Err(error) = again(|| page::write_run(out, progress)) {
        tracing::warn!("no {}: {error}", page::PAGE_FILE);
    }
}
