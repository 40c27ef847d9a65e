//! Photometric restoration: dark photographs to lit ones (NAKA-GS §3.1).
//!
//! The response of a camera near black is 20–50 times as steep as in the middle, so whatever is done to noise after the curve
//! comes too late, and its mean is already wrong. The order is therefore: decode in floating point, filter and average while
//! the values are still dark, then the curve, then clip and write. And there is one curve for the whole capture: normalization
//! per image makes the same wall flicker between views, and splats then model the flicker.

mod balance;
pub mod calibrate;
pub mod camera;
mod choose;
mod chroma_noise;
mod config;
mod correct;
mod dequantize;
mod estimate;
mod exif_check;
mod golden;
mod hidden;
mod kernels;
pub mod network;
mod picture;
mod samples;
mod source;
mod tone;
pub mod weights;

pub use balance::Balance;
pub use config::{Config, MOST_STOPS, MOST_WARMTH, Normalize, Response, Scope, Sigma};
pub use correct::{built_in_hash, built_in_weights};
pub use dequantize::{dequantize, read_dark};
pub use estimate::estimate;
pub use golden::golden_check;
pub use kernels::Kernels;
pub use picture::map_names;
pub use tone::{Equalization, Range, Restoration, Tone};

use crate::capture::{Capture, Image, View, below_meter, has_own_curve};
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::parallel::try_map;
use crate::progress::{Journal, Progress};
use choose::{Choice, Origin, choose, describe};
use correct::Correction;
use network::Maps;
use samples::{Samples, sample};
use serde::{Deserialize, Serialize};
use source::Source;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
/// Bytes per pixel of an image being processed, and the most bytes of all such images: six of 2 megapixels, or one of 12
/// or more.
const PIXEL_BYTES: u64 = 100;
const IN_WORK_BYTES: u64 = 1280 << 20;

/// What the stage did.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The response in a few words.
    pub response: String,
    /// Why this one.
    pub reason: String,
    /// EV by which the camera response was exposed longer than its own exposure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exposure: Option<f32>,
    /// Why so.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub exposure_reason: String,
    /// Images written.
    pub images: usize,
    /// Median luminance of the dark and of the lit capture, 0–1, before the network.
    pub median: [f32; 2],
    /// The response to gray: the dark level, then red, green and blue as enhanced, in levels of 255, up to where it stops
    /// rising. Empty where nothing is changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub curve: Vec<[f32; 4]>,
    /// The chroma network in a few words, or `none`.
    #[serde(default)]
    pub network: String,
    /// Milliseconds that its maps of a view took, on average.
    #[serde(default)]
    pub network_ms: f64,
    /// The part of the pixels that masks hide.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub hidden: f64,
}

fn is_zero(part: &f64) -> bool {
    *part == 0.0
}

/// Where the stage writes. A path alone is the folder of the pictures.
#[derive(Clone, Copy)]
pub struct Folders<'a> {
    /// Of the lit pictures.
    pub images: &'a Path,
    /// Of the network's maps, for inspection: NAME.mul.png and NAME.add.png, in 16 bits.
    pub maps: Option<&'a Path>,
    /// Lists the finished pictures, which are not made again.
    pub journal: Option<&'a dyn Journal>,
}

impl<'a, P: AsRef<Path> + ?Sized> From<&'a P> for Folders<'a> {
    fn from(images: &'a P) -> Self {
        Self { images: images.as_ref(), maps: None, journal: None }
    }
}

