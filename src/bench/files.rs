//! Decoding and encoding of photographs on all cores.

use super::report::Row;
use super::scene::waves;
use super::turns::Turns;
use crate::capture::read_image;
use crate::error::{Error, Result};
use crate::eval::{Sampling, encode_jpeg, write_jpeg};

pub fn decode(size: [u32; 2], turns: &Turns<'_>) -> Result<Row> {
    let folder = tempfile::tempdir().map_err(Error::io(std::env::temp_dir()))?;
    let file = folder.path().join("photograph.jpg");
    write_jpeg(&file, &waves(size, 0.5))?;
    turns.row(|| read_image(&file).map(drop))
}

pub fn encode(size: [u32; 2], turns: &Turns<'_>) -> Result<Row> {
    let picture = waves(size, 0.5);
    turns.row(|| encode_jpeg(&picture, 95, Sampling::Half).map(drop).map_err(|e| Error::Gpu(e.to_string())))
}
