//! Pairs renders with references, and collects their numbers.

use super::jpeg::through_jpeg;
use super::metrics::{broken_pixels, ssim_where};
use super::{Counted, Lpips, fit_affine, fit_quadratic, flicker, offset, psnr, sharpness, ssim};
use crate::capture::{Image, Mask, MaskUse, ending, image_size, list_names, masks_of, resize_area};
use crate::error::{Error, Result};
use crate::limits;
use crate::progress::Progress;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The numbers of one picture. Every mean in [`Group`] is over these.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ViewMetrics {
    /// The render's file name.
    pub name: String,
    /// dB, at most [`super::PSNR_CAP`].
    pub psnr: f64,
    /// As of Wang et al. 2004 (see [`super::ssim`]); `null` where a side is shorter than 11 pixels.
    pub ssim: Option<f64>,
    /// `null` without its weights, and where a side is shorter than 31 pixels.
    pub lpips: Option<f64>,
    /// PSNR after the best affine color map of the render to the reference.
    pub psnr_affine: f64,
    /// PSNR after the best quadratic color map.
    pub psnr_quadratic: f64,
    /// PSNR of the render after JPEG compression (quality 95, 4:2:0); `null` where what is compared are files.
    #[serde(default)]
    pub psnr_jpeg: Option<f64>,
    /// Energy in fine structures, relative to the reference (see [`super::sharpness`]).
    #[serde(default)]
    pub sharpness: Option<f64>,
    /// Mean of render − reference for red, green and blue, in levels of 255.
    #[serde(default)]
    pub offset: [f64; 3],
}

/// What to do where two pictures cannot be compared.
const SAME_VIEW: &str = "compare pictures of the same view";

/// What is measured besides the distance of colors.
#[derive(Clone, Copy, Default)]
pub struct Extras<'a> {
    /// LPIPS by this network.
    pub lpips: Option<&'a Lpips>,
    /// Also PSNR after JPEG compression.
    pub through_jpeg: bool,
}

/// Means over a set of pictures, and the pictures.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// `null` where there was nothing to compare.
    pub psnr: Option<f64>,
    /// Mean SSIM.
    pub ssim: Option<f64>,
    /// Mean LPIPS, where it was measured.
    pub lpips: Option<f64>,
    /// Mean PSNR after an affine color fit, dB.
    pub psnr_affine: Option<f64>,
    /// Mean PSNR after a quadratic color fit, dB.
    pub psnr_quadratic: Option<f64>,
    /// Mean PSNR after JPEG compression, dB.
    #[serde(default)]
    pub psnr_jpeg: Option<f64>,
    /// Mean sharpness.
    #[serde(default)]
    pub sharpness: Option<f64>,
    /// How much colors as a whole change from view to view, in levels of 255 (see [`super::flicker`]).
    #[serde(default)]
    pub flicker: Option<f64>,
    /// Each view.
    pub views: Vec<ViewMetrics>,
}

impl Group {
    /// The means of `views`.
    pub fn new(views: Vec<ViewMetrics>) -> Self {
        Self {
            psnr: mean(views.iter().map(|v| Some(v.psnr))),
            ssim: mean(views.iter().map(|v| v.ssim)),
            lpips: mean(views.iter().map(|v| v.lpips)),
            psnr_affine: mean(views.iter().map(|v| Some(v.psnr_affine))),
            psnr_quadratic: mean(views.iter().map(|v| Some(v.psnr_quadratic))),
            psnr_jpeg: mean(views.iter().map(|v| v.psnr_jpeg)),
            sharpness: mean(views.iter().map(|v| v.sharpness)),
            flicker: flicker(&views.iter().map(|v| v.offset).collect::<Vec<_>>()),
            views,
        }
    }
}

fn mean(values: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    let values: Vec<f64> = values.flatten().collect();
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// What `metrics.json` holds: the test views against their references, and the views kept from training.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// Views with a reference.
    #[serde(flatten)]
    pub test: Group,
    /// Views that were held out of training.
    pub holdout: Option<Group>,
}

/// A render and its reference.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pair {
    /// What the numbers are of.
    pub name: String,
    /// The picture to judge.
    pub render: PathBuf,
    /// What it should be.
    pub reference: PathBuf,
}

