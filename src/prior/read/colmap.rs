//! COLMAP's `points3D.bin` and `points3D.txt`.

use super::{Point, Take};
use crate::error::{Error, Result};
use crate::limits;
use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Read};
use std::path::Path;

const TRUNCATED: &str = "it is cut off or damaged: copy or export it again";
/// id u64, xyz 3 × f64, rgb 3 × u8, error f64, track length u64.
const RECORD_BYTES: usize = 8 + 24 + 3 + 8 + 8;
/// image id u32, keypoint index u32.
const TRACK_BYTES: u64 = 8;
/// A line longer than this (a track of a million images) belongs to another kind of file.
const MAX_LINE_BYTES: u64 = 16 << 20;

/// The points of a binary file.
pub fn read_binary(path: &Path, take: &mut Take<'_>) -> Result<()> {
    let file = File::open(path).map_err(Error::io(path))?;
    let bytes = file.metadata().map_err(Error::io(path))?.len();
    let mut reader = BufReader::with_capacity(1 << 20, file);
    let truncated = |count: u64, index: u64| {
        let found = format!("promises {count} points, but its {bytes} bytes end at point {index}");
        Error::input(path, found, TRUNCATED)
    };
    let mut word = [0; 8];
    reader.read_exact(&mut word).map_err(|_| truncated(0, 0))?;
    let count = u64::from_le_bytes(word);
    if count > bytes / RECORD_BYTES as u64 {
        return Err(truncated(count, bytes / RECORD_BYTES as u64));
    }
    let mut left = bytes - word.len() as u64;
    let mut record = [0; RECORD_BYTES];
    for index in 0..count {
        reader.read_exact(&mut record).map_err(|_| truncated(count, index))?;
        let number = |at: usize| record[at..at + 8].try_into().map(f64::from_le_bytes).unwrap_or(f64::NAN);
        word.copy_from_slice(&record[RECORD_BYTES - 8..]);
        let track = u64::from_le_bytes(word).saturating_mul(TRACK_BYTES);
        left = left.checked_sub(track.saturating_add(RECORD_BYTES as u64)).ok_or_else(|| truncated(count, index))?;
        let skipped = i64::try_from(track).map_err(|_| truncated(count, index))?;
        reader.seek_relative(skipped).map_err(Error::io(path))?;
        let (position, color) = ([number(8), number(16), number(24)], [record[32], record[33], record[34]]);
        take(Point { position, color, normal: None, confidence: None });
    }
    Ok(())
}

/// The points of a text file.
pub fn read_text(path: &Path, take: &mut Take<'_>) -> Result<()> {
    let mut file = BufReader::with_capacity(1 << 20, File::open(path).map_err(Error::io(path))?);
    let start = file.fill_buf().map_err(Error::io(path))?;
    let (wide, marked) = (matches!(start, [0xff, 0xfe, ..] | [0xfe, 0xff, ..]), start.starts_with(b"\xef\xbb\xbf"));
    file.consume(if marked { 3 } else { 0 });
    let mut reader: Box<dyn BufRead> =
        if wide { Box::new(Cursor::new(limits::read_text(path)?)) } else { Box::new(file) };
    let mut line = Vec::new();
    for number in 1u64.. {
        line.clear();
        if reader.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut line).map_err(Error::io(path))? == 0 {
            break;
        }
        let text = std::str::from_utf8(&line).map(str::trim);
        if text.is_ok_and(|text| text.is_empty() || text.starts_with('#')) {
            continue;
        }
        let (position, color) = text.ok().and_then(parse_line).ok_or_else(|| {
            let found = format!("line {number} is not `id x y z r g b …`");
            Error::input(path, found, "give COLMAP's points3D.txt as COLMAP writes it")
        })?;
        take(Point { position, color, normal: None, confidence: None });
    }
    Ok(())
}

fn parse_line(line: &str) -> Option<([f64; 3], [u8; 3])> {
    let mut words = line.split_ascii_whitespace();
    words.next()?.parse::<u64>().ok()?;
    let mut number = || words.next()?.parse::<f64>().ok();
    let p = [number()?, number()?, number()?];
    let rgb = [number()?, number()?, number()?].map(|v| v as u8);
    Some((p, rgb))
}
