//! Definitions shared by reader and writer of glTF's `KHR_gaussian_splatting` (ratified 2026). Values are activated: scales are
//! lengths, opacities 0 to 1; rotations are x, y, z, w; harmonics are those of the PLY layout, by coefficient.
//!
//! Axes are those of glTF, left, up, forward ("LUF"): +z is the front of a thing, +y its top. `spz` names the frame of GLB
//! so, and `splat-transform` writes it.

use super::axes::Axes;

pub const EXTENSION: &str = "KHR_gaussian_splatting";
/// Display-referred sRGB, what 3D Gaussian Splatting trains in.
pub const COLOR_SPACE: &str = "srgb_rec709_display";
/// The one kernel that the extension defines.
pub const KERNEL: &str = "ellipse";
/// The key in `extras` of a primitive that was trained for antialiased rendering. The extension has none.
pub const ANTIALIASED: &str = "antialiased";

pub const MAGIC: &[u8; 4] = b"glTF";
pub const VERSION: u32 = 2;
pub const JSON: u32 = u32::from_le_bytes(*b"JSON");
pub const BINARY: u32 = u32::from_le_bytes(*b"BIN\0");

pub fn axes() -> Axes {
    Axes::of_signs([-1.0, -1.0, 1.0])
}

pub fn attribute(name: &str) -> String {
    format!("{EXTENSION}:{name}")
}

/// The attribute of the `k`-th harmonic, counted from degree 0.
pub fn harmonic(k: usize) -> String {
    let degree = k.isqrt();
    attribute(&format!("SH_DEGREE_{degree}_COEF_{}", k - degree * degree))
}
