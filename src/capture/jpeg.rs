//! JPEG decoding in floating point.
//!
//! The pixels of an extremely dark photograph lie within a few levels of 255, where the rounding of an ordinary
//! decoder to 8 bits is the largest noise of all. The file itself holds more: a DC coefficient with a quantizer step
//! of 2 resolves a quarter of a level of a block's mean. So the coefficients are dequantized, transformed, upsampled
//! and converted to RGB in `f32`, nothing is rounded and nothing is clipped: the slightly negative values of black
//! must survive until they are averaged, or the average is biased.

use super::Image;
use super::image::pixels;
use crate::error::{Error, Result};
use crate::limits;
use libjpeg_turbo_rs::decode::marker::{JpegMetadata, MarkerReader};
use libjpeg_turbo_rs::{ComponentCoefficients, JpegCoefficients, JpegError, read_coefficients};
use rayon::prelude::*;
use std::path::Path;

/// Position in the natural (row-major) order of the coefficient at each zigzag position (ITU-T T.81, figure A.6).
#[rustfmt::skip]
const ZIGZAG: [usize; 64] = [
     0,  1,  8, 16,  9,  2,  3, 10, 17, 24, 32, 25, 18, 11,  4,  5,
    12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13,  6,  7, 14, 21, 28,
    35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51,
    58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
];

/// One decoded component at its own resolution; values around 0 (no level shift), in sample levels.
struct Plane {
    /// Samples that belong to the image; the padding to whole blocks is beyond them.
    width: usize,
    height: usize,
    stride: usize,
    samples: Vec<f32>,
}

/// How the components become RGB.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Colors {
    Gray,
    YCbCr,
    Rgb,
}

/// Decodes the JPEG file content `data` (baseline or progressive, gray, YCbCr or RGB, any subsampling) without
/// rounding or clipping: 0–1 nominal, but slightly outside where the file says so. It may take as much memory as a file
/// of `counted` bytes.
///
/// # Errors
/// [`Error::Input`] naming `path` for truncated or corrupt files and for color models that are not supported.
pub(super) fn decode(path: &Path, data: &[u8], counted: u64) -> Result<Image> {
    check_size(path, data, counted)?;
    let mut jpeg = read_coefficients(data).map_err(|error| refusal(path, &error))?;
    // A progressive file cut between two scans is a complete file of lower quality but for its end marker.
    if !data.windows(2).rev().any(|pair| pair == [0xff, 0xd9]) {
        return Err(truncated(path));
    }
    let colors = colors(path, &jpeg)?;
    let mut planes = Vec::new();
    for index in 0..jpeg.components.len() {
        planes.push(plane(path, &jpeg, &jpeg.components[index])?);
        jpeg.components[index].blocks = Vec::new();
    }
    probe(path, usize::from(jpeg.width) * usize::from(jpeg.height) * size_of::<[f32; 3]>())?;
    Ok(assemble(&jpeg, &planes, colors))
}

/// Bits of a sample that the transform is defined for (ITU-T T.81, table B.2).
const PRECISIONS: [u8; 2] = [8, 12];
/// Most scans of a progressive file: encoders write up to fifteen, and each may visit every block.
const MAX_SCANS: usize = 500;
/// Bytes of a block of 64 samples as coefficients (with a mark that the decoder keeps) and as samples.
const BLOCK_BYTES: (u64, u64) = (2 * 64 + 1, 4 * 64);
/// Blocks that arithmetic coding may put into one bit; Huffman codes have at least a bit for each block.
const ARITHMETIC_BLOCKS: u64 = 64;

/// Compares the size that the header claims with the file and the memory, before any is taken.
fn check_size(path: &Path, data: &[u8], counted: u64) -> Result<()> {
    let mut reader = MarkerReader::new(data);
    reader.set_scan_cap(MAX_SCANS);
    let JpegMetadata { frame, is_arithmetic, .. } = reader.read_markers().map_err(|error| refusal(path, &error))?;
    if !PRECISIONS.contains(&frame.precision) {
        let found = format!("a JPEG with {} bits a sample", frame.precision);
        return Err(Error::input(path, found, "save it as baseline JPEG, PNG or TIFF"));
    }
    let (width, height) = (u64::from(frame.width), u64::from(frame.height));
    let sampling: Vec<[u64; 2]> =
        frame.components.iter().map(|c| [c.horizontal_sampling, c.vertical_sampling].map(u64::from)).collect();
    let [max_h, max_v] = [0, 1].map(|axis| sampling.iter().map(|factors| factors[axis]).max().unwrap_or(1).max(1));
    let (mut coded, mut stored) = (0, 0);
    for [h, v] in sampling {
        coded += (width * h).div_ceil(max_h * 8) * (height * v).div_ceil(max_v * 8);
        stored += width.div_ceil(max_h * 8) * h * height.div_ceil(max_v * 8) * v;
    }
    let bits = 8 * data.len() as u64;
    if coded > if is_arithmetic { bits * ARITHMETIC_BLOCKS } else { bits } {
        let found = format!("claims to hold {}, for which its {} bytes are too few", pixels(width, height), data.len());
        return Err(Error::input(path, found, "copy it again from its source, or remove its frame"));
    }
    let needed = (stored * (BLOCK_BYTES.0 + BLOCK_BYTES.1)).max(stored * BLOCK_BYTES.1 + 12 * width * height);
    limits::claim(path, counted, needed, &pixels(width, height))
}

