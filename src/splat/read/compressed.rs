//! SuperSplat's compressed PLY, by its [description] and the program that writes it: little-endian, an element
//! `chunk` with the bounds of each 256 splats, an element `vertex` of four packed words a splat, and an element `sh` of
//! bytes where there are harmonics above degree 0. Frame, order of the quaternion and order of `f_rest_*` are those of the
//! PLY layout.
//!
//! An own reader: no crate was found that reads this without a renderer.
//!
//! [description]: https://developer.playcanvas.com/user-manual/gaussian-splatting/formats/compressed-ply/

use super::super::Splats;
use super::super::ply::rest_columns;
use super::bytes_in_memory;
use crate::color::SH_C0;
use crate::error::{Error, Result};
use crate::limits;
use crate::ply::ElementFile;
use std::path::Path;

const CHUNK: usize = 256;
const REMEDY: &str = "it is damaged, or of a version that is not known: export it again, or as plain PLY";
const WORDS: [&str; 4] = ["packed_position", "packed_rotation", "packed_scale", "packed_color"];
/// Properties of a chunk; the last six came later, and colors without them are 0–1.
const BOUNDS: [&str; 18] = [
    "min_x",
    "min_y",
    "min_z",
    "max_x",
    "max_y",
    "max_z",
    "min_scale_x",
    "min_scale_y",
    "min_scale_z",
    "max_scale_x",
    "max_scale_y",
    "max_scale_z",
    "min_r",
    "min_g",
    "min_b",
    "max_r",
    "max_g",
    "max_b",
];
const BOUNDS_WITHOUT_COLOR: usize = 12;

/// The bounds of 256 splats: minima and maxima of positions, log-scales and colors.
type Chunk = [[f32; 3]; 6];

/// Whether the vertices of a PLY file are packed splats.
pub fn is_compressed(vertices: &ElementFile) -> bool {
    vertices.column(WORDS[0]).is_some()
}

/// Reads the splats of `path`, whose element `vertex` is opened.
///
/// # Errors
/// Elements that do not fit each other, missing properties, fewer bytes than the header promises.
pub fn read(path: &Path, vertices: ElementFile) -> Result<Splats> {
    let count = vertices.count();
    let damaged = |found: String| Error::input(path, found, REMEDY);
    let harmonics = ElementFile::open(path, "sh")?;
    let (rest, sh_degree) = harmonics.as_ref().map_or(Ok((Vec::new(), 0)), |file| rest_columns(path, file))?;
    let bytes = std::fs::metadata(path).map_err(Error::io(path))?.len();
    let needed = (count as u64).saturating_mul(bytes_in_memory(sh_degree));
    limits::claim(path, bytes, needed, &format!("{count} splats"))?;
    let chunks = chunks(path)?;
    if chunks.len() != count.div_ceil(CHUNK) {
        return Err(damaged(format!("has {} chunks of {CHUNK} for {count} compressed splats", chunks.len())));
    }
    let mut columns = [0; 4];
    for (slot, name) in columns.iter_mut().zip(WORDS) {
        let column = vertices.column(name).filter(|column| vertices.integer_bytes(*column) == Some(4));
        *slot = column.ok_or_else(|| damaged(format!("has no property `uint {name}`")))?;
    }
    let mut splats = Splats::with_capacity(count, sh_degree);
    let width = 3 * Splats::coefficients(sh_degree);
    vertices.for_each_row(|row: &[u32]| {
        let chunk = &chunks[splats.len() / CHUNK];
        take(columns.map(|column| row[column]), chunk, &mut splats);
        splats.sh.resize(width * splats.len(), 0.0);
    })?;
    let Some(harmonics) = harmonics else { return Ok(splats) };
    if harmonics.count() != count {
        return Err(damaged(format!("has harmonics of {} splats for {count} splats", harmonics.count())));
    }
    let mut rows = splats.sh.chunks_exact_mut(width);
    harmonics.for_each_row(|row: &[f32]| {
        let values = rows.next().unwrap_or_default().iter_mut().skip(3);
        values.zip(&rest).for_each(|(value, column)| *value = coefficient(row[*column]));
    })?;
    Ok(splats)
}

fn chunks(path: &Path) -> Result<Vec<Chunk>> {
    let damaged = |found: String| Error::input(path, found, REMEDY);
    let file = ElementFile::open(path, "chunk")?
        .ok_or_else(|| damaged("holds compressed splats without an element `chunk`".into()))?;
    let columns: Vec<usize> = BOUNDS.iter().map_while(|name| file.column(name)).collect();
    if let Some(missing) = BOUNDS.get(columns.len())
        && columns.len() != BOUNDS_WITHOUT_COLOR
    {
        return Err(damaged(format!("has no property `{missing}` in its element `chunk`")));
    }
    let mut chunks = Vec::with_capacity(file.count());
    file.for_each_row(|row: &[f32]| {
        let mut chunk: Chunk = [[0.0; 3], [1.0; 3], [0.0; 3], [1.0; 3], [0.0; 3], [1.0; 3]];
        chunk.as_flattened_mut().iter_mut().zip(&columns).for_each(|(bound, column)| *bound = row[*column]);
        chunks.push(chunk);
    })?;
    Ok(chunks)
}

/// One splat, without harmonics above degree 0.
fn take([position, rotation, scale, color]: [u32; 4], chunk: &Chunk, splats: &mut Splats) {
    let between = |bounds: usize, parts: [f32; 3]| -> [f32; 3] {
        std::array::from_fn(|i| chunk[bounds][i] * (1.0 - parts[i]) + chunk[bounds + 1][i] * parts[i])
    };
    splats.means.push(between(0, [part(position, 21, 11), part(position, 11, 10), part(position, 0, 11)]));
    splats.log_scales.push(between(2, [part(scale, 21, 11), part(scale, 11, 10), part(scale, 0, 11)]));
    splats.quats.push(quaternion(rotation));
    let [r, g, b, opacity] = [24, 16, 8, 0].map(|shift| part(color, shift, 8));
    let dc = between(4, [r, g, b]).map(|value| (value - 0.5) / SH_C0);
    splats.sh.extend(dc);
    splats.logit_opacities.push(-(opacity.recip() - 1.0).ln());
}

/// `bits` of a word as a number from 0 to 1.
fn part(word: u32, shift: u32, bits: u32) -> f32 {
    let most = (1 << bits) - 1;
    (word >> shift & most) as f32 / most as f32
}

/// The index of the largest of w, x, y, z in two bits, then the others in ten bits each.
fn quaternion(word: u32) -> [f32; 4] {
    let small = [20, 10, 0].map(|shift| (part(word, shift, 10) - 0.5) * std::f32::consts::SQRT_2);
    let largest = (1.0 - small.iter().map(|v| v * v).sum::<f32>()).max(0.0).sqrt();
    let [a, b, c] = small;
    match word >> 30 {
        0 => [largest, a, b, c],
        1 => [a, largest, b, c],
        2 => [a, b, largest, c],
        _ => [a, b, c, largest],
    }
}

/// A harmonic of a byte: the middles of 256 steps from -4 to 4, with both ends kept.
fn coefficient(byte: f32) -> f32 {
    let unit = match byte {
        0.0 => 0.0,
        255.0 => 1.0,
        byte => (byte + 0.5) / 256.0,
    };
    (unit - 0.5) * 8.0
}
