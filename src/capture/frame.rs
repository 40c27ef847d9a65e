//! One camera as a file names it, before its image has been looked at.

use super::{Camera, Distortion, Lens, View};
use crate::error::Error;
use glam::DMat4;
use std::f64::consts::PI;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

/// Focal lengths, in pixels, that single precision can compute with; those of photographs are far from the limits.
const FOCAL: RangeInclusive<f64> = 1e-3..=1e9;
/// Farthest principal point from the image's corner, in pixels.
const MAX_PRINCIPAL: f64 = 1e9;

/// A frame of a `transforms.json` or an image of a COLMAP model.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// The image as the file names it: relative to the scene folder (JSON) or to the image folder (COLMAP).
    pub image: String,
    /// The mask file as a JSON names it.
    pub mask: Option<String>,
    /// Image size in pixels where the file gives it.
    pub size: Option<(u32, u32)>,
    pub intrinsics: Intrinsics,
    /// World to camera, OpenCV axes.
    pub viewmat: DMat4,
}

/// Intrinsics; what is missing follows from the image's size.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Intrinsics {
    pub x: Focal,
    /// As `x` in pixels where missing.
    pub y: Option<Focal>,
    /// Half the width where missing.
    pub cx: Option<f64>,
    /// Half the height where missing.
    pub cy: Option<f64>,
    /// `None` for a pinhole.
    pub distortion: Option<Distortion>,
}

/// A focal length as files give it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Focal {
    Pixels(f64),
    /// Full field of view in radians.
    Angle(f64),
}

impl Focal {
    fn pixels(self, extent: u32) -> f64 {
        match self {
            Self::Pixels(f) => f,
            Self::Angle(angle) => 0.5 * f64::from(extent) / (0.5 * angle).tan(),
        }
    }

    fn angle(self) -> Option<f64> {
        match self {
            Self::Pixels(_) => None,
            Self::Angle(angle) => Some(angle),
        }
    }
}

impl Frame {
    /// The pinhole camera for an image of `width` × `height`, and the lens that its pixels come from where that is none.
    ///
    /// # Errors
    /// What is wrong with the intrinsics.
    pub fn camera(&self, (width, height): (u32, u32)) -> Result<(Camera, Option<Lens>), String> {
        for angle in [Some(self.intrinsics.x), self.intrinsics.y].into_iter().flatten().filter_map(Focal::angle) {
            if !(angle > 0.0 && angle < PI) {
                let hint = if (PI..180.0).contains(&angle) { "; it seems to be in degrees" } else { "" };
                return Err(format!("its field of view is {angle} radians, not between 0 and π{hint}"));
            }
        }
        let fx = self.intrinsics.x.pixels(width);
        let fy = self.intrinsics.y.map_or(fx, |focal| focal.pixels(height));
        let cx = self.intrinsics.cx.unwrap_or(0.5 * f64::from(width));
        let cy = self.intrinsics.cy.unwrap_or(0.5 * f64::from(height));
        if ![fx, fy].iter().all(|focal| FOCAL.contains(focal)) {
            return Err(format!("its focal lengths are {fx} and {fy} pixels"));
        }
        if ![cx, cy].iter().all(|at| at.abs() <= MAX_PRINCIPAL) {
            return Err(format!("its principal point is ({cx}, {cy})"));
        }
        let camera = Camera { width, height, fx, fy, cx, cy, viewmat: self.viewmat, reduction: 1.0 };
        let lens = self.intrinsics.distortion.map(|distortion| Lens::new(&camera, distortion)).transpose()?;
        Ok((lens.map_or_else(|| camera.clone(), |lens| lens.pinhole(&camera)), lens))
    }
}

/// The error of one frame of `source`.
pub fn refuse_frame(source: &Path, index: usize, frame: &Frame, found: &str, remedy: &str) -> Error {
    Error::input(source, format!("frame {index} (`{}`): {found}", frame.image), remedy)
}

/// The view of `frame`, whose name is still the file's own for the picture (see [`super::names::assign`]).
pub fn view(frame: &Frame, image: Option<PathBuf>, (camera, lens): (Camera, Option<Lens>)) -> View {
    View { name: frame.image.clone(), image, camera, lens, mask: None, gain: None, shots: Vec::new() }
}
