//! The frame of an SPZ file. Its axes are right, up and back ("RUB") unless an extension (Adobe's) names
//! others; those of the PLY layout are right, down and forward ("RDF"). Both are right-handed, and differ by half a turn
//! about x.

use super::super::super::Splats;
use crate::error::{Error, Result};
use std::path::Path;

/// The extension that names the frame.
const COORDINATE_SYSTEM: u32 = 0xadbe_0003;
/// Frames of which y and z are exchanged follow these in the list of frames.
const UPRIGHT_FRAMES: u32 = 8;

/// Signs that take x, y, z of the file to those of the PLY layout.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Axes([f32; 3]);

impl Axes {
    /// Right, up, back.
    pub const STANDARD: Self = Self([1.0, -1.0, -1.0]);

    /// As records of extensions say: a type, a length, and so many bytes each. Unknown ones are skipped.
    ///
    /// # Errors
    /// Records that are longer than their place; axes that are not left or right, up or down, forward or back in this order.
    pub fn of_extensions(path: &Path, mut records: &[u8]) -> Result<Self> {
        while let Some((head, rest)) = records.split_first_chunk::<8>() {
            let [kind, length] = [0, 4].map(|i| u32::from_le_bytes([head[i], head[i + 1], head[i + 2], head[i + 3]]));
            let Some((payload, rest)) = rest.split_at_checked(length as usize) else {
                let found = format!("has an extension of {length} bytes where {} are left", rest.len());
                return Err(Error::input(path, found, super::DAMAGED));
            };
            records = rest;
            if kind == COORDINATE_SYSTEM {
                let frame = payload.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes));
                return Self::of_frame(frame).ok_or_else(|| {
                    let found = format!("names coordinate system {frame}, whose axes are exchanged");
                    Error::input(path, found, "save it with the standard axes (right, up, back), or as PLY")
                });
            }
        }
        Ok(Self::STANDARD)
    }

    /// Frames are counted LDB, RDB, LUB, RUB, LDF, RDF, LUF, RUF from 1; 0 names none.
    fn of_frame(frame: u32) -> Option<Self> {
        let bits = match frame {
            0 => return Some(Self::STANDARD),
            1..=UPRIGHT_FRAMES => frame - 1,
            _ => return None,
        };
        let sign = |kept: bool| if kept { 1.0 } else { -1.0 };
        Some(Self([sign(bits & 1 != 0), sign(bits & 2 == 0), sign(bits & 4 != 0)]))
    }

    /// Turns splats into the frame of the PLY layout.
    pub fn to_ply(self, splats: &mut Splats) {
        let Self([x, y, z]) = self;
        if self == Self([1.0; 3]) {
            return;
        }
        splats.means.iter_mut().flat_map(|v| v.iter_mut().zip([x, y, z])).for_each(|(v, sign)| *v *= sign);
        // A rotation axis is a pseudovector: mirroring x turns about y and z the other way.
        let axis = [1.0, y * z, x * z, x * y];
        splats.quats.iter_mut().flat_map(|v| v.iter_mut().zip(axis)).for_each(|(v, sign)| *v *= sign);
        // The polynomials of the harmonics: y z x, xy yz z² xz x², y xyz y z x z x.
        let harmonics =
            [1.0, y, z, x, x * y, y * z, 1.0, x * z, 1.0, y, x * y * z, y, z, x, z, x].map(|sign| [sign; 3]);
        let width = 3 * Splats::coefficients(splats.sh_degree);
        let rows = splats.sh.chunks_exact_mut(width);
        rows.flat_map(|row| row.iter_mut().zip(harmonics.as_flattened())).for_each(|(v, sign)| *v *= sign);
    }
}
