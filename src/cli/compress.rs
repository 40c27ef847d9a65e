//! `naka-gs compress`

use super::output::{self, OutFile};
use super::progress::Reporter;
use super::setting_flags::{AdapterOnly, SettingFlags};
use naka_gs::capture::{Camera, Capture, SceneFrame};
use naka_gs::compress::{Budget, Compressor, Config, Outcome, Trial, around, to_budget};
use naka_gs::gpu::{Gpu, Mask};
use naka_gs::pipeline::output::names;
use naka_gs::pipeline::record::{RUN_FILE, Run};
use naka_gs::pipeline::{Job, Scope, lit_capture_of, training_cameras};
use naka_gs::progress::Silent;
use naka_gs::splat::{self, Found, write};
use naka_gs::{Error, Result};
use std::path::{Path, PathBuf};

/// Fewer splats for the same pictures: a number of them, a size of the file, or a PSNR
#[derive(clap::Args)]
#[command(after_help = "Examples:
  naka-gs compress out/demo -o small.ply --splats 20000   cameras are those of the run
  naka-gs compress splats.ply -o small.spz --size 1       at most 1,000,000 bytes
  naka-gs compress splats.ply --cameras transforms_train.json -o small.sog --psnr 35
How splats are chosen, and what it costs: docs/compress.md")]
pub struct Compress {
    /// The output folder of a run, or splats in any format that is read: PLY, SuperSplat's compressed PLY, SPZ, SOG, GLB, .splat
    splats: PathBuf,
    #[command(flatten)]
    budget: BudgetFlags,
    /// Cameras whose pictures are to stay as they are: a transforms file with `w` and `h`, a scene folder, or
    /// the output folder of a run
    /// [default: the training cameras of the run, else cameras around and within the splats]
    #[arg(long, value_name = "PATH")]
    cameras: Option<PathBuf>,
    /// Steps of the fit, one view each (0: splats are only removed)
    #[arg(long, value_name = "N", default_value_t = Config::default().steps)]
    steps: u32,
    /// Rounds in which splats are removed, each scored against what is to be kept
    #[arg(long, value_name = "N", default_value_t = Config::default().rounds, hide_short_help = true)]
    rounds: u32,
    /// Weight of the Fisher information of position and size, beside the change of the pictures
    #[arg(long, value_name = "W", default_value_t = Config::default().second_order, hide_short_help = true)]
    second_order: f32,
    /// The splats were trained with `antialiased`, though the file does not say so
    #[arg(long)]
    antialiased: bool,
    #[command(flatten)]
    out: OutFile,
    #[command(flatten)]
    settings: SettingFlags<AdapterOnly>,
}

/// What the result may cost.
#[derive(clap::Args)]
#[group(required = true, multiple = false)]
struct BudgetFlags {
    /// Keep exactly so many splats
    #[arg(long = "splats", value_name = "N")]
    count: Option<usize>,
    /// At most so many MB (1,000,000 bytes) in the format that the ending of -o names
    #[arg(long, value_name = "MB", allow_negative_numbers = true)]
    size: Option<f64>,
    /// As few splats as have this mean PSNR against the original's pictures
    #[arg(long, value_name = "DB", allow_negative_numbers = true)]
    psnr: Option<f64>,
}

impl BudgetFlags {
    fn budget(&self) -> Result<Budget> {
        match *self {
            Self { count: Some(0), .. } => Err(Error::setting("--splats", "0", "keep at least 1")),
            Self { count: Some(count), .. } => Ok(Budget::Splats(count)),
            Self { size: Some(mb), .. } if mb > 0.0 && mb.is_finite() => Ok(Budget::Bytes((mb * 1e6).round() as u64)),
            Self { size: Some(mb), .. } => Err(Error::setting("--size", mb.to_string(), "give a number of MB above 0")),
            Self { psnr: Some(target), .. } if target > 0.0 && target.is_finite() => Ok(Budget::Psnr(target)),
            Self { psnr, .. } => {
                let found = psnr.map_or_else(String::new, |target| target.to_string());
                Err(Error::setting("--psnr", found, "give a number of dB above 0"))
            }
        }
    }
}

/// What is compressed, and where it is looked at from.
struct Input {
    found: Found,
    frame: SceneFrame,
    cameras: Vec<Camera>,
}

