//! `naka-gs batch`

use super::output::{self, OutFolder};
use super::progress::Reporter;
use super::report;
use super::setting_flags::{All, SettingFlags};
use naka_gs::batch::{self, Job, Row, Watch};
use naka_gs::pipeline::Outcome;
use naka_gs::{Progress, Result, Stop, page};
use std::path::{Path, PathBuf};

/// Every scene below a folder, as `run` does one; goes on after a failure
#[derive(clap::Args)]
#[command(after_help = "Examples:
  naka-gs batch my-scenes --list                        what would be run
  naka-gs batch my-scenes -o out --preset preview       every scene, quickly
  naka-gs batch my-scenes -o out                        go on after an interruption
All settings: naka-gs batch --help")]
pub struct Batch {
    /// Folder with scenes (and videos) in it, at any depth. A scene's own naka-gs.toml comes between --config and the flags
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Scenes at one time; the adapter must have memory for all of them
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    jobs: u32,
    /// Only print the names of the scenes that would be run
    #[arg(long)]
    list: bool,
    #[command(flatten)]
    out: OutFolder,
    #[command(flatten)]
    settings: SettingFlags<All>,
}

impl Batch {
    pub fn run(self, reporter: &Reporter) -> Result<()> {
        let out = self.out.or_named_after(&self.folder);
        if self.list {
            return batch::find(&self.folder, &out)?.iter().try_for_each(|scene| output::line(&scene.name));
        }
        let job = Job {
            out,
            folder: self.folder,
            layers: self.settings.layers(),
            overwrite: self.out.overwrite,
            jobs: self.jobs as usize,
        };
        let watch = Scenes { reporter, several: job.jobs > 1 };
        let rows = batch::run(&job, &watch)?;
        table(&rows)?;
        output::line(job.out.join(batch::summary::SUMMARY_FILE).display().to_string())?;
        match page::write_batch(&job.out) {
            Ok(page) => output::line(page.display().to_string())?,
            Err(error) => tracing::warn!("no {}: {error}", page::PAGE_FILE),
        }
        batch::verdict(&job.folder, &rows)?;
        // A stop in the report of the last scene leaves no scene that is not done.
        reporter.check()
    }
}

struct Scenes<'r> {
    reporter: &'r Reporter,
    several: bool,
}

impl Watch for Scenes<'_> {
    fn of_scene(&self, name: &str) -> Box<dyn Progress + '_> {
        Box::new(self.reporter.named(name, self.several))
    }

    fn finished(&self, out: &Path, outcome: &Outcome, progress: &dyn Progress) {
        if let Err(error) = report::of_run(out, &outcome.run, progress) {
            tracing::warn!("no {}: {error}", page::PAGE_FILE);
        }
    }

    fn stop(&self) -> &Stop {
        self.reporter.stop()
    }
}

/// The rows, on stdout.
fn table(rows: &[Row]) -> Result<()> {
    output::line(format!(
        "{:<24} {:<11} {:>9} {:>9} {:>7} {:>9} {:>9}",
        "scene", "status", "seconds", "PSNR", "SSIM", "holdout", "splats"
    ))?;
    for row in rows {
        let decibel = |value: Option<f64>| value.map_or("-".into(), |v| format!("{v:.2} dB"));
        let ssim = row.ssim.map_or("-".into(), |v| format!("{v:.4}"));
        let splats = row.splats.map_or("-".into(), |v| v.to_string());
        output::line(format!(
            "{:<24} {:<11} {:>9.1} {:>9} {ssim:>7} {:>9} {splats:>9}",
            row.scene,
            row.status.name(),
            row.seconds,
            decibel(row.psnr),
            decibel(row.holdout_psnr)
        ))?;
    }
    Ok(())
}