/// The numbers of one render. Where sizes differ, the larger picture is area-averaged to the smaller one's size: a
/// render at a quarter of the resolution is compared with the reference as a camera of that resolution had seen it. Of
/// the pixels of the reference those that are `counted` are compared, or all.
///
/// # Errors
/// [`Error::Setting`] if the two pictures differ in shape (sides' ratio to 2 %) or are empty;
/// [`Error::NotFinite`] if a pixel of either is not finite.
pub fn compare(
    name: &str,
    render: &Image,
    reference: &Image,
    counted: Option<&Counted>,
    extras: Extras<'_>,
) -> Result<ViewMetrics> {
    for (picture, image) in [("the render", render), ("the reference", reference)] {
        let broken = broken_pixels(image);
        if broken > 0 {
            let found = format!("{broken} of {} pixels of {picture} are not finite", image.pixels.len());
            let remedy = "make the picture again; it cannot be measured".into();
            return Err(Error::NotFinite { what: name.into(), found, remedy });
        }
    }
    let (resized_render, resized_reference) = to_common_size(render, reference);
    let render = resized_render.as_ref().unwrap_or(render);
    let reference = resized_reference.as_ref().unwrap_or(reference);
    let counted = counted.map(|counted| counted.resized(reference.width, reference.height));
    let numbers = match counted.filter(|_| (render.width, render.height) == (reference.width, reference.height)) {
        None => numbers(name, [render, reference], [render, reference], ssim(render, reference), None, extras),
        Some(counted) => {
            let merged = counted.merged(render, reference);
            let ssim = ssim_where(&merged, reference, &|at| counted.at(at));
            let only = [&counted.only(render), &counted.only(reference)];
            let jpeg = if extras.through_jpeg { through_jpeg(&merged) } else { None };
            let psnr_jpeg = jpeg.and_then(|jpeg| psnr(&counted.only(&jpeg), only[1]));
            let numbers = numbers(name, [&merged, reference], only, ssim, Some(&counted), extras);
            numbers.map(|numbers| ViewMetrics { psnr_jpeg, ..numbers })
        }
    };
    numbers.ok_or_else(|| {
        let found = other_sizes(render, reference).unwrap_or_else(|| "the pictures have no pixels".into());
        Error::setting(name, found, SAME_VIEW)
    })
}

/// The numbers of the pixels that count, in `only`, which are those of whole pictures or in one row.
fn numbers(
    name: &str,
    [whole, whole_reference]: [&Image; 2],
    only: [&Image; 2],
    ssim: Option<f64>,
    counted: Option<&Counted>,
    extras: Extras<'_>,
) -> Option<ViewMetrics> {
    let [render, reference] = only;
    Some(ViewMetrics {
        name: name.to_owned(),
        psnr: psnr(render, reference)?,
        ssim,
        lpips: extras.lpips.and_then(|network| network.distance(whole, whole_reference, counted)),
        psnr_affine: psnr(&fit_affine(render, reference)?, reference)?,
        psnr_quadratic: psnr(&fit_quadratic(render, reference)?, reference)?,
        psnr_jpeg: if extras.through_jpeg { psnr(&through_jpeg(whole)?, whole_reference) } else { None },
        sharpness: sharpness(whole, whole_reference, counted),
        offset: offset(render, reference),
    })
}

/// New pictures where one has to shrink; nothing where the sizes agree or cannot be brought together.
fn to_common_size(render: &Image, reference: &Image) -> (Option<Image>, Option<Image>) {
    let (a, b) = ((render.width, render.height), (reference.width, reference.height));
    let (x, y) = (f64::from(a.0) / f64::from(b.0), f64::from(a.1) / f64::from(b.1));
    // Rounding down to whole pixels moves a side by less than one pixel.
    let same_shape = (x / y - 1.0).abs() < 0.02 + 1.0 / f64::from(a.0.min(a.1).min(b.0).min(b.1).max(1));
    match (a, b) {
        _ if a == b || !same_shape => (None, None),
        _ if a.0 <= b.0 && a.1 <= b.1 => (None, Some(resize_area(reference, a.0, a.1))),
        _ if a.0 >= b.0 && a.1 >= b.1 => (Some(resize_area(render, b.0, b.1)), None),
        _ => (None, None),
    }
}

