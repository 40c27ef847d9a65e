//! The pictures of a run's report: photographs, lit photographs, renders, references and their differences.

use super::parts::ViewFigure;
use crate::capture::{Camera, Image, SceneFrame, View, read_image, resize_area};
use crate::error::{Error, Result};
use crate::eval::{ViewMetrics, as_exposed};
use crate::gpu::{Gpu, Mask};
use crate::pipeline::fingerprint::has_recorded_content;
use crate::pipeline::output::names;
use crate::pipeline::record::Run;
use crate::pipeline::{Job, MetricsFile, Painter, Scope, capture_of, render_name, spread};
use crate::progress::Progress;
use crate::splat::{self, Splats};
use std::path::{Path, PathBuf};

/// Longest side of a picture in the page.
const SIDE: u32 = 560;
/// Most views of a kind: training, held out, test.
const MOST: [usize; 3] = [6, 4, 8];
/// Amplification of displayed differences.
const GAIN: f32 = 4.0;

/// The views of a run by kind.
#[derive(Default)]
pub struct Views {
    pub train: Vec<ViewFigure>,
    pub holdout: Vec<ViewFigure>,
    pub test: Vec<ViewFigure>,
}

/// Gathers the pictures of the run in `out`.
///
/// # Errors
/// Pictures and splats that cannot be read, an adapter that cannot be opened, a stop that was asked for; a scene that cannot
/// be read any more, where there is a page that a new one without pictures would replace.
pub fn gather(out: &Path, run: &Run, metrics: &MetricsFile, progress: &dyn Progress) -> Result<Views> {
    let settings = run.settings(out)?;
    let (scene, out) = (run.scene.clone(), out.to_path_buf());
    let job = Job { scene, out, settings, overwrite: false, scope: Scope::default() };
    let capture = match capture_of(&job, progress) {
        Ok(capture) => capture.with_exposures(&run.exposures()),
        Err(error) => return without_pictures(&job.out, error).map(|()| Views::default()),
    };
    let (settings, out) = (&job.settings, &job.out);
    let models = models_shown(out, settings.seeds, &capture.frame)?;
    let gpu = if models.is_empty() { None } else { Some(Gpu::open(&settings.adapter_choice(), Mask::of_process())?) };
    let painter = match (&gpu, models.as_slice()) {
        (Some(gpu), [model]) => Some(Painter::new(gpu, model, settings.train.antialiased)?),
        (Some(gpu), several) => Some(Painter::mean(gpu, several, settings.train.antialiased)?),
        (None, _) => None,
    };
    let mut gallery = Gallery { out, run, painter, progress, done: 0 };
    let chosen = [&capture.train, &capture.holdout, &capture.test];
    let total: usize = chosen.iter().zip(MOST).map(|(views, most)| views.len().min(most)).sum();
    progress.begin("report", "views", total as u64);
    let mut views = Views::default();
    for view in spread(&capture.train, MOST[0]) {
        views.train.extend(gallery.trained(view, None)?);
    }
    for view in spread(&capture.holdout, MOST[1]) {
        let numbers = metrics.metrics.holdout.iter().flat_map(|group| &group.views).find(|n| n.name == view.name);
        views.holdout.extend(gallery.trained(view, Some(numbers))?);
    }
    for view in spread(&capture.test, MOST[2]) {
        let numbers = metrics.metrics.test.views.iter().find(|n| n.name == view.name);
        views.test.extend(gallery.rendered(view, numbers)?);
    }
    progress.end();
    Ok(views)
}

/// The models whose mean the renders and numbers of a run of so many `seeds` are; else, and where some are gone, `splats.ply`.
fn models_shown(out: &Path, seeds: u32, frame: &SceneFrame) -> Result<Vec<Splats>> {
    let model = |index: u32| out.join(names::model(index));
    let several = seeds > 1 && (0..seeds).all(|index| model(index).is_file());
    let files: Vec<PathBuf> = match several {
        true => (0..seeds).map(model).collect(),
        false => vec![out.join(names::SPLATS)],
    };
    files.into_iter().filter(|file| file.is_file()).map(|file| splat::read_in(file, frame)).collect()
}

/// Fails where a page without pictures, because of `error`, would replace one in `out`.
fn without_pictures(out: &Path, error: Error) -> Result<()> {
    let page = out.join(names::REPORT);
    if matches!(error, Error::Interrupted(_)) {
        return Err(error);
    }
    if page.exists() {
        let found = format!("is kept, because a new report would have no pictures ({error})");
        let remedy = "run the scene again from its present place into the same folder (what is current is kept), then make the \
                      report again; or move the page away";
        return Err(Error::input(page, found, remedy));
    }
    tracing::warn!("the report shows no pictures: {error}");
    Ok(())
}

