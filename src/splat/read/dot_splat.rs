//! `.splat`, the format of the first viewer on the web (antimatter15): `write/dot_splat.rs` has its layout. It has no magic
//! number, so the ending decides.

use super::super::Splats;
use super::bytes_in_memory;
use crate::color::SH_C0;
use crate::error::{Error, Result};
use crate::limits;
use std::path::Path;

const ROW: usize = 32;

/// Reads the splats.
///
/// # Errors
/// A length that is no multiple of a splat's, or more than the file may take.
pub fn read(path: &Path) -> Result<Splats> {
    let bytes = std::fs::metadata(path).map_err(Error::io(path))?.len();
    let count = bytes / ROW as u64;
    if bytes % ROW as u64 != 0 {
        let found = format!("has {bytes} bytes, which is no multiple of the {ROW} that a splat takes");
        return Err(Error::input(path, found, "it is cut off or no .splat file: copy or export it again"));
    }
    limits::claim(path, bytes, bytes + count * bytes_in_memory(0), &format!("{count} splats"))?;
    let content = limits::read(path)?;
    let mut splats = Splats::with_capacity(content.len() / ROW, 0);
    for row in content.as_chunks::<ROW>().0 {
        let (floats, rest) = row.as_chunks::<4>();
        debug_assert!(rest.is_empty());
        let [x, y, z, a, b, c] = std::array::from_fn(|i| f32::from_le_bytes(floats[i]));
        splats.means.push([x, y, z]);
        splats.log_scales.push([a, b, c].map(f32::ln));
        let [red, green, blue, opacity] = floats[6].map(|byte| f32::from(byte) / 255.0);
        splats.sh.extend([red, green, blue].map(|value| (value - 0.5) / SH_C0));
        splats.logit_opacities.push((opacity / (1.0 - opacity)).ln());
        let rotation = floats[7].map(|byte| (f32::from(byte) - 128.0) / 128.0);
        splats.quats.push(if rotation == [0.0; 4] { [1.0, 0.0, 0.0, 0.0] } else { rotation });
    }
    Ok(splats)
}
