//! The zip file: the same bytes from the same pictures, whole or not at all; and one read back with every check.
//!
//! `zip` writes and `rawzip` reads: of two entries of one name, `zip` silently keeps the last, and a check has to see
//! both.

use crate::error::{Error, Result};
use crate::storage;
use flate2::read::DeflateDecoder;
use rawzip::{CompressionMethod, ZipArchive, ZipArchiveEntryWayfinder, ZipSliceArchive};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// Writes a zip to `path` with the entries that `next` gives until it gives none. Entries are stored, since pictures do
/// not shrink, with their sizes before the data, where any reader looks. Times are 1980-01-01, the earliest that a zip can
/// hold, so that the bytes depend on the entries alone.
///
/// # Errors
/// The disk, or what `next` reports; the file is then as it was before.
pub fn write(path: &Path, mut next: impl FnMut() -> Result<Option<(String, Vec<u8>)>>) -> Result<()> {
    let failed = |error: zip::result::ZipError| Error::io(path)(error.into());
    let stored = SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::Stored)
        .last_modified_time(zip::DateTime::default())
        .unix_permissions(0o644);
    storage::write(path, |out| {
        let mut zip = ZipWriter::new(out);
        while let Some((name, content)) = next()? {
            zip.start_file(name, stored).map_err(failed)?;
            zip.write_all(&content).map_err(Error::io(path))?;
        }
        zip.finish().map_err(failed).map(|_| ())
    })
}

/// A zip file in memory.
pub struct Archive {
    path: PathBuf,
    zip: ZipSliceArchive<Vec<u8>>,
    entries: BTreeMap<String, Entry>,
}

struct Entry {
    method: CompressionMethod,
    bytes: u64,
    place: ZipArchiveEntryWayfinder,
}

impl Archive {
    /// Reads `path` and lists its entries.
    ///
    /// # Errors
    /// A file that is no whole zip; two entries whose names are the same but for case; a name that is not UTF-8.
    pub fn open(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(Error::io(path))?;
        let broken = |error: rawzip::Error| {
            Error::input(path, format!("is not a whole zip file ({error})"), "write it again with `naka-gs submit`")
        };
        let zip = ZipArchive::from_slice(bytes).map_err(broken)?;
        let mut entries = BTreeMap::new();
        let mut seen = BTreeMap::new();
        let mut listed = zip.entries();
        while let Some(record) = listed.next_entry().map_err(broken)? {
            let Ok(name) = std::str::from_utf8(record.file_path().as_bytes()).map(str::to_string) else {
                return Err(Error::input(path, "has an entry whose name is not UTF-8", "remove that entry"));
            };
            if let Some(other) = seen.insert(name.to_lowercase(), name.clone()) {
                let found =
                    format!("has two entries of one name ({} and {})", other.escape_debug(), name.escape_debug());
                return Err(Error::input(path, found, "keep one of the two"));
            }
            let (method, bytes) = (record.compression_method(), record.uncompressed_size_hint());
            entries.insert(name, Entry { method, bytes, place: record.wayfinder() });
        }
        Ok(Self { path: path.to_path_buf(), zip, entries })
    }

    /// The names of all entries, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// The content of the entry `name`, of `most` bytes at most, compared with its checksum; `None` where there is no such
    /// entry.
    ///
    /// # Errors
    /// An entry that is larger or damaged, or compressed in a way other than deflate.
    pub fn read(&self, name: &str, most: u64) -> Result<Option<Vec<u8>>> {
        let Some(entry) = self.entries.get(name) else { return Ok(None) };
        let refuse = |found: String| {
            let found = format!("its entry {} {found}", name.escape_debug());
            Error::input(&self.path, found, "write the zip again")
        };
        let too_large = |bytes: u64| refuse(format!("has {bytes} bytes or more, its picture at most {most}"));
        if entry.bytes > most {
            return Err(too_large(entry.bytes));
        }
        let damaged = |error: String| refuse(format!("is damaged ({error})"));
        let data = self.zip.get_entry(entry.place).map_err(|e| damaged(e.to_string()))?;
        let reader: Box<dyn Read> = match entry.method {
            CompressionMethod::STORE => Box::new(data.data()),
            CompressionMethod::DEFLATE => Box::new(DeflateDecoder::new(data.data())),
            other => return Err(refuse(format!("is compressed by {other:?}, which few programs read"))),
        };
        let mut content = Vec::new();
        let read = data.verifying_reader(reader).take(most.saturating_add(1)).read_to_end(&mut content);
        read.map_err(|error| damaged(error.to_string()))?;
        if content.len() as u64 > most {
            return Err(too_large(content.len() as u64));
        }
        Ok(Some(content))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zip(path: &Path, entries: &[(&str, &[u8])]) -> Result<()> {
        let mut left = entries.iter().map(|(name, content)| (name.to_string(), content.to_vec()));
        write(path, || Ok(left.next()))
    }

    #[test]
    fn entries_come_back_and_bytes_depend_on_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let (a, b) = (dir.path().join("a.zip"), dir.path().join("b.zip"));
        let noise: Vec<u8> = (0..200_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        let entries: [(&str, &[u8]); 3] = [("x_0001.JPG", &noise), ("readme.txt", b"runtime"), ("empty", b"")];
        zip(&a, &entries).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(10));
        zip(&b, &entries).unwrap();
        assert_eq!(std::fs::read(&a).unwrap(), std::fs::read(&b).unwrap());
        let archive = Archive::open(&a).unwrap();
        assert_eq!(archive.names().collect::<Vec<_>>(), ["empty", "readme.txt", "x_0001.JPG"]);
        for (name, content) in entries {
            assert_eq!(archive.read(name, 1 << 20).unwrap().unwrap(), content);
        }
        assert!(archive.read("x", 1).unwrap().is_none());
    }

    #[test]
    fn damage_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.zip");
        zip(&path, &[("x.JPG", &[7; 5000]), ("X.jpg", b"y")]).unwrap();
        assert!(Archive::open(&path).err().unwrap().to_string().contains("one name"));
        zip(&path, &[("x.JPG", &(0..=255).cycle().take(5000).collect::<Vec<u8>>())]).unwrap();
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() - 30]).unwrap();
        assert!(Archive::open(&path).err().unwrap().to_string().contains("not a whole zip"));
        std::fs::write(&path, &whole).unwrap();
        let large = Archive::open(&path).and_then(|archive| archive.read("x.JPG", 4999));
        assert!(large.unwrap_err().to_string().contains("5000 bytes"));
        let mut flipped = whole.clone();
        flipped[60] ^= 0x10;
        std::fs::write(&path, flipped).unwrap();
        let found = Archive::open(&path).and_then(|archive| archive.read("x.JPG", 5000));
        assert!(found.unwrap_err().to_string().contains("x.JPG"));
    }

    #[test]
    fn a_failure_leaves_the_old_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.zip");
        zip(&path, &[("x", b"1")]).unwrap();
        let before = std::fs::read(&path).unwrap();
        assert!(write(&path, || Err(Error::Interrupted(String::new()))).is_err());
        assert_eq!(std::fs::read(&path).unwrap(), before);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
