//! The demo: a procedural capture through the whole pipeline, and its pictures beside the known truth.

use super::output::{OutputFolder, names};
use super::record::Run;
use super::{Job, Outcome, Painter, Scope, Shared};
use crate::capture::{Image, View, read_image, resize_area};
use crate::error::{Error, Result};
use crate::eval::{Row, psnr, sheet, write_jpeg};
use crate::prior;
use crate::progress::Progress;
use crate::scenes::{self, Scene};
use crate::settings::Settings;
use crate::splat;
use std::path::{Path, PathBuf};

/// Rows of the sheet for training views (which have a dark photograph) and for new views.
const ROWS: [usize; 2] = [3, 2];

/// What the demo leaves behind.
#[derive(Clone, Debug)]
pub struct Demo {
    pub outcome: Outcome,
    /// The picture sheet: dark photograph, lit, render, truth.
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
    outcome.run.files.insert(names::SHEET.into(), folder.written(names::SHEET));
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

/// One row of the sheet before it is laid out.
struct Pictures {
    label: String,
    columns: [Option<Image>; 4],
}

fn lay_out(job: &Job, path: &Path, shared: &Shared<'_>) -> Result<()> {
    let (capture, _) = prior::locate(&super::load(job)?, &job.settings.prior)?;
    let gpu = shared.gpu(job)?;
    let splats = splat::read_in(job.out.join(names::SPLATS), &capture.frame)?;
    let mut painter = Painter::new(&gpu, &splats, job.settings.train.antialiased)?;
    let mut rows = Vec::new();
    for view in spread(&capture.train, ROWS[0]) {
        rows.push(trained(job, view, &mut painter)?);
    }
    for view in spread(&capture.test, ROWS[1]) {
        let truth = view.image.as_ref().map(|_| view.read()).transpose()?;
        rows.push(row(job, view, [None, None], truth, &mut painter)?);
    }
    let rows: Vec<Row<'_>> = rows
        .iter()
        .map(|row| Row { label: &row.label, pictures: row.columns.each_ref().map(Option::as_ref).to_vec() })
        .collect();
    write_jpeg(path, &sheet(&["dark photograph", "lit", "render", "truth"], &rows))
}

/// `count` views, evenly spread.
pub fn spread(views: &[View], count: usize) -> impl Iterator<Item = &View> {
    let count = count.min(views.len());
    (0..count).map(move |i| &views[i * views.len() / count])
}

fn trained(job: &Job, view: &View, painter: &mut Painter<'_>) -> Result<Pictures> {
    let dark = view.image.as_ref().map(|_| view.read()).transpose()?;
    let lit = read_image(&job.out.join(names::IMAGES).join(&view.name))?;
    let truth = job.scene.join("truth").join(&view.name);
    let truth = if truth.is_file() { Some(read_image(&truth)?) } else { None };
    row(job, view, [dark, Some(lit)], truth, painter)
}

/// A row at the resolution of training, with the render's PSNR against the truth in its label.
fn row(
    job: &Job,
    view: &View,
    [dark, lit]: [Option<Image>; 2],
    truth: Option<Image>,
    painter: &mut Painter<'_>,
) -> Result<Pictures> {
    let camera = view.camera.downscaled(job.settings.downscale);
    let fit = |image: Option<Image>| image.map(|image| resize_area(&image, camera.width, camera.height));
    let render = painter.render(&camera)?;
    let [dark, lit, truth] = [dark, lit, truth].map(fit);
    let figure = truth.as_ref().and_then(|truth| psnr(&render, truth));
    let kind = if dark.is_some() { "trained on" } else { "new view" };
    let label = match figure {
        Some(figure) => format!("{} ({kind}): render {figure:.1} dB", view.name),
        None => format!("{} ({kind})", view.name),
    };
    Ok(Pictures { label, columns: [dark, lit, Some(render), truth] })
}
