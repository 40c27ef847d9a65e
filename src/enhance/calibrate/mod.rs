//! A camera file from exposures of one camera: what its dark pictures have to become to look like its lit ones.
//!
//! Two pictures of one framing, a dark and a lit one, show the same surfaces, so every even area gives a pair of values.
//! They are averaged over blocks first ([`blocks`]), in the dark domain, where noise, rounding and a pixel of
//! misalignment average out; then each lit channel is fitted as a monotone curve of a mixture of the dark channels
//! ([`fit`]). Folders without common names have no pairs; there only each channel's quantiles are matched, which finds
//! the curves but no hue, so the matrix stays the identity.

mod blocks;
mod checks;
mod fit;
mod spline;
mod write;

use super::camera::Camera;
use crate::capture::{Capture, Image, View, list_names, read_image};
use crate::error::Result;
use crate::parallel::try_map;
use crate::progress::Progress;
use blocks::Block;
use fit::Channel;
use rayon::prelude::*;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// How to calibrate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// Match quantiles only, even where names agree.
    pub quantiles: bool,
}

/// A fitted camera: the file's text, the camera it parses to, and how well it fits.
#[derive(Clone, Debug)]
pub struct Calibration {
    /// The text of the camera file.
    pub toml: String,
    /// The response that it describes.
    pub camera: Camera,
    /// How well it fits.
    pub report: Report,
}

/// What was fitted to what, and how well. Levels are of 255.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    /// Pairs of pictures; 0 where only quantiles were matched.
    pub pairs: usize,
    /// Dark and lit pictures read.
    pub images: [usize; 2],
    /// Areas that were fitted.
    pub blocks: usize,
    /// Red, green, blue.
    pub channels: [Fitted; 3],
    /// What may be wrong with the pictures.
    pub warnings: Vec<String>,
}

/// One channel of a [`Report`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Fitted {
    /// Darkest and brightest level of the dark pictures between which the curve is measured.
    pub dark: [f64; 2],
    /// The same of the lit pictures.
    pub lit: [f64; 2],
    /// Root mean square of what the curve alone leaves, in lit levels, and of what is left with the matrix.
    pub rms: [f64; 2],
}

/// Fits a camera to the training views of `dark` and `lit`: to pairs of one file name (without its ending), or of two
/// single pictures; else, or if the settings ask for it, to the quantiles of each.
///
/// # Errors
/// Pictures that cannot be read, pairs of different sizes, and [`crate::Error::Input`] for what no response can be fitted to:
/// exchanged, saturated, black, constant or unrelated pictures.
pub fn calibrate(dark: &Capture, lit: &Capture, config: Config, progress: &dyn Progress) -> Result<Calibration> {
    let Matched { pairs, without, further } = if config.quantiles { Matched::default() } else { pairs(dark, lit) };
    if pairs.is_empty() {
        return by_quantiles(dark, lit, progress);
    }
    progress.begin("calibrate", "pairs", pairs.len() as u64);
    let read = par_map(&pairs, progress, |(dark, lit)| {
        let (dark, lit) = (dark.file()?, lit.file()?);
        let images = (read_image(dark)?, read_image(lit)?);
        checks::sizes([dark, lit], [&images.0, &images.1])?;
        Ok(blocks::paired(&images.0, &images.1))
    })?;
    progress.end();
    let mut report = Report { pairs: pairs.len(), images: [pairs.len(); 2], ..Report::default() };
    if without > 0 {
        report.warnings.push(format!("{without} pictures of the smaller folder have no partner of their name"));
    }
    if !further.is_empty() {
        let (count, names) = (further.len(), list_names(&further));
        let warning = format!("{count} more files of shots that are paired already are left out: {names}");
        report.warnings.push(warning);
    }
    let names: Vec<&str> = pairs.iter().map(|(dark, _)| dark.name.as_str()).collect();
    let blocks = checks::related(source(lit), &names, read, &mut report)?;
    fitted([source(dark), source(lit)], &blocks, report)
}

/// The camera that takes dark pictures to lit ones of the same framing, from `pairs` (dark, lit) of equal size. Values
/// are 0–1.
///
/// # Errors
/// As [`calibrate`].
pub fn fit_pairs(pairs: &[(&Image, &Image)]) -> Result<Camera> {
    let sources = ["dark", "lit"].map(Path::new);
    pairs.iter().try_for_each(|(dark, lit)| checks::sizes(sources, [dark, lit]))?;
    let read = pairs.par_iter().map(|(dark, lit)| blocks::paired(dark, lit)).collect();
    let mut report = Report { pairs: pairs.len(), images: [pairs.len(); 2], ..Report::default() };
    let blocks = checks::related(sources[1], &vec!["a pair"; pairs.len()], read, &mut report)?;
    Ok(fitted(sources, &blocks, report)?.camera)
}

/// Curves and a matrix for areas of pairs.
fn fitted(sources: [&Path; 2], blocks: &[Block], mut report: Report) -> Result<Calibration> {
    checks::usable(sources[0], sources[1], blocks, &mut report)?;
    let samples: [_; 3] = std::array::from_fn(|c| blocks::samples(blocks, c));
    report.blocks = samples.iter().map(Vec::len).max().unwrap_or(0);
    let fitted: [_; 3] = std::array::from_fn(|c| {
        let curve = fit::channel(&samples[c], c, false);
        (fit::channel(&samples[c], c, true), curve.rms)
    });
    let before = fitted.each_ref().map(|(_, rms)| *rms);
    finish(sources, fitted.map(|(channel, _)| channel), before, report)
}

