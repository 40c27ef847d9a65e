//! One element of a PLY file as rows of numbers, for point clouds and splats.
//!
//! The header is read by `ply-rs` (`header.rs`), and compared with the size of the file before any memory is taken. The
//! rows are decoded here, in chunks, straight to their place: `ply-rs` takes about the same time (`benches/points.rs`
//! measures both), but keeps an object per row, and so twice the memory of a large file of splats.

mod header;
#[cfg(test)]
mod tests;

use crate::capture::SceneFrame;
use crate::error::{Error, Result};
use glam::DVec3;
use header::Header;
use ply_rs::ply::{Encoding, ScalarType};
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek};
use std::path::{Path, PathBuf};
use std::str::FromStr;

pub use header::is_ply;

const CHUNK_BYTES: usize = 1 << 20;
const TRUNCATED: &str = "it is cut off or damaged: copy or export it again";

/// A PLY file whose header has been read and found to fit the file's size; positioned before the rows of one element.
pub struct ElementFile {
    path: PathBuf,
    reader: BufReader<File>,
    header: Header,
    columns: Vec<Column>,
    element: String,
    count: usize,
}

/// One scalar property of the vertices.
struct Column {
    name: String,
    scalar: ScalarType,
}

impl ElementFile {
    /// Opens `path` before its vertices. No memory is taken in proportion to what the header promises.
    ///
    /// # Errors
    /// Not a PLY file, no `vertex` element, list properties in it, or fewer bytes than the header promises.
    pub fn vertices(path: &Path) -> Result<Self> {
        Self::open(path, "vertex")?.ok_or_else(|| header::not_ply(path, "a PLY file without a `vertex` element"))
    }

    /// As [`Self::vertices`], before the rows of any element; `None` if the file has no such element.
    ///
    /// # Errors
    /// As there.
    pub fn open(path: &Path, element: &str) -> Result<Option<Self>> {
        let file = File::open(path).map_err(Error::io(path))?;
        let bytes = file.metadata().map_err(Error::io(path))?.len();
        let mut reader = BufReader::with_capacity(CHUNK_BYTES, file);
        let header = Header::read(path, &mut reader)?;
        let Some(definition) = header.element(element) else { return Ok(None) };
        header.skip_to(path, &mut reader, element)?;
        let (columns, count) = (header::columns_of(path, definition)?, definition.count);
        let this = Self { path: path.to_path_buf(), reader, header, columns, element: element.to_string(), count };
        this.check_size(bytes).map(Some)
    }

    /// Whether the file has rows of another element, too.
    pub fn has_element(&self, name: &str) -> bool {
        self.header.element(name).is_some_and(|element| element.count > 0)
    }

