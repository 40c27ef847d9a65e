//! Points of PLY files.

use super::{Point, REMEDY, Take, byte, full_scale};
use crate::color::SH_C0;
use crate::error::{Error, Result};
use crate::ply::ElementFile;
use glam::Vec3;
use std::path::Path;

/// The vertices of a PLY file.
pub fn read(path: &Path, take: &mut Take<'_>) -> Result<()> {
    let file = ElementFile::vertices(path)?;
    let columns = |names: [&str; 3]| -> Option<[usize; 3]> {
        Some([file.column(names[0])?, file.column(names[1])?, file.column(names[2])?])
    };
    let position = columns(["x", "y", "z"]).ok_or_else(|| match file.column("packed_position") {
        Some(_) => Error::input(path, "holds compressed splats, not points", REMEDY),
        None => Error::input(path, "has no properties x, y, z", REMEDY),
    })?;
    let color = Color::of(path, &file, &columns)?;
    let normal = columns(["nx", "ny", "nz"]);
    file.for_each_row(|row: &[f64]| {
        let normal = normal.map(|columns| unit(columns.map(|i| row[i] as f32)));
        take(Point { position: position.map(|i| row[i]), color: color.at(row), normal, confidence: None });
    })
}

/// At length 1, or zero (as splat files write it) where it has no direction. Vectors of unit length stay exact, so that a
/// resumed run recognizes its points.
fn unit(normal: [f32; 3]) -> [f32; 3] {
    let vector = Vec3::from(normal);
    if vector.is_normalized() { normal } else { vector.normalize_or_zero().to_array() }
}

/// How a vertex names its color.
enum Color {
    /// No color: gray.
    None,
    /// Numbers from 0 to this.
    Rgb([usize; 3], f32),
    /// The degree-0 spherical harmonics of a splat.
    Harmonic([usize; 3]),
}

impl Color {
    fn of(path: &Path, file: &ElementFile, columns: &impl Fn([&str; 3]) -> Option<[usize; 3]>) -> Result<Self> {
        let names = [["red", "green", "blue"], ["r", "g", "b"], ["diffuse_red", "diffuse_green", "diffuse_blue"]];
        let Some(rgb) = names.into_iter().find_map(columns) else {
            return Ok(columns(["f_dc_0", "f_dc_1", "f_dc_2"]).map_or(Self::None, Self::Harmonic));
        };
        let is_integer = match rgb.map(|column| file.integer_bytes(column)) {
            [Some(1), Some(1), Some(1)] => return Ok(Self::Rgb(rgb, 255.0)),
            bytes => bytes.iter().all(Option::is_some),
        };
        // Other types are used for colors of every range: their values tell, in a pass of their own.
        let mut largest = 0.0f32;
        ElementFile::vertices(path)?.for_each_row(|row: &[f32]| {
            largest = rgb.iter().map(|i| row[*i]).filter(|v| v.is_finite()).fold(largest, f32::max);
        })?;
        Ok(Self::Rgb(rgb, full_scale(largest, is_integer)))
    }

    fn at(&self, row: &[f64]) -> [u8; 3] {
        match self {
            Self::None => super::GRAY,
            Self::Rgb(rgb, full) => rgb.map(|i| byte(row[i] as f32 / full)),
            Self::Harmonic(rgb) => rgb.map(|i| byte(row[i] as f32 * SH_C0 + 0.5)),
        }
    }
}
