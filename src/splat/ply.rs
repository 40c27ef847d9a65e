//! Splats as the PLY file that other viewers read: the layout of the 3D Gaussian Splatting reference code
//! (Kerbl et al. 2023): `x y z nx ny nz f_dc_* f_rest_* opacity scale_* rot_*`, all float. Scales are logarithms,
//! opacities logits, rotations w x y z; normals are zeros. `f_rest` is channel-major in the file (all coefficients
//! of red, then green, then blue), coefficient-major in [`Splats::sh`].

use super::Splats;
use crate::capture::SceneFrame;
use crate::error::{Error, Result};
use crate::ply::{VertexFile, frame_comments};
use crate::storage::{self, Writer};
use glam::DVec3;
use std::io::Write;
use std::path::Path;

const REMEDY: &str =
    "give a file in the layout of 3D Gaussian Splatting (x y z, f_dc_*, f_rest_*, opacity, scale_*, rot_*)";
/// Properties of a splat that are not spherical harmonics above degree 0, without the normals.
const BASE_NAMES: [&str; 14] = [
    "x", "y", "z", "rot_0", "rot_1", "rot_2", "rot_3", "scale_0", "scale_1", "scale_2", "opacity", "f_dc_0", "f_dc_1",
    "f_dc_2",
];

/// What stands for infinity in logarithms of scales and logits of opacities: beyond it nothing changes in f32. A splat as
/// thin as exp(-30) is flat at any distance, and the square of its thickness is still a normal number (exp(-44) has none);
/// the sigmoid of 30 is 1, that of -30 far below anything that is drawn.
const LIMIT: f32 = 30.0;

/// Reads a splat PLY (ascii or binary, any numeric type, extra properties ignored), SH degrees 0–3. Flat splats (a scale
/// whose logarithm is -∞) and infinite logits of opacities are taken at [`LIMIT`]; splats with NaN or other infinite values
/// are dropped with a warning that counts them.
///
/// # Errors
/// Not a splat PLY, cut off, or without one usable splat.
pub fn read(path: impl AsRef<Path>) -> Result<Splats> {
    read_counting(path).map(|(splats, _)| splats)
}

/// As [`read`], with the number of splats that were dropped.
///
/// # Errors
/// As there.
pub fn read_counting(path: impl AsRef<Path>) -> Result<(Splats, usize)> {
    read_counting_in(path.as_ref(), &SceneFrame::IDENTITY)
}

/// As [`read`], in the scene frame `frame` of the capture.
///
/// # Errors
/// As there.
pub fn read_in(path: impl AsRef<Path>, frame: &SceneFrame) -> Result<Splats> {
    read_counting_in(path.as_ref(), frame).map(|(splats, _)| splats)
}

/// As [`read_counting`], in the frame that the file states, or else in the one that suits its splats.
///
/// # Errors
/// As there.
pub fn read_framed(path: impl AsRef<Path>) -> Result<(Splats, usize, SceneFrame)> {
    let path = path.as_ref();
    if let Some(frame) = VertexFile::open(path)?.stated_frame() {
        return read_counting_in(path, &frame).map(|(splats, dropped)| (splats, dropped, frame));
    }
    let ((splats, dropped), frame) =
        SceneFrame::suiting(|frame| read_counting_in(path, frame), |(splats, _)| &splats.means)?;
    Ok((splats, dropped, frame))
}

/// As [`read_in`], with the number of splats that were dropped.
///
/// # Errors
/// As there.
pub fn read_counting_in(path: &Path, frame: &SceneFrame) -> Result<(Splats, usize)> {
    let file = VertexFile::open(path)?;
    let count = file.count();
    let placement = Placement::between(file.stated_frame().unwrap_or_default().origin, frame);
    let layout = Layout::of(path, &file)?;
    let mut splats = layout.empty(count);
    file.for_each_row(|row| layout.take(row, &placement, &mut splats))?;
    let dropped = count - splats.len();
    if dropped > 0 {
        tracing::warn!("{}: {dropped} of {count} splats hold NaN or infinite values and were dropped", path.display());
    }
    if splats.is_empty() {
        return Err(Error::input(path, format!("none of its {count} splats is usable"), REMEDY));
    }
    Ok((splats, dropped))
}

