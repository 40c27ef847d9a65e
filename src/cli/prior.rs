//! `naka-gs prior`

use super::output::{Inputs, OutFile, line};
use super::progress::Reporter;
use super::setting_flags::{Prior as PriorTables, SettingFlags};
use naka_gs::gpu::{Gpu, Mask};
use naka_gs::pipeline::{Job, Scope, posed_and_lit};
use naka_gs::prior::{self, Report};
use naka_gs::{Result, capture, eval};
use std::path::PathBuf;
use std::sync::Arc;

/// Read, or make, a scene's point prior
#[derive(clap::Args)]
pub struct Prior {
    /// Folder with photographs and poses; or with photographs alone, or a video (posed and lit in FILE.scene first)
    scene: PathBuf,
    /// Also write a picture of the points (points.sheet.jpg): as two cameras see them, and from above
    #[arg(long)]
    sheet: bool,
    #[command(flatten)]
    out: OutFile,
    #[command(flatten)]
    settings: SettingFlags<PriorTables>,
}

impl Prior {
    pub fn run(self, reporter: &Reporter) -> Result<()> {
        let settings = self.settings.resolve()?;
        self.out.check_with_settings()?;
        let sheet = self.sheet.then(|| self.out.sheet()).transpose()?;
        let given = [&settings.prior.points, &settings.prior.colors].into_iter().flatten();
        let given = given.fold(Inputs::default(), |inputs, path| inputs.file_or_folder(path));
        let outs = || std::iter::once(&self.out.path).chain(&sheet).map(PathBuf::as_path);
        // At once, and for what a scene holds as soon as it is read.
        given.ensure_kept(outs())?;
        let job = Job {
            scene: self.scene,
            out: self.out.path.with_extension("scene"),
            settings: settings.clone(),
            overwrite: self.out.overwrite,
            scope: Scope::Everything,
        };
        let scene = match posed_and_lit(&job, reporter)? {
            Some(scene) => scene,
            None => capture::load(&job.scene, &settings.capture_options(&job.scene))?,
        };
        let (scene, origin) = prior::locate(&scene, &settings.prior)?;
        let own = origin.points.iter().fold(given.scene(&scene), |inputs, path| inputs.file_or_folder(path));
        own.ensure_kept(outs())?;
        let gpu = || Ok(Arc::new(Gpu::open(&settings.adapter_choice(), Mask::of_process())?));
        let (points, report) = prior::prior(gpu, &scene, &origin, &settings.prior, None, reporter)?;
        prior::write_ply_in(&self.out.path, &points, &scene.frame)?;
        describe(&report)?;
        self.out.wrote(&settings)?;
        if let Some(sheet) = &sheet {
            eval::write_jpeg(sheet, &eval::cloud_sheet(&points, &scene.train)?)?;
            line(sheet.display().to_string())?;
        }
        Ok(())
    }
}

/// Describes the source of the points, and how well their cameras fit.
fn describe(report: &Report) -> Result<()> {
    line(format!("source   {} ({})", report.source, report.reason))?;
    line(format!("points   {} of {}", report.output, report.candidates))?;
    let Some(fit) = &report.alignment else { return Ok(()) };
    let [names, stems, numbers] = fit.matched;
    let all = names + stems + numbers;
    line(format!(
        "cameras  {all} of {} matched ({names} by name, {stems} by stem, {numbers} by number)",
        fit.prior_cameras
    ))?;
    if !fit.left_out.is_empty() {
        line(format!("left out {}", fit.left_out.join(", ")))?;
    }
    let percent = 100.0 * fit.relative_rmse;
    line(format!("RMSE     {:.3e} ({percent:.2} % of the cameras' extent)", fit.rmse))?;
    line(format!("scale    {} ({})", fit.scale, fit.method))
}
