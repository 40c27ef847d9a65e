//! SOG of version 2, in one file or in several beside a `meta.json`: `write/sog/` has its layout.
//!
//! An own reader: the crate `sog-decoder` 0.1.0 is a release candidate.

use super::super::Splats;
use super::super::write::MODEL_ANTIALIASED;
use super::foreign::converted;
use super::{FramedModel, bytes_in_memory, frame_in};
use crate::error::{Error, Result};
use crate::limits;
use flate2::read::DeflateDecoder;
use image_webp::WebPDecoder;
use rawzip::{CompressionMethod, ZipArchive, ZipSliceArchive};
use serde::Deserialize;
use serde_json::Value;
use std::io::{Cursor, Read};
use std::path::{Component, Path};

const DAMAGED: &str = "it is cut off or damaged: copy or export it again";
const MOST_META: u64 = 1 << 20;
/// The alpha of a rotation's pixel: this, and the index of the largest component.
const LARGEST: u8 = 252;
/// Sets of harmonics in a row of their picture.
const PALETTE_ROW: usize = 64;

/// What is read.
const VERSION: u32 = 2;

/// What versions differ in.
#[derive(Deserialize)]
struct Stated {
    version: Option<Value>,
    means: Option<Value>,
}

#[derive(Deserialize)]
struct Meta {
    count: usize,
    /// The specification's key; where present, `model`, which PlayCanvas's programs write, takes precedence.
    #[serde(default)]
    antialias: bool,
    model: Option<Value>,
    means: Means,
    scales: Table,
    quats: Files,
    sh0: Table,
    #[serde(rename = "shN")]
    harmonics: Option<Harmonics>,
    #[serde(rename = "naka_gs_frame")]
    frame: Option<Value>,
}

#[derive(Deserialize)]
struct Means {
    mins: [f64; 3],
    maxs: [f64; 3],
    files: [String; 2],
}

#[derive(Deserialize)]
struct Table {
    codebook: Vec<f32>,
    files: [String; 1],
}

#[derive(Deserialize)]
struct Files {
    files: [String; 1],
}

#[derive(Deserialize)]
struct Harmonics {
    count: usize,
    bands: u32,
    codebook: Vec<f32>,
    files: [String; 2],
}

/// Reads the splats, whether they were trained for antialiased rendering, and the frame that the file states.
///
/// # Errors
/// A file that is cut off or damaged, of another version, or claims more than it may take.
pub fn read(path: &Path) -> Result<FramedModel> {
    let content = limits::read(path)?;
    let bytes = content.len() as u64;
    let zip =
        ZipArchive::from_slice(content).map_err(|error| damaged(path, format!("is no whole archive: {error}")))?;
    let archive = Archive { path, bytes, source: Source::Zip(zip) };
    let meta = archive.entry("meta.json", MOST_META)?;
    archive.read(&meta)
}

/// As [`read`], of a `meta.json` with pictures beside it.
///
/// # Errors
/// As there.
pub fn read_beside(path: &Path) -> Result<FramedModel> {
    let meta = limits::read(path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let files = std::fs::read_dir(folder).map_err(Error::io(folder))?;
    let bytes = files.filter_map(|file| file.ok()?.metadata().ok()).map(|file| file.len()).sum();
    Archive { path, bytes, source: Source::Folder(folder) }.read(&meta)
}

/// Whether a path with `/` between folders stays below the folder that it is relative to.
pub fn is_below(name: &str) -> bool {
    let parts = Path::new(name).components();
    parts.clone().count() > 0 && parts.into_iter().all(|part| matches!(part, Component::Normal(_)))
}

impl Stated {
    /// The stated version. Version 1 states none; its tables have shapes like those of NumPy arrays.
    fn version(self) -> Option<Value> {
        let is_first = self.means.is_some_and(|means| means.get("shape").is_some());
        self.version.or_else(|| is_first.then(|| 1.into()))
    }
}

/// Where the pictures are.
enum Source<'p> {
    Zip(ZipSliceArchive<Vec<u8>>),
    Folder(&'p Path),
}

struct Archive<'p> {
    path: &'p Path,
    /// The whole file.
    bytes: u64,
    source: Source<'p>,
}

