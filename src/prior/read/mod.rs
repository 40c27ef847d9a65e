//! Point clouds from files: PLY, NumPy arrays and COLMAP. One file at a time is read as a stream, so that the memory
//! taken is that of the points kept.

#[cfg(test)]
mod array_tests;
mod arrays;
mod colmap;
mod npy;
mod npz;
mod ply;
mod sampler;
#[cfg(test)]
mod tests;

use super::{PointCloud, Similarity};
use crate::capture::{SceneFrame, ending, file_in};
use crate::error::{Error, Result};
use crate::ply::{ElementFile, is_ply};
use glam::{DMat3, DVec3};
use sampler::Sampler;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

const REMEDY: &str = "give a PLY with x, y, z per vertex, a .npy or .npz with an N × 3 array, COLMAP's points3D.bin \
                      or points3D.txt, or the folder of one";
/// The color of points without one.
const GRAY: [u8; 3] = [128; 3];
/// Coordinates beyond this have no square in single precision.
const MAX_COORDINATE: f32 = 1e18;

/// What is taken of a file of points.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Points to keep at most: each equally likely, in their order.
    pub max_points: usize,
    /// Seed of that choice.
    pub seed: u64,
    /// The lowest confidence of points to keep, where the file gives one for each.
    pub min_confidence: f32,
    /// A file of colors, one for each point of the file of points, in place of its own.
    pub colors: Option<PathBuf>,
    /// Where the points are taken to, in double precision and before they become single.
    pub to: Similarity,
}

impl Default for Options {
    fn default() -> Self {
        Self { max_points: usize::MAX, seed: 42, min_confidence: 2.0, colors: None, to: Similarity::IDENTITY }
    }
}

/// What a file of points held.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// The points kept.
    pub cloud: PointCloud,
    /// Points in the file.
    pub total: u64,
    /// Of these, points without usable coordinates.
    pub not_finite: u64,
    /// Of these, points below the lowest confidence.
    pub unsure: u64,
}

/// One point of a file.
struct Point {
    position: [f64; 3],
    color: [u8; 3],
    /// Of all points of a file, or of none.
    normal: Option<[f32; 3]>,
    confidence: Option<f32>,
}

/// Takes the points of a file in their order.
type Take<'a> = dyn FnMut(Point) + 'a;

/// All points of a file: [`read_with`] the default options.
///
/// # Errors
/// As there.
pub fn read(path: impl AsRef<Path>) -> Result<PointCloud> {
    read_with(path, &Options::default()).map(|found| found.cloud)
}

/// All points of a file, in `frame`.
///
/// # Errors
/// As there.
pub fn read_in(path: impl AsRef<Path>, frame: &SceneFrame) -> Result<PointCloud> {
    read_counting_in(path, frame).map(|found| found.cloud)
}

/// As [`read_in`], with what the file held.
///
/// # Errors
/// As there.
pub fn read_counting_in(path: impl AsRef<Path>, frame: &SceneFrame) -> Result<Found> {
    let to = Similarity::IDENTITY.in_frame(frame);
    read_with(path, &Options { to, ..Options::default() })
}

/// All points of a file, in the frame that it states, or else in the one that suits them.
///
/// # Errors
/// As there.
pub fn read_framed(path: impl AsRef<Path>) -> Result<(Found, SceneFrame)> {
    let path = path.as_ref();
    if let Some(frame) = stated_frame(path)? {
        return read_counting_in(path, &frame).map(|found| (found, frame));
    }
    SceneFrame::suiting(|frame| read_counting_in(path, frame), |found| &found.cloud.positions)
}

/// The points of a file in its own unit of length, relative to the origin that it states, or else to one that suits
/// them: far from the origin single precision would move them. `options.to` is ignored.
///
/// # Errors
/// As [`read_with`].
pub fn read_recentered(path: impl AsRef<Path>, options: &Options) -> Result<(Found, SceneFrame)> {
    let path = path.as_ref();
    let in_frame =
        |frame: &SceneFrame| unchecked(path, &Options { to: Similarity::IDENTITY.in_frame(frame), ..options.clone() });
    let own_unit = |frame: SceneFrame| SceneFrame { unit: 1.0, ..frame };
    let ((found, highest), frame) = match stated_frame(path)?.map(own_unit) {
        Some(frame) => (in_frame(&frame)?, frame),
        None => {
            let (found, suiting) = SceneFrame::suiting(in_frame, |(found, _)| &found.cloud.positions)?;
            let frame = own_unit(suiting);
            (if frame == suiting { found } else { in_frame(&frame)? }, frame)
        }
    };
    found.check(path, options, highest)?;
    Ok((found, frame))
}

