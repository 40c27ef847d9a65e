//! SOG of version 2, PlayCanvas's format for the web, by its [specification]: a zip of `meta.json` and lossless WebP
//! pictures with a pixel a splat. Positions have 16 bits of a logarithm; scales and colors a byte that stands for one of
//! 256 values (`codebook.rs`), harmonics above degree 0 two bytes that stand for one of up to 65 536 sets (`palette.rs`).
//! Splats are sorted along a curve, which makes the pictures smooth and small. The frame is that of the PLY layout.
//!
//! An own writer: no crate was found that writes it (`sog-decoder` 0.1.0 reads). The pictures are by `image-webp`, the zip
//! by `rawzip`.
//!
//! [specification]: https://developer.playcanvas.com/user-manual/gaussian-splatting/formats/sog/

mod codebook;
mod palette;
mod picture;

use super::{Export, FRAME, largest, morton, unorm};
use crate::error::{Error, Result};
use crate::parallel::try_map;
use codebook::Codebook;
use palette::Palette;
use picture::{Layout, Picture, Pixel};
use serde_json::{Value, json};
use std::io::{Cursor, Write};
use std::path::Path;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// The `model` of splats for antialiased rendering, in `meta.json` and in what describes levels; others have none.
pub const ANTIALIASED: &str = "antialiased";
/// The name of what describes the pictures.
pub const META: &str = "meta.json";
/// Sets of harmonics in a row of their picture.
const PALETTE_ROW: usize = 64;
/// The alpha of a rotation's pixel: this, and the index of the largest component.
const LARGEST: u8 = 252;

/// The bytes of the file that `path` will be.
///
/// # Errors
/// More splats than a picture of WebP has pixels.
pub fn bytes(path: &Path, export: &Export) -> Result<Vec<u8>> {
    archive(path, &files(path, export, morton::order(export))?)
}

/// `meta.json` and the pictures beside it, with their names; splats in this `order`.
///
/// # Errors
/// As [`bytes`].
pub fn files(path: &Path, export: &Export, order: Vec<u32>) -> Result<Vec<(&'static str, Vec<u8>)>> {
    let layout = Layout { order };
    let (mut pictures, bounds) = positions(export, &layout);
    pictures.push(layout.picture("quats.webp", |i| rotation(export.rotation(i))));
    let (scales, scale_codebook) = indices("scales.webp", &layout, |i| export.log_scale(i), |_| 255);
    let opacity = |i: usize| unorm(export.opacity(i), 8) as u8;
    let (colors, color_codebook) = indices("sh0.webp", &layout, |i| export.harmonics(i)[0], opacity);
    pictures.extend([scales, colors]);
    let mut meta = json!({
        "version": 2,
        "asset": {"generator": concat!("naka-gs ", env!("CARGO_PKG_VERSION"))},
        "count": export.len(),
        "antialias": export.antialiased,
        "means": {"mins": bounds[0], "maxs": bounds[1], "files": ["means_l.webp", "means_u.webp"]},
        "scales": {"codebook": scale_codebook, "files": ["scales.webp"]},
        "quats": {"files": ["quats.webp"]},
        "sh0": {"codebook": color_codebook, "files": ["sh0.webp"]},
    });
    if export.antialiased {
        // Read by PlayCanvas's programs, which ignore the specification's `antialias`.
        meta["model"] = json!(ANTIALIASED);
    }
    if let Some(frame) = export.stated_frame() {
        meta[FRAME] = frame;
    }
    if export.splats.sh_degree > 0 {
        let (of_harmonics, entry) = harmonics(export, &layout);
        pictures.extend(of_harmonics);
        meta["shN"] = entry;
    }
    let encoded = try_map(&pictures, |picture| picture.encode(path))?;
    let names = pictures.iter().map(|picture| picture.name);
    Ok(std::iter::once((META, meta.to_string().into_bytes())).chain(names.zip(encoded)).collect())
}