/// The numbers of all `pairs`, in their order; `weights` are those of a reference's pixels, `None` where all count.
fn compare_pairs(
    pairs: &[Pair],
    weights: &dyn Fn(&Path) -> Result<Option<Image>>,
    lpips: Option<&Lpips>,
    progress: &dyn Progress,
) -> Result<Group> {
    progress.begin("eval", "images", pairs.len() as u64);
    let extras = Extras { lpips, through_jpeg: false };
    let mut views = Vec::with_capacity(pairs.len());
    let mut resized = Vec::new();
    for pair in pairs {
        progress.check()?;
        let (render, reference) = (read_8bit(&pair.render)?, read_8bit(&pair.reference)?);
        let counted = weights(&pair.reference)?.map(|weights| counted(&weights));
        if counted.as_ref().is_some_and(Counted::is_empty) {
            tracing::warn!("{}: every pixel is transparent or hidden by a mask; left out", pair.reference.display());
            continue;
        }
        if let Some(sizes) = other_sizes(&render, &reference) {
            if is_cropped(&render, &reference) {
                return Err(Error::input(&pair.render, format!("{sizes}: one of them was cropped"), SAME_VIEW));
            }
            resized.push(format!("{} ({sizes})", pair.name));
        }
        let view = compare(&pair.name, &render, &reference, counted.as_ref(), extras).map_err(|error| match error {
            Error::Setting { found, remedy, .. } => Error::input(&pair.render, found, remedy),
            other => other,
        })?;
        views.push(view);
        progress.set(views.len() as u64, "");
    }
    progress.end();
    if !resized.is_empty() {
        let (of, list) = (views.len(), list_names(&resized));
        tracing::warn!(
            "{} of {of} pairs differ in size, so the larger picture was averaged down: {list}",
            resized.len()
        );
    }
    Ok(Group::new(views))
}

fn counted(weights: &Image) -> Counted {
    let only: Vec<f32> = weights.pixels.iter().map(|pixel| pixel[0]).collect();
    Counted::new(weights.width, weights.height, &only)
}

/// The sizes of two pictures, where they differ.
fn other_sizes(render: &Image, reference: &Image) -> Option<String> {
    let (a, b) = ((render.width, render.height), (reference.width, reference.height));
    (a != b).then(|| format!("the render has {}x{} pixels, its reference {}x{}", a.0, a.1, b.0, b.1))
}

/// Whether pictures of two sizes differ by a pixel at most, which no scaling does.
fn is_cropped(render: &Image, reference: &Image) -> bool {
    render.width.abs_diff(reference.width) <= 1 && render.height.abs_diff(reference.height) <= 1
}

/// Compares the pictures of two folders and the folders below them, paired by path without ending and regard to case
/// (`cam0/0031.JPG` and `cam0/0031.png`), in the order of their paths, in which numbers count by value.
/// Pictures without a partner are left out, with a warning, and so are pixels that a reference's alpha channel hides, or a mask
/// file where a scene would have it whose test pictures the references are.
///
/// # Errors
/// [`Error::Input`] if no picture has a partner or a folder holds two of one stem, for a mask of another shape than its
/// reference, for a picture that was cropped by a pixel, and as [`compare`]; unreadable files.
pub fn compare_folders(
    renders: &Path,
    references: &Path,
    masks: MaskUse,
    lpips: Option<&Lpips>,
    progress: &dyn Progress,
) -> Result<Metrics> {
    let mut references_by_stem = pictures(references)?;
    let mut renders_by_stem: Vec<_> = pictures(renders)?.into_iter().collect();
    // Flicker is between neighbors.
    renders_by_stem.sort_by_cached_key(|(stem, _)| natural_key(stem));
    let mut pairs = Vec::new();
    let mut alone = Vec::new();
    for (stem, render) in renders_by_stem {
        match references_by_stem.remove(&stem) {
            Some(reference) => pairs.push(Pair { name: below(renders, &render), render, reference }),
            None => alone.push(render),
        }
    }
    if pairs.is_empty() {
        let found = format!("no picture here has the name of one in {}", references.display());
        return Err(Error::input(renders, found, "pairs are made by file name without extension, such as 0031"));
    }
    let masks = masks_of(references, pairs.iter().map(|pair| pair.reference.as_path()), masks)?;
    let mask_files: Vec<&Path> = masks.values().filter_map(|mask| mask.file.as_deref()).collect();
    if !masks.is_empty() {
        tracing::info!(
            "{} of {} references have a mask file, {} an alpha channel; what these hide is not compared",
            mask_files.len(),
            pairs.len(),
            masks.values().filter(|mask| mask.alpha.is_some()).count()
        );
    }
    let is_mask = |path: &Path| std::path::absolute(path).is_ok_and(|path| mask_files.contains(&path.as_path()));
    for path in alone.iter().chain(references_by_stem.values().filter(|path| !is_mask(path))) {
        tracing::warn!("{}: no picture of this name in the other folder; left out", path.display());
    }
    let weights = |reference: &Path| masks.get(reference).map_or(Ok(None), Mask::read);
    Ok(Metrics { test: compare_pairs(&pairs, &weights, lpips, progress)?, holdout: None })
}

