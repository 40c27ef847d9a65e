//! `naka-gs ppm`

use super::output::OutFile;
use super::progress::Reporter;
use super::setting_flags::{Ppm as PpmTables, SettingFlags};
use naka_gs::pipeline::record::write_json;
use naka_gs::{Error, Result, ppm, prior};
use std::path::PathBuf;

/// Fewer, better points: voxel pooling and distance-adaptive pruning
#[derive(clap::Args)]
pub struct Ppm {
    /// PLY, or a COLMAP model
    points: PathBuf,
    /// Write statistics of every iteration as JSON
    #[arg(long, value_name = "FILE.json")]
    stats: Option<PathBuf>,
    #[command(flatten)]
    out: OutFile,
    #[command(flatten)]
    settings: SettingFlags<PpmTables>,
}

impl Ppm {
    pub fn run(self, _reporter: &Reporter) -> Result<()> {
        let settings = self.settings.resolve(None)?;
        self.out.check()?;
        if let Some(stats) = self.stats.as_ref().filter(|path| path.exists() && !self.out.overwrite) {
            return Err(Error::Exists(stats.clone()));
        }
        let points = prior::read(&self.points)?;
        let (points, report) = ppm::run(points, &settings.ppm, &glam::DMat4::IDENTITY)?;
        prior::write_ply(&self.out.path, &points)?;
        if let Some(stats) = &self.stats {
            write_json(stats, &report)?;
        }
        self.out.wrote(&settings)
    }
}
