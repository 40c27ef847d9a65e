//! What the window opens with.

use crate::gpu::{Choice, Mask};
use std::path::PathBuf;

/// What the window opens with.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// A PLY file, the output folder of a run, or a scene to train on; without one the window waits for a drop.
    pub path: Option<PathBuf>,
    /// Poses to go with a PLY file (`transforms.json`).
    pub cameras: Option<PathBuf>,
    /// Width and height of the picture in pixels.
    pub size: Option<[u32; 2]>,
    /// The camera to start from, counted from 0.
    pub camera: Option<usize>,
    /// A file for a screenshot of the first whole picture, after which the window closes.
    pub screenshot: Option<PathBuf>,
    /// The device to draw on.
    pub adapter: Choice,
    /// Optional features to leave unused.
    pub mask: Mask,
}
