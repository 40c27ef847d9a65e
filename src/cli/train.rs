//! `naka-gs train`

use super::outcome::show;
use super::output::{LogFlag, OutFolder, shared};
use super::progress::Reporter;
use super::setting_flags::{SettingFlags, Training};
use naka_gs::Result;
use naka_gs::pipeline::{Job, Scope, run};
use std::path::PathBuf;

/// Train on a scene's photographs as they are, and measure
#[derive(clap::Args)]
pub struct Train {
    /// Folder with photographs and poses
    scene: PathBuf,
    #[command(flatten)]
    out: OutFolder,
    #[command(flatten)]
    log: LogFlag,
    #[command(flatten)]
    settings: SettingFlags<Training>,
}

impl Train {
    pub fn run(self, reporter: &Reporter) -> Result<()> {
        let job = Job {
            out: self.out.or_named_after(&self.scene),
            settings: self.settings.resolve_for(&self.scene)?,
            scene: self.scene,
            overwrite: self.out.overwrite,
            scope: Scope::Training,
        };
        let log = self.log.create()?;
        show(&job.out, &run(&job, &shared(&log), reporter)?)
    }
}