    /// Number of rows.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Index of the property `name` in a row.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|c| c.name == name)
    }

    /// Bytes of an integer property at `column`; `None` where it is a float.
    pub fn integer_bytes(&self, column: usize) -> Option<usize> {
        let scalar = &self.columns[column].scalar;
        let is_float = matches!(scalar, ScalarType::Float | ScalarType::Double);
        (!is_float).then(|| size_of_scalar(scalar))
    }

    /// Whether its comments mark splats for antialiased rendering.
    pub fn is_antialiased(&self) -> bool {
        antialiased_in(&self.header.comments)
    }

    /// The frame that its comments state (see [`frame_comments`]).
    pub fn stated_frame(&self) -> Option<SceneFrame> {
        frame_in(&self.header.comments)
    }

    /// Calls `take` with every row: its properties in the order of the header, whatever their type, as `T`.
    pub fn for_each_row<T: Number>(self, take: impl FnMut(&[T])) -> Result<()> {
        match self.header.encoding {
            Encoding::Ascii => self.ascii_rows(take),
            Encoding::BinaryLittleEndian => self.binary_rows(take, false),
            Encoding::BinaryBigEndian => self.binary_rows(take, true),
        }
    }

    fn stride(&self) -> usize {
        self.columns.iter().map(|c| size_of_scalar(&c.scalar)).sum()
    }

    fn check_size(mut self, file_bytes: u64) -> Result<Self> {
        let position = self.reader.stream_position().map_err(Error::io(&self.path))?;
        let rest = file_bytes.saturating_sub(position);
        // A number in text takes at least a digit and a separator; the last one may lack the separator.
        let (row, slack) = match self.header.encoding {
            Encoding::Ascii => (2 * self.columns.len(), 1),
            _ => (self.stride(), 0),
        };
        let promised = (self.count as u128) * (row as u128);
        if promised > u128::from(rest) + slack {
            let found = format!(
                "the header promises {} {} ({promised} bytes), but the file holds {rest} bytes after it",
                self.count,
                self.noun()
            );
            return Err(Error::input(&self.path, found, TRUNCATED));
        }
        Ok(self)
    }

    /// What the rows are, for people.
    fn noun(&self) -> String {
        if self.element == "vertex" { "vertices".into() } else { format!("rows of `{}`", self.element) }
    }

    fn binary_rows<T: Number>(mut self, mut take: impl FnMut(&[T]), big_endian: bool) -> Result<()> {
        let stride = self.stride();
        let mut row = vec![T::default(); self.columns.len()];
        let rows_per_chunk = (CHUNK_BYTES / stride).max(1);
        let mut chunk = vec![0; rows_per_chunk * stride];
        let mut left = self.count;
        while left > 0 {
            let rows = left.min(rows_per_chunk);
            let bytes = &mut chunk[..rows * stride];
            self.reader.read_exact(bytes).map_err(Error::io(&self.path))?;
            for packed in bytes.chunks_exact(stride) {
                decode_row(packed, &self.columns, big_endian, &mut row);
                take(&row);
            }
            left -= rows;
        }
        Ok(())
    }

    fn ascii_rows<T: Number>(mut self, mut take: impl FnMut(&[T])) -> Result<()> {
        let mut row = Vec::with_capacity(self.columns.len());
        let mut line = Vec::new();
        for index in 0..self.count {
            let Some(line) = next_line(&self.path, &mut self.reader, self.header.line_end, &mut line)? else {
                let noun = self.noun();
                let found = format!("the header promises {} {noun}, but the file holds {index}", self.count);
                return Err(Error::input(&self.path, found, TRUNCATED));
            };
            row.clear();
            row.extend(line.split_ascii_whitespace().map_while(number::<T>));
            if row.len() < self.columns.len() {
                let found = format!(
                    "row {index} has {} readable numbers where the header names {} properties",
                    row.len(),
                    self.columns.len()
                );
                return Err(Error::input(&self.path, found, TRUNCATED));
            }
            take(&row[..self.columns.len()]);
        }
        Ok(())
    }
}

/// A number in text. What C libraries print for values that are not finite counts: `-nan`, `-nan(ind)`, `1.#QNAN`, `-1.#INF`.
fn number<T: Number>(word: &str) -> Option<T> {
    let other = || {
        let (sign, size) = word.strip_prefix('-').map_or(("", word), |size| ("-", size));
        let size = size.to_ascii_lowercase();
        let begins = |names: &[&str]| names.iter().any(|name| size.starts_with(name));
        match size.as_str() {
            _ if begins(&["nan", "1.#qnan", "1.#snan", "1.#ind"]) => "NaN".parse().ok(),
            _ if begins(&["1.#inf"]) => format!("{sign}inf").parse().ok(),
            _ => None,
        }
    };
    word.parse().ok().or_else(other)
}

/// The comment that marks splats for antialiased rendering (Mip-Splatting).
pub const ANTIALIASED: &str = "SplatRenderMode: mip";

/// Whether comments state it, in the form of Brush and this program ([`ANTIALIASED`]) or of Postshot
/// (`antialiased 1`, `postshot.anti_aliasing=1`). The last one that is understood counts, as it does for Brush.
fn antialiased_in(comments: &[String]) -> bool {
    let told = |comment: &String| {
        let comment = comment.to_lowercase();
        let (key, value) = comment.trim().split_once([':', '=', ' '])?;
        match (key, value.trim_start_matches([':', '=', ' '])) {
            ("splatrendermode", "mip") | ("antialiased" | "postshot.anti_aliasing", "1") => Some(true),
            ("splatrendermode", "default" | "2dgs") | ("antialiased" | "postshot.anti_aliasing", "0") => Some(false),
            _ => None,
        }
    };
    comments.iter().rev().find_map(told).unwrap_or(false)
}

/// The words that comments with a frame begin with.
const ORIGIN: &str = "naka-gs origin";
const UNIT: &str = "naka-gs unit";

/// The comments that state how the coordinates of a file relate to the capture's: add the origin to get these.
/// The unit is that of training; the file's is the capture's own. Nothing for the identity.
pub fn frame_comments(frame: &SceneFrame) -> String {
    let mut lines = String::new();
    if frame.is_recentered() {
        let [x, y, z] = frame.origin.to_array();
        lines += &format!("comment {ORIGIN} {x} {y} {z}\n");
    }
    if frame.unit != 1.0 {
        lines += &format!("comment {UNIT} {:e}\n", frame.unit);
    }
    lines
}

