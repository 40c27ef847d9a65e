//! SHA-256 in hex, the one hash of files, records and settings.

use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{Read, Result};
use std::path::Path;

/// Of `bytes`.
pub fn sha256(bytes: impl AsRef<[u8]>) -> String {
    hex(Sha256::digest(bytes))
}

/// Of the content of the file `path`, and its length.
///
/// # Errors
/// A file that cannot be read.
pub fn sha256_of_file(path: &Path) -> Result<(u64, String)> {
    let mut file = File::open(path)?;
    let mut digest = Sha256::new();
    let mut chunk = vec![0; 1 << 16];
    let mut bytes = 0;
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok((bytes, hex(digest.finalize()))),
            count => {
                digest.update(&chunk[..count]);
                bytes += count as u64;
            }
        }
    }
}

/// A digest as text.
pub fn hex(digest: impl AsRef<[u8]>) -> String {
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_digests() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!((sha256(""), sha256("abc")), (empty.to_string(), abc.to_string()));
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("long");
        std::fs::write(&path, vec![7; 200_000]).unwrap();
        assert_eq!(sha256_of_file(&path).unwrap(), (200_000, sha256(vec![7; 200_000])));
    }
}
