//! `naka-gs demo`

use super::outcome::show;
use super::output::{self, LogFlag, OutFolder, shared};
use super::progress::Reporter;
use super::report;
use super::setting_flags::{AllOfDemo, SettingFlags};
use naka_gs::Result;
use naka_gs::pipeline::demo;
use naka_gs::scenes::Scene;
use std::path::{Path, PathBuf};

/// The whole pipeline on a procedural night scene, compared with its known truth
#[derive(clap::Args)]
#[command(after_help = "Examples:
  naka-gs demo                                 the built-in night scene, into out/demo
  naka-gs demo --scene my.toml -o out/mine     a scene of your own
  naka-gs demo --photograph                    only its photographs
All settings: naka-gs demo --help")]
pub struct Demo {
    /// Scene description [default: the built-in night courtyard]
    #[arg(long, value_name = "FILE.toml")]
    scene: Option<PathBuf>,
    /// Only photograph the scene, into OUT/capture
    #[arg(long)]
    photograph: bool,
    #[command(flatten)]
    out: OutFolder,
    #[command(flatten)]
    log: LogFlag,
    #[command(flatten)]
    settings: SettingFlags<AllOfDemo>,
}

impl Demo {
    pub fn run(self, reporter: &Reporter) -> Result<()> {
        let settings = self.settings.resolve()?;
        let scene = match &self.scene {
            Some(path) => Scene::load(path)?,
            None => Scene::night()?,
        };
        let out = self.out.or_named_after(Path::new("demo"));
        if self.photograph {
            let capture = demo::photograph(&scene, &out, self.out.overwrite, reporter)?;
            return output::line(capture.display().to_string());
        }
        let log = self.log.create()?;
        let finished = demo::run(&scene, &out, settings, self.out.overwrite, &shared(&log), reporter)?;
        let reported = report::of_run(&out, &finished.outcome.run, reporter);
        show(&out, &finished.outcome)?;
        output::line(finished.sheet.display().to_string())?;
        reported
    }
}