/// Other threads may have taken what [`check_size`] found.
fn probe(path: &Path, bytes: usize) -> Result<()> {
    limits::probe(bytes as u64, || format!("the pixels of {}", path.display()))
}

fn truncated(path: &Path) -> Error {
    Error::input(path, "the JPEG file is truncated", "copy it again from its source, or remove its frame")
}

fn refusal(path: &Path, error: &JpegError) -> Error {
    match error {
        JpegError::UnexpectedEof => truncated(path),
        JpegError::Unsupported(what) => {
            Error::input(path, format!("unsupported JPEG ({what})"), "save it as baseline JPEG, PNG or TIFF")
        }
        other => Error::input(path, format!("damaged JPEG ({other})"), "copy it again from its source"),
    }
}

fn colors(path: &Path, jpeg: &JpegCoefficients) -> Result<Colors> {
    let ids: Vec<u8> = jpeg.components.iter().map(|c| c.component_id).collect();
    match (jpeg.components.len(), jpeg.adobe_transform) {
        (1, _) => Ok(Colors::Gray),
        (3, Some(0)) => Ok(Colors::Rgb),
        (3, None) if ids == *b"RGB" && !jpeg.saw_jfif_marker => Ok(Colors::Rgb),
        (3, _) => Ok(Colors::YCbCr),
        (4, _) => Err(Error::input(
            path,
            "a CMYK JPEG",
            "convert it to RGB (for example `magick in.jpg -colorspace sRGB out.jpg`)",
        )),
        (n, _) => Err(Error::input(path, format!("a JPEG with {n} components"), "convert it to gray or RGB")),
    }
}

fn plane(path: &Path, jpeg: &JpegCoefficients, component: &ComponentCoefficients) -> Result<Plane> {
    let table = jpeg
        .quant_tables
        .get(usize::from(component.quant_table_index))
        .ok_or_else(|| Error::input(path, "a JPEG without its quantization table", "copy it again from its source"))?;
    let steps: [f32; 64] = std::array::from_fn(|i| f32::from(table[i]));
    let (max_h, max_v) = max_sampling(jpeg);
    let size = |full: u16, own: u8, max: usize| (usize::from(full) * usize::from(own)).div_ceil(max);
    let stride = component.blocks_x * 8;
    probe(path, stride * component.blocks_y * 8 * size_of::<f32>())?;
    let mut samples = vec![0.0; stride * component.blocks_y * 8];
    let basis = basis();
    samples.par_chunks_mut(stride * 8).zip(component.blocks.par_chunks(component.blocks_x)).for_each(
        |(rows, blocks)| {
            for (bx, block) in blocks.iter().enumerate() {
                let pixels = inverse_dct(block, &steps, &basis);
                for (row, values) in rows.chunks_exact_mut(stride).zip(&pixels) {
                    row[bx * 8..bx * 8 + 8].copy_from_slice(values);
                }
            }
        },
    );
    Ok(Plane {
        width: size(jpeg.width, component.h_sampling, max_h),
        height: size(jpeg.height, component.v_sampling, max_v),
        stride,
        samples,
    })
}

fn max_sampling(jpeg: &JpegCoefficients) -> (usize, usize) {
    let max = |f: fn(&ComponentCoefficients) -> u8| jpeg.components.iter().map(f).max().unwrap_or(1).max(1).into();
    (max(|c| c.h_sampling), max(|c| c.v_sampling))
}

/// `basis[u][x]`: value at sample `x` of the orthonormal DCT-II basis function `u` (ITU-T T.81, A.3.3).
fn basis() -> [[f32; 8]; 8] {
    std::array::from_fn(|u| {
        let scale = if u == 0 { 0.125f64.sqrt() } else { 0.5 };
        std::array::from_fn(|x| (scale * ((2 * x + 1) as f64 * u as f64 * std::f64::consts::PI / 16.0).cos()) as f32)
    })
}