impl Archive<'_> {
    fn read(&self, meta: &[u8]) -> Result<FramedModel> {
        let (path, bytes) = (self.path, self.bytes);
        let unreadable =
            |error: serde_json::Error| damaged(path, format!("is a SOG file whose meta.json cannot be read: {error}"));
        let stated: Stated = serde_json::from_slice(meta).map_err(unreadable)?;
        if let Some(version) = stated.version().filter(|version| *version != VERSION) {
            let found = format!("is SOG of version {version}; version {VERSION} is read");
            let remedy = if version == 1 { converted(path) } else { "export it again, or as PLY".into() };
            return Err(Error::input(path, found, remedy));
        }
        let meta: Meta = serde_json::from_slice(meta).map_err(unreadable)?;
        let degree = meta.harmonics.as_ref().map_or(0, |harmonics| harmonics.bands);
        if degree > 3 {
            let found = format!("has spherical harmonics of degree {degree}; degrees 0 to 3 are drawn");
            return Err(Error::input(path, found, "export it with harmonics up to degree 3"));
        }
        // The pictures of a pixel a splat, beside the splats.
        let needed = (meta.count as u64).saturating_mul(bytes_in_memory(degree) + 6 * 4);
        limits::claim(path, bytes, needed, &format!("{} splats", meta.count))?;
        let mut splats = Splats::with_capacity(meta.count, degree);
        self.geometry(&meta, &mut splats)?;
        self.colors(&meta, degree, &mut splats)?;
        let antialiased = meta.model.map_or(meta.antialias, |model| model == MODEL_ANTIALIASED);
        Ok((splats, antialiased, frame_in(meta.frame.as_ref())))
    }
}

/// A picture's pixels, red to alpha.
struct Picture {
    width: usize,
    pixels: Vec<[u8; 4]>,
}

