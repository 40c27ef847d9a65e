//! `naka-gs run`

use super::eval::table;
use super::output::{self, OutFolder};
use super::progress::Reporter;
use super::setting_flags::{All, SettingFlags};
use naka_gs::pipeline::{Job, Outcome, Scope, run};
use naka_gs::{Progress, Result};
use std::path::{Path, PathBuf};

/// Dark photographs to splats, renders and numbers: every stage, resumable
#[derive(clap::Args)]
pub struct Run {
    /// Folder with photographs and poses, or with photographs alone
    scene: PathBuf,
    #[command(flatten)]
    out: OutFolder,
    #[command(flatten)]
    settings: SettingFlags<All>,
}

impl Run {
    pub fn run(self, reporter: &Reporter) -> Result<()> {
        let job = Job {
            out: self.out.or_named_after(&self.scene),
            scene: self.scene,
            settings: self.settings.resolve(None)?,
            overwrite: self.out.overwrite,
            scope: Scope::Everything,
        };
        show(&job.out, &run(&job, reporter as &dyn Progress)?)
    }
}

/// The numbers of a run, and where its results are.
pub fn show(out: &Path, outcome: &Outcome) -> Result<()> {
    table(&outcome.metrics.metrics)?;
    output::line(out.display().to_string())
}
