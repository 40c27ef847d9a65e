//! Point clouds from files: PLY and COLMAP.

use super::{PointCloud, colmap};
use crate::error::{Error, Result};
use crate::ply::VertexFile;
use std::path::Path;

const REMEDY: &str = "give a PLY with x, y, z per vertex, COLMAP's points3D.bin or points3D.txt, or the folder of one";
/// Degree-0 spherical harmonic; a splat's colour is `f_dc · SH_C0 + 0.5`.
const SH_C0: f32 = 0.282_094_8;

/// Reads a point cloud: a PLY (ascii or binary; any numeric type; colours as integers 0–255, floats 0–1 or a
/// splat's `f_dc`; other properties ignored), COLMAP's `points3D.bin` or `points3D.txt`, or a folder with one of
/// those (or with `sparse/0`). Points without colours are grey. Points with NaN or infinite coordinates are dropped
/// with a warning that counts them.
///
/// # Errors
/// Another kind of file, a file that is cut off, or one without a usable point.
pub fn read(path: impl AsRef<Path>) -> Result<PointCloud> {
    let path = path.as_ref();
    if path.is_dir() {
        let inner = file_in_folder(path).ok_or_else(|| Error::input(path, "a folder without points", REMEDY))?;
        return read(inner);
    }
    let (cloud, dropped) = match path.extension().and_then(|e| e.to_str()) {
        Some("bin") => colmap::read_binary(path)?,
        Some("txt") => colmap::read_text(path)?,
        _ => read_ply(path)?,
    };
    if dropped > 0 {
        let total = cloud.len() + dropped;
        tracing::warn!("{}: {dropped} of {total} points hold NaN or infinity and were dropped", path.display());
    }
    if cloud.is_empty() {
        return Err(Error::input(path, format!("holds no usable point ({dropped} are not finite)"), REMEDY));
    }
    Ok(cloud)
}

/// The file of points in a COLMAP model's folder or in a scene's `sparse` folder.
fn file_in_folder(folder: &Path) -> Option<std::path::PathBuf> {
    ["", "0", "sparse/0", "sparse"].iter().find_map(|sub| {
        ["points3D.bin", "points3D.txt", "points3D.ply", "points.ply"]
            .iter()
            .map(|name| folder.join(sub).join(name))
            .find(|file| file.is_file())
    })
}

fn read_ply(path: &Path) -> Result<(PointCloud, usize)> {
    let file = VertexFile::open(path)?;
    let columns = |names: [&str; 3]| -> Option<[usize; 3]> {
        Some([file.column(names[0])?, file.column(names[1])?, file.column(names[2])?])
    };
    let position = columns(["x", "y", "z"]).ok_or_else(|| Error::input(path, "has no properties x, y, z", REMEDY))?;
    let color = Color::of(&file, &columns);
    let count = file.count();
    let mut cloud = PointCloud { positions: Vec::with_capacity(count), colors: Vec::with_capacity(count) };
    file.for_each_row(|row| {
        let p = position.map(|i| row[i]);
        if p.iter().all(|v| v.is_finite()) {
            cloud.positions.push(p);
            cloud.colors.push(color.at(row));
        }
    })?;
    let dropped = count - cloud.len();
    Ok((cloud, dropped))
}

/// How a vertex names its colour.
enum Color {
    /// No colour: grey.
    None,
    /// Integers, 0–255.
    Bytes([usize; 3]),
    /// Floats, 0–1.
    Unit([usize; 3]),
    /// The degree-0 spherical harmonics of a splat.
    Harmonic([usize; 3]),
}

impl Color {
    fn of(file: &VertexFile, columns: &impl Fn([&str; 3]) -> Option<[usize; 3]>) -> Self {
        let names = [["red", "green", "blue"], ["r", "g", "b"], ["diffuse_red", "diffuse_green", "diffuse_blue"]];
        if let Some(rgb) = names.into_iter().find_map(columns) {
            return if file.is_integer(rgb[0]) { Self::Bytes(rgb) } else { Self::Unit(rgb) };
        }
        columns(["f_dc_0", "f_dc_1", "f_dc_2"]).map_or(Self::None, Self::Harmonic)
    }

    fn at(&self, row: &[f32]) -> [u8; 3] {
        // A cast from float saturates, and takes NaN to 0.
        let byte = |unit: f32| (unit * 255.0).round() as u8;
        match self {
            Self::None => [128; 3],
            Self::Bytes(rgb) => rgb.map(|i| row[i] as u8),
            Self::Unit(rgb) => rgb.map(|i| byte(row[i])),
            Self::Harmonic(rgb) => rgb.map(|i| byte(row[i] * SH_C0 + 0.5)),
        }
    }
}