/// The frame that a file of points, or that in the folder `path`, states, where this program wrote it in another than
/// the capture's own.
///
/// # Errors
/// A file that cannot be opened, or a PLY file whose header cannot be read.
pub fn stated_frame(path: impl AsRef<Path>) -> Result<Option<SceneFrame>> {
    let path = points_file(path.as_ref());
    if path.is_dir() {
        return Ok(None);
    }
    match Kind::of(&path)? {
        Kind::Ply => ElementFile::vertices(&path).map(|file| file.stated_frame()),
        _ => Ok(None),
    }
}

/// Reads a point cloud:
/// - a PLY (ascii or binary; any numeric type; colors as integers of 8 or 16 bits, floats 0–1, 0–255 or 0–65535, told by the
///   largest of them, or a splat's `f_dc`; normals as `nx`, `ny`, `nz`; other properties ignored);
/// - a `.npy` of N × 3 or N × 6 numbers (x y z, then r g b), or with more dimensions before the last one (H × W × 3);
/// - a `.npz` with such an array called `points`, `xyz`, `vertices`, `world_points` or `pts3d`, optionally `colors` or
///   `rgb` (or `images`) and `confidence` or `conf` (or `world_points_conf`) for each point;
/// - COLMAP's `points3D.bin` or `points3D.txt`;
/// - a folder with one of those (or with `sparse/0`).
///
/// Points without colors are gray. Points with NaN, infinite or absurd coordinates are dropped with a warning that
/// counts them, and so are those below the lowest confidence. Positions that a PLY states to be relative to another origin
/// ([`SceneFrame`]) are taken back to it.
///
/// # Errors
/// Another kind of file, a file that is cut off, or one without a usable point; colors that are not as many as points.
pub fn read_with(path: impl AsRef<Path>, options: &Options) -> Result<Found> {
    let path = path.as_ref();
    let (found, highest) = unchecked(path, options)?;
    found.check(path, options, highest)?;
    Ok(found)
}

/// As [`read_with`], but a file may hold no points at all, as COLMAP's does where only poses are known.
///
/// # Errors
/// As there.
pub fn read_any(path: &Path, options: &Options) -> Result<Found> {
    let (found, highest) = unchecked(path, options)?;
    if found.total > 0 {
        found.check(path, options, highest)?;
    }
    Ok(found)
}

/// What the file holds, and the highest confidence of its points.
fn unchecked(path: &Path, options: &Options) -> Result<(Found, f32)> {
    let colors = options.colors.as_deref().map(colors_of).transpose()?;
    let file = points_file(path);
    let file = file.as_path();
    let bytes = std::fs::metadata(file).map_err(Error::io(file))?.len();
    let origin = stated_frame(file)?.map_or(DVec3::ZERO, |frame| frame.origin);
    let to = options.to.relative_to(origin);
    let mut sampler = Sampler::new((file, bytes), options.max_points, options.seed);
    let (mut found, mut highest) = (Found::default(), f32::NEG_INFINITY);
    for_each(path, &mut |point| {
        let color = colors.as_ref().and_then(|colors| colors.get(found.total as usize).copied());
        found.total += 1;
        let confidence = point.confidence.unwrap_or(f32::INFINITY);
        highest = highest.max(confidence);
        let position = placed(&to, point.position);
        if !position.iter().all(|v| v.abs() <= MAX_COORDINATE) {
            found.not_finite += 1;
        } else if confidence >= options.min_confidence {
            let normal = point.normal.map(|normal| turned(&to, normal));
            sampler.push(position, color.unwrap_or(point.color), normal);
        } else {
            found.unsure += 1;
        }
    })?;
    if let (Some(file), Some(colors)) = (&options.colors, &colors)
        && colors.len() as u64 != found.total
    {
        let what = format!("holds {} colors for the {} points of {}", colors.len(), found.total, path.display());
        return Err(Error::input(file, what, "give one color for each point, in the order of the points"));
    }
    found.cloud = sampler.finish()?;
    Ok((found, highest))
}

/// A point where it is taken to; the identity rounds once.
fn placed(to: &Similarity, position: [f64; 3]) -> [f32; 3] {
    if *to == Similarity::IDENTITY {
        position.map(|v| v as f32)
    } else {
        to.point(position.into()).as_vec3().to_array()
    }
}

fn turned(to: &Similarity, normal: [f32; 3]) -> [f32; 3] {
    if to.rotation == DMat3::IDENTITY {
        return normal;
    }
    (to.rotation * DVec3::from(normal.map(f64::from))).as_vec3().to_array()
}