struct Gallery<'a> {
    out: &'a Path,
    run: &'a Run,
    painter: Option<Painter<'a>>,
    progress: &'a dyn Progress,
    done: u64,
}

impl Gallery<'_> {
    /// A photographed view, and its render as the photograph was exposed. Held-out ones (`numbers` is given) are compared
    /// with their lit image.
    fn trained(&mut self, view: &View, numbers: Option<Option<&ViewMetrics>>) -> Result<Option<ViewFigure>> {
        self.progress.check()?;
        let dark = self.photograph(view)?.map(|image| small(&image));
        let lit = self.out.join(names::IMAGES).join(&view.name);
        let lit = if lit.is_file() { Some(small(&read_image(&lit)?)) } else { None };
        let camera = view.camera.downscaled(view.camera.width.max(view.camera.height).div_ceil(SIDE).max(1));
        let mut render = self.paint(&camera)?;
        render.iter_mut().for_each(|render| as_exposed(render, view));
        let reference = lit.as_ref().or(dark.as_ref());
        let difference = match (&render, reference) {
            (Some(render), Some(reference)) if numbers.is_some() => Some(difference(render, reference)),
            _ => None,
        };
        let pictures = [("dark photograph", dark), ("enhanced", lit), ("render", render), (DIFFERENCE, difference)];
        self.step();
        ViewFigure::new(&view.name, &pictures, [0, 2], SIDE, figures(numbers.flatten()))
    }

    /// A test view, with its reference if it has one.
    fn rendered(&mut self, view: &View, numbers: Option<&ViewMetrics>) -> Result<Option<ViewFigure>> {
        self.progress.check()?;
        let file = self.out.join(names::RENDERS).join(render_name(&view.name));
        let render = if file.is_file() { Some(read_image(&file)?) } else { None };
        // A render is as the lens takes it.
        let reference = self.photograph(&view.as_taken())?;
        let difference = render.as_ref().zip(reference.as_ref()).map(|(a, b)| difference(a, b));
        let pictures = [("render", render), ("reference", reference), (DIFFERENCE, difference)];
        self.step();
        ViewFigure::new(&view.name, &pictures, [0, 1], SIDE, figures(numbers))
    }

    /// The photograph or reference of a view, if the run has read this very file: a crafted record cannot put files into a page
    /// that its author did not have.
    fn photograph(&self, view: &View) -> Result<Option<Image>> {
        let Some(path) = &view.image else { return Ok(None) };
        if !has_recorded_content(&self.run.inputs, path) {
            tracing::warn!("{}: not the file that the run read, so it is not shown", path.display());
            return Ok(None);
        }
        view.read().map(Some)
    }

    fn paint(&mut self, camera: &Camera) -> Result<Option<Image>> {
        self.painter.as_mut().map(|painter| painter.render(camera)).transpose()
    }

    fn step(&mut self) {
        self.done += 1;
        self.progress.set(self.done, "");
    }
}

const DIFFERENCE: &str = "difference × 4";

fn small(image: &Image) -> Image {
    let scale = f64::from(image.width.max(image.height)) / f64::from(SIDE);
    let side = |n: u32| ((f64::from(n) / scale).round() as u32).max(1);
    if scale > 1.0 { resize_area(image, side(image.width), side(image.height)) } else { image.clone() }
}

/// Absolute difference, brightened; at the size of the smaller picture.
fn difference(a: &Image, b: &Image) -> Image {
    let (width, height) = (a.width.min(b.width), a.height.min(b.height));
    let (mut a, b) = (resize_area(a, width, height), resize_area(b, width, height));
    a.pixels.iter_mut().flatten().zip(b.pixels.iter().flatten()).for_each(|(a, b)| *a = (*a - b).abs() * GAIN);
    a
}