/// Whether the vertices of a PLY file have what splats have and points have not.
///
/// # Errors
/// Not a PLY file.
pub fn holds_splats(path: impl AsRef<Path>) -> Result<bool> {
    let file = VertexFile::open(path.as_ref())?;
    Ok(["rot_0", "scale_0", "opacity"].iter().all(|name| file.column(name).is_some()))
}

/// Where the parameters are in a row.
struct Layout {
    /// Columns of [`BASE_NAMES`].
    base: [usize; 14],
    /// Columns of the coefficients above degree 0 in the order of [`Splats::sh`].
    rest: Vec<usize>,
    sh_degree: u32,
}

impl Layout {
    fn of(path: &Path, file: &VertexFile) -> Result<Self> {
        let column = |name: &str| {
            file.column(name).ok_or_else(|| Error::input(path, format!("has no property `{name}`"), REMEDY))
        };
        let mut base = [0; 14];
        for (slot, name) in base.iter_mut().zip(BASE_NAMES) {
            *slot = column(name)?;
        }
        let rest_count = (0..).take_while(|i| file.column(&format!("f_rest_{i}")).is_some()).count();
        let sh_degree = match rest_count {
            0 => 0,
            9 => 1,
            24 => 2,
            45 => 3,
            n => {
                let found = format!("has {n} properties `f_rest_*`, which fits no degree of spherical harmonics");
                return Err(Error::input(path, found, "degrees 0 to 3 have 0, 9, 24 or 45 of them"));
            }
        };
        let per_channel = rest_count / 3;
        let mut rest = Vec::with_capacity(rest_count);
        for k in 0..per_channel {
            for channel in 0..3 {
                rest.push(column(&format!("f_rest_{}", channel * per_channel + k))?);
            }
        }
        Ok(Self { base, rest, sh_degree })
    }

    fn empty(&self, capacity: usize) -> Splats {
        Splats {
            means: Vec::with_capacity(capacity),
            quats: Vec::with_capacity(capacity),
            log_scales: Vec::with_capacity(capacity),
            logit_opacities: Vec::with_capacity(capacity),
            sh: Vec::with_capacity(capacity * 3 * Splats::coefficients(self.sh_degree)),
            sh_degree: self.sh_degree,
        }
    }

    fn take(&self, row: &[f64], placement: &Placement, splats: &mut Splats) {
        let position = placement.position([0, 1, 2].map(|i| row[self.base[i]]));
        let mut base = self.base.map(|i| row[i] as f32);
        base[..3].copy_from_slice(&position);
        for (name, value) in BASE_NAMES.iter().zip(&mut base) {
            let has_limit = *name == "opacity" || (name.starts_with("scale") && *value < 0.0);
            if has_limit && value.is_infinite() {
                *value = LIMIT.copysign(*value);
            }
        }
        let finite = base.iter().all(|v| v.is_finite()) && self.rest.iter().all(|&i| (row[i] as f32).is_finite());
        let [x, y, z, qw, qx, qy, qz, s0, s1, s2, opacity, r, g, b] = base;
        if !finite {
            return;
        }
        splats.means.push([x, y, z]);
        splats.quats.push([qw, qx, qy, qz]);
        splats.log_scales.push([s0, s1, s2].map(|scale| scale - placement.log_unit));
        splats.logit_opacities.push(opacity);
        splats.sh.extend([r, g, b]);
        splats.sh.extend(self.rest.iter().map(|&i| row[i] as f32));
    }
}

/// From a file's coordinates to those of a frame.
struct Placement {
    shift: DVec3,
    unit: f64,
    log_unit: f32,
}

impl Placement {
    /// From coordinates relative to `origin`, in the capture's unit.
    fn between(origin: DVec3, frame: &SceneFrame) -> Self {
        Self { shift: origin - frame.origin, unit: frame.unit, log_unit: frame.unit.ln() as f32 }
    }