impl Found {
    fn check(&self, path: &Path, options: &Options, highest: f32) -> Result<()> {
        let (total, name) = (self.total, path.display());
        if self.cloud.is_empty() && self.unsure > 0 {
            let found = format!(
                "holds no usable point: {} of {total} have a confidence below {} (the highest is {highest})",
                self.unsure, options.min_confidence
            );
            return Err(Error::input(path, found, "lower `prior.min_confidence`"));
        }
        if self.cloud.is_empty() {
            let found = format!("holds no usable point ({} are not finite)", self.not_finite);
            return Err(Error::input(path, found, REMEDY));
        }
        if self.not_finite > 0 {
            tracing::warn!("{name}: {} of {total} points hold NaN or infinity and were dropped", self.not_finite);
        }
        if self.unsure > 0 {
            tracing::info!("{name}: {} of {total} points are below the lowest confidence", self.unsure);
        }
        Ok(())
    }
}

/// Calls `take` with every point of the file, or of the file in the folder, `path`.
fn for_each(path: &Path, take: &mut Take<'_>) -> Result<()> {
    if path.is_dir() {
        let inner = file_in_folder(path).ok_or_else(|| Error::input(path, "a folder without points", REMEDY))?;
        return for_each(&inner, take);
    }
    match Kind::of(path)? {
        Kind::Ply => ply::read(path, take),
        Kind::Npy => arrays::read_npy(path, take),
        Kind::Npz => arrays::read_npz(path, take),
        Kind::ColmapBinary => colmap::read_binary(path, take),
        Kind::ColmapText => colmap::read_text(path, take),
    }
}

/// The colors in a file: an array of them, or those of a file of points.
fn colors_of(path: &Path) -> Result<Vec<[u8; 3]>> {
    match Kind::of(path)? {
        Kind::Npy => arrays::colors_npy(path),
        Kind::Npz => arrays::colors_npz(path),
        _ => {
            let mut colors = Vec::new();
            for_each(path, &mut |point| colors.push(point.color))?;
            Ok(colors)
        }
    }
}

/// Kinds of files, by their first bytes where these say it, else by their ending.
enum Kind {
    Ply,
    Npy,
    Npz,
    ColmapBinary,
    ColmapText,
}

impl Kind {
    fn of(path: &Path) -> Result<Self> {
        let mut start = Vec::new();
        File::open(path).and_then(|file| file.take(64).read_to_end(&mut start)).map_err(Error::io(path))?;
        let text = start.trim_ascii_start().to_ascii_lowercase();
        if [&b"<!doctype"[..], b"<html", b"<head", b"<?xml"].iter().any(|tag| text.starts_with(tag)) {
            let found = "is a web page (HTML or XML), not points; was the download link a login page?";
            return Err(Error::input(path, found, REMEDY));
        }
        let ending = ending(path);
        Ok(match (&start[..], ending.as_str()) {
            (start, _) if is_ply(start) => Self::Ply,
            ([0x93, b'N', b'U', b'M', b'P', b'Y', ..], _) => Self::Npy,
            ([b'P', b'K', 3, 4, ..], _) => Self::Npz,
            (_, "npy") => Self::Npy,
            (_, "npz") => Self::Npz,
            (_, "bin") => Self::ColmapBinary,
            (_, "txt") => Self::ColmapText,
            _ => Self::Ply,
        })
    }
}

/// The file that the points of `path` are in: `path` itself, or a file in that folder where there is one.
pub fn points_file(path: &Path) -> PathBuf {
    let inner = if path.is_dir() { file_in_folder(path) } else { None };
    inner.unwrap_or_else(|| path.to_path_buf())
}

/// The file of points in a COLMAP model's folder, in a scene's `sparse` folder or in a network's output folder.
pub(super) fn file_in_folder(folder: &Path) -> Option<PathBuf> {
    const NAMES: [&str; 9] = [
        "points3D.bin",
        "points3D.txt",
        "points3D.ply",
        "points.ply",
        "points.npz",
        "points.npy",
        "predictions.npz",
        "point_cloud.ply",
        "sparse_pc.ply",
    ];
    ["", "0", "sparse/0", "sparse"]
        .iter()
        .find_map(|sub| NAMES.iter().find_map(|name| file_in(&folder.join(sub), name)))
}

/// What colors are divided by to be 0–1, told by the largest of them: integers are 0–255 or of 16 bits, floats are those or
/// 0–1. Floats may be a little beyond their range (up to twice), as interpolated and sharpened ones are.
fn full_scale(largest: f32, is_integer: bool) -> f32 {
    const RANGES: [(f32, f32); 2] = [(1.0, 2.0), (255.0, 510.0)];
    match is_integer {
        true if largest <= 255.0 => 255.0,
        true => 65_535.0,
        false => RANGES.iter().find(|(_, limit)| largest <= *limit).map_or(65_535.0, |(full, _)| *full),
    }
}

/// 0–1 to 0–255. The cast from float saturates, and takes NaN to 0.
fn byte(unit: f32) -> u8 {
    (unit * 255.0).round() as u8
}
