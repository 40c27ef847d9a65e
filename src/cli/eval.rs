//! `naka-gs eval`

use super::output;
use super::progress::Reporter;
use naka_gs::Result;
use naka_gs::eval::{Metrics, compare_folders};
use std::path::PathBuf;

/// Compare rendered pictures with references of the same names
#[derive(clap::Args)]
pub struct Eval {
    /// Folder of rendered pictures
    renders: PathBuf,
    /// Folder of references; pairs by file name without ending, in any case
    references: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Eval {
    pub fn run(self, reporter: &Reporter) -> Result<()> {
        let metrics = compare_folders(&self.renders, &self.references, reporter)?;
        if self.json { output::json(&metrics) } else { table(&metrics) }
    }
}

/// The numbers of every view and their means, as a table.
pub fn table(metrics: &Metrics) -> Result<()> {
    output::line(format!("{:<24} {:>9} {:>8} {:>12}", "view", "PSNR", "SSIM", "PSNR affine"))?;
    let groups = [("mean", Some(&metrics.test)), ("mean of holdout", metrics.holdout.as_ref())];
    for (label, group) in groups.into_iter().filter_map(|(label, group)| Some((label, group?))) {
        for view in &group.views {
            output::line(row(&view.name, Some(view.psnr), view.ssim, Some(view.psnr_affine)))?;
        }
        if !group.views.is_empty() {
            output::line(row(label, group.psnr, group.ssim, group.psnr_affine))?;
        }
    }
    Ok(())
}

fn row(name: &str, psnr: Option<f64>, ssim: Option<f64>, affine: Option<f64>) -> String {
    let number = |value: Option<f64>, digits: usize| value.map_or("-".into(), |v| format!("{v:.digits$}"));
    format!("{name:<24} {:>6} dB {:>8} {:>9} dB", number(psnr, 2), number(ssim, 4), number(affine, 2))
}
