//! Points and colors in NumPy's arrays.

use super::npy::Array;
use super::npz::Npz;
use super::{GRAY, Point, Take, byte, full_scale};
use crate::error::{Error, Result};
use crate::limits;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

const POINTS: [&str; 5] = ["points", "xyz", "vertices", "world_points", "pts3d"];
const COLORS: [&str; 3] = ["colors", "rgb", "images"];
const CONFIDENCE: [&str; 3] = ["confidence", "conf", "world_points_conf"];
const REMEDY: &str = "save x y z of each point as an N × 3 array of numbers, called `points` in a .npz";

/// An opened array, or what is wrong with it.
type Opened<'a> = Result<Array<Box<dyn Read + 'a>>, String>;

/// The points of a `.npy`.
pub fn read_npy(path: &Path, take: &mut Take<'_>) -> Result<()> {
    let file = NpyFile::new(path)?;
    claim(path, file.array().map(|array| array.held(true)))?;
    points(&|| file.array(), Vec::new(), Vec::new(), take).map_err(|found| Error::input(path, found, REMEDY))
}

/// The colors in a `.npy`.
pub fn colors_npy(path: &Path) -> Result<Vec<[u8; 3]>> {
    let file = NpyFile::new(path)?;
    claim(path, file.array().map(|array| array.held(false)))?;
    colors(&|| file.array(), None).map_err(|found| Error::input(path, found, REMEDY))
}

/// The points of a `.npz`.
pub fn read_npz(path: &Path, take: &mut Take<'_>) -> Result<()> {
    claim(path, held(path, &[(&POINTS, true), (&COLORS, false), (&CONFIDENCE, false)]))?;
    npz_points(path, take).map_err(|found| Error::input(path, found, REMEDY))
}

/// The colors in a `.npz`.
pub fn colors_npz(path: &Path) -> Result<Vec<[u8; 3]>> {
    claim(path, held(path, &[(&COLORS, false)]))?;
    let read = || {
        let file = open_npz(path)?;
        let name = file.find(&COLORS).ok_or_else(|| missing(&file, "colors", &COLORS))?;
        colors(&|| file.array(name), None)
    };
    read().map_err(|found| Error::input(path, found, "save r g b of each point as an N × 3 array called `colors`"))
}

/// Claims the memory that arrays in the file `path` take in addition to the points.
fn claim(path: &Path, held: Result<u64, String>) -> Result<()> {
    let held = held.map_err(|found| Error::input(path, found, REMEDY))?;
    let bytes = std::fs::metadata(path).map_err(Error::io(path))?.len();
    limits::claim(path, bytes, held, "its arrays")
}

/// The memory of the arrays in a `.npz` that go by one of these names each, streamed or not.
fn held(path: &Path, arrays: &[(&[&str], bool)]) -> Result<u64, String> {
    let file = open_npz(path)?;
    // An unreadable array is refused only if it is used.
    let array = |names: &[&str]| file.find(names).and_then(|name| file.array(name).ok());
    Ok(arrays.iter().filter_map(|(names, streamed)| Some(array(names)?.held(*streamed))).sum())
}

/// A `.npy` that is opened once for each pass over its numbers.
struct NpyFile<'a> {
    path: &'a Path,
    bytes: u64,
}

impl<'a> NpyFile<'a> {
    fn new(path: &'a Path) -> Result<Self> {
        let bytes = std::fs::metadata(path).map_err(Error::io(path))?.len();
        Ok(Self { path, bytes })
    }

    fn array(&self) -> Opened<'static> {
        let file = File::open(self.path).map_err(|e| e.to_string())?;
        Array::open(Box::new(BufReader::new(file)), self.bytes)
    }
}

fn open_npz(path: &Path) -> Result<Npz, String> {
    Npz::open(File::open(path).map_err(|e| e.to_string())?)
}

fn missing(file: &Npz, what: &str, names: &[&str]) -> String {
    format!("has no array of {what} ({}); its arrays are: {}", names.join(", "), file.names())
}

