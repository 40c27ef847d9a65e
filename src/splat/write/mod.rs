//! Writes splats in the formats of other programs, chosen by the ending of the file's name. `docs/splats.md` lists what each
//! format loses; `read/` has the readers.

mod compressed;
mod cut;
mod dot_splat;
mod glb;
mod gzip;
mod morton;
#[cfg(test)]
mod render_tests;
mod sog;
mod spz;
mod streamed;
#[cfg(test)]
mod tests;

pub(super) use sog::ANTIALIASED as MODEL_ANTIALIASED;
pub use sog::META;
pub use streamed::{LOD_META, is_level_folder, write_levels};

use super::axes::Axes;
use super::{Splats, gltf, ply};
use crate::capture::SceneFrame;
use crate::error::{Error, Result};
use crate::storage::{self, Writer};
use cut::Cut;
use glam::DVec3;
use serde_json::{Value, json};
use std::io::Write;
use std::path::Path;

/// The key of the frame in the JSON of SOG and GLB, which PLY states in comments.
pub(super) const FRAME: &str = "naka_gs_frame";
/// Most bytes of a GLB besides its header, which takes some kilobytes.
const MOST_BINARY: u64 = u32::MAX as u64 - (1 << 16);

/// What is written.
#[derive(Clone, Copy, Debug)]
pub struct Export<'a> {
    /// One at least, all finite.
    pub splats: &'a Splats,
    /// The frame that they are in. Files are in the capture's unit, relative to the frame's origin.
    pub frame: SceneFrame,
    /// Whether they were trained for antialiased rendering (Mip-Splatting).
    pub antialiased: bool,
}

/// The formats that are written, by the ending of a file's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The layout of 3D Gaussian Splatting.
    Ply,
    /// SuperSplat's compressed PLY.
    CompressedPly,
    /// Niantic's SPZ, version 3.
    Spz,
    /// Niantic's SPZ, version 4.
    Spz4,
    /// PlayCanvas's SOG, version 2.
    Sog,
    /// glTF in one file, with `KHR_gaussian_splatting`.
    Glb,
    /// 32 bytes a splat, without harmonics.
    Splat,
}

/// Endings, the longer one before the one that it ends in.
const ENDINGS: [(&str, Format); 7] = [
    (".compressed.ply", Format::CompressedPly),
    (".ply", Format::Ply),
    (".v4.spz", Format::Spz4),
    (".spz", Format::Spz),
    (".sog", Format::Sog),
    (".glb", Format::Glb),
    (".splat", Format::Splat),
];

impl Format {
    /// The format of a file of this name.
    ///
    /// # Errors
    /// An ending that no format has.
    pub fn of_ending(path: &Path) -> Result<Self> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        ENDINGS.iter().find(|(ending, _)| name.ends_with(ending)).map(|(_, format)| *format).ok_or_else(|| {
            let known = ENDINGS.map(|(ending, _)| ending).join(", ");
            Error::input(path, "has no ending of a format that splats are written in", format!("choose one of {known}"))
        })
    }

    /// Whether a file of this format can say that it is for antialiased rendering.
    fn tells_antialiased(self) -> bool {
        self != Self::Splat
    }

    /// Whether a file of this format can state the origin of its coordinates.
    pub(crate) fn tells_origin(self) -> bool {
        !matches!(self, Self::Spz | Self::Spz4 | Self::Splat)
    }

    /// The origin of `frame` in the axes of a file of this format.
    fn origin(self, frame: &SceneFrame) -> DVec3 {
        let axes = match self {
            Self::Spz | Self::Spz4 => Axes::RUB,
            Self::Glb => gltf::axes(),
            Self::Ply | Self::CompressedPly | Self::Sog | Self::Splat => Axes::RDF,
        };
        frame.origin * DVec3::from(axes.signs().position.map(f64::from))
    }

    /// The highest degree of spherical harmonics that a file of this format holds.
    pub fn most_bands(self) -> u32 {
        if self == Self::Splat { 0 } else { 3 }
    }
}

/// The median of the sizes of the splats at `indices`: the mean of the three axes, of logarithms.
fn median_size(export: &Export, indices: impl Iterator<Item = usize>) -> f32 {
    let mut sizes: Vec<f32> = indices.map(|i| export.log_scale(i).iter().sum::<f32>() / 3.0).collect();
    ranked(&mut sizes, |last| last / 2).exp()
}

/// The value at a rank, which is chosen by the last one, among `values`.
fn ranked(values: &mut [f32], rank: impl Fn(usize) -> usize) -> f32 {
    let last = values.len().saturating_sub(1);
    *values.select_nth_unstable_by(rank(last), f32::total_cmp).1
}

/// Writes splats in the format that the ending of `path` names, atomically. Values beyond what the format holds are cut
/// off at its limits; the number of splats that have such values is returned. What the format cannot hold at all is
/// named in warnings.
///
/// # Errors
/// An unknown ending, no splats, values that are not finite, or a file that cannot be written.
pub fn write(path: impl AsRef<Path>, export: &Export) -> Result<usize> {
    let path = path.as_ref();
    let format = Format::of_ending(path)?;
    export.warn_of_losses(path, format);
    let cut = write_as(path, export, format)?;
    cut.warn(path);
    if matches!(format, Format::Spz | Format::Spz4)
        && let Some(coarse) = spz::coarse_steps(export)
    {
        tracing::warn!("{}: {coarse}", path.display());
    }
    Ok(cut.count())
}

