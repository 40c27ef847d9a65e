//! Point clouds to files.

use super::PointCloud;
use crate::capture::SceneFrame;
use crate::error::{Error, Result};
use crate::ply::frame_comments;
use crate::storage;
use std::io::Write;
use std::path::Path;

/// Writes `cloud` as binary little-endian PLY (float x y z, uchar red green blue, and float nx ny nz where
/// normals are known), atomically.
///
/// # Errors
/// [`Error::Io`] naming `path`.
pub fn write_ply(path: impl AsRef<Path>, cloud: &PointCloud) -> Result<()> {
    write_ply_in(path, cloud, &SceneFrame::IDENTITY)
}

/// [`write_ply`] of a cloud in `frame`: the file is in the capture's unit, and has its origin or states another.
///
/// # Errors
/// As there.
pub fn write_ply_in(path: impl AsRef<Path>, cloud: &PointCloud, frame: &SceneFrame) -> Result<()> {
    let (path, unit) = (path.as_ref(), frame.unit as f32);
    storage::write(path, |out| {
        let mut write = || -> std::io::Result<()> {
            write!(out, "ply\nformat binary_little_endian 1.0\n{}", frame_comments(frame))?;
            writeln!(out, "element vertex {}", cloud.len())?;
            ["x", "y", "z"].iter().try_for_each(|name| writeln!(out, "property float {name}"))?;
            ["red", "green", "blue"].iter().try_for_each(|name| writeln!(out, "property uchar {name}"))?;
            if !cloud.normals.is_empty() {
                ["nx", "ny", "nz"].iter().try_for_each(|name| writeln!(out, "property float {name}"))?;
            }
            writeln!(out, "end_header")?;
            for (index, (p, rgb)) in cloud.positions.iter().zip(&cloud.colors).enumerate() {
                p.iter().try_for_each(|v| out.write_all(&(v * unit).to_le_bytes()))?;
                out.write_all(rgb)?;
                cloud.normals.get(index).into_iter().flatten().try_for_each(|v| out.write_all(&v.to_le_bytes()))?;
            }
            Ok(())
        };
        write().map_err(Error::io(path))
    })
}
