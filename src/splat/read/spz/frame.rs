//! The frame of an SPZ file. Its axes are right, up and back ("RUB") unless an extension (Adobe's) names others; those of
//! the PLY layout are right, down and forward ("RDF"). Both are right-handed, and differ by half a turn about x.

use super::super::super::axes::Axes;
use crate::error::{Error, Result};
use std::path::Path;

/// The extension that names the frame.
const COORDINATE_SYSTEM: u32 = 0xadbe_0003;
/// Frames with y and z exchanged follow these in the list of frames.
const UPRIGHT_FRAMES: u32 = 8;

/// The axes named by records of extensions, if any: a type, a length, and so many bytes each. Unknown ones are
/// skipped.
///
/// # Errors
/// Records that are longer than their place; axes that are not left or right, up or down, forward or back in this order.
pub fn of_extensions(path: &Path, mut records: &[u8]) -> Result<Option<Axes>> {
    while let Some((head, rest)) = records.split_first_chunk::<8>() {
        let [kind, length] = [0, 4].map(|i| u32::from_le_bytes([head[i], head[i + 1], head[i + 2], head[i + 3]]));
        let Some((payload, rest)) = rest.split_at_checked(length as usize) else {
            let found = format!("has an extension of {length} bytes where {} are left", rest.len());
            return Err(Error::input(path, found, super::DAMAGED));
        };
        records = rest;
        if kind == COORDINATE_SYSTEM {
            let frame = payload.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes));
            if frame == 0 {
                continue;
            }
            return of_frame(frame).map(Some).ok_or_else(|| {
                let found = format!("names coordinate system {frame}, whose axes are exchanged");
                Error::input(path, found, "save it with the standard axes (right, up, back), or as PLY")
            });
        }
    }
    Ok(None)
}

/// Frames are counted LDB, RDB, LUB, RUB, LDF, RDF, LUF, RUF from 1; 0 names none.
fn of_frame(frame: u32) -> Option<Axes> {
    let bits = match frame {
        1..=UPRIGHT_FRAMES => frame - 1,
        _ => return None,
    };
    let sign = |kept: bool| if kept { 1.0 } else { -1.0 };
    Some(Axes::of_signs([sign(bits & 1 != 0), sign(bits & 2 == 0), sign(bits & 4 != 0)]))
}
