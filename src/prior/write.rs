//! Point clouds to files.

use super::PointCloud;
use crate::error::{Error, Result};
use crate::storage;
use std::io::Write;
use std::path::Path;

/// Writes `cloud` as binary little-endian PLY (float x y z, uchar red green blue, and float nx ny nz where
/// normals are known), atomically.
///
/// # Errors
/// [`Error::Io`] naming `path`.
pub fn write_ply(path: impl AsRef<Path>, cloud: &PointCloud) -> Result<()> {
    let path = path.as_ref();
    storage::write(path, |out| {
        let mut write = || -> std::io::Result<()> {
            writeln!(out, "ply\nformat binary_little_endian 1.0\nelement vertex {}", cloud.len())?;
            ["x", "y", "z"].iter().try_for_each(|name| writeln!(out, "property float {name}"))?;
            ["red", "green", "blue"].iter().try_for_each(|name| writeln!(out, "property uchar {name}"))?;
            if !cloud.normals.is_empty() {
                ["nx", "ny", "nz"].iter().try_for_each(|name| writeln!(out, "property float {name}"))?;
            }
            writeln!(out, "end_header")?;
            for (index, (p, rgb)) in cloud.positions.iter().zip(&cloud.colors).enumerate() {
                p.iter().try_for_each(|v| out.write_all(&v.to_le_bytes()))?;
                out.write_all(rgb)?;
                cloud.normals.get(index).into_iter().flatten().try_for_each(|v| out.write_all(&v.to_le_bytes()))?;
            }
            Ok(())
        };
        write().map_err(Error::io(path))
    })
}
