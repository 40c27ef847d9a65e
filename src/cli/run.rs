//! `naka-gs run`

use super::outcome::show;
use super::output::{self, LogFlag, OutFolder, shared};
use super::progress::Reporter;
use super::report;
use super::setting_flags::{All, SettingFlags};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use naka_gs::pipeline::record::Stage;
use naka_gs::pipeline::{Job, Scope, Shared, ends, run, run_until};
use naka_gs::{Progress, Result};
use std::path::{Path, PathBuf};

/// Dark photographs to splats, renders and numbers: every stage, resumable
#[derive(clap::Args)]
#[command(after_help = "Examples:
  naka-gs run my-scene --preset preview                 quickly, a third of the size
  naka-gs run my-scene -o out/my-scene --holdout 8      keep every 8th view to measure
  naka-gs run night.mp4 --video-frames 200              the sharpest frames of a video (needs ffmpeg and COLMAP)
  naka-gs run my-scene -o out/my-scene --steps 7000 -w  replace that by a longer training
All settings: naka-gs run --help")]
pub struct Run {
    /// Folder with photographs and poses, or with photographs alone; or a video (its sharpest frames go to OUT.frames)
    scene: PathBuf,
    /// Stop after this stage (poses: of photographs that have none). The same command without it goes on from there
    #[arg(long, value_name = "STAGE", value_parser = stage_parser())]
    until: Option<Stage>,
    /// Watch the training in a window
    #[cfg(feature = "viewer")]
    #[arg(long, conflicts_with_all = ["until", "tensorboard"])]
    view: bool,
    #[command(flatten)]
    out: OutFolder,
    #[command(flatten)]
    log: LogFlag,
    #[command(flatten)]
    settings: SettingFlags<All>,
}

impl Run {
    pub fn run(self, reporter: &Reporter) -> Result<()> {
        let job = Job {
            out: self.out.or_named_after(&self.scene),
            settings: self.settings.resolve_for(&self.scene)?,
            scene: self.scene,
            overwrite: self.out.overwrite,
            scope: Scope::Everything,
        };
        let of_frames = |frames: &Path| self.settings.resolve_for(frames);
        let log = self.log.create()?;
        let shared = Shared { settings: Some(&of_frames), ..shared(&log) };
        if let Some(last) = self.until {
            run_until(&job, last, &shared, reporter)?;
            return output::line(job.out.display().to_string());
        }
        #[cfg(feature = "viewer")]
        if self.view {
            let options = naka_gs::viewer::Options {
                path: Some(job.scene.clone()),
                adapter: job.settings.adapter_choice(),
                mask: naka_gs::gpu::Mask::of_process(),
                ..Default::default()
            };
            return super::view::open(options, &|_| job.clone(), &of_frames, reporter);
        }
        let outcome = run(&job, &shared, reporter as &dyn Progress)?;
        let reported = report::of_run(&job.out, &outcome.run, reporter);
        show(&job.out, &outcome)?;
        reported
    }
}

fn stage_parser() -> impl TypedValueParser<Value = Stage> {
    PossibleValuesParser::new(ends().map(Stage::name))
        .try_map(|name| Stage::named(&name).ok_or("no stage is called that"))
}