/// Lights the training and held-out views of `capture`: writes them at 1/`downscale` under their own names to the folder `out`,
/// where files of these names are replaced, and returns the capture with those images and resized cameras. Test views stay as
/// they are.
///
/// # Errors
/// Settings outside their range, images that cannot be read (named), a full disk, two views of one name, a folder in which
/// a photograph would be replaced, a stop.
pub fn enhance_capture<'a>(
    gpu: &Gpu,
    capture: &Capture,
    config: &Config,
    downscale: u32,
    out: impl Into<Folders<'a>>,
    progress: &dyn Progress,
) -> Result<(Capture, Report)> {
    config.validate()?;
    let out = out.into();
    let views: Vec<&View> = capture.train.iter().chain(&capture.holdout).collect();
    unique_names(&views)?;
    keep_photographs(capture, &views, out.images)?;
    progress.begin("enhance", "images", views.len() as u64);
    let hidden = hidden::hidden(capture, &views, downscale, progress)?;
    let kernels = Kernels::new(gpu)?;
    let sources: Vec<Source<'_>> = views.iter().copied().map(Source::View).collect();
    let prepared = Prepared::new(gpu, &kernels, &sources, config, downscale, &capture.root, progress)?;
    let done = AtomicU64::new(0);
    let mut lit = map_few(&views, largest(&sources), |view| {
        progress.check()?;
        let path = out.images.join(&view.name);
        if out.journal.is_none_or(|journal| !journal.is_finished(&path)) {
            let (lit, maps) = prepared.enhance(&Source::View(view))?;
            let exposed = Source::View(view).gain(&prepared.config).is_some();
            picture::write(&path, &lit, view, exposed)?;
            if let (Some(folder), Some(maps)) = (out.maps, &maps) {
                picture::write_maps(folder, &view.name, maps)?;
            }
            out.journal.map_or(Ok(()), |journal| journal.finished(&path))?;
        }
        progress.set(done.fetch_add(1, Ordering::Relaxed) + 1, "");
        let camera = view.camera.downscaled(downscale);
        Ok(View {
            image: Some(path),
            camera,
            name: view.name.clone(),
            lens: None,
            mask: view.undistorted_mask(),
            gain: None,
            shots: Vec::new(),
        })
    })?;
    progress.end();
    let report = Report { hidden, ..prepared.report(lit.len()) };
    let holdout = lit.split_off(capture.train.len());
    Ok((Capture { train: lit, holdout, ..capture.clone() }, report))
}

/// Enhances pictures in memory as the photographs of one capture: one response for all of them, as [`enhance_capture`] does for
/// files. Pixels are as their camera wrote them (sRGB-coded, 0–1) and are taken to have been stored in 8 bits: for those of
/// deeper files turn `config.dequantize` off. `config.camera` may name the file of a calibrated camera.
///
/// # Errors
/// Settings outside their range, a picture without pixels or with another number of them than its size says, a stop.
pub fn enhance_images(
    gpu: &Gpu,
    images: &[Image],
    config: &Config,
    progress: &dyn Progress,
) -> Result<(Vec<Image>, Report)> {
    config.validate()?;
    let names: Vec<String> = (0..images.len()).map(|index| format!("picture {index}")).collect();
    let whole = |image: &Image| image.width as usize * image.height as usize == image.pixels.len();
    if let Some((name, image)) = names.iter().zip(images).find(|(_, image)| image.pixels.is_empty() || !whole(image)) {
        let found = format!("has {} pixels at {} × {}", image.pixels.len(), image.width, image.height);
        return Err(Error::input(Path::new(name), found, "give width × height pixels, or leave it out"));
    }
    let kernels = Kernels::new(gpu)?;
    let sources: Vec<_> = names.iter().zip(images).map(|(name, image)| Source::Memory { name, image }).collect();
    let prepared = Prepared::new(gpu, &kernels, &sources, config, 1, Path::new(""), progress)?;
    let lit = map_few(&sources, largest(&sources), |source| {
        progress.check()?;
        prepared.enhance(source).map(|(lit, _)| lit)
    })?;
    let report = prepared.report(lit.len());
    Ok((lit, report))
}

