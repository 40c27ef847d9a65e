//! Reads splats from files. The content decides on the format, not the ending: a PLY in the layout of 3D Gaussian Splatting,
//! SuperSplat's compressed PLY, SPZ, SOG or GLB; `.splat`, which has no mark, by its ending; other formats are named with the
//! way to convert them.
//!
//! [`Splats`] keep the frame of the PLY layout, x right, y down, z forward ("RDF") for a scene that stands upright in it.
//! Formats whose own frame is another are turned into this one (`axes.rs`).

mod compressed;
mod dot_splat;
mod foreign;
mod glb;
#[cfg(test)]
mod hostile_tests;
mod orientation;
mod sog;
mod spz;
mod streamed;
#[cfg(test)]
mod tests;

pub use orientation::Orientation;

use super::write::{LOD_META, META};
use super::{Splats, gltf, ply};
use crate::capture::SceneFrame;
use crate::error::{Error, Result};
use crate::ply::{ElementFile, is_ply};
use flate2::read::GzDecoder;
use foreign::Foreign;
use serde_json::Value;
use std::cell::Cell;
use std::fs::File;
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};

const REMEDY: &str =
    "give splats as PLY (3D Gaussian Splatting, or SuperSplat's compressed form), SPZ, SOG, GLB or .splat";
/// Bytes that tell what a file is.
const START: u64 = 4096;

/// What a file of splats held.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// The splats that can be drawn.
    pub splats: Splats,
    /// Splats that were dropped, since they hold NaN or infinite values.
    pub dropped: usize,
    /// Whether the file says that it was trained for antialiased rendering (Mip-Splatting).
    pub antialiased: bool,
    /// The relation of the file's axes to those of the splats.
    pub orientation: Orientation,
}

/// Reads the splats of a file.
///
/// # Errors
/// As [`read_file`].
pub fn read(path: impl AsRef<Path>) -> Result<Splats> {
    read_file(path).map(|found| found.splats)
}

/// Reads a file of splats, SH degrees 0–3: a PLY, SuperSplat's compressed PLY, SPZ of version 1 to 4, SOG, GLB, or `.splat`.
/// Flat splats (a scale whose logarithm is -∞) and infinite logits of opacities are taken at their limits; splats with NaN or
/// other infinite values are dropped with a warning that counts them.
///
/// # Errors
/// Another kind of file, one that is cut off or damaged, that claims more than it may take, or without one usable splat.
pub fn read_file(path: impl AsRef<Path>) -> Result<Found> {
    read_file_in(path.as_ref(), &SceneFrame::IDENTITY)
}

/// As [`read`], in the scene frame `frame` of the capture.
///
/// # Errors
/// As [`read_file`].
pub fn read_in(path: impl AsRef<Path>, frame: &SceneFrame) -> Result<Splats> {
    read_file_in(path.as_ref(), frame).map(|found| found.splats)
}

/// As [`read_file`], in the frame that the file states, or else in the one that suits its splats.
///
/// # Errors
/// As there.
pub fn read_framed(path: impl AsRef<Path>) -> Result<(Found, SceneFrame)> {
    let path = path.as_ref();
    let (found, stated) = read_stated(path, None)?;
    if let Some(frame) = stated {
        return Ok((found, frame));
    }
    // The first frame that is tried is the capture's own, in which the splats are.
    let first = Cell::new(Some(found));
    let read = |frame: &SceneFrame| first.take().map_or_else(|| read_file_in(path, frame), Ok);
    SceneFrame::suiting(read, |found| &found.splats.means)
}

/// As [`read_file`], in the scene frame `frame` of the capture.
///
/// # Errors
/// As there.
pub fn read_file_in(path: &Path, frame: &SceneFrame) -> Result<Found> {
    read_stated(path, Some(frame)).map(|(found, _)| found)
}

/// The splats of a file in `frame`, and the frame that the file states. Without `frame` they are in the stated one, or else
/// in the capture's own.
fn read_stated(path: &Path, frame: Option<&SceneFrame>) -> Result<(Found, Option<SceneFrame>)> {
    let within = |stated: Option<SceneFrame>| frame.copied().or(stated).unwrap_or_default();
    let placed = |splats: Splats, stated: Option<SceneFrame>| {
        // Positions are relative to the origin that the file states.
        let (frame, origin) = (within(stated), stated.unwrap_or_default().origin);
        splats.placed_in(&SceneFrame { origin: frame.origin - origin, unit: frame.unit })
    };
    let mut orientation = Orientation::default();
    let (mut splats, antialiased, stated) = match Kind::of(path)? {
        Kind::Ply => {
            let file = ElementFile::vertices(path)?;
            let (antialiased, stated) = (file.is_antialiased(), file.stated_frame());
            let splats = match compressed::is_compressed(&file) {
                true => placed(compressed::read(path, file)?, stated),
                false => ply::read(path, file, &within(stated))?,
            };
            (splats, antialiased, stated)
        }
        Kind::Spz => {
            let (splats, antialiased, found) = spz::read(path)?;
            orientation = found;
            (placed(splats, None), antialiased, None)
        }
        Kind::Sog(read) => {
            let (splats, antialiased, stated) = read(path)?;
            (placed(splats, stated), antialiased, stated)
        }
        Kind::Glb => {
            orientation = Orientation::of(gltf::axes(), false);
            let (splats, antialiased, stated) = glb::read(path)?;
            (placed(splats, stated), antialiased, stated)
        }
        Kind::Splat => (placed(dot_splat::read(path)?, None), false, None),
        Kind::Foreign(foreign) => return Err(foreign.refusal(path)),
    };
    let count = splats.len();
    let dropped = splats.make_finite();
    if dropped > 0 {
        tracing::warn!("{}: {dropped} of {count} splats hold NaN or infinite values and were dropped", path.display());
    }
    if splats.is_empty() {
        return Err(Error::input(path, format!("none of its {count} splats is usable"), REMEDY));
    }
    Ok((Found { splats, dropped, antialiased, orientation }, stated))
}