/// The pictures of a folder and the folders below it by lower-case path without ending.
fn pictures(folder: &Path) -> Result<BTreeMap<String, PathBuf>> {
    let mut found: BTreeMap<String, PathBuf> = BTreeMap::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(current) = folders.pop() {
        for entry in std::fs::read_dir(&current).map_err(Error::io(&current))? {
            let entry = entry.map_err(Error::io(&current))?;
            let path = entry.path();
            // macOS leaves `._0001.jpg` beside each file that it copies.
            if entry.file_name().as_encoded_bytes().starts_with(b".") {
                continue;
            }
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push(path);
                continue;
            }
            let extension = ending(&path);
            if !["jpg", "jpeg", "png", "tif", "tiff", "webp"].contains(&extension.as_str()) || !path.is_file() {
                continue;
            }
            let key = below(folder, &path.with_extension("")).to_lowercase();
            if let Some(other) = found.insert(key, path.clone()) {
                let what = format!("the same name as {}, but for case or extension", other.display());
                return Err(Error::input(path, what, "keep one of the two"));
            }
        }
    }
    Ok(found)
}

/// What sorts names by text and numbers: `view2` before `view10`.
fn natural_key(name: &str) -> Vec<(bool, usize, String)> {
    let mut key = Vec::new();
    for part in name.as_bytes().chunk_by(|a, b| a.is_ascii_digit() == b.is_ascii_digit()) {
        let is_text = !part[0].is_ascii_digit();
        let part = std::str::from_utf8(part).unwrap_or_default();
        // Of two numbers without zeros before them the longer one is larger.
        let digits = part.trim_start_matches('0');
        key.push(if is_text { (true, 0, part.into()) } else { (false, digits.len(), digits.into()) });
    }
    key
}

/// The path of `file` below `folder`, with `/` between folders.
fn below(folder: &Path, file: &Path) -> String {
    let parts = file.strip_prefix(folder).unwrap_or(file).iter();
    parts.map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/")
}

/// Memory of a pixel while it is decoded: coefficients or samples, 8 bits, floating point.
const DECODED_BYTES: u64 = 24;

/// An ordinary 8-bit decode, as every benchmark script does it; the capture's float decode is for dark pictures.
fn read_8bit(path: &Path) -> Result<Image> {
    let (width, height) = image_size(path)?;
    let bytes = std::fs::metadata(path).map_err(Error::io(path))?.len();
    let needed = (u64::from(width) * u64::from(height)).saturating_mul(DECODED_BYTES);
    limits::claim(path, bytes, needed, &format!("{width} × {height} pixels"))?;
    let open = || ::image::ImageReader::open(path)?.with_guessed_format();
    let decoded = open().map_err(Error::io(path))?.decode();
    let unreadable =
        |e| Error::input(path, format!("cannot be decoded ({e})"), "replace it by a whole JPEG, PNG, TIFF or WebP");
    Ok(Image::from_rgb8(&decoded.map_err(unreadable)?.to_rgb8()))
}

#[cfg(test)]
mod tests;
