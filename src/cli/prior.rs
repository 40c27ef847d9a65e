//! `naka-gs prior`

use super::output::OutFile;
use super::progress::Reporter;
use super::setting_flags::{Prior as PriorTables, SettingFlags};
use naka_gs::{Result, capture, prior};
use std::path::PathBuf;

/// Read, or make, a scene's point prior
#[derive(clap::Args)]
pub struct Prior {
    /// Folder with photographs and poses
    scene: PathBuf,
    #[command(flatten)]
    out: OutFile,
    #[command(flatten)]
    settings: SettingFlags<PriorTables>,
}

impl Prior {
    pub fn run(self, reporter: &Reporter) -> Result<()> {
        let settings = self.settings.resolve(None)?;
        self.out.check()?;
        let options = capture::Options { holdout: settings.holdout, allow_outside: settings.allow_outside };
        let scene = capture::load(&self.scene, &options)?;
        let (points, _) = prior::make(&scene, &settings.prior, reporter)?;
        prior::write_ply(&self.out.path, &points)?;
        self.out.wrote(&settings)
    }
}