fn by_quantiles(dark: &Capture, lit: &Capture, progress: &dyn Progress) -> Result<Calibration> {
    let views: Vec<&View> = dark.train.iter().chain(&lit.train).collect();
    progress.begin("calibrate", "images", views.len() as u64);
    let mut read = par_map(&views, progress, |view| Ok(blocks::single(&read_image(view.file()?)?)))?;
    progress.end();
    let lit_areas = read.split_off(dark.train.len()).concat();
    let report = Report { images: [dark.train.len(), lit.train.len()], ..Report::default() };
    matched([source(dark), source(lit)], [&read.concat(), &lit_areas], report)
}

/// The camera whose curves take the quantiles of each channel of `dark` to those of `lit`; its matrix is the identity.
/// Values are 0–1.
///
/// # Errors
/// Pictures that no response can be fitted to, as in [`calibrate`].
pub fn match_quantiles(dark: &[&Image], lit: &[&Image]) -> Result<Camera> {
    let areas = [dark, lit].map(|images| images.iter().flat_map(|image| blocks::single(image)).collect::<Vec<_>>());
    let report = Report { images: [dark.len(), lit.len()], ..Report::default() };
    Ok(matched(["dark", "lit"].map(Path::new), areas.each_ref().map(Vec::as_slice), report)?.camera)
}

/// Curves that match the quantiles of dark and lit areas.
fn matched(sources: [&Path; 2], [dark, lit]: [&[[f32; 3]]; 2], mut report: Report) -> Result<Calibration> {
    report.blocks = dark.len();
    report.warnings.push(
        "no pairs of pictures: only the quantiles of each channel are matched, which assumes that both sets show the \
         same surfaces equally often, and no matrix is fitted: hues may be off"
            .into(),
    );
    let samples: [_; 3] = std::array::from_fn(|c| blocks::quantiles(dark, lit, c));
    checks::usable(sources[0], sources[1], &blocks::ranked(dark, lit), &mut report)?;
    let channels: [_; 3] = std::array::from_fn(|c| fit::channel(&samples[c], c, false));
    let before = channels.each_ref().map(|channel| channel.rms);
    finish(sources, channels, before, report)
}

/// What messages and the file's comments name: a lone picture, else the folder of the pictures.
fn source(capture: &Capture) -> &Path {
    match &capture.train[..] {
        [View { image: Some(file), .. }] => file,
        _ => &capture.root,
    }
}

/// Checks the fitted channels and writes them down.
fn finish(
    [dark, lit]: [&Path; 2],
    channels: [Channel; 3],
    before: [f64; 3],
    mut report: Report,
) -> Result<Calibration> {
    report.channels = std::array::from_fn(|c| Fitted {
        dark: channels[c].dark,
        lit: channels[c].lit,
        rms: [before[c], channels[c].rms],
    });
    checks::fitted(lit, &mut report)?;
    let toml = write::toml(dark, lit, &channels, &report);
    let camera = Camera::parse(Path::new("the fitted camera"), &toml)?;
    Ok(Calibration { toml, camera, report })
}

/// Which views of two captures are pairs.
#[derive(Default)]
struct Matched<'a> {
    /// Dark and lit.
    pairs: Vec<(&'a View, &'a View)>,
    /// How many names of the capture with fewer of them the other one lacks.
    without: usize,
    /// Files of the views whose name is paired already.
    further: Vec<String>,
}

/// One pair for each name that both have (without its ending, in any case), of files of one kind where there are some; two
/// single pictures are a pair whatever their names.
fn pairs<'a>(dark: &'a Capture, lit: &'a Capture) -> Matched<'a> {
    if let ([dark], [lit]) = (&dark.train[..], &lit.train[..]) {
        return Matched { pairs: vec![(dark, lit)], ..Matched::default() };
    }
    let [dark, lit] = [dark, lit].map(by_name);
    let mut matched = Matched::default();
    for (name, dark) in &dark {
        let Some(lit) = lit.get(name) else { continue };
        let alike = lit.iter().find_map(|lit| Some((*dark.iter().find(|dark| kind(dark) == kind(lit))?, *lit)));
        let pair = alike.unwrap_or((dark[0], lit[0]));
        let others = dark.iter().chain(lit).filter(|view| ![pair.0, pair.1].contains(view));
        matched.further.extend(others.map(|view| path(view).display().to_string()));
        matched.pairs.push(pair);
    }
    matched.without = dark.len().min(lit.len()) - matched.pairs.len();
    matched
}

/// The views of each name without its ending.
fn by_name(capture: &Capture) -> BTreeMap<String, Vec<&View>> {
    let mut views = BTreeMap::<_, Vec<&View>>::new();
    for view in &capture.train {
        let name = Path::new(&view.name).with_extension("").to_string_lossy().to_lowercase();
        views.entry(name).or_default().push(view);
    }
    views
}

/// The ending of a view's file.
fn kind(view: &View) -> String {
    path(view).extension().unwrap_or_default().to_string_lossy().to_lowercase()
}

fn path(view: &View) -> &Path {
    view.image.as_deref().unwrap_or(Path::new(&view.name))
}

/// `work` on every item in parallel, in order, with progress.
fn par_map<T: Sync, R: Send>(
    items: &[T],
    progress: &dyn Progress,
    work: impl Fn(&T) -> Result<R> + Sync,
) -> Result<Vec<R>> {
    let done = AtomicU64::new(0);
    let one = |item: &T| {
        progress.check()?;
        let result = work(item)?;
        progress.set(done.fetch_add(1, Ordering::Relaxed) + 1, "");
        Ok(result)
    };
    try_map(items, one)
}

#[cfg(test)]
mod tests;