impl Compress {
    pub fn run(self, reporter: &Reporter) -> Result<()> {
        let budget = self.budget.budget()?;
        if !self.second_order.is_finite() {
            return Err(Error::setting("--second-order", self.second_order.to_string(), "give a number"));
        }
        write::Format::of_ending(&self.out.path)?;
        self.out.check()?;
        let settings = self.settings.resolve(None)?;
        let Input { found, frame, cameras } = self.input()?;
        let antialiased = self.antialiased || found.antialiased;
        let gpu = Gpu::open(&settings.adapter_choice(), Mask::of_process())?;
        let config = Config { steps: self.steps, rounds: self.rounds, second_order: self.second_order };
        let mut compressor = Compressor::new(&gpu, found.splats, antialiased, &cameras, &config, reporter)?;
        let all = compressor.original().len();
        if compressor.unseen() > 0 {
            tracing::info!("{} of {all} splats are seen in none of the views; they go first", compressor.unseen());
        }
        let trial = Trial { path: &self.out.path, frame, antialiased };
        let Outcome { splats, whole, psnr } = to_budget(&mut compressor, budget, &trial, reporter)?;
        if whole {
            tracing::warn!("the budget is for all {all} splats: {} is a copy", self.out.path.display());
        }
        write::write(&self.out.path, &write::Export { splats: &splats, frame, antialiased })?;
        let bytes = std::fs::metadata(&self.out.path).map_err(Error::io(&self.out.path))?.len();
        let (count, views) = (splats.len(), compressor.views());
        tracing::info!(
            "{count} of {all} splats, {:.3} MB: {psnr:.2} dB against the original in {views} views",
            bytes as f64 / 1e6
        );
        output::line(self.out.path.display().to_string())
    }

    fn input(&self) -> Result<Input> {
        let (file, run) = self.of_run()?;
        output::not_in_place(&file, &self.out.path)?;
        let frame = run.as_ref().and_then(|(_, run)| run.frame);
        let (found, frame) = match frame {
            Some(frame) => (splat::read_file_in(&file, &frame)?, frame),
            None => splat::read_framed(&file)?,
        };
        let cameras = match (&self.cameras, run) {
            (Some(path), _) => training_cameras(path)?.iter().map(|camera| frame.camera(camera)).collect(),
            (None, Some((out, run))) => match of_run(&out, run) {
                Ok(capture) => capture.train.into_iter().map(|view| view.camera).collect(),
                Err(error) => {
                    tracing::warn!("the cameras of the run cannot be read ({error})");
                    self.made(&found)
                }
            },
            (None, None) => self.made(&found),
        };
        Ok(Input { found, frame, cameras })
    }

    /// The file of splats, and the folder and record of the run that made it.
    fn of_run(&self) -> Result<(PathBuf, Option<(PathBuf, Run)>)> {
        if self.splats.is_dir() {
            let run = Run::read(&self.splats)?.ok_or_else(|| {
                let found = format!("is a folder without {RUN_FILE}");
                Error::input(&self.splats, found, "give a file of splats, or the output folder of `naka-gs run`")
            })?;
            return Ok((self.splats.join(names::SPLATS), Some((self.splats.clone(), run))));
        }
        let folder = self.splats.parent().map(Path::to_path_buf).unwrap_or_default();
        let is_result = self.splats.file_name().is_some_and(|name| name == names::SPLATS);
        let run = if is_result { Run::read(&folder)? } else { None };
        Ok((self.splats.clone(), run.map(|run| (folder, run))))
    }

    fn made(&self, found: &Found) -> Vec<Camera> {
        let cameras = around(&found.splats.means);
        tracing::warn!(
            "{}: comes without cameras; {} are made around and within the splats. --cameras gives those that matter",
            self.splats.display(),
            cameras.len()
        );
        cameras
    }
}

/// The capture of a run as it was trained on.
fn of_run(out: &Path, run: Run) -> Result<Capture> {
    let settings = run.settings(out)?;
    let (scene, out) = (run.scene, out.to_path_buf());
    lit_capture_of(&Job { scene, out, settings, overwrite: false, scope: Scope::Everything }, &Silent::default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn budgets_of_nothing_are_refused_by_their_flag() {
        let flags = |count, size, psnr| BudgetFlags { count, size, psnr }.budget();
        for (wrong, flag) in [
            (flags(Some(0), None, None), "--splats: 0"),
            (flags(None, Some(0.0), None), "--size: 0"),
            (flags(None, Some(f64::NAN), None), "--size: NaN"),
            (flags(None, None, Some(-3.0)), "--psnr: -3"),
            (flags(None, None, Some(f64::INFINITY)), "--psnr: inf"),
        ] {
            let message = wrong.unwrap_err().to_string();
            assert!(message.starts_with(flag), "{message}");
        }
        assert_eq!(flags(None, Some(1.5), None).unwrap(), Budget::Bytes(1_500_000));
        assert_eq!(flags(Some(7), None, None).unwrap(), Budget::Splats(7));
    }
}