/// Fails where a lit picture would replace a photograph or a reference, also through a link.
fn keep_photographs(capture: &Capture, views: &[&View], images: &Path) -> Result<()> {
    let files = capture.train.iter().chain(&capture.holdout).chain(&capture.test).flat_map(View::files);
    let files: BTreeSet<PathBuf> = files.filter_map(|file| file.canonicalize().ok()).collect();
    let mut targets = views.iter().map(|view| images.join(&view.name));
    match targets.find(|target| target.canonicalize().is_ok_and(|real| files.contains(&real))) {
        None => Ok(()),
        Some(target) => {
            let found = format!("{} is one of the photographs, and would be replaced", target.display());
            Err(Error::setting("out", found, "choose another folder"))
        }
    }
}

/// How many images of at most `pixels` are processed at one time.
fn in_work(pixels: u64, threads: usize) -> usize {
    (IN_WORK_BYTES / (PIXEL_BYTES * pixels).max(1)).clamp(1, threads.max(1) as u64) as usize
}

/// Pixels of the largest picture.
fn largest(sources: &[Source<'_>]) -> u64 {
    sources.iter().map(Source::pixels).max().unwrap_or(0)
}

/// Maps `work` over the pictures in order, with as many in memory as there are threads and room for at `pixels` pixels each.
fn map_few<T: Sync, R: Send>(pictures: &[T], pixels: u64, work: impl Fn(&T) -> Result<R> + Sync) -> Result<Vec<R>> {
    let mut results = Vec::with_capacity(pictures.len());
    for group in pictures.chunks(in_work(pixels, rayon::current_num_threads())) {
        results.extend(try_map(group, &work)?);
    }
    Ok(results)
}

/// State shared by all pictures of a capture: its response, and the network with statistics of the whole capture where one
/// response serves all of it.
struct Prepared<'g> {
    kernels: &'g Kernels<'g>,
    /// The settings; without `exif_exposure` where the pixels contradict it.
    config: Config,
    downscale: u32,
    choice: Choice,
    correction: Option<Correction<'g>>,
    samples: Vec<[f32; 3]>,
}

impl<'g> Prepared<'g> {
    /// `root` is the folder where the capture's own `camera.toml` may be.
    fn new(
        gpu: &'g Gpu,
        kernels: &'g Kernels<'g>,
        sources: &[Source<'_>],
        config: &Config,
        downscale: u32,
        root: &Path,
        progress: &dyn Progress,
    ) -> Result<Self> {
        let Samples { pixels: samples, ignore_exif } = sample(sources, config, downscale, progress)?;
        let config = Config { exif_exposure: config.exif_exposure && !ignore_exif, ..config.clone() };
        if sources.iter().any(|source| source.gain(&config).is_some()) {
            tracing::info!("photographs are scaled to their mean exposure (EXIF)");
        }
        let linear = sources.iter().all(Source::is_linear);
        let views: Vec<&View> = sources.iter().filter_map(Source::view).collect();
        let curves = views.iter().filter(|view| view.image.as_deref().is_some_and(has_own_curve)).count();
        if curves > 0 {
            tracing::info!("{curves} photographs are read by the curve of their color profile, which is not sRGB's");
        }
        // Linear light needs no EXIF metering, and reading the files again takes time.
        let origin = Origin { linear, below_meter: if linear { None } else { below_meter(&views) } };
        let choice = choose(&config, root, &samples, origin)?;
        tracing::info!("response: {}; {}", choice.response, choice.reason);
        if let Some(exposure) = &choice.exposure {
            tracing::info!("exposure: {:+.2} EV; {}", exposure.stops, exposure.reason);
        }
        let mut prepared = Self { kernels, config, downscale, choice, correction: None, samples };
        prepared.correction = prepared.correction(gpu, sources)?;
        Ok(prepared)
    }

    fn correction(&self, gpu: &'g Gpu, sources: &[Source<'_>]) -> Result<Option<Correction<'g>>> {
        let (config, restoration) = (&self.config, &self.choice.restoration);
        let suitable = !per_image(config) && !matches!(restoration.tone, Tone::Identity);
        let Some(mut correction) = Correction::open(gpu, config, suitable)? else { return Ok(None) };
        if sources.len() > 1 && !per_image(config) {
            let step = sources.len().div_ceil(correct::SAMPLED);
            let chosen: Vec<_> = sources.iter().step_by(step).copied().collect();
            let measured = map_few(&chosen, largest(&chosen), |source| {
                let dark = correction.sampled(&source.prepared(config, &self.choice, self.downscale)?);
                let toned = self.kernels.apply(&dark, restoration)?;
                Ok((source.name(), dark, toned))
            })?;
            correction.measure(&measured)?;
        }
        Ok(Some(correction))
    }

    /// One picture, from its file to the lit image, and the network's maps where there is a network.
    fn enhance(&self, source: &Source<'_>) -> Result<(Image, Option<Maps>)> {
        let dark = source.prepared(&self.config, &self.choice, self.downscale)?;
        let own = per_image(&self.config).then(|| estimate(&self.config, &dark.pixels));
        let restoration = own.as_ref().unwrap_or(&self.choice.restoration);
        let toned = self.kernels.apply(&dark, restoration)?;
        let Some(correction) = &self.correction else { return Ok((toned, None)) };
        let maps = correction.maps(source.name(), &dark, &toned, |small| self.kernels.apply(small, restoration))?;
        Ok((correction.apply(&maps, &toned)?, Some(maps)))
    }

    fn report(&self, images: usize) -> Report {
        let mut report = report(&self.choice, &self.config, &self.samples, images);
        if let Some(correction) = &self.correction {
            report.network = correction.describe();
            report.network_ms = correction.milliseconds();
            tracing::info!("chroma network: {}, {:.0} ms an image", report.network, report.network_ms);
        }
        report
    }
}

