//! `naka-gs demo`

use super::output::{self, OutFolder};
use super::progress::Reporter;
use super::report;
use super::run::show;
use super::setting_flags::{All, SettingFlags};
use naka_gs::pipeline::{Shared, demo};
use naka_gs::scenes::Scene;
use naka_gs::{Result, settings};
use std::path::{Path, PathBuf};

/// The whole pipeline on a procedural night scene, compared with its known truth
#[derive(clap::Args)]
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
    settings: SettingFlags<All>,
}

impl Demo {
    pub fn run(self, reporter: &Reporter) -> Result<()> {
        let settings = self.settings.resolve(Some(settings::demo()))?;
        let scene = match &self.scene {
            Some(path) => Scene::load(path)?,
            None => Scene::night()?,
        };
        let out = self.out.or_named_after(Path::new("demo"));
        if self.photograph {
            let capture = demo::photograph(&scene, &out, self.out.overwrite, reporter)?;
            return output::line(capture.display().to_string());
        }
        let finished = demo::run(&scene, &out, settings, self.out.overwrite, &Shared::default(), reporter)?;
        report::of_run(&out, &finished.outcome.run, reporter);
        show(&out, &finished.outcome)?;
        output::line(finished.sheet.display().to_string())
    }
}
