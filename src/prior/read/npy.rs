//! Arrays as NumPy writes them (`numpy.lib.format`, versions 1–3), read row by row.
//!
//! The header is one line, a Python dictionary with three known keys; it is read here, without a grammar of Python.
//! Arrays of Python objects are pickles, which are refused and never run.
//!
//! Own code: files of any number type stream row by row along any axis, and what a header promises is compared with the
//! bytes that are there before memory is taken; npyz (0.9) reads one type that is known beforehand, into memory.

use half::f16;
use std::io::Read;

/// The longest header read; NumPy itself refuses more than 10 000 bytes.
const MAX_HEADER_BYTES: usize = 1 << 16;
const MAX_DIMENSIONS: usize = 32;
const CHUNK_BYTES: usize = 1 << 20;

/// An array whose header was read and agrees with the size of the file.
pub struct Array<R> {
    shape: Vec<usize>,
    fortran: bool,
    scalar: Scalar,
    reader: R,
}

/// The type of one number.
#[derive(Clone, Copy)]
struct Scalar {
    /// As in NumPy's type strings: `f`, `i`, `u` or `b`.
    kind: u8,
    bytes: usize,
    big_endian: bool,
}

impl<R: Read> Array<R> {
    /// Reads the header of the array that `reader`, of `bytes` bytes in all, holds. Errors say what was found.
    pub fn open(mut reader: R, bytes: u64) -> Result<Self, String> {
        let mut fixed = [0; 8];
        reader.read_exact(&mut fixed).map_err(|_| "is no NumPy array (it is too short)".to_string())?;
        let [magic @ .., major, _] = fixed;
        if &magic != b"\x93NUMPY" {
            return Err("is no NumPy array (it does not start with \\x93NUMPY)".into());
        }
        let mut length = [0; 4];
        let width = if major == 1 { 2 } else { 4 };
        reader.read_exact(&mut length[..width]).map_err(cut_off)?;
        let length = u32::from_le_bytes(length) as usize;
        if !(1..=3).contains(&major) || length > MAX_HEADER_BYTES {
            return Err(format!("has a header of {length} bytes, version {major}, that is not read"));
        }
        let mut header = vec![0; length];
        reader.read_exact(&mut header).map_err(cut_off)?;
        let (scalar, fortran, shape) = parse(&String::from_utf8_lossy(&header))?;
        let rest = bytes.saturating_sub((8 + width + length) as u64);
        let promised = shape.iter().try_fold(scalar.bytes as u64, |product, &n| product.checked_mul(n));
        if promised.is_none_or(|promised| promised > rest) {
            let promised = promised.map_or("more than 2⁶⁴".into(), |n| n.to_string());
            return Err(format!("its shape {shape:?} promises {promised} bytes, but {rest} are there"));
        }
        let shape = shape.into_iter().map(usize::try_from).collect::<Result<_, _>>().map_err(|e| e.to_string())?;
        Ok(Self { shape, fortran, scalar, reader })
    }

    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    pub fn is_integer(&self) -> bool {
        self.scalar.kind != b'f'
    }

    /// Whether its numbers are integers of one byte.
    pub fn is_byte(&self) -> bool {
        self.is_integer() && self.scalar.bytes == 1
    }

    /// Bytes of all numbers.
    pub fn bytes(&self) -> usize {
        self.shape.iter().product::<usize>() * self.scalar.bytes
    }

    /// Memory that its numbers take while it is read: none where it is passed on row by row (`streamed`), in its order.
    pub fn held(&self, streamed: bool) -> u64 {
        let numbers = self.shape.iter().product::<usize>() as u64;
        if streamed && !self.fortran { 0 } else { numbers * size_of::<f64>() as u64 }
    }

    /// Calls `take` with the numbers along `axis` (single ones where `None`), for all indices of the other axes, the
    /// last of them fastest. Arrays in another order than that are read as a whole first.
    pub fn for_each_row(mut self, axis: Option<usize>, take: impl FnMut(&[f64])) -> Result<(), String> {
        if self.shape.contains(&0) {
            return Ok(());
        }
        let in_order = !self.fortran && axis.is_none_or(|axis| axis + 1 == self.shape.len());
        if in_order { self.stream(axis, take) } else { self.gather(axis, take) }?;
        // A zip archive's checksum is compared when its reader is asked for more than there is.
        self.reader.read(&mut [0]).map(|_| ()).map_err(cut_off)
    }