/// The frame that comments state; `None` where they state none, or none that can be computed with.
fn frame_in(comments: &[String]) -> Option<SceneFrame> {
    let numbers = |name: &str| {
        let words = comments.iter().find_map(|comment| comment.trim().strip_prefix(name))?;
        words.split_ascii_whitespace().map(|word| word.parse::<f64>().ok()).collect::<Option<Vec<_>>>()
    };
    let (origin, unit) = (numbers(ORIGIN), numbers(UNIT));
    if origin.is_none() && unit.is_none() {
        return None;
    }
    let origin = origin.map_or(Some(DVec3::ZERO), |values| values.try_into().ok().map(DVec3::from_array))?;
    let unit = unit.map_or(Some(1.0), |values| values.first().copied())?;
    Some(SceneFrame { origin, unit }).filter(SceneFrame::is_usable)
}

/// Reads the next line that is not blank; `None` at the end of the file.
fn next_line<'l>(
    path: &Path,
    reader: &mut impl BufRead,
    line_end: u8,
    line: &'l mut Vec<u8>,
) -> Result<Option<&'l str>> {
    loop {
        line.clear();
        if reader.read_until(line_end, line).map_err(Error::io(path))? == 0 {
            return Ok(None);
        }
        if !line.trim_ascii().is_empty() {
            break;
        }
    }
    let found = "holds bytes that are not text, though its header says ascii";
    std::str::from_utf8(line).map(Some).map_err(|_| Error::input(path, found, TRUNCATED))
}

fn size_of_scalar(scalar: &ScalarType) -> usize {
    match scalar {
        ScalarType::Char | ScalarType::UChar => 1,
        ScalarType::Short | ScalarType::UShort => 2,
        ScalarType::Int | ScalarType::UInt | ScalarType::Float => 4,
        ScalarType::Double => 8,
    }
}

fn decode_row<T: Number>(packed: &[u8], columns: &[Column], big_endian: bool, row: &mut [T]) {
    let mut rest = packed;
    for (column, value) in columns.iter().zip(row) {
        let (bytes, tail) = rest.split_at(size_of_scalar(&column.scalar));
        rest = tail;
        *value = T::decode(little_endian(bytes, big_endian), &column.scalar);
    }
}

/// The bytes of a number, the lowest first, with zeros behind them.
fn little_endian(bytes: &[u8], big_endian: bool) -> [u8; 8] {
    let mut raw = [0u8; 8];
    raw[..bytes.len()].copy_from_slice(bytes);
    if big_endian {
        raw[..bytes.len()].reverse();
    }
    raw
}

/// What a property is read as.
pub trait Number: Copy + Default + FromStr {
    /// The number of type `scalar` in these bytes ([`little_endian`]).
    fn decode(raw: [u8; 8], scalar: &ScalarType) -> Self;
}

impl Number for f32 {
    fn decode(raw: [u8; 8], scalar: &ScalarType) -> Self {
        let [a, b, c, d, ..] = raw;
        match scalar {
            ScalarType::Char => Self::from(a.cast_signed()),
            ScalarType::UChar => Self::from(a),
            ScalarType::Short => Self::from(i16::from_le_bytes([a, b])),
            ScalarType::UShort => Self::from(u16::from_le_bytes([a, b])),
            ScalarType::Int => i32::from_le_bytes([a, b, c, d]) as Self,
            ScalarType::UInt => u32::from_le_bytes([a, b, c, d]) as Self,
            ScalarType::Float => Self::from_le_bytes([a, b, c, d]),
            ScalarType::Double => f64::from_le_bytes(raw) as Self,
        }
    }
}

/// What holds coordinates far from the origin.
impl Number for f64 {
    fn decode(raw: [u8; 8], scalar: &ScalarType) -> Self {
        let [a, b, c, d, ..] = raw;
        match scalar {
            ScalarType::Int => Self::from(i32::from_le_bytes([a, b, c, d])),
            ScalarType::UInt => Self::from(u32::from_le_bytes([a, b, c, d])),
            ScalarType::Double => Self::from_le_bytes(raw),
            _ => Self::from(f32::decode(raw, scalar)),
        }
    }
}

/// The bits of integers, which single precision cannot hold.
impl Number for u32 {
    fn decode(raw: [u8; 8], scalar: &ScalarType) -> Self {
        let [a, b, c, d, ..] = raw;
        match scalar {
            ScalarType::Float | ScalarType::Double => f32::decode(raw, scalar) as Self,
            _ => Self::from_le_bytes([a, b, c, d]),
        }
    }
}