impl Archive<'_> {
    fn geometry(&self, meta: &Meta, splats: &mut Splats) -> Result<()> {
        let [low, high] = [0, 1].map(|k| self.picture(&meta.means.files[k], meta.count));
        let Means { mins, maxs, .. } = meta.means;
        for (low, high) in low?.pixels.iter().zip(high?.pixels).take(meta.count) {
            splats.means.push(std::array::from_fn(|axis| {
                let part = f64::from(u16::from_le_bytes([low[axis], high[axis]])) / 65535.0;
                let logarithm = mins[axis] + (maxs[axis] - mins[axis]) * part;
                logarithm.abs().exp_m1().copysign(logarithm) as f32
            }));
        }
        let rotations = self.picture(&meta.quats.files[0], meta.count)?;
        splats.quats.extend(rotations.pixels.into_iter().take(meta.count).map(rotation));
        let scales = self.picture(&meta.scales.files[0], meta.count)?;
        let value = |byte: u8| meta.scales.codebook.get(usize::from(byte)).copied().unwrap_or(f32::NAN);
        splats.log_scales.extend(scales.pixels.into_iter().take(meta.count).map(|[x, y, z, _]| [x, y, z].map(value)));
        Ok(())
    }

    /// Colors, opacities and harmonics.
    fn colors(&self, meta: &Meta, degree: u32, splats: &mut Splats) -> Result<()> {
        let colors = self.picture(&meta.sh0.files[0], meta.count)?;
        let value = |codebook: &[f32], byte: u8| codebook.get(usize::from(byte)).copied().unwrap_or(f32::NAN);
        let coefficients = Splats::coefficients(degree) - 1;
        let harmonics = match &meta.harmonics {
            Some(harmonics) if degree > 0 => {
                let labels = self.picture(&harmonics.files[1], meta.count)?;
                let sets = self
                    .picture(&harmonics.files[0], harmonics.count.div_ceil(PALETTE_ROW) * PALETTE_ROW * coefficients)?;
                if sets.width != PALETTE_ROW * coefficients {
                    return Err(damaged(self.path, format!("has harmonics in a picture {} pixels wide", sets.width)));
                }
                Some((labels.pixels, sets.pixels, &harmonics.codebook, harmonics.count))
            }
            _ => None,
        };
        for (i, [r, g, b, opacity]) in colors.pixels.into_iter().take(meta.count).enumerate() {
            splats.sh.extend([r, g, b].map(|byte| value(&meta.sh0.codebook, byte)));
            let opacity = f32::from(opacity) / 255.0;
            splats.logit_opacities.push((opacity / (1.0 - opacity)).ln());
            let Some((labels, sets, codebook, count)) = &harmonics else { continue };
            let label = usize::from(u16::from_le_bytes([labels[i][0], labels[i][1]]));
            if label >= *count {
                return Err(damaged(self.path, format!("names set {label} of {count} sets of harmonics")));
            }
            for [r, g, b, _] in &sets[label * coefficients..][..coefficients] {
                splats.sh.extend([r, g, b].map(|byte| value(codebook, *byte)));
            }
        }
        Ok(())
    }

    /// A picture of at least `count` pixels.
    fn picture(&self, name: &str, count: usize) -> Result<Picture> {
        let damaged = |found: String| damaged(self.path, format!("has a picture {} that {found}", name.escape_debug()));
        let content = self.entry(name, limits::allowed(self.bytes))?;
        let failed = |error: image_webp::DecodingError| damaged(format!("cannot be decoded: {error}"));
        let mut decoder = WebPDecoder::new(Cursor::new(&content[..])).map_err(failed)?;
        let (width, height) = decoder.dimensions();
        let pixels = u64::from(width) * u64::from(height);
        if pixels < count as u64 {
            return Err(damaged(format!("has {width} × {height} pixels for {count}")));
        }
        limits::claim(self.path, self.bytes, 8 * pixels, &format!("a picture of {width} × {height} pixels"))?;
        let channels = if decoder.has_alpha() { 4 } else { 3 };
        let mut bytes = vec![0; pixels as usize * channels];
        decoder.read_image(&mut bytes).map_err(failed)?;
        let pixels = if channels == 4 {
            bytes.as_chunks::<4>().0.to_vec()
        } else {
            bytes.as_chunks::<3>().0.iter().map(|[r, g, b]| [*r, *g, *b, 255]).collect()
        };
        Ok(Picture { width: width as usize, pixels })
    }

    /// The content of an entry, of `most` bytes at most.
    fn entry(&self, name: &str, most: u64) -> Result<Vec<u8>> {
        let damaged = |found: String| damaged(self.path, found);
        let broken = |error: rawzip::Error| damaged(format!("is a broken archive: {error}"));
        let zip = match &self.source {
            Source::Zip(zip) => zip,
            Source::Folder(folder) if is_below(name) => {
                let file = folder.join(name);
                return match std::fs::metadata(&file).map_err(Error::io(&file))?.len() > most {
                    true => Err(damaged(format!("has a {name} of more than {most} bytes"))),
                    false => limits::read(&file),
                };
            }
            Source::Folder(_) => {
                return Err(damaged(format!("names {}, which is not in its folder", name.escape_debug())));
            }
        };
        // Where a folder was packed as a whole, its name precedes the others.
        let is_it = |path: &[u8]| {
            path.strip_suffix(name.as_bytes()).is_some_and(|folder| folder.is_empty() || folder.ends_with(b"/"))
        };
        let mut entries = zip.entries();
        while let Some(record) = entries.next_entry().map_err(broken)? {
            if !is_it(record.file_path().as_bytes()) {
                continue;
            }
            let method = record.compression_method();
            let data = zip.get_entry(record.wayfinder()).map_err(broken)?;
            let packed: Box<dyn Read> = match method {
                CompressionMethod::STORE => Box::new(data.data()),
                CompressionMethod::DEFLATE => Box::new(DeflateDecoder::new(data.data())),
                other => return Err(damaged(format!("has its {name} compressed by {other:?}"))),
            };
            let mut content = Vec::new();
            let read = data.verifying_reader(packed).take(most.saturating_add(1)).read_to_end(&mut content);
            read.map_err(|error| damaged(format!("has a damaged {name}: {error}")))?;
            return match content.len() as u64 > most {
                true => Err(damaged(format!("has a {name} of more than {most} bytes"))),
                false => Ok(content),
            };
        }
        Err(damaged(format!("has no {}", name.escape_debug())))
    }
}

/// The three smaller components, and which one is the largest.
fn rotation([a, b, c, tag]: [u8; 4]) -> [f32; 4] {
    let [a, b, c] = [a, b, c].map(|byte| (f32::from(byte) / 255.0 - 0.5) * std::f32::consts::SQRT_2);
    let largest = (1.0 - (a * a + b * b + c * c)).max(0.0).sqrt();
    match tag.checked_sub(LARGEST) {
        Some(0) => [largest, a, b, c],
        Some(1) => [a, largest, b, c],
        Some(2) => [a, b, largest, c],
        Some(_) => [a, b, c, largest],
        None => [f32::NAN; 4],
    }
}

pub fn damaged(path: &Path, found: String) -> Error {
    Error::input(path, found, DAMAGED)
}
