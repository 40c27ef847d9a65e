//! One camera of the model COLMAP found, and the pinhole that replaces it.

use crate::capture::{Frame, Lens, camera_line};
use crate::error::Result;
use glam::DMat4;
use std::path::Path;

/// A line of `cameras.txt`.
pub struct Original<'a> {
    pub id: u32,
    /// What follows the id: COLMAP's name of the model, size and parameters.
    pub words: &'a str,
    size: (u32, u32),
    /// The camera, of no image.
    frame: Frame,
}

/// A pinhole at the size of the lit photographs.
pub struct Pinhole {
    /// Its line of `cameras.txt`.
    pub line: String,
    /// The lens that took the pictures of the camera, at the size of those that features were looked for in; nothing
    /// where that is a pinhole.
    pub lens: Option<Lens>,
    scale: [f64; 2],
}

impl<'a> Original<'a> {
    /// Line `number` of the file `path`.
    ///
    /// # Errors
    /// A line that is no camera.
    pub fn parse(path: &Path, number: usize, line: &'a str) -> Result<Self> {
        let (id, (size, intrinsics)) = camera_line(path, number, line)?;
        let words = line.trim().split_once(' ').map_or(line, |(_, words)| words);
        let frame = Frame { image: String::new(), mask: None, size: Some(size), intrinsics, viewmat: DMat4::IDENTITY };
        Ok(Self { id, words, size, frame })
    }

    /// The pinhole for pictures of `width` × `height`.
    ///
    /// # Errors
    /// What is wrong with a lens that cannot be inverted.
    pub fn pinhole(&self, (width, height): (u32, u32)) -> Result<Pinhole, String> {
        let (pinhole, lens) = self.frame.camera(self.size)?;
        let camera = pinhole.resized(width, height);
        let line =
            format!("{} PINHOLE {width} {height} {} {} {} {}\n", self.id, camera.fx, camera.fy, camera.cx, camera.cy);
        let scale = [(width, self.size.0), (height, self.size.1)];
        Ok(Pinhole { line, lens, scale: scale.map(|(new, old)| f64::from(new) / f64::from(old)) })
    }
}

impl Pinhole {
    /// Where it sees a key point.
    pub fn place(&self, key_point: [f64; 2]) -> [f64; 2] {
        let [x, y] = self.lens.map_or(key_point, |lens| lens.target(key_point));
        [x * self.scale[0], y * self.scale[1]]
    }
}