    fn stream(&mut self, axis: Option<usize>, mut take: impl FnMut(&[f64])) -> Result<(), String> {
        let scalar = self.scalar;
        let mut row = vec![0.0; axis.map_or(1, |axis| self.shape[axis])];
        let stride = row.len() * scalar.bytes;
        let rows_per_chunk = (CHUNK_BYTES / stride).max(1);
        let mut chunk = vec![0; rows_per_chunk.saturating_mul(stride).min(self.bytes())];
        let mut left = self.bytes() / stride;
        while left > 0 {
            let rows = left.min(rows_per_chunk);
            let bytes = &mut chunk[..rows * stride];
            self.reader.read_exact(bytes).map_err(cut_off)?;
            for packed in bytes.chunks_exact(stride) {
                packed.chunks_exact(scalar.bytes).zip(&mut row).for_each(|(b, v)| *v = scalar.decode(b));
                take(&row);
            }
            left -= rows;
        }
        Ok(())
    }

    fn gather(&mut self, axis: Option<usize>, mut take: impl FnMut(&[f64])) -> Result<(), String> {
        let strides = self.strides();
        let shape = self.shape.clone();
        let outer: Vec<usize> = (0..shape.len()).filter(|&d| Some(d) != axis).collect();
        let (channels, step) = axis.map_or((1, 0), |axis| (shape[axis], strides[axis]));
        let mut values = Vec::with_capacity(shape.iter().product());
        self.stream(None, |v| values.extend_from_slice(v))?;
        let mut row = vec![0.0; channels];
        for index in 0..outer.iter().map(|&d| shape[d]).product() {
            let (mut index, mut offset) = (index, 0);
            for &d in outer.iter().rev() {
                offset += index % shape[d] * strides[d];
                index /= shape[d];
            }
            row.iter_mut().enumerate().for_each(|(c, v)| *v = values[offset + c * step]);
            take(&row);
        }
        Ok(())
    }

    /// Numbers from one index of each axis to the next.
    fn strides(&self) -> Vec<usize> {
        let n = self.shape.len();
        let after = |d: usize| if self.fortran { &self.shape[..d] } else { &self.shape[d + 1..n] };
        (0..n).map(|d| after(d).iter().product()).collect()
    }
}

fn cut_off(error: std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::UnexpectedEof => "is cut off".into(),
        _ => format!("cannot be read ({error})"),
    }
}

/// Type, order and shape in a header such as `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`.
fn parse(header: &str) -> Result<(Scalar, bool, Vec<u64>), String> {
    let value = |key: &str| -> Result<&str, String> {
        let at = header.find(&format!("'{key}':")).ok_or_else(|| format!("its header has no `{key}`"))?;
        Ok(header[at + key.len() + 3..].trim_start())
    };
    let descr = value("descr")?;
    let Some((name, _)) = descr.strip_prefix('\'').and_then(|rest| rest.split_once('\'')) else {
        return Err("is an array of records, not of plain numbers".into());
    };
    let scalar = Scalar::named(name)?;
    let fortran = value("fortran_order")?.starts_with("True");
    let shape = value("shape")?.strip_prefix('(').and_then(|rest| rest.split_once(')'));
    let shape = shape.ok_or("its header has no readable `shape`")?.0;
    let numbers = shape.split(',').map(str::trim).filter(|n| !n.is_empty());
    let numbers = numbers.map(|n| n.trim_end_matches('L').parse::<u64>());
    let numbers: Vec<u64> = numbers.collect::<Result<_, _>>().map_err(|_| format!("its shape is ({shape})"))?;
    if numbers.len() > MAX_DIMENSIONS {
        return Err(format!("it has {} dimensions", numbers.len()));
    }
    Ok((scalar, fortran, numbers))
}

impl Scalar {
    fn named(name: &str) -> Result<Self, String> {
        let ([order, kind, ..], Some(size)) = (name.as_bytes(), name.get(2..)) else {
            return Err(format!("holds values of an unknown type '{}'", name.escape_debug()));
        };
        match (kind, size.parse::<usize>()) {
            (b'O', _) => Err("holds Python objects (a pickle, which is never run); save it as numbers".into()),
            (b'f', Ok(bytes @ (2 | 4 | 8))) | (b'i' | b'u', Ok(bytes @ (1 | 2 | 4 | 8))) | (b'b', Ok(bytes @ 1)) => {
                Ok(Self { kind: *kind, bytes, big_endian: *order == b'>' })
            }
            _ => Err(format!("holds values of the type '{}', not plain numbers", name.escape_debug())),
        }
    }

    /// One number of `self.bytes` bytes.
    fn decode(self, bytes: &[u8]) -> f64 {
        let mut raw = [0; 8];
        raw[..bytes.len()].copy_from_slice(bytes);
        if self.big_endian {
            raw[..bytes.len()].reverse();
        }
        let [a, b, c, d, ..] = raw;
        match (self.kind, self.bytes) {
            (b'f', 2) => f16::from_le_bytes([a, b]).to_f64(),
            (b'f', 4) => f32::from_le_bytes([a, b, c, d]).into(),
            (b'f', _) => f64::from_le_bytes(raw),
            (b'i', n) => (i64::from_le_bytes(raw) << (64 - 8 * n) >> (64 - 8 * n)) as f64,
            _ => u64::from_le_bytes(raw) as f64,
        }
    }
}
