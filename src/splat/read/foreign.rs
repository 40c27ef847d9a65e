//! Recognizes unsupported formats of splats, and tells how to convert them.

use super::REMEDY;
use crate::error::Error;
use rawzip::{RECOMMENDED_BUFFER_SIZE, ZipArchive};
use std::fs::File;
use std::path::Path;

/// Entries of an archive that are looked at.
const MOST_ENTRIES: usize = 1000;
const BY_ITS_PROGRAM: &str = "export the splats as PLY or SPZ with the program that made it";

/// Kinds of files other than PLY, SPZ and GLB; `.splat` is supported.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Foreign {
    Empty,
    WebPage,
    Gzip,
    Zip,
    Splat,
    Ksplat,
    Sog,
    Lcc,
    Spx,
    Gltf,
    Usd,
    Numpy,
    Torch,
    Unknown,
}

impl Foreign {
    /// By the content where it is distinctive, else by the ending: `.splat` and `.ksplat` begin with any bytes.
    pub fn of(path: &Path, start: &[u8]) -> Self {
        const MAGIC: [(&[u8], Foreign); 7] = [
            (b"\x1f\x8b", Foreign::Gzip),
            (b"PXR-USDC", Foreign::Usd),
            (b"#usda", Foreign::Usd),
            (b"\x93NUMPY", Foreign::Numpy),
            (b"spx", Foreign::Spx),
            (b"\x80\x02\x8a\x0al\xfc\x9cF\xf9", Foreign::Torch),
            (b"PK\x03\x04", Foreign::Zip),
        ];
        let text = start.trim_ascii_start().to_ascii_lowercase();
        let by_content = match MAGIC.iter().find(|(magic, _)| start.starts_with(magic)) {
            _ if start.is_empty() => Self::Empty,
            _ if [&b"<!doctype"[..], b"<html", b"<head"].iter().any(|tag| text.starts_with(tag)) => Self::WebPage,
            Some((_, Self::Zip)) => Self::of_archive(path),
            Some((_, format)) => *format,
            None => Self::Unknown,
        };
        if matches!(by_content, Self::Unknown | Self::Zip) {
            Self::of_ending(path).unwrap_or(by_content)
        } else {
            by_content
        }
    }

    fn of_ending(path: &Path) -> Option<Self> {
        const ENDINGS: [(&str, Foreign); 17] = [
            (".splat", Foreign::Splat),
            (".ksplat", Foreign::Ksplat),
            (".sog", Foreign::Sog),
            ("meta.json", Foreign::Sog),
            (".lcc", Foreign::Lcc),
            (".lcc2", Foreign::Lcc),
            (".spx", Foreign::Spx),
            (".glb", Foreign::Gltf),
            (".gltf", Foreign::Gltf),
            (".usd", Foreign::Usd),
            (".usda", Foreign::Usd),
            (".usdc", Foreign::Usd),
            (".usdz", Foreign::Usd),
            (".npz", Foreign::Numpy),
            (".pt", Foreign::Torch),
            (".pth", Foreign::Torch),
            (".ckpt", Foreign::Torch),
        ];
        let name = path.file_name()?.to_string_lossy().to_lowercase();
        ENDINGS.iter().find(|(ending, _)| name.ends_with(ending)).map(|(_, format)| *format)
    }

    /// A zip archive by the names of what it holds.
    fn of_archive(path: &Path) -> Self {
        Self::of_entries(path).unwrap_or(Self::Zip)
    }

    fn of_entries(path: &Path) -> Option<Self> {
        const ENTRIES: [(&str, Foreign); 6] = [
            ("meta.json", Foreign::Sog),
            (".usdc", Foreign::Usd),
            (".usda", Foreign::Usd),
            (".usd", Foreign::Usd),
            (".npy", Foreign::Numpy),
            ("data.pkl", Foreign::Torch),
        ];
        let mut buffer = vec![0; RECOMMENDED_BUFFER_SIZE];
        let archive = ZipArchive::from_file(File::open(path).ok()?, &mut buffer).ok()?;
        let mut entries = archive.entries(&mut buffer);
        for _ in 0..MOST_ENTRIES {
            let entry = entries.next_entry().ok()??;
            let name = String::from_utf8_lossy(entry.file_path().as_ref()).to_lowercase();
            if let Some((_, format)) = ENTRIES.iter().find(|(ending, _)| name.ends_with(ending)) {
                return Some(*format);
            }
        }
        None
    }

    /// Whether it is a format for splats, or one that often holds splats, and not one for points.
    pub fn is_splats(self) -> bool {
        !matches!(self, Self::Empty | Self::WebPage | Self::Gzip | Self::Zip | Self::Numpy | Self::Unknown)
    }

    /// The error for a file that should hold splats.
    pub fn refusal(self, path: &Path) -> Error {
        let (found, remedy) = match self {
            Self::Empty => ("is empty", REMEDY),
            Self::WebPage => ("is a web page (HTML), not splats; was the download link a login page?", REMEDY),
            Self::Gzip => ("is packed with gzip and is no SPZ file", "unpack it with gunzip"),
            Self::Zip => ("is a zip archive", "unpack it, and give the file of splats in it"),
            Self::Ksplat => ("is a .ksplat file, which is not read", ""),
            // `meta.json` and `lod-meta.json` are read before a refusal is asked for.
            Self::Sog => ("is called SOG and is no zip archive", REMEDY),
            Self::Lcc => ("is an LCC scene (XGRIDS), which is not read", ""),
            Self::Spx => ("is an SPX file (Reall3d), which is not read", BY_ITS_PROGRAM),
            Self::Gltf => ("is a glTF scene in several files, which is not read", "export it as one file (.glb)"),
            Self::Usd => ("is a USD scene, which is not read", BY_ITS_PROGRAM),
            Self::Numpy => ("holds NumPy arrays, from which splats are not read", BY_ITS_PROGRAM),
            Self::Torch => (
                "is a checkpoint of PyTorch, from which splats are not read",
                "export them as PLY with the program that trained them (`ns-export gaussian-splat` of nerfstudio, \
                 `export_splats` of gsplat)",
            ),
            // `.splat` is read before a refusal is asked for.
            Self::Unknown | Self::Splat => ("is not a file of splats", REMEDY),
        };
        if !remedy.is_empty() {
            return Error::input(path, found, remedy);
        }
        Error::input(path, found, converted(path))
    }
}

/// How to convert a file that `splat-transform` reads to PLY.
pub fn converted(path: &Path) -> String {
    let [from, to] = [path.to_path_buf(), path.with_extension("ply")].map(|path| path.display().to_string());
    format!("convert it with `npx @playcanvas/splat-transform \"{from}\" \"{to}\"`")
}