/// The frame that an entry of a file's JSON states; `None` for one that cannot be computed with.
fn frame_in(entry: Option<&Value>) -> Option<SceneFrame> {
    serde_json::from_value(entry?.clone()).ok().filter(SceneFrame::is_usable)
}

/// The files that the splats of `path` are read from: itself, and those that a `lod-meta.json` names. Pictures of SOG
/// lie in the folders of these.
///
/// # Errors
/// A `lod-meta.json` that cannot be understood.
pub fn files_of(path: &Path) -> Result<Vec<PathBuf>> {
    let mut files = vec![path.to_path_buf()];
    if is_called(path, LOD_META) {
        files.extend(streamed::files(path)?);
    }
    Ok(files)
}

/// Whether a file holds splats: `false` for points and unrelated files.
///
/// # Errors
/// A PLY file whose header cannot be read; splats in a format that is not read.
pub fn holds_splats(path: impl AsRef<Path>) -> Result<bool> {
    let path = path.as_ref();
    match Kind::of(path)? {
        Kind::Ply => {
            let file = ElementFile::vertices(path)?;
            Ok(ply::holds_splats(&file) || compressed::is_compressed(&file))
        }
        Kind::Spz | Kind::Sog(_) | Kind::Glb | Kind::Splat => Ok(true),
        Kind::Foreign(foreign) if foreign.is_splats() => Err(foreign.refusal(path)),
        Kind::Foreign(_) => Ok(false),
    }
}

/// The result of readers of formats that state more than splats: the splats, whether they are antialiased, and the frame that
/// the file states.
type FramedModel = (Splats, bool, Option<SceneFrame>);

enum Kind {
    Ply,
    Spz,
    Sog(fn(&Path) -> Result<FramedModel>),
    Glb,
    Splat,
    Foreign(Foreign),
}

impl Kind {
    fn of(path: &Path) -> Result<Self> {
        if path.is_dir() {
            return Err(Error::input(path, "is a folder, not a file of splats", REMEDY));
        }
        let mut start = Vec::new();
        File::open(path).and_then(|file| file.take(START).read_to_end(&mut start)).map_err(Error::io(path))?;
        let is_ply_by_name = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("ply"));
        Ok(match &start[..] {
            start if is_ply(start) => Self::Ply,
            start if start.starts_with(spz::MAGIC) => Self::Spz,
            start if start.starts_with(spz::GZIP) && unpacked_magic(start) == *spz::MAGIC => Self::Spz,
            start if start.starts_with(glb::MAGIC) => Self::Glb,
            start => match Foreign::of(path, start) {
                // The reader reports the actual kind of a file that is wrongly named .ply.
                Foreign::Unknown if is_ply_by_name => Self::Ply,
                Foreign::Splat => Self::Splat,
                Foreign::Sog if start.starts_with(b"PK") => Self::Sog(sog::read),
                Foreign::Sog if is_called(path, LOD_META) => Self::Sog(streamed::read),
                Foreign::Sog if is_called(path, META) => Self::Sog(sog::read_beside),
                foreign => Self::Foreign(foreign),
            },
        })
    }
}

fn is_called(path: &Path, name: &str) -> bool {
    path.file_name().is_some_and(|found| found.eq_ignore_ascii_case(name))
}

/// The first unpacked bytes of a gzip file; zeros where they cannot be read.
fn unpacked_magic(packed: &[u8]) -> [u8; 4] {
    let mut magic = [0; 4];
    GzDecoder::new(Cursor::new(packed)).read_exact(&mut magic).map_or([0; 4], |()| magic)
}

/// Bytes that a splat takes in memory.
fn bytes_in_memory(sh_degree: u32) -> u64 {
    const GEOMETRY: usize = 3 + 4 + 3 + 1;
    (size_of::<f32>() * (GEOMETRY + 3 * Splats::coefficients(sh_degree))) as u64
}