fn npz_points(path: &Path, take: &mut Take<'_>) -> Result<(), String> {
    let file = open_npz(path)?;
    let name = file.find(&POINTS).ok_or_else(|| missing(&file, "points", &POINTS))?;
    let array = || file.array(name);
    let count = count(array()?.shape())?;
    let colors = match file.find(&COLORS) {
        // Pictures next to the points are their colors only where their number agrees.
        Some("images") => colors(&|| file.array("images"), Some(count)).unwrap_or_else(|found| {
            tracing::warn!("{}: its `images` are not the colors of its points: {found}", path.display());
            Vec::new()
        }),
        Some(name) => colors(&|| file.array(name), Some(count)).map_err(|e| format!("`{name}`: {e}"))?,
        None => Vec::new(),
    };
    let confidence = match file.find(&CONFIDENCE) {
        Some(name) => confidence(file.array(name)?, count).map_err(|e| format!("`{name}`: {e}"))?,
        None => Vec::new(),
    };
    points(&array, colors, confidence, take)
}

/// Points in an array of this shape: … × 3 or … × 6.
fn count(shape: &[usize]) -> Result<usize, String> {
    match shape {
        [outer @ .., 3 | 6] if !outer.is_empty() => Ok(outer.iter().product()),
        _ => Err(format!("its shape is {shape:?}, not N × 3 (or N × 6 with colors)")),
    }
}

fn points<'a>(
    open: &dyn Fn() -> Opened<'a>,
    colors: Vec<[u8; 3]>,
    confidence: Vec<f32>,
    take: &mut Take<'_>,
) -> Result<(), String> {
    let array = open()?;
    count(array.shape())?;
    let axis = array.shape().len() - 1;
    let colored = array.shape()[axis] == 6;
    let scale = if colored { scale(open, axis, 3)? } else { 1.0 };
    let mut index = 0;
    array.for_each_row(Some(axis), |row| {
        let own = if colored { [row[3], row[4], row[5]].map(|v| byte(v as f32 * scale)) } else { GRAY };
        let color = colors.get(index).copied().unwrap_or(own);
        take(Point {
            position: [row[0], row[1], row[2]],
            color,
            normal: None,
            confidence: confidence.get(index).copied(),
        });
        index += 1;
    })
}

/// The colors of an array: … × 3 or … × 4, or pictures of separate channels (… × 3 × H × W), as networks have them.
fn colors<'a>(open: &dyn Fn() -> Opened<'a>, expected: Option<usize>) -> Result<Vec<[u8; 3]>, String> {
    let array = open()?;
    let shape = array.shape().to_vec();
    let axis = match shape[..] {
        [_, .., 3 | 4] => shape.len() - 1,
        [.., 3, _, _] => shape.len() - 3,
        _ => return Err(format!("its shape is {shape:?}, not N × 3 or … × 3 × H × W")),
    };
    let count = shape.iter().enumerate().filter(|(d, _)| *d != axis).map(|(_, n)| n).product();
    if let Some(expected) = expected
        && count != expected
    {
        return Err(format!("{count} colors (shape {shape:?}) for {expected} points"));
    }
    let scale = scale(open, axis, 0)?;
    let mut colors = Vec::with_capacity(count);
    array.for_each_row(Some(axis), |row| colors.push([row[0], row[1], row[2]].map(|v| byte(v as f32 * scale))))?;
    Ok(colors)
}

/// What colors are multiplied by to be 0–1, as the largest of them tells ([`full_scale`]).
fn scale<'a>(open: &dyn Fn() -> Opened<'a>, axis: usize, first: usize) -> Result<f32, String> {
    let array = open()?;
    let (is_integer, is_byte) = (array.is_integer(), array.is_byte());
    let mut largest = 0.0f32;
    if !is_byte {
        array.for_each_row(Some(axis), |row| {
            largest = row[first..first + 3].iter().filter(|v| v.is_finite()).fold(largest, |m, &v| m.max(v as f32));
        })?;
    }
    Ok(full_scale(largest, is_integer).recip())
}

fn confidence(array: Array<Box<dyn Read + '_>>, count: usize) -> Result<Vec<f32>, String> {
    let shape = array.shape().to_vec();
    if shape.iter().product::<usize>() != count {
        return Err(format!("{shape:?} confidences for {count} points"));
    }
    let mut values = Vec::with_capacity(count);
    array.for_each_row(None, |v| values.push(v[0] as f32))?;
    Ok(values)
}
