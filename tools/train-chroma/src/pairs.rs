//! Pairs of dark and lit pictures, in memory at the size the network works at.

use naka_gs::capture::{Image, read_image, resize_area};
use naka_gs::enhance::calibrate::{fit_pairs, match_quantiles};
use naka_gs::enhance::camera::Camera;
use naka_gs::enhance::{Config, Response, Restoration, Tone, estimate, read_dark};
use naka_gs::error::{Error, Result};
use naka_gs::parallel::try_map;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Most dark pixels of a capture that its response is estimated from.
const SAMPLED: usize = 200_000;

/// Dark and lit picture of one view, of the same size.
#[derive(Clone, Debug)]
pub struct Pair {
    pub dark: Image,
    pub lit: Image,
}

/// Pairs of one scene under one camera, at one size.
#[derive(Clone, Debug)]
pub struct Capture {
    pub name: String,
    pub pairs: Vec<Pair>,
    /// The response calibrated on the pairs, curves and a matrix, or that of `camera.toml` where none can be fitted.
    pub camera: Option<Restoration>,
    /// Curves that match the quantiles of dark and lit, channel by channel, as of a camera without pairs: exposure and
    /// balance are right, hues are not.
    pub quantiles: Option<Restoration>,
    /// The Naka–Rushton response with the statistics of this capture.
    pub naka: Restoration,
}

impl Capture {
    /// The response that takes this capture's dark pictures closest to its lit ones.
    pub fn response(&self) -> &Restoration {
        self.camera.as_ref().unwrap_or(&self.naka)
    }
}

/// All captures of `folder`, in the order of their names: sub-folders with `dark/` and `lit/`, or `folder` itself.
/// Each is returned once for every one of `downscales`, averaged to that part of its pictures' size.
///
/// # Errors
/// Folders that hold no pairs, pictures that cannot be read or differ in size, a bad `camera.toml`.
pub fn read(folder: &Path, downscales: &[u32]) -> Result<Vec<Vec<Capture>>> {
    try_map(&folders(folder)?, |folder| capture(folder, downscales, &read_dark))
}

/// The folders of the captures in `folder`, in the order of their names, or `folder` itself.
///
/// # Errors
/// A folder that holds no pairs.
pub fn folders(folder: &Path) -> Result<Vec<PathBuf>> {
    let folders = if folder.join("dark").is_dir() { vec![folder.to_path_buf()] } else { capture_folders(folder)? };
    if folders.is_empty() {
        let remedy = "give a folder with dark/ and lit/, or a folder of such folders";
        return Err(Error::input(folder, "holds no pairs", remedy));
    }
    Ok(folders)
}

fn capture_folders(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut folders = entries(folder)?;
    folders.retain(|path| path.join("dark").is_dir() && path.join("lit").is_dir());
    Ok(folders)
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let list = std::fs::read_dir(folder).map_err(Error::io(folder))?;
    let paths = list.map(|entry| entry.map(|e| e.path())).collect::<std::io::Result<Vec<_>>>();
    let mut paths = paths.map_err(Error::io(folder))?;
    paths.retain(|path| path.file_name().is_some_and(|name| !name.to_string_lossy().starts_with('.')));
    paths.sort();
    Ok(paths)
}

/// The file `camera.toml` of a capture's folder, where there is one.
///
/// # Errors
/// A file that cannot be read or is no camera's.
pub fn camera(folder: &Path) -> Result<Option<Camera>> {
    let file = folder.join("camera.toml");
    if file.is_file() { Camera::open(&file.to_string_lossy()).map(Some) } else { Ok(None) }
}

/// The capture in `folder` once for every one of `downscales`; `decode` reads its dark pictures at full size.
///
/// # Errors
/// Those of [`read`].
pub fn capture(
    folder: &Path,
    downscales: &[u32],
    decode: &(dyn Fn(&Path) -> Result<Image> + Sync),
) -> Result<Vec<Capture>> {
    let [dark, lit] = ["dark", "lit"].map(|part| by_stem(&folder.join(part)));
    let (dark, lit) = (dark?, lit?);
    let matched: Vec<_> = dark.iter().filter_map(|(stem, path)| Some((path, lit.get(stem)?))).collect();
    if matched.is_empty() {
        return Err(Error::input(folder, "no picture of dark/ has one of the same name in lit/", "name both alike"));
    }
    let pairs = try_map(&matched, |(dark, lit)| pair([dark, lit], downscales, decode))?;
    let own = camera(folder)?.map(restoration);
    let name = folder.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let at_size = |size: usize| {
        let pairs: Vec<Pair> = pairs.iter().map(|sizes| sizes[size].clone()).collect();
        // Pictures that nothing can be fitted to have no such response.
        let both: Vec<_> = pairs.iter().map(|pair| (&pair.dark, &pair.lit)).collect();
        let (dark, lit): (Vec<_>, Vec<_>) = both.iter().copied().unzip();
        let quantiles = match_quantiles(&dark, &lit).ok().map(restoration);
        let camera = fit_pairs(&both).ok().map(restoration).or_else(|| own.clone());
        Capture { name: name.clone(), naka: naka(&pairs), quantiles, pairs, camera }
    };
    Ok((0..downscales.len()).map(at_size).collect())
}

fn restoration(camera: Camera) -> Restoration {
    Restoration::plain(Tone::Camera(Box::new(camera)))
}

fn by_stem(folder: &Path) -> Result<BTreeMap<String, PathBuf>> {
    let stem = |path: PathBuf| Some((path.file_stem()?.to_string_lossy().into_owned(), path));
    Ok(entries(folder)?.into_iter().filter_map(stem).collect())
}

/// The pair at every size.
fn pair(
    [dark, lit]: [&Path; 2],
    downscales: &[u32],
    decode: &(dyn Fn(&Path) -> Result<Image> + Sync),
) -> Result<Vec<Pair>> {
    let images = [decode(dark)?, read_image(lit)?];
    if (images[0].width, images[0].height) != (images[1].width, images[1].height) {
        let found = format!("not of the size of {}", dark.display());
        return Err(Error::input(lit, found, "give pairs of the same size, pixel for pixel"));
    }
    let at_size = |downscale: &u32| {
        let size = |length: u32| (length + downscale / 2).checked_div(*downscale).unwrap_or(length).max(1);
        let [dark, lit] = images.each_ref().map(|image| resize_area(image, size(image.width), size(image.height)));
        Pair { dark, lit }
    };
    Ok(downscales.iter().map(at_size).collect())
}

fn naka(pairs: &[Pair]) -> Restoration {
    let count: usize = pairs.iter().map(|pair| pair.dark.pixels.len()).sum();
    let step = count.div_ceil(SAMPLED).max(1);
    let pixels: Vec<[f32; 3]> = pairs.iter().flat_map(|pair| &pair.dark.pixels).step_by(step).copied().collect();
    estimate(&Config { response: Response::Naka, ..Config::default() }, &pixels)
}
