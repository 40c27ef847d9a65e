//! `naka-gs eval`

use super::output;
use super::progress::Reporter;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use naka_gs::Result;
use naka_gs::capture::MaskUse;
use naka_gs::eval::{Config, Group, Lpips, Metrics, compare_folders};
use std::path::PathBuf;

/// Compare rendered pictures with references of the same names
#[derive(clap::Args)]
pub struct Eval {
    /// Folder of rendered pictures
    renders: PathBuf,
    /// Folder of references; pairs by file name without ending, in any case
    references: PathBuf,
    /// Masks in or beside the folder of references, and alpha channels: `use` (what is black in a mask is not compared),
    /// `invert` (what is bright is not) or `ignore`
    #[arg(long, value_name = "WORD", default_value = "use", hide_possible_values = true, value_parser = mask_use())]
    masks: MaskUse,
    /// Measure LPIPS with these weights, too: a safetensors file, or AlexNet's and LPIPS' original files separated by a
    /// comma
    #[arg(long, value_name = "FILES", default_value_t = Config::default().lpips)]
    lpips: String,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Eval {
    pub fn run(self, reporter: &Reporter) -> Result<()> {
        let lpips = Lpips::open(&Config { lpips: self.lpips })?;
        let metrics = compare_folders(&self.renders, &self.references, self.masks, lpips.as_ref(), reporter)?;
        if self.json { output::json(&metrics) } else { table(&metrics) }
    }
}

fn mask_use() -> impl TypedValueParser<Value = MaskUse> {
    PossibleValuesParser::new(["use", "invert", "ignore"])
        .try_map(|word| serde_json::from_value::<MaskUse>(word.into()))
}

/// The numbers of every view and their means, as a table.
pub fn table(metrics: &Metrics) -> Result<()> {
    let lpips = if metrics.test.lpips.is_some() { "    LPIPS" } else { "" };
    output::line(format!("{:<24} {:>9} {:>8} {:>12}{lpips}", "view", "PSNR", "SSIM", "PSNR affine"))?;
    let groups = [("mean", Some(&metrics.test)), ("mean of holdout", metrics.holdout.as_ref())];
    for (label, group) in groups.into_iter().filter_map(|(label, group)| Some((label, group?))) {
        for view in &group.views {
            output::line(row(&view.name, [Some(view.psnr), view.ssim, Some(view.psnr_affine), view.lpips]))?;
        }
        if !group.views.is_empty() {
            mean(label, group)?;
        }
    }
    Ok(())
}

/// The means of a group as a row of [`table`].
pub fn mean(label: &str, group: &Group) -> Result<()> {
    output::line(row(label, [group.psnr, group.ssim, group.psnr_affine, group.lpips]))
}

fn row(name: &str, [psnr, ssim, affine, lpips]: [Option<f64>; 4]) -> String {
    let number = |value: Option<f64>, digits: usize| value.map_or("-".into(), |v| format!("{v:.digits$}"));
    let lpips = lpips.map_or_else(String::new, |v| format!(" {v:>8.4}"));
    format!("{name:<24} {:>6} dB {:>8} {:>9} dB{lpips}", number(psnr, 2), number(ssim, 4), number(affine, 2))
}
