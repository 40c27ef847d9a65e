//! `naka-gs view`

use super::outcome::show;
use super::output::{OutFolder, claim};
use super::progress::Reporter;
use super::report;
use super::setting_flags::{All, SettingFlags};
use super::size::Size;
use naka_gs::gpu::Mask;
use naka_gs::pipeline::{Job, Outcome, Scope, SettingsFor};
use naka_gs::viewer::{self, Options, ViewerContext};
use naka_gs::{Error, Result};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

/// Walk around in splats, points or the results of a run, in a window; or in a scene while it is trained
#[derive(clap::Args)]
pub struct View {
    /// A file of splats (PLY, compressed PLY, SPZ, SOG, GLB, .splat) or of points, the output folder of a run, or a scene or
    /// video to train on; the window also takes them by drag and drop
    path: Option<PathBuf>,
    /// Poses to go with a PLY file, with `w` and `h`
    #[arg(long, value_name = "transforms.json")]
    cameras: Option<PathBuf>,
    /// The camera to start from, counted from 1
    #[arg(long, value_name = "N")]
    at: Option<usize>,
    /// Size of the picture in pixels, without the panel
    #[arg(long, value_name = "WxH")]
    size: Option<Size>,
    /// Write the first whole picture as PNG, and close the window
    #[arg(long, value_name = "FILE.png")]
    screenshot: Option<PathBuf>,
    #[command(flatten)]
    out: OutFolder,
    #[command(flatten)]
    settings: SettingFlags<All>,
}

impl View {
    pub fn run(self, reporter: &Reporter) -> Result<()> {
        let settings = self.settings.resolve()?;
        // Missing files are reported at once, not by a window.
        for path in self.path.iter().chain(&self.cameras) {
            std::fs::metadata(path).map_err(Error::io(path))?;
        }
        if self.screenshot.is_some() && self.path.is_none() {
            return Err(Error::setting("--screenshot", "no path", "say what to take a picture of"));
        }
        self.screenshot.iter().try_for_each(|path| claim(path, self.out.overwrite))?;
        let camera = match self.at {
            Some(0) => return Err(Error::setting("--at", "0", "cameras are counted from 1")),
            camera => camera.map(|number| number - 1),
        };
        let options = Options {
            path: self.path,
            cameras: self.cameras,
            size: self.size.map(|Size { width, height }| [width, height]),
            camera,
            screenshot: self.screenshot,
            adapter: settings.adapter_choice(),
            mask: Mask::of_process(),
        };
        let job = |scene: &Path| Job {
            out: self.out.or_named_after(scene),
            scene: scene.to_path_buf(),
            // What can be resolved for no scene can be for one.
            settings: self.settings.resolve_for(scene).unwrap_or_else(|_| settings.clone()),
            overwrite: self.out.overwrite,
            scope: Scope::Everything,
        };
        open(options, &job, &|frames| self.settings.resolve_for(frames), reporter)
    }
}

/// Opens the window; runs that it finishes are reported as `naka-gs run` does.
pub fn open(
    options: Options,
    job: &dyn Fn(&Path) -> Job,
    settings: SettingsFor<'_>,
    reporter: &Reporter,
) -> Result<()> {
    // The window closes, and ends a film that it makes.
    reporter.begun().store(true, Ordering::SeqCst);
    let finished = |job: &Job, outcome: &Outcome| {
        let reported = report::of_run(&job.out, &outcome.run, reporter);
        for error in [show(&job.out, outcome), reported].into_iter().filter_map(Result::err) {
            tracing::warn!("{error}");
        }
    };
    viewer::open(options, ViewerContext { progress: reporter, job, settings, finished: &finished })
}
