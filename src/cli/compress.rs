//! `naka-gs compress`

use super::output::{self, OutFile};
use super::progress::Reporter;
use super::setting_flags::{AdapterOnly, SettingFlags};
use naka_gs::capture::{Camera, Capture, SceneFrame, View};
use naka_gs::compress::{Budget, Compressor, Config, Likeness, Outcome, Trial, around, to_budget};
use naka_gs::gpu::{Gpu, Mask};
use naka_gs::pipeline::output::names;
use naka_gs::pipeline::record::{RUN_FILE, Run};
use naka_gs::pipeline::{Job, Scope, lit_capture_of, training_cameras};
use naka_gs::progress::Silent;
use naka_gs::splat::write::LOD_META;
use naka_gs::splat::{self, Found, write};
use naka_gs::{Error, Result};
use std::path::{Path, PathBuf};

/// Fewer splats for the same pictures: a number of them, a size of the file, or a PSNR
#[derive(clap::Args)]
#[command(after_help = "Examples:
  naka-gs compress out/demo -o small.ply --splats 20000   cameras are those of the run
  naka-gs compress splats.ply -o small.spz --size 1       at most 1,000,000 bytes
  naka-gs compress out/demo -o small.ply --splats 20000 --photographs
  naka-gs compress out/demo -o web/lod-meta.json --levels 4
  naka-gs compress splats.ply --cameras transforms_train.json -o small.sog --psnr 35
How splats are chosen, and what it costs: docs/compress.md")]
pub struct Compress {
    /// The output folder of a run, or splats in any format that is read: PLY, SuperSplat's compressed PLY, SPZ, SOG, GLB,
    /// .splat
    splats: PathBuf,
    #[command(flatten)]
    budget: BudgetFlags,
    /// Cameras whose pictures are to stay as they are: a transforms file with `w` and `h`, a scene folder, or
    /// the output folder of a run
    /// [default: the training cameras of the run, else cameras around and within the splats]
    #[arg(long, value_name = "PATH")]
    cameras: Option<PathBuf>,
    /// Fit to the photographs that the run was trained on, not to what its splats show; every eighth is kept from the
    /// fit and measured
    #[arg(long, conflicts_with = "cameras")]
    photographs: bool,
    /// Steps of the fit, one view each (0: splats are only removed)
    /// [default: 300, of more than 400,000 splats fewer, down to 100]
    #[arg(long, value_name = "N")]
    steps: Option<u32>,
    /// Rounds in which splats are removed, each scored against what is to be kept
    /// [default: 4, of more than 500,000 splats 3 or 2]
    #[arg(long, value_name = "N", hide_short_help = true)]
    rounds: Option<u32>,
    /// Weight of the Fisher information of position and size, relative to the change of the pictures
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
    /// So many levels of detail for viewers that stream, each of half the splats of the one before; -o names the
    /// `lod-meta.json` in a folder of their own
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=8))]
    levels: Option<u32>,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Target {
    File(Budget),
    Levels(usize),
}

impl BudgetFlags {
    fn target(&self) -> Result<Target> {
        match self.levels {
            Some(levels) => Ok(Target::Levels(levels as usize)),
            None => self.budget().map(Target::File),
        }
    }

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
    views: Views,
}

/// What the result is to look like.
enum Views {
    Cameras(Vec<Camera>),
    Photographs(Vec<View>),
}

impl Views {
    fn likeness(&self) -> Likeness<'_> {
        match self {
            Self::Cameras(cameras) => Likeness::Original(cameras),
            Self::Photographs(views) => Likeness::Photographs(views),
        }
    }

    /// What PSNR is measured against, in words.
    fn measured(&self, compressor: &mut Compressor<'_>) -> Result<String> {
        let views = compressor.views();
        if let Self::Cameras(_) = self {
            return Ok(format!("the original in {views} views"));
        }
        let original = compressor.original().clone();
        let (psnr, seen) = (compressor.psnr(&original)?, if compressor.withholds() { "no fit saw" } else { "it fits" });
        let s = if views == 1 { "" } else { "s" };
        Ok(format!("{views} photograph{s} that {seen} (the original: {psnr:.2} dB)"))
    }
}

