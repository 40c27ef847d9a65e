//! Kinds of photographs besides JPEG, PNG and TIFF. RAW and HEIC files are recognized by name and content, and never taken for
//! another kind: a TIFF reader would find the thumbnail of most RAW files. Messages name unsupported files and how to convert
//! them.

use super::file_names::{ENDINGS, ending, is_hidden};
use super::messages::list_names;
use crate::error::Error;
use std::path::{Path, PathBuf};

/// Endings of RAW files, in lower case.
const RAW: [&str; 29] = [
    "3fr", "arw", "cr2", "cr3", "crw", "dcr", "dng", "erf", "fff", "gpr", "iiq", "k25", "kdc", "mef", "mos", "mrw",
    "nef", "nrw", "orf", "pef", "raf", "raw", "rw2", "rwl", "sr2", "srf", "srw", "x3f", "cap",
];
/// Endings of pictures in HEIF, in lower case.
const HEIF: [&str; 5] = ["avif", "heic", "heics", "heif", "hif"];
/// Endings of other pictures that are photographs where a folder holds no common ones, in lower case: depth maps are EXR
/// files, and cameras write a JPEG file beside the RAW file.
pub const SECOND: [&str; 2] = ["exr", "webp"];
/// How an OpenEXR file starts.
const EXR: &[u8] = &[0x76, 0x2f, 0x31, 0x01];
/// Whether RAW files are read by this build.
const READS_RAW: bool = cfg!(feature = "raw");
/// Brands of HEIF, after `ftyp`.
const BRANDS: [&[u8; 4]; 8] = [b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1", b"avif"];
/// The tag that every DNG file has, and other TIFF files do not (`DNGVersion`).
const DNG_VERSION: u16 = 0xc612;

/// A kind of photograph that the crate `image` does not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Raw,
    Heif,
}

impl Kind {
    /// By the file's ending.
    pub fn named(path: &Path) -> Option<Self> {
        let ending = ending(path);
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

    /// By ending and first bytes.
    pub fn of(path: &Path, start: &[u8]) -> Option<Self> {
        Self::named(path).or_else(|| Self::starting(start))
    }

    /// Whether files of this kind are read.
    fn is_read(self) -> bool {
        self == Self::Raw && READS_RAW
    }

    fn name(self) -> &'static str {
        match self {
            Self::Raw => "RAW",
            Self::Heif => "HEIC",
        }
    }

    pub fn remedy(self) -> &'static str {
        match self {
            Self::Raw => {
                "convert it to a 16-bit TIFF: darktable-cli IN OUT.tif --core --conf plugins/imageio/format/tiff/bpp=16"
            }
            Self::Heif => "convert it: heif-convert IN OUT.png (or a 16-bit TIFF, from a program that reads HEIC)",
        }
    }

    /// The refusal of the file `path`.
    pub fn refuse(self, path: &Path) -> Error {
        let reader =
            if self == Self::Raw && !READS_RAW { "read by this build (it lacks the feature `raw`)" } else { "read" };
        Error::input(path, format!("is a {} file, which is not {reader}", self.name()), self.remedy())
    }
}

/// Whether a file is a photograph only where its folder holds no common ones.
pub fn is_second(path: &Path) -> bool {
    Kind::named(path).is_some_and(Kind::is_read) || SECOND.contains(&ending(path).as_str())
}

/// Endings of all files that may be photographs.
pub fn endings() -> impl Iterator<Item = &'static str> {
    ENDINGS.iter().chain(&SECOND).chain(&RAW).copied()
}

/// Whether a file that starts with `start` is an OpenEXR file.
pub fn is_exr(start: &[u8]) -> bool {
    start.starts_with(EXR)
}

/// The name of the enhanced picture of the file `name`: the same, but with a JPEG ending for kinds that cannot be written.
pub fn result_name(name: &str) -> String {
    match is_second(Path::new(name)) {
        true => Path::new(name).with_extension("JPG").to_string_lossy().into_owned(),
        false => name.into(),
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

/// Warns of RAW, EXR and WebP files in `folder` that are not used because there are common pictures beside them.
pub fn warn_of_second(folder: &Path) {
    let files = files(folder);
    let common = files.iter().any(|path| ENDINGS.contains(&ending(path).as_str()));
    let unused: Vec<_> = files.iter().filter(|path| is_second(path)).filter_map(|path| path.file_name()).collect();
    if common && !unused.is_empty() {
        let names: Vec<_> = unused.iter().map(|name| name.to_string_lossy()).collect();
        tracing::warn!(
            "{}: {} RAW, EXR or WebP files are not used, since there are JPEG, PNG or TIFF files beside them: {}; put \
             them into a folder of their own to use them",
            folder.display(),
            names.len(),
            list_names(&names)
        );
    }
}

/// The files directly in `folder`, by name.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut files: Vec<PathBuf> = entries.filter(|path| path.is_file() && !is_hidden(path)).collect();
    files.sort();
    files
}

/// How many files directly in `folder` are not read, and the first of their names.
fn describe(folder: &Path) -> Option<(String, Kind)> {
    let unread = |path: PathBuf| Kind::named(&path).filter(|kind| !kind.is_read()).map(|kind| (path, kind));
    let files: Vec<(PathBuf, Kind)> = files(folder).into_iter().filter_map(unread).collect();
    let kind = files.first()?.1;
    let mixed = files.iter().any(|(_, other)| *other != kind);
    let names: Vec<_> = files.iter().filter_map(|(path, _)| path.file_name()?.to_str()).collect();
    let kinds = if mixed { "RAW and HEIC" } else { kind.name() };
    Some((format!("{} {kinds} files, which are not read: {}", files.len(), list_names(&names)), kind))
}

/// Whether the first directory of the TIFF file that begins with `start` has `tag`.
fn has_tag(start: &[u8], tag: u16) -> Option<bool> {
    let (short, entries, directory) = first_directory(start)?;
    let mut tags = start.get(directory..)?.chunks_exact(12).take(entries);
    Some(tags.any(|entry| short([entry[0], entry[1]]) == tag))
}

/// Whether a TIFF file ends before its first directory does, as truncated ones may.
#[cfg(feature = "raw")]
pub fn lacks_directory(data: &[u8]) -> bool {
    let tiff = data.starts_with(b"MM\0\x2a") || data.starts_with(b"II\x2a\0");
    let end = first_directory(data).map(|(_, entries, directory)| directory + 12 * entries);
    tiff && end.is_none_or(|end| end > data.len())
}

/// How the TIFF file that begins with `start` writes numbers, the entries of its first directory, and where they begin.
fn first_directory(start: &[u8]) -> Option<(impl Fn([u8; 2]) -> u16 + use<>, usize, usize)> {
    let big = match start.first_chunk()? {
        b"MM\0\x2a" => true,
        b"II\x2a\0" => false,
        _ => return None,
    };
    let long = |b: [u8; 4]| if big { u32::from_be_bytes(b) } else { u32::from_le_bytes(b) };
    let short = move |b: [u8; 2]| if big { u16::from_be_bytes(b) } else { u16::from_le_bytes(b) };
    let directory = usize::try_from(long(*start.get(4..)?.first_chunk()?)).ok()?;
    let entries = usize::from(short(*start.get(directory..)?.first_chunk()?));
    Some((short, entries, directory.checked_add(2)?))
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
            assert!(message.contains(name) && message.contains("RAW"), "{message}");
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
        let found = describe(&folder).unwrap().0;
        assert!(found.starts_with(if READS_RAW { "2 HEIC files" } else { "3 RAW and HEIC files" }), "{found}");
    }
}
