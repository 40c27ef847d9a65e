//! Points of PLY files.

use super::{Point, REMEDY, Take, byte};
use crate::error::{Error, Result};
use crate::ply::VertexFile;
use glam::Vec3;
use std::path::Path;

/// Degree-0 spherical harmonic; a splat's colour is `f_dc · SH_C0 + 0.5`.
const SH_C0: f32 = 0.282_094_8;

/// The vertices of a PLY file.
pub fn read(path: &Path, take: &mut Take<'_>) -> Result<()> {
    let file = VertexFile::open(path)?;
    let columns = |names: [&str; 3]| -> Option<[usize; 3]> {
        Some([file.column(names[0])?, file.column(names[1])?, file.column(names[2])?])
    };
    let position = columns(["x", "y", "z"]).ok_or_else(|| Error::input(path, "has no properties x, y, z", REMEDY))?;
    let color = Color::of(&file, &columns);
    let normal = columns(["nx", "ny", "nz"]);
    file.for_each_row(|row| {
        let normal = normal.map(|columns| unit(columns.map(|i| row[i] as f32)));
        take(Point { position: position.map(|i| row[i]), color: color.at(row), normal, confidence: None });
    })
}

/// At length 1, or zero (as splat files write it) where it has no direction. What is of that length stays to the bit: a
/// run that continues knows its points again.
fn unit(normal: [f32; 3]) -> [f32; 3] {
    let vector = Vec3::from(normal);
    if vector.is_normalized() { normal } else { vector.normalize_or_zero().to_array() }
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

    fn at(&self, row: &[f64]) -> [u8; 3] {
        match self {
            Self::None => super::GREY,
            Self::Bytes(rgb) => rgb.map(|i| row[i] as u8),
            Self::Unit(rgb) => rgb.map(|i| byte(row[i] as f32)),
            Self::Harmonic(rgb) => rgb.map(|i| byte(row[i] as f32 * SH_C0 + 0.5)),
        }
    }
}