impl Compress {
    pub fn run(self, reporter: &Reporter) -> Result<()> {
        let target = self.budget.target()?;
        if !self.second_order.is_finite() {
            return Err(Error::setting("--second-order", self.second_order.to_string(), "give a number"));
        }
        self.check_out(target)?;
        let settings = self.settings.resolve()?;
        let Input { found, frame, views } = self.input(target)?;
        let antialiased = self.antialiased || found.antialiased;
        let gpu = Gpu::open(&settings.adapter_choice(), Mask::of_process())?;
        let usual = Config::for_splats(found.splats.len());
        let (steps, rounds) = (self.steps.unwrap_or(usual.steps), self.rounds.unwrap_or(usual.rounds));
        let config = Config { steps, rounds, second_order: self.second_order };
        if config != (Config { second_order: self.second_order, ..Config::default() }) && self.steps.is_none() {
            tracing::info!(
                "{steps} steps in {rounds} rounds, for there are many splats; --steps and --rounds ask for more"
            );
        }
        let mut compressor = Compressor::new(&gpu, found.splats, antialiased, views.likeness(), &config, reporter)?;
        let all = compressor.original().len();
        if compressor.unseen() == all {
            let found = format!("the cameras see none of its {all} splats");
            let remedy =
                "give the cameras of these splats (--cameras), or a file that states their origin, as PLY does";
            return Err(Error::input(&self.splats, found, remedy));
        }
        if compressor.unseen() > 0 {
            tracing::info!("{} of {all} splats are seen in none of the views; they go first", compressor.unseen());
        }
        match target {
            Target::File(budget) => {
                let trial = Trial { path: &self.out.path, frame, antialiased };
                let Outcome { splats, whole, psnr } = to_budget(&mut compressor, budget, &trial, reporter)?;
                if whole {
                    tracing::warn!("all {all} splats fit the budget: {} is a copy", self.out.path.display());
                }
                write::write(&self.out.path, &write::Export { splats: &splats, frame, antialiased })?;
                let bytes = std::fs::metadata(&self.out.path).map_err(Error::io(&self.out.path))?.len();
                let (count, megabytes, against) = (splats.len(), bytes as f64 / 1e6, views.measured(&mut compressor)?);
                tracing::info!("{count} of {all} splats, {megabytes:.3} MB: {psnr:.2} dB against {against}");
            }
            Target::Levels(levels) => {
                let levels = compressor.to_levels(levels, steps, reporter)?;
                let against = views.measured(&mut compressor)?;
                for (number, level) in levels.iter().enumerate().skip(1) {
                    let (count, psnr) = (level.len(), compressor.psnr(level)?);
                    tracing::info!("level {number}: {count} of {all} splats, {psnr:.2} dB against {against}");
                }
                write::write_levels(&self.out.path, &levels, frame, antialiased)?;
            }
        }
        output::line(self.out.path.display().to_string())
    }

    /// Fails where what is to be written has another name than its kind, or is there already.
    fn check_out(&self, target: Target) -> Result<()> {
        let path = &self.out.path;
        let is_levels = path.file_name().is_some_and(|name| name == LOD_META);
        match target {
            Target::File(_) if is_levels => {
                let found = "describes levels of detail, which a single budget does not make";
                return Err(Error::input(path, found, "give --levels, or the name of a file of splats"));
            }
            Target::File(_) => {
                write::Format::of_ending(path)?;
            }
            Target::Levels(_) if !is_levels => {
                let found = format!("is not called {LOD_META}, as viewers that stream expect it");
                let folder = path.with_extension("").join(LOD_META);
                return Err(Error::input(path, found, format!("write to {}", folder.display())));
            }
            Target::Levels(_) => {
                let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
                let taken = std::fs::read_dir(folder).is_ok_and(|mut files| files.next().is_some());
                if taken && !self.out.overwrite {
                    let found = "is a folder with files in it";
                    return Err(Error::input(
                        folder,
                        found,
                        "choose a folder of its own, or replace what is in the way (`overwrite`)",
                    ));
                }
            }
        }
        self.out.check()
    }

    fn input(&self, target: Target) -> Result<Input> {
        let (file, run) = self.of_run()?;
        output::not_in_place(&file, &self.out.path)?;
        if let Target::Levels(_) = target {
            output::not_in_levels(&file, &self.out.path)?;
        }
        let frame = run.as_ref().and_then(|(_, run)| run.frame);
        let (found, frame) = match frame {
            Some(frame) => (splat::read_file_in(&file, &frame)?, frame),
            None => splat::read_framed(&file)?,
        };
        let views = match (&self.cameras, run) {
            (_, Some((out, run))) if self.photographs => Views::Photographs(of_run(&out, run)?.train),
            (_, None) if self.photographs => {
                let found = format!("{} comes without a run, and so without photographs", self.splats.display());
                return Err(Error::setting("--photographs", found, "give the output folder of `naka-gs run`"));
            }
            (Some(path), _) => {
                let cameras = training_cameras(path)?;
                found.check_axes(&file, &frame, &cameras);
                Views::Cameras(cameras.iter().map(|camera| frame.camera(camera)).collect())
            }
            (None, Some((out, run))) => Views::Cameras(match of_run(&out, run) {
                Ok(capture) => capture.train.into_iter().map(|view| view.camera).collect(),
                Err(error) => {
                    tracing::warn!("the cameras of the run cannot be read ({error})");
                    self.made(&found)
                }
            }),
            (None, None) => {
                found.check_axes(&file, &frame, &[]);
                Views::Cameras(self.made(&found))
            }
        };
        Ok(Input { found, frame, views })
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
    let (exposures, scene, out) = (run.exposures(), run.scene, out.to_path_buf());
    let job = Job { scene, out, settings, overwrite: false, scope: Scope::Everything };
    Ok(lit_capture_of(&job, &Silent::default())?.with_exposures(&exposures))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn budgets_of_nothing_are_refused_by_their_flag() {
        let flags = |count, size, psnr| BudgetFlags { count, size, psnr, levels: None }.budget();
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
