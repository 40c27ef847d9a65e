//! A lenient parser for PLY headers: line ends of any system, blanks and blank lines, a byte
//! order mark, comments in any encoding, and names of properties that are not plain words. `ply-rs` parses what is left.

use super::{Column, Number, TRUNCATED, little_endian, next_line, size_of_scalar};
use crate::error::{Error, Result};
use ply_rs::parser::{Parser, Reader};
use ply_rs::ply::{DefaultElement, ElementDef, Encoding, KeyMap, PropertyType};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

const MAX_HEADER_BYTES: u64 = 1 << 20;
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

pub struct Header {
    pub encoding: Encoding,
    /// The byte that ends a line: `\n`, or `\r` as on the first Macs.
    pub line_end: u8,
    pub comments: Vec<String>,
    elements: KeyMap<ElementDef>,
}

/// The significant lines of a header, with single spaces and `\n`.
struct Lines {
    text: String,
    line_end: u8,
    comments: Vec<String>,
    /// Names of properties of the element that is being read.
    names: Vec<String>,
}

/// Whether a file with these first bytes is a PLY file.
pub fn is_ply(start: &[u8]) -> bool {
    let start = start.strip_prefix(BYTE_ORDER_MARK).unwrap_or(start).trim_ascii_start();
    start.strip_prefix(b"ply").is_some_and(|rest| rest.first().is_some_and(u8::is_ascii_whitespace))
}

pub fn not_ply(path: &Path, found: impl Into<String>) -> Error {
    Error::input(path, found, "give a PLY file (ascii or binary) with x, y, z per vertex")
}

impl Header {
    pub fn read(path: &Path, reader: &mut BufReader<File>) -> Result<Self> {
        let Lines { text, line_end, comments, .. } = Lines::read(path, reader)?;
        let header = Parser::<DefaultElement>::new().read_header(&mut Reader::new(text.as_bytes()));
        let header = header.map_err(|error| {
            let text = error.to_string();
            // The number of its line is not that of the file.
            let first = text.lines().next().unwrap_or_default().trim_start_matches("Line ");
            let reason = first.trim_start_matches(|c: char| c.is_ascii_digit() || c == ':' || c == ' ');
            let line = text.lines().nth(1).map(|line| format!(" ({})", line.trim())).unwrap_or_default();
            not_ply(path, format!("the PLY header cannot be read: {reason}{line}"))
        })?;
        Ok(Self { encoding: header.encoding, line_end, comments, elements: header.elements })
    }

    pub fn element(&self, name: &str) -> Option<&ElementDef> {
        self.elements.get(name)
    }

    /// Skips the elements that come before `target`.
    pub fn skip_to(&self, path: &Path, reader: &mut BufReader<File>, target: &str) -> Result<()> {
        for (_, element) in self.elements.iter().take_while(|(name, _)| *name != target) {
            if self.encoding == Encoding::Ascii {
                let mut line = Vec::new();
                for _ in 0..element.count {
                    if next_line(path, reader, self.line_end, &mut line)?.is_none() {
                        break;
                    }
                }
                continue;
            }
            skip_element(path, reader, element, self.encoding == Encoding::BinaryBigEndian)?;
        }
        Ok(())
    }
}

impl Lines {
    fn read(path: &Path, reader: &mut BufReader<File>) -> Result<Self> {
        let start = reader.fill_buf().map_err(Error::io(path))?;
        if !is_ply(start) {
            let found = match start.iter().find(|b| !b.is_ascii_whitespace()) {
                None => "is empty, not a PLY file",
                Some(b'<') => "is a web page (HTML or XML), not a PLY file; was the download link a login page?",
                Some(_) => "does not start with `ply`, so it is not a PLY file",
            };
            return Err(not_ply(path, found));
        }
        let first = start.windows(3).position(|word| word == b"ply").unwrap_or(0);
        let line_end = match start[first..].iter().position(|b| *b == b'\n' || *b == b'\r') {
            Some(end) if start[first + end] == b'\r' && start.get(first + end + 1) != Some(&b'\n') => b'\r',
            _ => b'\n',
        };
        reader.consume(first);
        // A damaged header must not read gigabytes as one line.
        let mut limited = reader.take(MAX_HEADER_BYTES);
        let mut lines = Self { text: String::new(), line_end, comments: Vec::new(), names: Vec::new() };
        let mut line = Vec::new();
        loop {
            line.clear();
            if limited.read_until(line_end, &mut line).map_err(Error::io(path))? == 0 {
                return Err(not_ply(path, "the PLY header cannot be read: it has no line `end_header`"));
            }
            let words = String::from_utf8_lossy(&line);
            let words: Vec<&str> = words.split_whitespace().collect();
            lines.push(&words);
            if words.first() == Some(&"end_header") {
                return Ok(lines);
            }
        }
    }

    fn push(&mut self, words: &[&str]) {
        match words {
            [] | ["obj_info", ..] => return,
            ["comment", text @ ..] => return self.comments.push(text.join(" ")),
            ["property", "list", count, item, name @ ..] => {
                let name = self.property(name);
                self.text += &format!("property list {count} {item} {name}");
            }
            ["property", kind, name @ ..] => {
                let name = self.property(name);
                self.text += &format!("property {kind} {name}");
            }
            _ => {
                self.names.clear();
                self.text += &words.join(" ");
            }
        }
        self.text.push('\n');
    }

    /// The name of a property, or one in place of it: the parser takes plain words only, and only the last property of
    /// a name, which would move all that follow in a row.
    fn property(&mut self, name: &[&str]) -> String {
        let is_plain = |name: &str| {
            name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
        };
        match name {
            [] => String::new(),
            [name] if is_plain(name) && !self.names.iter().any(|known| known == name) => {
                self.names.push((*name).to_string());
                (*name).to_string()
            }
            _ => format!("unreadable_{}", self.text.len()),
        }
    }
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
                    let length = f32::decode(little_endian(bytes, big_endian), length);
                    skip(reader, (length as usize).checked_mul(size_of_scalar(scalar)))?;
                }
            }
        }
    }
    Ok(())
}

/// The scalar properties of an element.
pub(super) fn columns_of(path: &Path, element: &ElementDef) -> Result<Vec<Column>> {
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
