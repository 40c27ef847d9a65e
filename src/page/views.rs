//! The pictures of a run's report: photographs, lit photographs, renders, references and their differences.

use super::html::{Embedded, escape};
use crate::capture::{Camera, Image, View, read_image, resize_area};
use crate::error::Result;
use crate::eval::ViewMetrics;
use crate::gpu::{Gpu, Mask};
use crate::pipeline::fingerprint::has_recorded_content;
use crate::pipeline::output::names;
use crate::pipeline::record::Run;
use crate::pipeline::{Job, MetricsFile, Painter, Scope, capture_of, render_name, spread};
use crate::progress::Progress;
use crate::splat;
use std::fmt::Write;
use std::path::Path;

/// Longest side of a picture in the page.
const SIDE: u32 = 560;
/// Most views of a kind: training, held out, test.
const MOST: [usize; 3] = [6, 4, 8];
/// How much stronger a difference is shown than it is.
const GAIN: f32 = 4.0;

/// The views of a run by kind, as HTML; empty where there is none.
#[derive(Debug, Default)]
pub struct Views {
    pub train: String,
    pub holdout: String,
    pub test: String,
}

/// Gathers the pictures of the run in `out`.
///
/// # Errors
/// Pictures and splats that cannot be read, an adapter that cannot be opened, a stop that was asked for.
pub fn gather(out: &Path, run: &Run, metrics: &MetricsFile, progress: &dyn Progress) -> Result<Views> {
    let settings = run.settings(out)?;
    let (scene, out) = (run.scene.clone(), out.to_path_buf());
    let job = Job { scene, out, settings, overwrite: false, scope: Scope::default() };
    let capture = match capture_of(&job, progress) {
        Ok(capture) => capture,
        Err(error) => {
            tracing::warn!("the report shows no pictures: {error}");
            return Ok(Views::default());
        }
    };
    let (settings, out) = (&job.settings, &job.out);
    let splats = out.join(names::SPLATS);
    let splats = if splats.is_file() { Some(splat::read_in(splats, &capture.frame)?) } else { None };
    let gpu = if splats.is_some() { Some(Gpu::open(&settings.adapter_choice(), Mask::of_process())?) } else { None };
    let painter = match (&gpu, &splats) {
        (Some(gpu), Some(splats)) => Some(Painter::new(gpu, splats, settings.train.antialiased)?),
        _ => None,
    };
    let mut gallery = Gallery { out, run, painter, progress, done: 0 };
    let chosen = [&capture.train, &capture.holdout, &capture.test];
    let total: usize = chosen.iter().zip(MOST).map(|(views, most)| views.len().min(most)).sum();
    progress.begin("report", "views", total as u64);
    let mut views = Views::default();
    for view in spread(&capture.train, MOST[0]) {
        views.train += &gallery.trained(view, None)?;
    }
    for view in spread(&capture.holdout, MOST[1]) {
        let numbers = metrics.metrics.holdout.iter().flat_map(|group| &group.views).find(|n| n.name == view.name);
        views.holdout += &gallery.trained(view, Some(numbers))?;
    }
    for view in spread(&capture.test, MOST[2]) {
        let numbers = metrics.metrics.test.views.iter().find(|n| n.name == view.name);
        views.test += &gallery.rendered(view, numbers)?;
    }
    progress.end();
    Ok(views)
}

struct Gallery<'a> {
    out: &'a Path,
    run: &'a Run,
    painter: Option<Painter<'a>>,
    progress: &'a dyn Progress,
    done: u64,
}

impl Gallery<'_> {
    /// A photographed view. Held-out ones (`numbers` is given) are compared with their lit image.
    fn trained(&mut self, view: &View, numbers: Option<Option<&ViewMetrics>>) -> Result<String> {
        self.progress.check()?;
        let dark = self.photograph(view)?.map(|image| small(&image));
        let lit = self.out.join(names::IMAGES).join(&view.name);
        let lit = if lit.is_file() { Some(small(&read_image(&lit)?)) } else { None };
        let camera = view.camera.downscaled(view.camera.width.max(view.camera.height).div_ceil(SIDE).max(1));
        let render = self.paint(&camera)?;
        let reference = lit.as_ref().or(dark.as_ref());
        let difference = match (&render, reference) {
            (Some(render), Some(reference)) if numbers.is_some() => Some(difference(render, reference)),
            _ => None,
        };
        let pictures = [("dark photograph", dark), ("lit", lit), ("render", render), (DIFFERENCE, difference)];
        self.step();
        figure(&view.name, &pictures, [0, 2], numbers.flatten())
    }

    /// A test view, with its reference if it has one.
    fn rendered(&mut self, view: &View, numbers: Option<&ViewMetrics>) -> Result<String> {
        self.progress.check()?;
        let file = self.out.join(names::RENDERS).join(render_name(&view.name));
        let render = if file.is_file() { Some(read_image(&file)?) } else { None };
        let reference = self.photograph(view)?;
        let difference = render.as_ref().zip(reference.as_ref()).map(|(a, b)| difference(a, b));
        let pictures = [("render", render), ("reference", reference), (DIFFERENCE, difference)];
        self.step();
        figure(&view.name, &pictures, [0, 1], numbers)
    }

    /// The photograph or reference of a view, if the run has read this very file: a record that names files which its
    /// author did not have gets none of them into a page.
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

