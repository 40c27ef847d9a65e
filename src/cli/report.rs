//! `naka-gs report`

use super::once::again;
use super::output;
use super::progress::Reporter;
use naka_gs::pipeline::record::Run;
use naka_gs::{Error, Progress, Result, page};
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

/// Writes the page of a run that has just finished. The run is complete without it, so a failure is only a warning, except for
/// a stop.
pub fn of_run(out: &Path, run: &Run, progress: &dyn Progress) -> Result<()> {
    let there = run.all_kept() && out.join(page::PAGE_FILE).exists();
    if there { Ok(()) } else { warn_of_failure(again(|| page::write_run(out, progress))) }
}

fn warn_of_failure(written: Result<PathBuf>) -> Result<()> {
    match written {
        Ok(_) => Ok(()),
        Err(stopped @ Error::Interrupted(_)) => Err(stopped),
        Err(error) => {
            tracing::warn!("no {}: {error}", page::PAGE_FILE);
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_that_was_stopped_is_an_interruption_and_one_that_failed_is_not() {
        assert!(warn_of_failure(Ok(PathBuf::from("report.html"))).is_ok());
        assert!(warn_of_failure(Err(Error::input("report.html", "is edited", "move it"))).is_ok());
        let stopped = warn_of_failure(Err(Error::Interrupted(String::new()))).unwrap_err();
        assert_eq!(stopped.exit_code(), 130);
    }
}
