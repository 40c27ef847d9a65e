//! NumPy's archives of arrays: zip files whose entries are `NAME.npy`, stored or deflated.

use super::npy::Array;
use flate2::read::DeflateDecoder;
use rawzip::{
    CompressionMethod, FileReader, RECOMMENDED_BUFFER_SIZE, ZipArchive, ZipArchiveEntryWayfinder, ZipFileHeaderRecord,
};
use std::fs::File;
use std::io::Read;

const MAX_ENTRIES: usize = 10_000;
/// Entries of more bytes than this must not be more than so many times as large as their compressed form: points are
/// not, a zip bomb is.
const BOMB: (u64, u64) = (256 << 20, 100);

/// An archive, whose arrays can be opened any number of times.
pub struct Npz {
    zip: ZipArchive<FileReader>,
    entries: Vec<Entry>,
}

struct Entry {
    /// Without `.npy`.
    name: String,
    place: ZipArchiveEntryWayfinder,
    method: CompressionMethod,
    /// Bytes compressed and not.
    bytes: [u64; 2],
}

impl Npz {
    /// Reads the list of arrays. Errors say what was found.
    pub fn open(file: File) -> Result<Self, String> {
        let broken = |e: rawzip::Error| format!("is a broken zip archive ({e})");
        let mut buffer = vec![0; RECOMMENDED_BUFFER_SIZE];
        let zip = ZipArchive::from_file(file, &mut buffer).map_err(broken)?;
        let mut entries = Vec::new();
        let mut records = zip.entries(&mut buffer);
        while let Some(record) = records.next_entry().map_err(broken)? {
            entries.extend(Entry::new(&record));
            if entries.len() > MAX_ENTRIES {
                return Err(format!("holds more than {MAX_ENTRIES} arrays"));
            }
        }
        Ok(Self { zip, entries })
    }

    /// The names of the arrays, for people.
    pub fn names(&self) -> String {
        const SHOWN: usize = 20;
        let names = self.entries.iter().take(SHOWN).map(|entry| entry.name.escape_debug().to_string());
        let more = if self.entries.len() > SHOWN { ", …" } else { "" };
        if self.entries.is_empty() { "none".into() } else { names.collect::<Vec<_>>().join(", ") + more }
    }

    /// The first of `names` that is there.
    pub fn find<'n>(&self, names: &[&'n str]) -> Option<&'n str> {
        names.iter().copied().find(|name| self.entries.iter().any(|entry| entry.name == *name))
    }

    /// Opens the array `name`.
    pub fn array(&self, name: &str) -> Result<Array<Box<dyn Read + '_>>, String> {
        let entry = self.entries.iter().find(|entry| entry.name == name);
        let entry = entry.ok_or_else(|| format!("has no array `{name}`"))?;
        let [compressed, bytes] = entry.bytes;
        if bytes > BOMB.0 && bytes / BOMB.1 > compressed {
            return Err(format!("`{name}` promises {bytes} bytes out of {compressed}: no points"));
        }
        let found = |e: String| format!("`{name}` {e}");
        let opened = self.zip.get_entry(entry.place).map_err(|e| found(format!("cannot be read ({e})")))?;
        let reader: Box<dyn Read> = match entry.method {
            CompressionMethod::STORE => Box::new(opened.verifying_reader(opened.reader())),
            CompressionMethod::DEFLATE => Box::new(opened.verifying_reader(DeflateDecoder::new(opened.reader()))),
            other => return Err(found(format!("is compressed in another way ({other}) than NumPy does"))),
        };
        Array::open(reader, bytes).map_err(found)
    }
}

impl Entry {
    fn new(record: &ZipFileHeaderRecord<'_>) -> Option<Self> {
        let path = record.file_path();
        let name = std::str::from_utf8(path.as_bytes()).ok()?.strip_suffix(".npy")?;
        let bytes = [record.compressed_size_hint(), record.uncompressed_size_hint()];
        Some(Self { name: name.into(), place: record.wayfinder(), method: record.compression_method(), bytes })
    }
}
