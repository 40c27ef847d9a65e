//! The demo: a procedural capture through the whole pipeline, and its pictures compared with the known truth.

use super::output::{OutputFolder, names};
use super::pictures::spread;
use super::record::Run;
use super::{Job, Outcome, Painter, Scope, Shared};
use crate::capture::{Image, View, read_image, resize_area};
use crate::error::{Error, Result};
use crate::eval::{Cell, Section, psnr, sheet, write_jpeg};
use crate::prior;
use crate::progress::Progress;
use crate::scenes::{self, Scene};
use crate::settings::Settings;
use crate::splat;
use std::path::{Path, PathBuf};

/// Views of the sheet: new ones, and those that were trained on.
const NEW: usize = 4;
const TRAINED: usize = 2;

/// What the demo leaves behind.
#[derive(Clone, Debug)]
pub struct Demo {
    /// The run of the procedural capture.
    pub outcome: Outcome,
    /// The picture sheet: new views beside the truth, then photographs, enhanced and rendered.
    pub sheet: PathBuf,
}

/// Makes the capture of `scene` in `out/capture`, runs every stage into `out`, and lays out `out/sheet.jpg`.
///
/// # Errors
/// Those of [`super::run`], and of [`scenes::generate`].
pub fn run(
    scene: &Scene,
    out: &Path,
    settings: Settings,
    overwrite: bool,
    shared: &Shared<'_>,
    progress: &dyn Progress,
) -> Result<Demo> {
    let folder = OutputFolder::open(out)?;
    let capture = photograph_in(scene, &folder, overwrite, progress)?;
    let job = Job { scene: capture, out: out.to_path_buf(), settings, overwrite, scope: Scope::Everything };
    let sheet_written = Run::read(out).ok().flatten().and_then(|run| run.files.get(names::SHEET).cloned());
    if sheet_written.is_none() && folder.occupied(names::SHEET) && !overwrite {
        return Err(Error::Exists(folder.join(names::SHEET)));
    }
    let mut outcome = super::run_in(&folder, &job, shared, progress)?;
    folder.make_way(names::SHEET, sheet_written.as_ref())?;
    let sheet = folder.join(names::SHEET);
    lay_out(&job, &sheet, shared)?;
    outcome.run.files.insert(names::SHEET.into(), folder.content(names::SHEET));
    outcome.run.write(out)?;
    Ok(Demo { outcome, sheet })
}

/// Makes the capture of `scene` alone, the folder `out/capture`, which it returns.
///
/// # Errors
/// Those of [`scenes::generate`].
pub fn photograph(scene: &Scene, out: &Path, overwrite: bool, progress: &dyn Progress) -> Result<PathBuf> {
    photograph_in(scene, &OutputFolder::open(out)?, overwrite, progress)
}

fn photograph_in(scene: &Scene, out: &OutputFolder, overwrite: bool, progress: &dyn Progress) -> Result<PathBuf> {
    let folder = out.join(scenes::CAPTURE_FOLDER);
    if overwrite && !scenes::is_generated(scene, &folder) {
        scenes::remove(&folder)?;
        out.make_way(scenes::CAPTURE_FOLDER, None)?;
    }
    scenes::generate(scene, &folder, progress)?;
    Ok(folder)
}

/// Pictures of one view, with a caption.
struct Pictures {
    caption: String,
    dark: Option<Image>,
    enhanced: Option<Image>,
    render: Image,
    truth: Option<Image>,
}

impl Pictures {
    /// A row of the sheet.
    fn all(&self) -> Vec<Cell<'_>> {
        let Self { dark, enhanced, render, truth, .. } = self;
        Cell::row(&self.caption, &[dark.as_ref(), enhanced.as_ref(), Some(render), truth.as_ref()])
    }
}

/// New views first, two in a row, since they are the purpose of a model; then training views.
fn lay_out(job: &Job, path: &Path, shared: &Shared<'_>) -> Result<()> {
    let (capture, _) = prior::locate(&super::load(job)?, &job.settings.prior)?;
    let gpu = shared.gpu(job)?;
    let splats = splat::read_in(job.out.join(names::SPLATS), &capture.frame)?;
    let mut painter = Painter::new(&gpu, &splats, job.settings.train.antialiased)?;
    let mut new = Vec::new();
    for view in spread(&capture.test, NEW) {
        let truth = view.image.as_ref().map(|_| view.read()).transpose()?;
        new.push(pictures(job, view, [None, None, truth], &mut painter)?);
    }
    let mut trained = Vec::new();
    for view in spread(&capture.train, TRAINED) {
        trained.push(trained_on(job, view, &mut painter)?);
    }
    let pairs: Vec<_> =
        new.iter().map(|view| Cell::row(&view.caption, &[Some(&view.render), view.truth.as_ref()])).collect();
    let new = Section {
        titles: vec!["new view", "truth", "new view", "truth"],
        rows: pairs.chunks(2).map(<[_]>::concat).collect(),
    };
    let trained = Section {
        titles: vec!["dark photograph", "enhanced", "render", "truth"],
        rows: trained.iter().map(Pictures::all).collect(),
    };
    write_jpeg(path, &sheet(&[new, trained])?)
}

fn trained_on(job: &Job, view: &View, painter: &mut Painter<'_>) -> Result<Pictures> {
    let dark = view.image.as_ref().map(|_| view.read()).transpose()?;
    let enhanced = read_image(&job.out.join(names::IMAGES).join(&view.name))?;
    let truth = job.scene.join("truth").join(&view.name);
    let truth = if truth.is_file() { Some(read_image(&truth)?) } else { None };
    pictures(job, view, [dark, Some(enhanced), truth], painter)
}

/// The dark, enhanced and true picture of a view beside its render, at the resolution of training.
fn pictures(job: &Job, view: &View, given: [Option<Image>; 3], painter: &mut Painter<'_>) -> Result<Pictures> {
    let camera = view.camera.downscaled(job.settings.downscale);
    let fit = |image: Option<Image>| image.map(|image| resize_area(&image, camera.width, camera.height));
    let render = painter.render(&camera)?;
    let [dark, enhanced, truth] = given.map(fit);
    let figure = truth.as_ref().and_then(|truth| psnr(&render, truth));
    let caption = match figure {
        Some(figure) => format!("{}: render {figure:.1} dB", view.name),
        None => view.name.clone(),
    };
    Ok(Pictures { caption, dark, enhanced, render, truth })
}