/// As [`write()`], without warnings: for files that are only tried.
///
/// # Errors
/// As there.
pub fn write_silently(path: impl AsRef<Path>, export: &Export) -> Result<usize> {
    let path = path.as_ref();
    write_as(path, export, Format::of_ending(path)?).map(|cut| cut.count())
}

fn write_as(path: &Path, export: &Export, format: Format) -> Result<Cut> {
    check(path, export)?;
    if format == Format::Glb && glb::binary_bytes(export) > MOST_BINARY {
        let found = format!("would be a GLB of {} splats, which is beyond its 4 GiB", export.len());
        return Err(Error::input(path, found, "choose .spz, or fewer splats"));
    }
    let mut cut = Cut::none(export.splats.len());
    let out = |fill: &mut dyn FnMut(&mut Writer) -> std::io::Result<()>| {
        storage::write(path, |out| fill(out).map_err(Error::io(path)))
    };
    match format {
        Format::Ply => ply::write_in(path, export.splats, &export.frame, export.antialiased)?,
        Format::CompressedPly => out(&mut |out| compressed::write(out, export, &mut cut))?,
        Format::Spz => out(&mut |out| spz::write(out, export, &mut cut))?,
        Format::Spz4 => out(&mut |out| spz::write_frames(out, export, &mut cut))?,
        Format::Sog => storage::write_bytes(path, &sog::bytes(path, export)?)?,
        Format::Glb => out(&mut |out| glb::write(out, export, &mut cut))?,
        Format::Splat => out(&mut |out| dot_splat::write(out, export, &mut cut))?,
    }
    Ok(cut)
}

/// The step of positions in an SPZ file of `export`, in the frame of its splats.
pub(crate) fn position_step(export: &Export) -> f32 {
    (-spz::fractional_bits(export) as f32).exp2() / export.frame.unit as f32
}

/// The bytes of a SOG file of `export`, for a file `path` that holds them among other things.
///
/// # Errors
/// As [`write()`].
pub fn sog_bytes(path: &Path, export: &Export) -> Result<Vec<u8>> {
    check(path, export)?;
    sog::bytes(path, export)
}

fn check(path: &Path, export: &Export) -> Result<()> {
    if export.splats.is_empty() {
        return Err(Error::input(path, "would hold no splats", "give a file with at least one splat"));
    }
    export.splats.check_finite(path.display())
}

impl Export<'_> {
    fn warn_of_losses(&self, path: &Path, format: Format) {
        if self.antialiased && !format.tells_antialiased() {
            tracing::warn!(
                "{}: the format cannot say that the splats are for antialiased rendering; viewers will draw them a \
                 little too thick",
                path.display()
            );
        }
        if self.frame.is_recentered() {
            let [x, y, z] = format.origin(&self.frame).to_array();
            let stated = match format.tells_origin() {
                true => "the file states it, but other programs do not read that",
                false => "the format cannot state it",
            };
            tracing::warn!(
                "{}: positions are relative to ({x}, {y}, {z}), in the file's axes: too far from the origin for its \
                 precision; {stated}",
                path.display()
            );
        }
        if self.splats.sh_degree > format.most_bands() {
            tracing::warn!("{}: the format holds no colors that depend on the direction of view", path.display());
        }
    }

    /// The frame as JSON states it; nothing for the capture's own.
    fn stated_frame(&self) -> Option<Value> {
        (!self.frame.is_identity()).then(|| json!(self.frame))
    }

    fn len(&self) -> usize {
        self.splats.len()
    }

    /// In the file's coordinates.
    fn position(&self, i: usize) -> [f32; 3] {
        self.splats.means[i].map(|v| v * self.frame.unit as f32)
    }

    /// In the file's unit.
    fn log_scale(&self, i: usize) -> [f32; 3] {
        let log_unit = self.frame.unit.ln() as f32;
        self.splats.log_scales[i].map(|v| v + log_unit)
    }

    /// w, x, y, z of length 1.
    fn rotation(&self, i: usize) -> [f32; 4] {
        let q = self.splats.quats[i].map(f64::from);
        let length = q.iter().map(|v| v * v).sum::<f64>().sqrt();
        if length > 0.0 { q.map(|v| (v / length) as f32) } else { [1.0, 0.0, 0.0, 0.0] }
    }

    fn opacity(&self, i: usize) -> f32 {
        1.0 / (1.0 + (-self.splats.logit_opacities[i]).exp())
    }

    /// All harmonics of a splat, by coefficient.
    fn harmonics(&self, i: usize) -> &[[f32; 3]] {
        let width = 3 * Splats::coefficients(self.splats.sh_degree);
        self.splats.sh[i * width..][..width].as_chunks().0
    }
}

/// A value from 0 to 1 in `bits` bits, rounded.
fn unorm(value: f32, bits: u32) -> u32 {
    let most = (1u32 << bits) - 1;
    (value.clamp(0.0, 1.0) * most as f32).round() as u32
}

/// The index of the largest component, with the sign that makes that one positive.
fn largest(q: [f32; 4]) -> (usize, [f32; 4]) {
    let index = (0..4).max_by(|a, b| q[*a].abs().total_cmp(&q[*b].abs())).unwrap_or(0);
    (index, if q[index] < 0.0 { q.map(|v| -v) } else { q })
}

fn write_words(out: &mut impl Write, words: &[u32]) -> std::io::Result<()> {
    words.iter().try_for_each(|word| out.write_all(&word.to_le_bytes()))
}