/// The samples of one block: columns first, then rows; rows of coefficients that are all zero (most of them) are skipped.
fn inverse_dct(zigzag: &[i16; 64], steps: &[f32; 64], basis: &[[f32; 8]; 8]) -> [[f32; 8]; 8] {
    let mut coefficients = [[0.0f32; 8]; 8];
    let mut used = [false; 8];
    for (&natural, &value) in ZIGZAG.iter().zip(zigzag) {
        if value != 0 {
            coefficients[natural / 8][natural % 8] = f32::from(value) * steps[natural];
            used[natural / 8] = true;
        }
    }
    // half[x][y]: column x in frequency, row y in space, so that the second pass finds its input in rows again.
    let columns = transform(&coefficients, &used, basis);
    let mut half = [[0.0f32; 8]; 8];
    for (y, row) in columns.iter().enumerate() {
        for (x, value) in row.iter().enumerate() {
            half[x][y] = *value;
        }
    }
    let used = half.map(|row| row.iter().any(|v| *v != 0.0));
    let rows = transform(&half, &used, basis);
    std::array::from_fn(|y| std::array::from_fn(|x| rows[x][y]))
}

/// `out[x] = Σ_u basis[u][x] · input[u]` on rows of 8 values.
fn transform(input: &[[f32; 8]; 8], used: &[bool; 8], basis: &[[f32; 8]; 8]) -> [[f32; 8]; 8] {
    let mut out = [[0.0f32; 8]; 8];
    for u in (0..8).filter(|&u| used[u]) {
        for (row, &weight) in out.iter_mut().zip(&basis[u]) {
            for (sum, value) in row.iter_mut().zip(&input[u]) {
                *sum += weight * value;
            }
        }
    }
    out
}

/// Linear interpolation in one direction: for every output position the two samples and the second one's weight.
/// Samples are centered in the area they stand for, as in JFIF, and in the 4:2:0 files of today's encoders.
fn taps(out: usize, samples: usize, sampling: usize, max_sampling: usize) -> Vec<(usize, usize, f32)> {
    let scale = sampling as f32 / max_sampling as f32;
    let last = samples.saturating_sub(1);
    let tap = |i: usize| {
        let position = ((i as f32 + 0.5) * scale - 0.5).clamp(0.0, last as f32);
        let first = position as usize;
        (first, (first + 1).min(last), position - first as f32)
    };
    (0..out).map(tap).collect()
}

fn assemble(jpeg: &JpegCoefficients, planes: &[Plane], colors: Colors) -> Image {
    let (width, height) = (usize::from(jpeg.width), usize::from(jpeg.height));
    let (max_h, max_v) = max_sampling(jpeg);
    let sampled = |i: usize| (usize::from(jpeg.components[i].h_sampling), usize::from(jpeg.components[i].v_sampling));
    let columns: Vec<_> = (0..planes.len()).map(|i| taps(width, planes[i].width, sampled(i).0, max_h)).collect();
    let rows: Vec<_> = (0..planes.len()).map(|i| taps(height, planes[i].height, sampled(i).1, max_v)).collect();
    let bits = jpeg.effective_precision();
    let (middle, white) = ((1u32 << (bits - 1)) as f32, ((1u32 << bits) - 1) as f32);
    let mut image = Image::new(u32::from(jpeg.width), u32::from(jpeg.height));
    image.pixels.par_chunks_mut(width.max(1)).enumerate().for_each_init(
        || vec![vec![0.0f32; width]; planes.len()],
        |lines, (y, pixels)| {
            for (i, line) in lines.iter_mut().enumerate() {
                interpolate(&planes[i], rows[i][y], &columns[i], line);
            }
            for (x, pixel) in pixels.iter_mut().enumerate() {
                *pixel = rgb(colors, lines, x, middle).map(|v| v / white);
            }
        },
    );
    image
}

fn interpolate(
    plane: &Plane,
    (upper, lower, weight): (usize, usize, f32),
    columns: &[(usize, usize, f32)],
    line: &mut [f32],
) {
    let row = |y: usize| &plane.samples[y * plane.stride..y * plane.stride + plane.width];
    let (upper, lower) = (row(upper), row(lower));
    if columns.len() == plane.width && weight == 0.0 {
        line.copy_from_slice(upper);
        return;
    }
    let at = |x: usize| upper[x] + (lower[x] - upper[x]) * weight;
    for (value, &(left, right, weight)) in line.iter_mut().zip(columns) {
        let start = at(left);
        *value = start + (at(right) - start) * weight;
    }
}

/// RGB in levels from the components at column `x`.
fn rgb(colors: Colors, lines: &[Vec<f32>], x: usize, middle: f32) -> [f32; 3] {
    let first = lines[0][x] + middle;
    match colors {
        Colors::Gray => [first; 3],
        Colors::Rgb => [first, lines[1][x] + middle, lines[2][x] + middle],
        Colors::YCbCr => ycbcr_to_rgb([first, lines[1][x], lines[2][x]]),
    }
}

/// RGB from luma and color differences around 0, in the same unit (ITU-R BT.601 full range as in JFIF 1.02, without
/// rounding).
pub(crate) fn ycbcr_to_rgb([y, cb, cr]: [f32; 3]) -> [f32; 3] {
    [y + 1.402 * cr, y - 0.344_136_3 * cb - 0.714_136_3 * cr, y + 1.772 * cb]
}

#[cfg(test)]
#[path = "jpeg_tests.rs"]
mod tests;