    fn position(&self, position: [f64; 3]) -> [f32; 3] {
        if self.shift == DVec3::ZERO && self.unit == 1.0 {
            return position.map(|v| v as f32);
        }
        ((DVec3::from(position) + self.shift) / self.unit).as_vec3().to_array()
    }
}

/// Writes `splats` as binary little-endian PLY, atomically.
///
/// # Errors
/// [`Error::Io`]; [`Error::Input`] if the tensors of `splats` have different lengths; [`Error::NotFinite`] if a value is
/// not finite, in which case nothing is written.
pub fn write(path: impl AsRef<Path>, splats: &Splats) -> Result<()> {
    write_in(path, splats, &SceneFrame::IDENTITY)
}

/// [`write`] of splats in `frame`: the file is in the capture's unit, and has its origin or states another.
///
/// # Errors
/// As there.
pub fn write_in(path: impl AsRef<Path>, splats: &Splats, frame: &SceneFrame) -> Result<()> {
    let path = path.as_ref();
    let n = splats.len();
    let width = 3 * Splats::coefficients(splats.sh_degree);
    let lengths = [splats.quats.len(), splats.log_scales.len(), splats.logit_opacities.len()];
    if lengths != [n; 3] || splats.sh.len() != n * width {
        return Err(Error::input(
            path,
            "the splats' tensors have different lengths",
            "this is a bug; please report it",
        ));
    }
    splats.check_finite(path.display())?;
    storage::write(path, |out| write_to(out, splats, width, frame).map_err(Error::io(path)))
}

fn write_to(out: &mut Writer, splats: &Splats, width: usize, frame: &SceneFrame) -> std::io::Result<()> {
    write_header(out, splats.len(), width, frame)?;
    let (unit, log_unit) = (frame.unit as f32, frame.unit.ln() as f32);
    // x y z, normals, SH, opacity, scales, rotation.
    let mut row = vec![0f32; 3 + 3 + width + 1 + 3 + 4];
    let per_channel = width / 3 - 1;
    for (i, sh) in splats.sh.chunks_exact(width).enumerate() {
        row[..3].copy_from_slice(&splats.means[i].map(|v| v * unit));
        row[6..9].copy_from_slice(&sh[..3]);
        for (channel, rest) in row[9..6 + width].chunks_exact_mut(per_channel.max(1)).enumerate() {
            for (k, value) in rest.iter_mut().enumerate() {
                *value = sh[3 * (k + 1) + channel];
            }
        }
        let tail = &mut row[6 + width..];
        tail[0] = splats.logit_opacities[i];
        tail[1..4].copy_from_slice(&splats.log_scales[i].map(|scale| scale + log_unit));
        tail[4..8].copy_from_slice(&splats.quats[i]);
        write_floats(out, &row)?;
    }
    Ok(())
}

fn write_floats(out: &mut Writer, row: &[f32]) -> std::io::Result<()> {
    if cfg!(target_endian = "little") {
        return out.write_all(bytemuck::cast_slice(row));
    }
    row.iter().try_for_each(|value| out.write_all(&value.to_le_bytes()))
}

fn write_header(out: &mut Writer, count: usize, width: usize, frame: &SceneFrame) -> std::io::Result<()> {
    write!(out, "ply\nformat binary_little_endian 1.0\n{}", frame_comments(frame))?;
    writeln!(out, "element vertex {count}")?;
    let rest = (0..width - 3).map(|i| format!("f_rest_{i}"));
    let names = ["x", "y", "z", "nx", "ny", "nz", "f_dc_0", "f_dc_1", "f_dc_2"].map(String::from);
    let tail = ["opacity", "scale_0", "scale_1", "scale_2", "rot_0", "rot_1", "rot_2", "rot_3"].map(String::from);
    for name in names.into_iter().chain(rest).chain(tail) {
        writeln!(out, "property float {name}")?;
    }
    writeln!(out, "end_header")
}

#[cfg(test)]
mod tests;
