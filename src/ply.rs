//! The vertices of a PLY file as rows of numbers: what point clouds and splats have in common.
//!
//! The header is read by `ply-rs`, and held against the size of the file before any memory is taken. The rows are
//! decoded here, in chunks, straight to their place: `ply-rs` takes about the same time (`benches/points.rs` measures
//! both), but keeps an object per row, and so twice the memory of a large file of splats.

use crate::capture::SceneFrame;
use crate::error::{Error, Result};
use glam::DVec3;
use ply_rs::parser::{Parser, Reader};
use ply_rs::ply::{DefaultElement, ElementDef, Encoding, Header, PropertyType, ScalarType};
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek};
use std::path::{Path, PathBuf};

const MAX_HEADER_BYTES: u64 = 1 << 20;
const CHUNK_BYTES: usize = 1 << 20;

/// A PLY file whose header has been read and found to fit the file's size; positioned before its vertices.
pub struct VertexFile {
    path: PathBuf,
    reader: BufReader<File>,
    encoding: Encoding,
    columns: Vec<Column>,
    count: usize,
    frame: Option<SceneFrame>,
}

/// One scalar property of the vertices.
struct Column {
    name: String,
    scalar: ScalarType,
}

impl VertexFile {
    /// Opens `path` and reads the header. No memory is taken in proportion to what the header promises.
    ///
    /// # Errors
    /// Not a PLY file, no `vertex` element, list properties in it, or fewer bytes than the header promises.
    pub fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(Error::io(path))?;
        let bytes = file.metadata().map_err(Error::io(path))?.len();
        let mut reader = BufReader::with_capacity(CHUNK_BYTES, file);
        let header = read_header(path, &mut reader)?;
        skip_to_vertices(path, &mut reader, &header)?;
        let vertex = vertex_element(&header).ok_or_else(|| not_ply(path, "a PLY file without a `vertex` element"))?;
        let columns = columns_of(path, vertex)?;
        let (encoding, count, frame) = (header.encoding, vertex.count, frame_in(&header.comments));
        let this = Self { path: path.to_path_buf(), reader, encoding, columns, count, frame };
        this.check_size(bytes)
    }

    /// Number of vertices.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Index of the property `name` in a row.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|c| c.name == name)
    }

    /// Whether the property at `column` is stored as an integer.
    pub fn is_integer(&self, column: usize) -> bool {
        !matches!(self.columns[column].scalar, ScalarType::Float | ScalarType::Double)
    }

    /// The frame that its comments state (see [`frame_comments`]).
    pub fn stated_frame(&self) -> Option<SceneFrame> {
        self.frame
    }

    /// Calls `take` with every vertex: its properties in the order of the header, whatever their type, as `f64`: single
    /// precision does not hold coordinates far from the origin.
    pub fn for_each_row(self, take: impl FnMut(&[f64])) -> Result<()> {
        match self.encoding {
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
        let (row, slack) = match self.encoding {
            Encoding::Ascii => (2 * self.columns.len(), 1),
            _ => (self.stride(), 0),
        };
        let promised = (self.count as u128) * (row as u128);
        if promised > u128::from(rest) + slack {
            let found = format!(
                "the header promises {} vertices ({promised} bytes), but the file holds {rest} bytes after it",
                self.count
            );
            return Err(Error::input(&self.path, found, TRUNCATED));
        }
        Ok(self)
    }

    fn binary_rows(mut self, mut take: impl FnMut(&[f64]), big_endian: bool) -> Result<()> {
        let stride = self.stride();
        let mut row = vec![0.0; self.columns.len()];
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

    fn ascii_rows(mut self, mut take: impl FnMut(&[f64])) -> Result<()> {
        let mut row = Vec::with_capacity(self.columns.len());
        let mut line = String::new();
        for index in 0..self.count {
            if !next_line(&self.path, &mut self.reader, &mut line)? {
                let found = format!("the header promises {} vertices, but the file holds {index}", self.count);
                return Err(Error::input(&self.path, found, TRUNCATED));
            }
            row.clear();
            row.extend(line.split_ascii_whitespace().map_while(|word| word.parse::<f64>().ok()));
            if row.len() < self.columns.len() {
                let found = format!(
                    "vertex {index} has {} readable numbers where the header names {} properties",
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

/// The words that comments with a frame begin with.
const ORIGIN: &str = "naka-gs origin";
const UNIT: &str = "naka-gs unit";

/// The comments that state how the coordinates of a file belong to the capture's: add the origin to have the capture's.
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

const TRUNCATED: &str = "it is cut off or damaged: copy or export it again";

fn not_ply(path: &Path, found: impl Into<String>) -> Error {
    Error::input(path, found, "give a PLY file (ascii or binary) with x, y, z per vertex")
}

fn read_header(path: &Path, reader: &mut BufReader<File>) -> Result<Header> {
    let start = reader.fill_buf().map_err(Error::io(path))?;
    if !(start.starts_with(b"ply\n") || start.starts_with(b"ply\r")) {
        let found = match start.iter().find(|b| !b.is_ascii_whitespace()) {
            None => "is empty, not a PLY file",
            Some(b'<') => "is a web page (HTML or XML), not a PLY file; was the download link a login page?",
            Some(_) => "does not start with `ply`, so it is not a PLY file",
        };
        return Err(not_ply(path, found));
    }
    // A damaged header must not read gigabytes as one line.
    let mut limited = Reader::new(reader.take(MAX_HEADER_BYTES));
    Parser::<DefaultElement>::new().read_header(&mut limited).map_err(|error| {
        let text = error.to_string();
        not_ply(path, format!("the PLY header cannot be read: {}", text.lines().next().unwrap_or_default()))
    })
}

fn vertex_element(header: &Header) -> Option<&ElementDef> {
    header.elements.get("vertex")
}

/// Skips the elements that come before the vertices (rare; COLMAP and all splat tools put vertices first).
fn skip_to_vertices(path: &Path, reader: &mut BufReader<File>, header: &Header) -> Result<()> {
    for (name, element) in &header.elements {
        if name == "vertex" {
            break;
        }
        if header.encoding == Encoding::Ascii {
            let mut line = String::new();
            for _ in 0..element.count {
                if !next_line(path, reader, &mut line)? {
                    break;
                }
            }
            continue;
        }
        skip_element(path, reader, element, header.encoding == Encoding::BinaryBigEndian)?;
    }
    Ok(())
}

/// Skips the rows of a binary element: at once where all are of one size, else list by list.
fn skip_element(path: &Path, reader: &mut BufReader<File>, element: &ElementDef, big_endian: bool) -> Result<()> {
    let promised = || Error::input(path, format!("promises {} of `{}`", element.count, element.name), TRUNCATED);
    let skip = |reader: &mut BufReader<File>, bytes: Option<usize>| {
        let bytes = bytes.and_then(|bytes| i64::try_from(bytes).ok()).ok_or_else(promised)?;
        reader.seek_relative(bytes).map_err(Error::io(path))
    };
    let types: Vec<&PropertyType> = element.properties.values().map(|property| &property.data_type).collect();
    if !types.iter().any(|kind| matches!(kind, PropertyType::List(..))) {
        let stride: usize = columns_of(path, element)?.iter().map(|c| size_of_scalar(&c.scalar)).sum();
        return skip(reader, stride.checked_mul(element.count));
    }
    for _ in 0..element.count {
        for kind in &types {
            match kind {
                PropertyType::Scalar(scalar) => skip(reader, Some(size_of_scalar(scalar)))?,
                PropertyType::List(length, scalar) => {
                    let mut bytes = [0; 8];
                    let bytes = &mut bytes[..size_of_scalar(length)];
                    reader.read_exact(bytes).map_err(|_| promised())?;
                    let length = decode(bytes, length, big_endian);
                    skip(reader, (length as usize).checked_mul(size_of_scalar(scalar)))?;
                }
            }
        }
    }
    Ok(())
}

fn columns_of(path: &Path, element: &ElementDef) -> Result<Vec<Column>> {
    let columns = element.properties.iter().map(|(name, property)| match &property.data_type {
        PropertyType::Scalar(scalar) => Ok(Column { name: name.clone(), scalar: scalar.clone() }),
        PropertyType::List(..) => {
            let found = format!("the property `{name}` of `{}` is a list", element.name);
            Err(Error::input(path, found, "export it with plain numbers per vertex"))
        }
    });
    let columns = columns.collect::<Result<Vec<_>>>()?;
    if columns.is_empty() {
        return Err(not_ply(path, format!("`{}` has no properties", element.name)));
    }
    Ok(columns)
}

/// Reads the next line that is not blank; `false` at the end of the file.
fn next_line(path: &Path, reader: &mut BufReader<File>, line: &mut String) -> Result<bool> {
    loop {
        line.clear();
        match reader.read_line(line) {
            Ok(0) => return Ok(false),
            Ok(_) if line.trim().is_empty() => {}
            Ok(_) => return Ok(true),
            Err(e) if e.kind() == std::io::ErrorKind::InvalidData => {
                return Err(Error::input(
                    path,
                    "holds bytes that are not text, though its header says ascii",
                    TRUNCATED,
                ));
            }
            Err(e) => return Err(Error::io(path)(e)),
        }
    }
}

fn size_of_scalar(scalar: &ScalarType) -> usize {
    match scalar {
        ScalarType::Char | ScalarType::UChar => 1,
        ScalarType::Short | ScalarType::UShort => 2,
        ScalarType::Int | ScalarType::UInt | ScalarType::Float => 4,
        ScalarType::Double => 8,
    }
}

fn decode_row(packed: &[u8], columns: &[Column], big_endian: bool, row: &mut [f64]) {
    let mut rest = packed;
    for (column, value) in columns.iter().zip(row) {
        let (bytes, tail) = rest.split_at(size_of_scalar(&column.scalar));
        rest = tail;
        *value = decode(bytes, &column.scalar, big_endian);
    }
}

/// One number of `bytes.len()` = [`size_of_scalar`] bytes.
fn decode(bytes: &[u8], scalar: &ScalarType, big_endian: bool) -> f64 {
    let mut raw = [0u8; 8];
    raw[..bytes.len()].copy_from_slice(bytes);
    if big_endian {
        raw[..bytes.len()].reverse();
    }
    let [a, b, c, d, ..] = raw;
    match scalar {
        ScalarType::Char => f64::from(a.cast_signed()),
        ScalarType::UChar => f64::from(a),
        ScalarType::Short => f64::from(i16::from_le_bytes([a, b])),
        ScalarType::UShort => f64::from(u16::from_le_bytes([a, b])),
        ScalarType::Int => f64::from(i32::from_le_bytes([a, b, c, d])),
        ScalarType::UInt => f64::from(u32::from_le_bytes([a, b, c, d])),
        ScalarType::Float => f64::from(f32::from_le_bytes([a, b, c, d])),
        ScalarType::Double => f64::from_le_bytes(raw),
    }
}
