//! One camera of the model COLMAP found, and the pinhole that takes its place.

use crate::capture::{Camera, Distortion, Lens};
use glam::DMat4;

/// A line of `cameras.txt`.
pub struct Original<'a> {
    pub id: u32,
    /// What follows the id: COLMAP's name of the model, size and parameters.
    pub words: &'a str,
    camera: Camera,
    distortion: Option<Distortion>,
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
    /// A line; `None` where it is none of the cameras that [`super::Lens`] names.
    pub fn parse(line: &'a str) -> Option<Self> {
        let (id, words) = line.trim().split_once(' ')?;
        let [model, width, height, params @ ..] = &words.split_ascii_whitespace().collect::<Vec<_>>()[..] else {
            return None;
        };
        let params = params.iter().map(|word| word.parse().ok()).collect::<Option<Vec<f64>>>()?;
        let one_focal = model.starts_with("SIMPLE") || *model == "RADIAL";
        let ([fx, fy, cx, cy], rest) = match &params[..] {
            [f, cx, cy, rest @ ..] if one_focal => ([*f, *f, *cx, *cy], rest),
            [fx, fy, cx, cy, rest @ ..] if !one_focal => ([*fx, *fy, *cx, *cy], rest),
            _ => return None,
        };
        let (width, height) = (width.parse().ok()?, height.parse().ok()?);
        let distortion = Some(Distortion::colmap(model, rest)?).filter(|distortion| !distortion.is_none());
        let camera = Camera { width, height, fx, fy, cx, cy, viewmat: DMat4::IDENTITY };
        (width > 0 && height > 0).then_some(Self { id: id.parse().ok()?, words, camera, distortion })
    }

    /// The pinhole for pictures of `width` × `height`.
    ///
    /// # Errors
    /// What is wrong with a lens that cannot be undone.
    pub fn pinhole(&self, (width, height): (u32, u32)) -> Result<Pinhole, String> {
        let lens = self.distortion.map(|distortion| Lens::new(&self.camera, distortion)).transpose()?;
        let camera = lens.map_or_else(|| self.camera.clone(), |lens| lens.pinhole(&self.camera)).resized(width, height);
        let Camera { fx, fy, cx, cy, .. } = camera;
        let line = format!("{} PINHOLE {width} {height} {fx} {fy} {cx} {cy}\n", self.id);
        let scale = [(width, self.camera.width), (height, self.camera.height)];
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