fn figures(numbers: Option<&ViewMetrics>) -> String {
    let Some(numbers) = numbers else { return String::new() };
    let ssim = numbers.ssim.map_or_else(String::new, |ssim| format!(", SSIM {ssim:.4}"));
    format!("{:.2} dB{ssim}, {:.2} dB after a color fit", numbers.psnr, numbers.psnr_affine)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::color::exposed;
    use crate::pipeline::record::{Stage, StageRecord};
    use crate::settings::Settings;
    use askama::Template;
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    /// The held-out view's pictures in the page: the photograph as it was lit, the render and their difference.
    fn pictures(out: &Path, run: &Run) -> Vec<Image> {
        let views = gather(out, run, &MetricsFile::default(), &crate::Silent::default()).unwrap();
        let html = views.holdout[0].render().unwrap();
        let embedded = html.split("base64,").skip(1).map(|rest| STANDARD.decode(rest.split('"').next().unwrap()));
        embedded.map(|jpeg| Image::from_rgb8(&::image::load_from_memory(&jpeg.unwrap()).unwrap().to_rgb8())).collect()
    }

    fn mean(image: &Image) -> f32 {
        image.pixels.as_flattened().iter().sum::<f32>() / image.pixels.as_flattened().len() as f32
    }

    #[test]
    fn held_out_views_are_shown_as_their_photographs_were_exposed() {
        let dir = tempfile::tempdir().unwrap();
        let [scene, out] = ["capture", "out"].map(|name| dir.path().join(name));
        let tiny = crate::scenes::Scene::load(Path::new("scenes/tiny.toml")).unwrap();
        crate::scenes::generate(&tiny, &scene, &crate::Silent::default()).unwrap();
        let settings = Settings { adapter: "cpu".into(), holdout: Some(3), ..Settings::default() };
        let model = splat::reference::splats(&splat::reference::cloud(400, 7));
        splat::ply::write_in(out.join(names::SPLATS), &model, &SceneFrame::IDENTITY, false).unwrap();
        let mut run = Run::new(&scene, &settings);
        let job = Job { scene, out: out.clone(), settings, overwrite: false, scope: Scope::default() };
        let name = capture_of(&job, &crate::Silent::default()).unwrap().holdout[0].name.clone();
        // As twice the light would look.
        let [render] = pictures(&out, &run).try_into().unwrap_or_else(|_| panic!("not one picture"));
        let mut lit = render.clone();
        lit.pixels.as_flattened_mut().iter_mut().for_each(|value| *value = exposed(*value, 2.0));
        let file = out.join(names::IMAGES).join(&name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        crate::eval::write_jpeg(&file, &lit).unwrap();
        let differ = mean(&pictures(&out, &run)[2]);
        let mut prior = StageRecord::beginning(Stage::PRIOR, "", String::new(), Default::default());
        prior.counts.insert("exposures".into(), serde_json::json!({ (name): [0.5, 0.5, 0.5] }));
        run.put(prior);
        let shown = pictures(&out, &run);
        assert!((mean(&shown[1]) - mean(&shown[0])).abs() < 0.02, "{} {}", mean(&shown[1]), mean(&shown[0]));
        assert!(mean(&shown[2]) < 0.5 * differ, "{} {differ}", mean(&shown[2]));
    }

    #[test]
    fn of_several_seeds_the_models_are_shown_that_the_numbers_are_of() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, count: usize| {
            let model = splat::reference::splats(&splat::reference::cloud(count, 7));
            splat::ply::write_in(dir.path().join(name), &model, &SceneFrame::IDENTITY, false).unwrap();
        };
        let shown = |seeds: u32| -> Vec<usize> {
            models_shown(dir.path(), seeds, &SceneFrame::IDENTITY).unwrap().iter().map(Splats::len).collect()
        };
        assert!(shown(2).is_empty());
        write(names::SPLATS, 30);
        write(&names::model(0), 10);
        assert_eq!((shown(1), shown(2)), (vec![30], vec![30]));
        write(&names::model(1), 20);
        assert_eq!((shown(1), shown(2)), (vec![30], vec![10, 20]));
    }

    #[test]
    fn a_page_is_not_replaced_by_one_without_pictures() {
        let dir = tempfile::tempdir().unwrap();
        let run = Run::new(&dir.path().join("moved away"), &Settings::default());
        let gathered = || gather(dir.path(), &run, &MetricsFile::default(), &crate::Silent::default());
        assert!(gathered().unwrap().train.is_empty());
        std::fs::write(dir.path().join(names::REPORT), "a page").unwrap();
        let error = gathered().err().unwrap().to_string();
        assert!(error.contains(names::REPORT) && error.contains("moved away"), "{error}");
    }

    fn plain(value: f32) -> Image {
        Image { width: 8, height: 6, pixels: vec![[value; 3]; 48] }
    }

    #[test]
    fn differences_are_absolute_and_brightened() {
        let shown = difference(&plain(0.3), &plain(0.4));
        assert!(shown.pixels.iter().flatten().all(|v| (v - 0.4).abs() < 1e-6));
    }
}
