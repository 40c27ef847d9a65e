//! COLMAP's `points3D.bin` and `points3D.txt`.

use super::PointCloud;
use crate::error::{Error, Result};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

const TRUNCATED: &str = "it is cut off or damaged: copy or export it again";
/// id u64, xyz 3 × f64, rgb 3 × u8, error f64, track length u64.
const RECORD_BYTES: usize = 8 + 24 + 3 + 8 + 8;
/// image id u32, keypoint index u32.
const TRACK_BYTES: u64 = 8;

/// The points of a binary file, and how many were dropped for not being finite.
pub fn read_binary(path: &Path) -> Result<(PointCloud, usize)> {
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
    let mut cloud = PointCloud::default();
    let mut dropped = 0;
    let mut record = [0; RECORD_BYTES];
    for index in 0..count {
        reader.read_exact(&mut record).map_err(|_| truncated(count, index))?;
        let number = |at: usize| record[at..at + 8].try_into().map(f64::from_le_bytes).unwrap_or(f64::NAN) as f32;
        push([number(8), number(16), number(24)], [record[32], record[33], record[34]], &mut cloud, &mut dropped);
        word.copy_from_slice(&record[RECORD_BYTES - 8..]);
        let track = u64::from_le_bytes(word).saturating_mul(TRACK_BYTES);
        let skipped = std::io::copy(&mut reader.by_ref().take(track), &mut std::io::sink()).map_err(Error::io(path))?;
        if skipped != track {
            return Err(truncated(count, index));
        }
    }
    Ok((cloud, dropped))
}

/// The points of a text file, and how many were dropped for not being finite.
pub fn read_text(path: &Path) -> Result<(PointCloud, usize)> {
    let reader = BufReader::new(File::open(path).map_err(Error::io(path))?);
    let mut cloud = PointCloud::default();
    let mut dropped = 0;
    for (index, line) in reader.lines().enumerate() {
        let line = line.map_err(Error::io(path))?;
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let (p, rgb) = parse_line(&line).ok_or_else(|| {
            let found = format!("line {} is not `id x y z r g b …`", index + 1);
            Error::input(path, found, "give COLMAP's points3D.txt as COLMAP writes it")
        })?;
        push(p, rgb, &mut cloud, &mut dropped);
    }
    Ok((cloud, dropped))
}

fn parse_line(line: &str) -> Option<([f32; 3], [u8; 3])> {
    let mut words = line.split_ascii_whitespace();
    words.next()?.parse::<u64>().ok()?;
    let mut number = || words.next()?.parse::<f32>().ok();
    let p = [number()?, number()?, number()?];
    let rgb = [number()?, number()?, number()?].map(|v| v as u8);
    Some((p, rgb))
}

fn push(p: [f32; 3], rgb: [u8; 3], cloud: &mut PointCloud, dropped: &mut usize) {
    if p.iter().all(|v| v.is_finite()) {
        cloud.positions.push(p);
        cloud.colors.push(rgb);
    } else {
        *dropped += 1;
    }
}
