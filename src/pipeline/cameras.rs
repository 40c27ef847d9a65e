//! Messages about the cameras at the start of a run.

use super::output::names;
use crate::capture::Capture;
use std::path::Path;

/// Logs what is unusual about the cameras of `posed`, and where the files of its model are.
pub(super) fn describe_cameras(scene: &Path, posed: &Capture) {
    for warning in posed.arrangement_warnings() {
        tracing::warn!("{}: {warning}", scene.display());
    }
    let frame = &posed.frame;
    if frame.unit != 1.0 {
        tracing::info!("trained in units of {:e} of the capture's; files are in the capture's own", frame.unit);
    }
    if frame.is_recentered() {
        let [x, y, z] = frame.origin.to_array();
        tracing::warn!(
            "{}: its coordinates are too far from the origin for the single precision of PLY files: those in {} and {} are \
             relative to ({x}, {y}, {z}), which they state as a comment",
            scene.display(),
            names::SPLATS,
            names::POINTS
        );
    }
}
