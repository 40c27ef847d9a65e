//! `naka-gs calibrate`

use super::output::{self, OutFile};
use super::progress::Reporter;
use naka_gs::enhance::calibrate::{self, Report};
use naka_gs::{Error, Result, capture, storage};
use std::path::{Path, PathBuf};

/// A camera file from exposures of one camera, dark and lit, for `--camera FILE`
#[derive(clap::Args)]
pub struct Calibrate {
    /// A dark picture, a folder of them, or a scene
    dark: PathBuf,
    /// The lit picture of the same framing, or a folder; files of one name are pairs
    lit: PathBuf,
    #[command(flatten)]
    out: OutFile,
    /// Match quantiles only, even where names agree (for pictures that are no pairs)
    #[arg(long)]
    quantiles: bool,
}

impl Calibrate {
    pub fn run(self, reporter: &Reporter) -> Result<()> {
        if self.out.path.extension().is_none_or(|ending| ending != "toml") {
            let found = format!("'{}'", self.out.path.display());
            return Err(Error::setting("--out", found, "name a .toml file, such as camera.toml"));
        }
        self.out.check()?;
        let (dark, lit) = (photos(&self.dark)?, photos(&self.lit)?);
        let config = calibrate::Config { quantiles: self.quantiles };
        let found = calibrate::calibrate(&dark, &lit, config, reporter)?;
        found.report.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
        storage::write_bytes(&self.out.path, found.toml.as_bytes())?;
        show(&found.report)?;
        output::line(self.out.path.display().to_string())
    }
}

fn photos(path: &Path) -> Result<capture::Capture> {
    if capture::is_scene(path) { capture::load(path, &capture::Options::default()) } else { capture::photos(path) }
}

fn show(report: &Report) -> Result<()> {
    output::line(match (report.pairs, report.images) {
        (0, [dark, lit]) => format!("quantiles of {dark} dark and {lit} lit pictures"),
        (pairs, _) => format!("pairs: {pairs}, areas: {}", report.blocks),
    })?;
    output::line("        dark levels     lit levels      RMS: curve, with matrix")?;
    for (name, c) in ["red", "green", "blue"].iter().zip(report.channels) {
        let ([d0, d1], [l0, l1], [curve, matrix]) = (c.dark, c.lit, c.rms);
        output::line(format!("{name:6}  {d0:5.2} – {d1:6.2}  {l0:5.1} – {l1:5.1}   {curve:5.2}  {matrix:5.2}"))?;
    }
    Ok(())
}