/// Whether every image gets a response of its own.
fn per_image(config: &Config) -> bool {
    config.scope == Scope::Image && matches!(config.response, Response::Naka | Response::Log)
}

fn unique_names(views: &[&View]) -> Result<()> {
    let mut seen = BTreeSet::new();
    match views.iter().find(|view| !seen.insert(&view.name)) {
        None => Ok(()),
        Some(view) => Err(Error::input(
            view.image.as_deref().unwrap_or(Path::new(&view.name)),
            format!("another view is also named {}", view.name),
            "give every image a name of its own: results carry the same names",
        )),
    }
}

fn report(choice: &Choice, config: &Config, samples: &[[f32; 3]], images: usize) -> Report {
    let restoration = if per_image(config) { estimate(config, samples) } else { choice.restoration.clone() };
    let lit: Vec<[f32; 3]> = samples.iter().map(|p| restoration.apply(*p)).collect();
    let response =
        if per_image(config) { format!("per image: {}", describe(&restoration)) } else { choice.response.clone() };
    let median = [samples, &lit].map(estimate::median_luminance);
    Report {
        response,
        reason: choice.reason.clone(),
        exposure: choice.exposure.as_ref().map(|exposure| exposure.stops),
        exposure_reason: choice.exposure.as_ref().map(|exposure| exposure.reason.clone()).unwrap_or_default(),
        images,
        median,
        curve: restoration.curve(),
        network: "none".into(),
        network_ms: 0.0,
        hidden: 0.0,
    }
}

#[cfg(test)]
mod memory_tests {
    use super::in_work;

    #[test]
    fn few_large_images_are_in_work_at_one_time() {
        assert_eq!([1, 2, 16].map(|threads| in_work(2_067_408, threads)), [1, 2, 6]);
        assert_eq!([in_work(24_000_000, 16), in_work(0, 3), in_work(1, 0)], [1, 3, 1]);
    }
}

#[cfg(test)]
mod choose_tests;
#[cfg(test)]
mod exif_tests;
#[cfg(test)]
mod exposure_tests;
#[cfg(test)]
mod odd_tests;
#[cfg(test)]
mod tests;
