//! Splats as the PLY file that other viewers read: the layout of the 3D Gaussian Splatting reference code
//! (Kerbl et al. 2023): `x y z nx ny nz f_dc_* f_rest_* opacity scale_* rot_*`, all float. Scales are logarithms,
//! opacities logits, rotations w x y z; normals are zeros. `f_rest` is channel-major in the file (all coefficients
//! of red, then green, then blue), coefficient-major in [`Splats::sh`].

use super::Splats;
use crate::error::{Error, Result};
use crate::ply::VertexFile;
use crate::storage::{self, Writer};
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
    let path = path.as_ref();
    let file = VertexFile::open(path)?;
    let count = file.count();
    let layout = Layout::of(path, &file)?;
    let mut splats = layout.empty(count);
    file.for_each_row(|row| layout.take(row, &mut splats))?;
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

    fn take(&self, row: &[f32], splats: &mut Splats) {
        let mut base = self.base.map(|i| row[i]);
        for (name, value) in BASE_NAMES.iter().zip(&mut base) {
            let has_limit = *name == "opacity" || (name.starts_with("scale") && *value < 0.0);
            if has_limit && value.is_infinite() {
                *value = LIMIT.copysign(*value);
            }
        }
        let finite = base.iter().all(|v| v.is_finite()) && self.rest.iter().all(|&i| row[i].is_finite());
        let [x, y, z, qw, qx, qy, qz, s0, s1, s2, opacity, r, g, b] = base;
        if !finite {
            return;
        }
        splats.means.push([x, y, z]);
        splats.quats.push([qw, qx, qy, qz]);
        splats.log_scales.push([s0, s1, s2]);
        splats.logit_opacities.push(opacity);
        splats.sh.extend([r, g, b]);
        splats.sh.extend(self.rest.iter().map(|&i| row[i]));
    }
}

/// Writes `splats` as binary little-endian PLY, atomically.
///
/// # Errors
/// [`Error::Io`]; [`Error::Input`] if the tensors of `splats` have different lengths; [`Error::NotFinite`] if a value is
/// not finite, in which case nothing is written.
pub fn write(path: impl AsRef<Path>, splats: &Splats) -> Result<()> {
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
    storage::write(path, |out| write_to(out, splats, width).map_err(Error::io(path)))
}

