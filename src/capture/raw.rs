//! Files of photographs that are not read: RAW and HEIC. They are named, with the way to convert them, and never taken
//! for something else: a TIFF reader finds the thumbnail in most RAW files.

use super::file_names::is_hidden;
use super::messages::some;
use crate::error::Error;
use std::path::{Path, PathBuf};

/// Endings of RAW files, in lower case.
const RAW: [&str; 29] = [
    "3fr", "arw", "cr2", "cr3", "crw", "dcr", "dng", "erf", "fff", "gpr", "iiq", "k25", "kdc", "mef", "mos", "mrw",
    "nef", "nrw", "orf", "pef", "raf", "raw", "rw2", "rwl", "sr2", "srf", "srw", "x3f", "cap",
];
/// Endings of pictures in HEIF, in lower case.
const HEIF: [&str; 5] = ["avif", "heic", "heics", "heif", "hif"];
/// Brands of HEIF, after `ftyp`.
const BRANDS: [&[u8; 4]; 8] = [b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1", b"avif"];
/// The tag that every DNG file has, and TIFF files have not (`DNGVersion`).
const DNG_VERSION: u16 = 0xc612;

/// A kind of photograph that is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unread {
    Raw,
    Heif,
}

impl Unread {
    /// By the file's ending.
    pub fn named(path: &Path) -> Option<Self> {
        let ending = path.extension()?.to_str()?.to_lowercase();
        if RAW.contains(&ending.as_str()) {
            return Some(Self::Raw);
        }
        HEIF.contains(&ending.as_str()).then_some(Self::Heif)
    }

    /// By the first bytes of the file.
    pub fn starting(start: &[u8]) -> Option<Self> {
        match start {
            [_, _, _, _, b'f', b't', b'y', b'p', brand @ ..] => {
                BRANDS.iter().any(|known| brand.starts_with(*known)).then_some(Self::Heif)
            }
            [b'I', b'I', 42, 0, _, _, _, _, b'C', b'R', ..] => Some(Self::Raw),
            _ => has_tag(start, DNG_VERSION)?.then_some(Self::Raw),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Raw => "RAW",
            Self::Heif => "HEIC",
        }
    }

    fn remedy(self) -> &'static str {
        match self {
            Self::Raw => {
                "convert it to a 16-bit TIFF: darktable-cli IN OUT.tif --core --conf plugins/imageio/format/tiff/bpp=16"
            }
            Self::Heif => "convert it: heif-convert IN OUT.png (or a 16-bit TIFF, from a program that reads HEIC)",
        }
    }

    /// The refusal of the file `path`.
    pub fn refuse(self, path: &Path) -> Error {
        Error::input(path, format!("is a {} file, which is not read", self.name()), self.remedy())
    }
}

/// The refusal of a folder whose photographs are all of a kind that is not read.
pub fn refuse_folder(folder: &Path) -> Option<Error> {
    let (found, kind) = describe(folder)?;
    Some(Error::input(folder, format!("holds {found}"), kind.remedy()))
}

/// Warns of the files in `folder` that are not read.
pub fn warn_of(folder: &Path) {
    if let Some((found, kind)) = describe(folder) {
        tracing::warn!("{}: holds {found}; {}", folder.display(), kind.remedy());
    }
}

/// How many files directly in `folder` are not read, and the first of their names.
fn describe(folder: &Path) -> Option<(String, Unread)> {
    let entries = std::fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path());
    let mut files: Vec<(PathBuf, Unread)> = entries
        .filter(|path| path.is_file() && !is_hidden(path))
        .filter_map(|path| Unread::named(&path).map(|kind| (path, kind)))
        .collect();
    files.sort_by(|a, b| a.0.cmp(&b.0));
    let kind = files.first()?.1;
    let mixed = files.iter().any(|(_, other)| *other != kind);
    let names: Vec<_> = files.iter().filter_map(|(path, _)| path.file_name()?.to_str()).collect();
    let kinds = if mixed { "RAW and HEIC" } else { kind.name() };
    Some((format!("{} {kinds} files, which are not read: {}", files.len(), some(&names)), kind))
}

/// Whether the first directory of the TIFF file that begins with `start` has `tag`.
fn has_tag(start: &[u8], tag: u16) -> Option<bool> {
    let big = match start.first_chunk()? {
        b"MM\0\x2a" => true,
        b"II\x2a\0" => false,
        _ => return None,
    };
    let long = |b: [u8; 4]| if big { u32::from_be_bytes(b) } else { u32::from_le_bytes(b) };
    let short = |b: [u8; 2]| if big { u16::from_be_bytes(b) } else { u16::from_le_bytes(b) };
    let directory = usize::try_from(long(*start.get(4..)?.first_chunk()?)).ok()?;
    let entries = usize::from(short(*start.get(directory..)?.first_chunk()?));
    let mut tags = start.get(directory.checked_add(2)?..)?.chunks_exact(12).take(entries);
    Some(tags.any(|entry| short([entry[0], entry[1]]) == tag))
}

#[cfg(test)]
mod tests {
    use super::super::{image_size, load, readable_photos};
    use super::*;

    /// A TIFF picture of 3 × 2 pixels, which is also what a DNG file's thumbnail is.
    fn tiff(path: &Path) {
        ::image::RgbImage::new(3, 2).save_with_format(path, ::image::ImageFormat::Tiff).unwrap();
    }

    #[test]
    fn a_thumbnail_does_not_pass_for_the_photograph() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["a.DNG", "b.cr2", "c.NEF", "d.arw"] {
            tiff(&dir.path().join(name));
            let message = readable_photos(&[dir.path().join(name)]).unwrap_err().to_string();
            assert!(
                message.contains(name) && message.contains("RAW") && message.contains("darktable-cli"),
                "{message}"
            );
            assert!(super::super::read_image(&dir.path().join(name)).is_err());
        }
    }

    #[test]
    fn renamed_files_are_known_by_their_content() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.jpg");
        std::fs::write(&path, b"\0\0\0\x18ftypheic\0\0\0\0mif1heic").unwrap();
        assert!(image_size(&path).unwrap_err().to_string().contains("heif-convert"));
        let dng = [&b"II\x2a\0\x08\0\0\0\x01\0"[..], &[0x12, 0xc6, 1, 0, 4, 0, 0, 0, 1, 4, 0, 0], &[0; 4]].concat();
        std::fs::write(&path, dng).unwrap();
        assert!(image_size(&path).unwrap_err().to_string().contains("RAW"));
        tiff(&path);
        assert_eq!(image_size(&path).unwrap(), (3, 2));
    }

    #[test]
    fn folders_of_such_files_are_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("images")).unwrap();
        for name in ["1.HEIC", "2.heic"] {
            std::fs::write(dir.path().join("images").join(name), "").unwrap();
        }
        let folder = dir.path().join("images");
        for message in [readable_photos(&[&folder]).unwrap_err(), load(dir.path(), &Default::default()).unwrap_err()] {
            let message = message.to_string();
            assert!(message.contains("2 HEIC files") && message.contains("1.HEIC, 2.heic"), "{message}");
        }
        ::image::RgbImage::new(5, 3).save(folder.join("3.png")).unwrap();
        assert_eq!(readable_photos(&[&folder]).unwrap().0.train.len(), 1);
        assert!(describe(&folder).unwrap().0.starts_with("2 HEIC files"));
        std::fs::write(folder.join("0.dng"), "").unwrap();
        assert!(describe(&folder).unwrap().0.starts_with("3 RAW and HEIC files"));
    }
}
