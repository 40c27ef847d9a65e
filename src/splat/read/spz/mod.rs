//! SPZ, Niantic's compressed splats, by its [specification]: a header, then all positions, all opacities, all
//! colors, all scales, all rotations and all harmonics. Versions 1 to 3 are one gzip stream, version 4 has a Zstandard
//! frame for each of these after a table of contents. The values are in `values.rs`, the frame in `frame.rs`.
//!
//! An own reader: nothing about version 4 was found in the crate `spz` 0.0.6, which depends on tokio; `wgpu-3dgs-core`
//! depends on wgpu and wesl.
//!
//! [specification]: https://github.com/nianticlabs/spz

mod frame;
#[cfg(test)]
mod tests;
mod values;

use super::super::Splats;
use super::super::axes::Axes;
use super::{Orientation, bytes_in_memory};
use crate::error::{Error, Result};
use crate::limits;
use flate2::read::MultiGzDecoder;
use ruzstd::decoding::StreamingDecoder;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

pub const MAGIC: &[u8; 4] = b"NGSP";
pub const GZIP: &[u8] = b"\x1f\x8b";

const DAMAGED: &str = "it is cut off or damaged: copy or export it again";
const HEADER: usize = 16;
/// Version 4: the same header, the place of the table of contents, and zeros.
const LONG_HEADER: usize = 32;
const ANTIALIASED: u8 = 1;
const EXTENDED: u8 = 2;
/// Most bytes of extensions: after the splats in a gzip stream, or before the table of contents.
const MOST_EXTENSIONS: usize = 1 << 20;
/// Zstandard asks its readers for windows of this size.
const WINDOW: u64 = 8 << 20;
const ATTRIBUTES: [&str; 6] = ["positions", "opacities", "colors", "scales", "rotations", "harmonics"];

struct Header {
    version: u32,
    count: usize,
    sh_degree: u32,
    fractional_bits: u8,
    flags: u8,
}

/// The packed attributes, in the order of [`ATTRIBUTES`].
type Packed = [Vec<u8>; 6];

/// Reads the splats, whether they were trained for antialiased rendering, and the file's axes.
///
/// # Errors
/// A version or degree that is not known, a file that is cut off or damaged, or claims more than it may take.
pub fn read(path: &Path) -> Result<(Splats, bool, Orientation)> {
    let file = File::open(path).map_err(Error::io(path))?;
    let bytes = file.metadata().map_err(Error::io(path))?.len();
    let mut file = BufReader::new(file);
    let mut start = [0; HEADER];
    exactly(path, &mut file, &mut start)?;
    let whole = std::io::Cursor::new(start).chain(file);
    let (header, packed, axes) = if start.starts_with(GZIP) {
        stream(path, bytes, MultiGzDecoder::new(whole))?
    } else if Header::parse(path, start)?.version >= 4 {
        frames(path, bytes, whole)?
    } else {
        stream(path, bytes, whole)?
    };
    let mut splats = values::unpack(&header, packed);
    let named = axes.unwrap_or(Axes::RUB);
    named.to_ply(&mut splats);
    Ok((splats, header.flags & ANTIALIASED != 0, Orientation::of(named, axes.is_none())))
}

impl Header {
    fn parse(path: &Path, bytes: [u8; HEADER]) -> Result<Self> {
        let word = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let (version, count, sh_degree, fractional_bits) = (word(4), word(8) as usize, u32::from(bytes[12]), bytes[13]);
        let convert = "export it as PLY with the program that made it";
        if &bytes[..4] != MAGIC {
            return Err(Error::input(path, "does not start as an SPZ file", DAMAGED));
        }
        if !(1..=4).contains(&version) {
            let found = format!("is SPZ of version {version}; versions 1 to 4 are read");
            return Err(Error::input(path, found, convert));
        }
        if sh_degree > 3 {
            let found = format!("has spherical harmonics of degree {sh_degree}; degrees 0 to 3 are drawn");
            return Err(Error::input(path, found, "export it with harmonics up to degree 3"));
        }
        if fractional_bits > 24 {
            let found = format!("has {fractional_bits} fractional bits in coordinates of 24");
            return Err(Error::input(path, found, DAMAGED));
        }
        Ok(Self { version, count, sh_degree, fractional_bits, flags: bytes[14] })
    }

    /// Bytes of each attribute of a splat.
    fn widths(&self) -> [usize; 6] {
        let position = if self.version == 1 { 6 } else { 9 };
        let rotation = if self.version < 3 { 3 } else { 4 };
        [position, 1, 3, 3, rotation, 3 * (Splats::coefficients(self.sh_degree) - 1)]
    }

    /// The frame that the records of its extensions name, if they do.
    fn axes(&self, path: &Path, records: &[u8]) -> Result<Option<Axes>> {
        if self.flags & EXTENDED == 0 { Ok(None) } else { frame::of_extensions(path, records) }
    }

