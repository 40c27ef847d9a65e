//! Splats as the PLY file that other viewers read: the layout of the 3D Gaussian Splatting reference code
//! (Kerbl et al. 2023): `x y z nx ny nz f_dc_* f_rest_* opacity scale_* rot_*`, all float. Scales are logarithms,
//! opacities logits, rotations w x y z; normals are zeros. `f_rest` is channel-major in the file (all coefficients
//! of red, then green, then blue), coefficient-major in [`Splats::sh`].

use super::Splats;
use crate::capture::SceneFrame;
use crate::error::{Error, Result};
use crate::ply::{ANTIALIASED, ElementFile, frame_comments};
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

/// Reads a splat PLY (ascii or binary, any numeric type, extra properties ignored), SH degrees 0–3, values as they are.
///
/// # Errors
/// Not a splat PLY, or cut off.
pub(super) fn read(path: &Path, file: ElementFile, frame: &SceneFrame) -> Result<Splats> {
    let count = file.count();
    let placement = Placement::between(file.stated_frame().unwrap_or_default().origin, frame);
    let layout = Layout::of(path, &file)?;
    let mut splats = Splats::with_capacity(count, layout.sh_degree);
    file.for_each_row(|row: &[f64]| layout.take(row, &placement, &mut splats))?;
    Ok(splats)
}

/// Whether the vertices of a PLY file have properties that splats have and points do not.
pub(super) fn holds_splats(file: &ElementFile) -> bool {
    ["rot_0", "scale_0", "opacity"].iter().all(|name| file.column(name).is_some())
}

/// The columns of the coefficients above degree 0 in the order of [`Splats::sh`], and their degree.
pub(super) fn rest_columns(path: &Path, file: &ElementFile) -> Result<(Vec<usize>, u32)> {
    let names = (0..).map_while(|i| file.column(&format!("f_rest_{i}")));
    let in_file: Vec<usize> = names.collect();
    let sh_degree = match in_file.len() {
        0 => 0,
        9 => 1,
        24 => 2,
        45 => 3,
        n => {
            let found = format!("has {n} properties `f_rest_*`, which fits no degree of spherical harmonics");
            return Err(Error::input(path, found, "degrees 0 to 3 have 0, 9, 24 or 45 of them"));
        }
    };
    let per_channel = in_file.len() / 3;
    let of_coefficient = |k: usize| [0, 1, 2].map(|channel| in_file[channel * per_channel + k]);
    Ok(((0..per_channel).flat_map(of_coefficient).collect(), sh_degree))
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
    fn of(path: &Path, file: &ElementFile) -> Result<Self> {
        let column = |name: &str| file.column(name).ok_or_else(|| lacking(path, file, name));
        let mut base = [0; 14];
        for (slot, name) in base.iter_mut().zip(BASE_NAMES) {
            *slot = column(name)?;
        }
        let (rest, sh_degree) = rest_columns(path, file)?;
        Ok(Self { base, rest, sh_degree })
    }

    fn take(&self, row: &[f64], placement: &Placement, splats: &mut Splats) {
        let [x, y, z] = placement.position([0, 1, 2].map(|i| row[self.base[i]]));
        let [_, _, _, qw, qx, qy, qz, s0, s1, s2, opacity, r, g, b] = self.base.map(|i| row[i] as f32);
        splats.means.push([x, y, z]);
        splats.quats.push([qw, qx, qy, qz]);
        splats.log_scales.push([s0, s1, s2].map(|scale| scale - placement.log_unit));
        splats.logit_opacities.push(opacity);
        splats.sh.extend([r, g, b]);
        splats.sh.extend(self.rest.iter().map(|&i| row[i] as f32));
    }
}

/// The error of a file without the property `name` of a splat, with a guess from what it holds instead.
fn lacking(path: &Path, file: &ElementFile, name: &str) -> Error {
    let has = |name: &str| file.column(name).is_some();
    if !["rot_0", "scale_0", "opacity", "f_dc_0"].into_iter().any(has) {
        let kind = if file.has_element("face") { "a mesh" } else { "points" };
        let found = format!("holds {kind}, not splats (there is no property `{name}`)");
        return Error::input(
            path,
            found,
            "give splats; points to start a training from go into the scene as `points.ply`",
        );
    }
    if name == "scale_2" && has("scale_1") {
        let found = "holds flat splats with two scales (2D Gaussian Splatting), which are not read";
        return Error::input(path, found, REMEDY);
    }
    Error::input(path, format!("has no property `{name}`"), REMEDY)
}

/// The map from a file's coordinates to those of a frame.
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
/// [`Error::Io`]; [`Error::Setting`] if the tensors of `splats` have different lengths; [`Error::NotFinite`] if a value is
/// not finite, in which case nothing is written.
pub fn write(path: impl AsRef<Path>, splats: &Splats) -> Result<()> {
    write_in(path, splats, &SceneFrame::IDENTITY, false)
}

/// [`write()`] of splats in `frame`: the file is in the capture's unit, and has its origin or states another. Where they are
/// `antialiased`, for that kind of rendering, it says so.
///
/// # Errors
/// As there.
pub fn write_in(path: impl AsRef<Path>, splats: &Splats, frame: &SceneFrame, antialiased: bool) -> Result<()> {
    let path = path.as_ref();
    splats.check_finite(path.display())?;
    let comments =
        frame_comments(frame) + &if antialiased { format!("comment {ANTIALIASED}\n") } else { String::new() };
    storage::write(path, |out| write_to(out, splats, &comments, frame).map_err(Error::io(path)))
}

fn write_to(out: &mut Writer, splats: &Splats, comments: &str, frame: &SceneFrame) -> std::io::Result<()> {
    let width = 3 * Splats::coefficients(splats.sh_degree);
    write_header(out, splats.len(), width, comments)?;
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

fn write_header(out: &mut Writer, count: usize, width: usize, comments: &str) -> std::io::Result<()> {
    write!(out, "ply\nformat binary_little_endian 1.0\n{comments}")?;
    writeln!(out, "element vertex {count}")?;
    let rest = (0..width - 3).map(|i| format!("f_rest_{i}"));
    let names = ["x", "y", "z", "nx", "ny", "nz", "f_dc_0", "f_dc_1", "f_dc_2"].map(String::from);
    let tail = ["opacity", "scale_0", "scale_1", "scale_2", "rot_0", "rot_1", "rot_2", "rot_3"].map(String::from);
    for name in names.into_iter().chain(rest).chain(tail) {
        writeln!(out, "property float {name}")?;
    }
    writeln!(out, "end_header")
}
