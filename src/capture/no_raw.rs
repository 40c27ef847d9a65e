//! RAW files in a build without the feature `raw`: refused by name.

use super::Image;
use super::kinds::Kind;
use crate::error::Result;
use std::path::Path;

pub fn decode(path: &Path, _: &[u8]) -> Result<Image> {
    Err(Kind::Raw.refuse(path))
}

pub fn size(path: &Path, _: &[u8]) -> Result<(u32, u32)> {
    Err(Kind::Raw.refuse(path))
}

pub fn exif(_: &[u8]) -> Option<Vec<u8>> {
    None
}