    /// Asks for the memory that the splats take, packed and unpacked.
    fn claim(&self, path: &Path, bytes: u64) -> Result<()> {
        let packed: usize = self.widths().iter().sum();
        let needed = (packed as u64 + bytes_in_memory(self.sh_degree)).saturating_mul(self.count as u64);
        limits::claim(path, bytes, needed, &format!("{} splats", self.count))
    }
}

/// Versions 1 to 3: header and attributes one after the other, then extensions.
fn stream(path: &Path, bytes: u64, mut content: impl Read) -> Result<(Header, Packed, Option<Axes>)> {
    let mut header = [0; HEADER];
    exactly(path, &mut content, &mut header)?;
    let header = Header::parse(path, header)?;
    if header.version >= 4 {
        return Err(Error::input(path, "is SPZ of version 4 within gzip", "unpack it with gunzip"));
    }
    header.claim(path, bytes)?;
    let mut packed = Packed::default();
    for (i, width) in header.widths().into_iter().enumerate() {
        packed[i] = attribute(path, &mut content, header.count * width, ATTRIBUTES[i])?;
    }
    // To the end, where extensions are, and the checksum of gzip.
    let mut records = Vec::new();
    let rest = content.take(MOST_EXTENSIONS as u64).read_to_end(&mut records);
    rest.map_err(|error| damaged(path, "its end", &error))?;
    let axes = header.axes(path, &records)?;
    Ok((header, packed, axes))
}

/// Version 4: header, extensions, a table of contents, and a frame for each attribute.
fn frames(path: &Path, bytes: u64, mut content: impl Read) -> Result<(Header, Packed, Option<Axes>)> {
    let mut long = [0; LONG_HEADER];
    exactly(path, &mut content, &mut long)?;
    let (short, rest) = long.split_at(HEADER);
    let mut start = [0; HEADER];
    start.copy_from_slice(short);
    let header = Header::parse(path, start)?;
    let streams = usize::from(short[HEADER - 1]);
    let table_at = u32::from_le_bytes([rest[0], rest[1], rest[2], rest[3]]) as usize;
    let Some(extensions) = table_at.checked_sub(LONG_HEADER).filter(|bytes| *bytes <= MOST_EXTENSIONS) else {
        return Err(Error::input(path, format!("has its table of contents at byte {table_at}"), DAMAGED));
    };
    header.claim(path, bytes)?;
    let mut records = vec![0; extensions];
    exactly(path, &mut content, &mut records)?;
    let axes = header.axes(path, &records)?;
    let mut table = vec![0; 16 * streams];
    exactly(path, &mut content, &mut table)?;
    let sizes: Vec<[u64; 2]> =
        table.as_chunks::<8>().0.as_chunks::<2>().0.iter().map(|e| e.map(u64::from_le_bytes)).collect();
    // Attributes without bytes have no frame.
    let expected: Vec<(usize, usize)> =
        header.widths().into_iter().map(|width| header.count * width).enumerate().filter(|(_, n)| *n > 0).collect();
    if sizes.iter().map(|[_, unpacked]| *unpacked).ne(expected.iter().map(|(_, n)| *n as u64)) {
        let found = format!("has a table of contents that does not fit {} splats", header.count);
        return Err(Error::input(path, found, DAMAGED));
    }
    let mut packed = Packed::default();
    for ((i, unpacked), [compressed, _]) in expected.into_iter().zip(sizes) {
        let frame = content.by_ref().take(compressed);
        let window = WINDOW.max((unpacked as u64).next_power_of_two());
        let frame = StreamingDecoder::new_with_max_window_size(frame, window);
        let mut frame = frame.map_err(|error| damaged(path, ATTRIBUTES[i], &error))?;
        packed[i] = attribute(path, &mut frame, unpacked, ATTRIBUTES[i])?;
        let mut frame = frame.into_inner();
        std::io::copy(&mut frame, &mut std::io::sink()).map_err(Error::io(path))?;
    }
    Ok((header, packed, axes))
}

/// The bytes of one attribute. Memory is taken as they come, not as the header promises.
fn attribute(path: &Path, content: &mut impl Read, bytes: usize, name: &str) -> Result<Vec<u8>> {
    let mut found = Vec::new();
    content.take(bytes as u64).read_to_end(&mut found).map_err(|error| damaged(path, name, &error))?;
    if found.len() < bytes {
        let found = format!("ends within its {name}: {} of {bytes} bytes are there", found.len());
        return Err(Error::input(path, found, DAMAGED));
    }
    Ok(found)
}

fn exactly(path: &Path, content: &mut impl Read, bytes: &mut [u8]) -> Result<()> {
    content.read_exact(bytes).map_err(|error| damaged(path, "its header", &error))
}

fn damaged(path: &Path, what: &str, error: &dyn std::fmt::Display) -> Error {
    Error::input(path, format!("cannot be unpacked ({what}: {error})"), DAMAGED)
}