fn write_to(out: &mut Writer, splats: &Splats, width: usize) -> std::io::Result<()> {
    write_header(out, splats.len(), width)?;
    // x y z, normals, SH, opacity, scales, rotation.
    let mut row = vec![0f32; 3 + 3 + width + 1 + 3 + 4];
    let per_channel = width / 3 - 1;
    for (i, sh) in splats.sh.chunks_exact(width).enumerate() {
        row[..3].copy_from_slice(&splats.means[i]);
        row[6..9].copy_from_slice(&sh[..3]);
        for (channel, rest) in row[9..6 + width].chunks_exact_mut(per_channel.max(1)).enumerate() {
            for (k, value) in rest.iter_mut().enumerate() {
                *value = sh[3 * (k + 1) + channel];
            }
        }
        let tail = &mut row[6 + width..];
        tail[0] = splats.logit_opacities[i];
        tail[1..4].copy_from_slice(&splats.log_scales[i]);
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

fn write_header(out: &mut Writer, count: usize, width: usize) -> std::io::Result<()> {
    writeln!(out, "ply\nformat binary_little_endian 1.0\nelement vertex {count}")?;
    let rest = (0..width - 3).map(|i| format!("f_rest_{i}"));
    let names = ["x", "y", "z", "nx", "ny", "nz", "f_dc_0", "f_dc_1", "f_dc_2"].map(String::from);
    let tail = ["opacity", "scale_0", "scale_1", "scale_2", "rot_0", "rot_1", "rot_2", "rot_3"].map(String::from);
    for name in names.into_iter().chain(rest).chain(tail) {
        writeln!(out, "property float {name}")?;
    }
    writeln!(out, "end_header")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn sample(n: usize, sh_degree: u32) -> Splats {
        let value = |i: usize, salt: usize| ((i * 37 + salt * 11) % 101) as f32 * 0.37 - 12.5;
        let width = 3 * Splats::coefficients(sh_degree);
        Splats {
            means: (0..n).map(|i| [value(i, 1), value(i, 2), value(i, 3)]).collect(),
            quats: (0..n).map(|i| [value(i, 4), value(i, 5), value(i, 6), value(i, 7)]).collect(),
            log_scales: (0..n).map(|i| [value(i, 8), value(i, 9), value(i, 10)]).collect(),
            logit_opacities: (0..n).map(|i| value(i, 11)).collect(),
            sh: (0..n * width).map(|i| value(i, 12)).collect(),
            sh_degree,
        }
    }

    #[test]
    fn every_degree_survives_the_round_trip() {
        let dir = tempfile::tempdir().unwrap();
        for degree in 0..=3 {
            let path = dir.path().join(format!("{degree}.ply"));
            let splats = sample(17, degree);
            write(&path, &splats).unwrap();
            assert_eq!(read(&path).unwrap(), splats);
        }
    }

    #[test]
    fn f_rest_is_channel_major_in_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s.ply");
        let mut splats = sample(1, 1);
        splats.sh = (0..12).map(|i| i as f32).collect();
        write(&path, &splats).unwrap();
        let bytes = fs::read(&path).unwrap();
        let row: Vec<f32> = bytes[bytes.len() - 4 * 26..]
            .chunks_exact(4)
            .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
            .collect();
        assert_eq!(&row[6..18], &[0.0, 1.0, 2.0, 3.0, 6.0, 9.0, 4.0, 7.0, 10.0, 5.0, 8.0, 11.0]);
    }

    #[test]
    fn splats_with_nan_are_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s.ply");
        let splats = sample(5, 2);
        write(&path, &splats).unwrap();
        // Of 38 floats a row: z of the second splat, a coefficient of the fourth.
        let mut bytes = fs::read(&path).unwrap();
        let data = bytes.len() - 5 * 38 * 4;
        for (row, column, value) in [(1, 2, f32::NAN), (3, 20, f32::INFINITY)] {
            let at = data + (row * 38 + column) * 4;
            bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
        }
        fs::write(&path, bytes).unwrap();
        let read_back = read(&path).unwrap();
        assert_eq!(read_back.len(), 3);
        assert_eq!(read_counting(&path).unwrap().1, 2);
        assert_eq!(read_back.means[1], splats.means[2]);
        assert_eq!(read_back.sh.len(), 3 * 27);
    }

    #[test]
    fn infinite_scales_and_opacities_are_their_limits() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s.ply");
        let splats = sample(5, 0);
        write(&path, &splats).unwrap();
        let mut bytes = fs::read(&path).unwrap();
        let data = bytes.len() - 5 * 17 * 4;
        let infinite = f32::INFINITY;
        // After x y z, normals and colors: opacity 9, scales 10 to 12.
        for (row, column, value) in
            [(0, 11, -infinite), (1, 9, infinite), (2, 9, -infinite), (3, 10, infinite), (4, 12, f32::NAN)]
        {
            let at = data + (row * 17 + column) * 4;
            bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
        }
        fs::write(&path, bytes).unwrap();
        let (found, dropped) = read_counting(&path).unwrap();
        assert_eq!((found.len(), dropped), (3, 2));
        assert_eq!(found.log_scales[0], [splats.log_scales[0][0], -LIMIT, splats.log_scales[0][2]]);
        assert_eq!(found.logit_opacities, [splats.logit_opacities[0], LIMIT, -LIMIT]);
        assert!((2.0 * -LIMIT).exp().is_normal() && 1.0 / (1.0 + (-LIMIT).exp()) == 1.0);
    }

    #[test]
    fn nothing_is_written_of_a_model_that_is_not_finite() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s.ply");
        let poison: [fn(&mut Splats); 5] = [
            |s| s.means[3][1] = f32::NAN,
            |s| s.quats[0][0] = f32::INFINITY,
            |s| s.log_scales[4][2] = f32::NEG_INFINITY,
            |s| s.logit_opacities[2] = f32::NAN,
            |s| s.sh[5 * 12 - 1] = f32::INFINITY,
        ];
        for poison in poison {
            let mut splats = sample(5, 1);
            poison(&mut splats);
            let message = write(&path, &splats).unwrap_err().to_string();
            assert!(message.contains("s.ply") && message.contains("1 of 5 splats"), "{message}");
            assert!(!path.exists());
        }
    }

    #[test]
    fn ascii_and_big_endian_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s.ply");
        let splats = sample(3, 0);
        let names = "x y z f_dc_0 f_dc_1 f_dc_2 opacity scale_0 scale_1 scale_2 rot_0 rot_1 rot_2 rot_3 confidence";
        let properties: String = names.split(' ').map(|n| format!("property double {n}\n")).collect();
        let rows: Vec<Vec<f32>> = (0..3)
            .map(|i| {
                let mut row = splats.means[i].to_vec();
                row.extend(&splats.sh[3 * i..3 * i + 3]);
                row.push(splats.logit_opacities[i]);
                row.extend(splats.log_scales[i]);
                row.extend(splats.quats[i]);
                row.push(7.0);
                row
            })
            .collect();
        let header = |format: &str| format!("ply\nformat {format} 1.0\nelement vertex 3\n{properties}end_header\n");
        let mut text = header("ascii");
        for row in &rows {
            text += &row.iter().map(f32::to_string).collect::<Vec<_>>().join(" ");
            text += "\r\n";
        }
        fs::write(&path, text).unwrap();
        assert_eq!(read(&path).unwrap(), splats);
        let mut binary = header("binary_big_endian").into_bytes();
        binary.extend(rows.iter().flatten().flat_map(|&v| f64::from(v).to_be_bytes()));
        fs::write(&path, binary).unwrap();
        assert_eq!(read(&path).unwrap(), splats);
    }

    #[test]
    fn a_cut_off_file_names_both_sizes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s.ply");
        write(&path, &sample(9, 3)).unwrap();
        let whole = fs::read(&path).unwrap();
        fs::write(&path, &whole[..whole.len() - 5]).unwrap();
        let message = read(&path).unwrap_err().to_string();
        assert!(message.contains("2232 bytes") && message.contains("2227 bytes"), "{message}");
        fs::write(&path, String::from_utf8_lossy(&whole[..300]).replace("vertex 9", "vertex 99999999999999")).unwrap();
        assert!(read(&path).is_err());
    }

    #[test]
    fn other_files_are_refused_with_a_reason() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s.ply");
        let message = |content: &[u8]| {
            fs::write(&path, content).unwrap();
            read(&path).unwrap_err().to_string()
        };
        assert!(message(b"").contains("empty"));
        assert!(message(b"<!DOCTYPE html><html>").contains("web page"));
        assert!(message(b"\x89PNG....").contains("not a PLY"));
        assert!(message(b"ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\n").contains("header"));
        let points = b"ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\nend_header\n1\n";
        fs::write(&path, points).unwrap();
        assert!(!holds_splats(&path).unwrap());
        assert!(message(points).contains("no property `y`"));
    }
}