/// Low and high bytes of positions, and the bounds of their logarithms.
fn positions(export: &Export, layout: &Layout) -> (Vec<Picture>, [[f64; 3]; 2]) {
    let mut bounds = [[f64::INFINITY; 3], [f64::NEG_INFINITY; 3]];
    for i in 0..export.len() {
        for (axis, v) in logarithms(export.position(i)).into_iter().enumerate() {
            bounds[0][axis] = bounds[0][axis].min(v);
            bounds[1][axis] = bounds[1][axis].max(v);
        }
    }
    let word = |i: usize| -> [[u8; 2]; 3] {
        let v = logarithms(export.position(i));
        std::array::from_fn(|axis| {
            let extent = (bounds[1][axis] - bounds[0][axis]).max(f64::MIN_POSITIVE);
            (((v[axis] - bounds[0][axis]) / extent * 65535.0).round() as u16).to_le_bytes()
        })
    };
    let byte = |name, k: usize| {
        layout.picture(name, move |i| {
            let [x, y, z] = word(i);
            [x[k], y[k], z[k], 255]
        })
    };
    (vec![byte("means_l.webp", 0), byte("means_u.webp", 1)], bounds)
}

/// Positions as they are quantized: near the origin, where cameras are, steps are smaller.
fn logarithms(position: [f32; 3]) -> [f64; 3] {
    position.map(|v| f64::from(v.abs()).ln_1p().copysign(f64::from(v)))
}

fn rotation(q: [f32; 4]) -> Pixel {
    let (index, q) = largest(q);
    let mut others =
        (0..4).filter(|i| *i != index).map(|i| unorm(q[i] * std::f32::consts::FRAC_1_SQRT_2 + 0.5, 8) as u8);
    let [a, b, c] = std::array::from_fn(|_| others.next().unwrap_or(0));
    [a, b, c, LARGEST + index as u8]
}

/// Three values of each splat as indices of the nearest of 256, with a fourth byte, and the 256 values.
fn indices(
    name: &'static str,
    layout: &Layout,
    values: impl Fn(usize) -> [f32; 3],
    beside: impl Fn(usize) -> u8,
) -> (Picture, Vec<f32>) {
    let codebook = Codebook::of(layout.order.iter().flat_map(|i| values(*i as usize)).collect());
    let picture = layout.picture(name, |i| {
        let [a, b, c] = values(i).map(|v| codebook.nearest(v));
        [a, b, c, beside(i)]
    });
    (picture, codebook.into_values())
}

/// Sets of harmonics and the labels of splats, and what `meta.json` says of them.
fn harmonics(export: &Export, layout: &Layout) -> (Vec<Picture>, Value) {
    let palette = Palette::of(export);
    let codebook = Codebook::of(palette.sets.clone());
    let coefficients = export.harmonics(0).len() - 1;
    let sets = palette.sets.len() / (3 * coefficients);
    let size = [PALETTE_ROW * coefficients, sets.div_ceil(PALETTE_ROW)];
    let mut pixels: Vec<Pixel> = palette
        .sets
        .as_chunks::<3>()
        .0
        .iter()
        .map(|v| {
            let [r, g, b] = v.map(|v| codebook.nearest(v));
            [r, g, b, 255]
        })
        .collect();
    pixels.resize(size[0] * size[1], [0; 4]);
    let labels = layout.picture("shN_labels.webp", |i| {
        let [low, high] = palette.labels[i].to_le_bytes();
        [low, high, 0, 255]
    });
    let entry = json!({
        "count": sets,
        "bands": export.splats.sh_degree,
        "codebook": codebook.into_values(),
        "files": ["shN_centroids.webp", "shN_labels.webp"],
    });
    (vec![Picture { name: "shN_centroids.webp", pixels, size }, labels], entry)
}

fn archive(path: &Path, files: &[(&'static str, Vec<u8>)]) -> Result<Vec<u8>> {
    let failed = |error: zip::result::ZipError| Error::io(path)(error.into());
    // Stored: pictures do not shrink, and the specification's readers take such entries.
    let stored = SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::Stored)
        .last_modified_time(zip::DateTime::default())
        .unix_permissions(0o644);
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in files {
        zip.start_file(*name, stored).map_err(failed)?;
        zip.write_all(content).map_err(Error::io(path))?;
    }
    zip.finish().map(Cursor::into_inner).map_err(failed)
}