/// A view: its pictures on top of each other, two of which (`show`, by position) are seen at first.
fn figure(
    name: &str,
    pictures: &[(&str, Option<Image>)],
    show: [usize; 2],
    numbers: Option<&ViewMetrics>,
) -> Result<String> {
    let wanted = show.map(|i| pictures[i].0);
    let present: Vec<(&str, &Image)> =
        pictures.iter().filter_map(|(label, image)| Some((*label, image.as_ref()?))).collect();
    let Some(last) = present.len().checked_sub(1) else { return Ok(String::new()) };
    let position = |label: &str| present.iter().position(|(other, _)| *other == label);
    let (left, right) = (position(wanted[0]).unwrap_or(0), position(wanted[1]).unwrap_or(last));
    let name = escape(name);
    let mut out = String::from("<figure class=\"view\"><div class=\"compare\">");
    for (i, (label, image)) in present.iter().enumerate() {
        let class = match i {
            i if i == right => " class=\"under\"",
            i if i == left => " class=\"over\"",
            _ => "",
        };
        let Embedded { uri, width, height } = Embedded::new(image, SIDE)?;
        _ = write!(out, "<img{class} src=\"{uri}\" width=\"{width}\" height=\"{height}\" alt=\"{name}: {label}\">");
    }
    if left != right {
        _ = write!(
            out,
            "<span class=\"line\"></span><input type=\"range\" min=\"0\" max=\"100\" step=\"any\" value=\"50\" \
             aria-label=\"{name}: where the left picture ends\">"
        );
    }
    _ = write!(out, "</div><figcaption><b>{name}</b> <span class=\"numbers\">{}</span>", figures(numbers));
    if left != right {
        out += "<div class=\"sides\" hidden>";
        for (side, chosen) in [("left", left), ("right", right)] {
            _ = write!(out, "<label>{side} <select aria-label=\"{name}: picture on the {side}\">");
            for (i, (label, _)) in present.iter().enumerate() {
                let selected = if i == chosen { " selected" } else { "" };
                _ = write!(out, "<option value=\"{i}\"{selected}>{label}</option>");
            }
            out += "</select></label>";
        }
        out += "</div>";
    }
    out += "</figcaption></figure>\n";
    Ok(out)
}

fn figures(numbers: Option<&ViewMetrics>) -> String {
    let Some(numbers) = numbers else { return String::new() };
    let ssim = numbers.ssim.map_or_else(String::new, |ssim| format!(", SSIM {ssim:.4}"));
    format!("{:.2} dB{ssim}, {:.2} dB after a color fit", numbers.psnr, numbers.psnr_affine)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(value: f32) -> Image {
        Image { width: 8, height: 6, pixels: vec![[value; 3]; 48] }
    }

    #[test]
    fn differences_are_absolute_and_brightened() {
        let shown = difference(&plain(0.3), &plain(0.4));
        assert!(shown.pixels.iter().flatten().all(|v| (v - 0.4).abs() < 1e-6));
    }

    #[test]
    fn a_view_shows_what_there_is() {
        let all = [("render", Some(plain(0.2))), ("reference", Some(plain(0.3))), (DIFFERENCE, Some(plain(0.4)))];
        let html = figure("<a>.JPG", &all, [0, 1], None).unwrap();
        assert_eq!((html.matches("<img").count(), html.matches("<option").count()), (3, 6));
        assert!(html.contains("class=\"over\"") && html.contains("&lt;a&gt;.JPG") && !html.contains("<a>"));
        let one = [("render", Some(plain(0.2))), ("reference", None)];
        let html = figure("a", &one, [0, 1], None).unwrap();
        assert!(html.contains("class=\"under\"") && !html.contains("<input"), "{html}");
        assert!(figure("a", &[("render", None), ("reference", None)], [0, 1], None).unwrap().is_empty());
    }
}
