//! The one camera of the program.

use glam::{DMat3, DMat4, DVec3, DVec4};
use serde::{Deserialize, Serialize};

/// A pinhole camera. Pose: world to camera, OpenCV axes (x right, y down, z forwards).
/// Intrinsics in pixels; pixel centers lie at +0.5.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Camera {
    /// Width of the picture, pixels.
    pub width: u32,
    /// Height of the picture, pixels.
    pub height: u32,
    /// Focal length along x, pixels.
    pub fx: f64,
    /// Focal length along y, pixels.
    pub fy: f64,
    /// Principal point along x, pixels from the left edge.
    pub cx: f64,
    /// Principal point along y, pixels from the top edge.
    pub cy: f64,
    /// World-to-camera transform (rigid).
    pub viewmat: DMat4,
    /// Pixels of the photograph, along a side, whose mean a pixel of this picture is: 1 for the photograph itself.
    #[serde(default = "whole")]
    pub reduction: f64,
}

fn whole() -> f64 {
    1.0
}

impl Camera {
    /// World-to-camera from a camera-to-world matrix in OpenGL axes (x right, y up, z backwards),
    /// as `transforms.json` holds it.
    pub fn viewmat_from_opengl(c2w: DMat4) -> DMat4 {
        let flip = DMat4::from_diagonal(DVec4::new(1.0, -1.0, -1.0, 1.0));
        (c2w * flip).inverse()
    }

    /// Camera-to-world, OpenGL axes: the inverse of [`Camera::viewmat_from_opengl`].
    pub fn opengl_c2w(&self) -> DMat4 {
        self.c2w() * DMat4::from_diagonal(DVec4::new(1.0, -1.0, -1.0, 1.0))
    }

    /// Camera-to-world, OpenCV axes.
    pub fn c2w(&self) -> DMat4 {
        self.viewmat.inverse()
    }

    /// Camera center in world coordinates.
    pub fn center(&self) -> DVec3 {
        self.c2w().w_axis.truncate()
    }

    /// Unit viewing direction (camera +z) in world coordinates.
    pub fn forward(&self) -> DVec3 {
        self.rotation().transpose() * DVec3::Z
    }

    /// Rotation part of the world-to-camera transform.
    pub fn rotation(&self) -> DMat3 {
        DMat3::from_mat4(self.viewmat)
    }

    /// World point to (pixel x, pixel y, depth); no check that it is in front or inside.
    pub fn project(&self, p: DVec3) -> DVec3 {
        let c = self.viewmat.transform_point3(p);
        DVec3::new(self.fx * c.x / c.z + self.cx, self.fy * c.y / c.z + self.cy, c.z)
    }

    /// [`Camera::project`] of a world point that lies in the picture; `None` for any other.
    pub fn sees(&self, p: DVec3) -> Option<DVec3> {
        let seen = self.project(p);
        let within = |v: f64, n: u32| v >= 0.0 && v < f64::from(n);
        (seen.z > 0.0 && within(seen.x, self.width) && within(seen.y, self.height)).then_some(seen)
    }

    /// Pixel position and depth to the world point: the inverse of [`Camera::project`].
    pub fn unproject(&self, x: f64, y: f64, depth: f64) -> DVec3 {
        let c = DVec3::new((x - self.cx) / self.fx * depth, (y - self.cy) / self.fy * depth, depth);
        self.c2w().transform_point3(c)
    }

    /// The same view on an image of another size (intrinsics follow exactly).
    pub fn resized(&self, width: u32, height: u32) -> Self {
        let (sx, sy) = (f64::from(width) / f64::from(self.width), f64::from(height) / f64::from(self.height));
        Self { width, height, fx: self.fx * sx, fy: self.fy * sy, cx: self.cx * sx, cy: self.cy * sy, ..self.clone() }
    }

    /// The same view at 1/`factor` of the size, rounded down, at least one pixel.
    pub fn downscaled(&self, factor: u32) -> Self {
        let f = factor.max(1);
        let small = self.resized((self.width / f).max(1), (self.height / f).max(1));
        Self { reduction: self.reduction * f64::from(f), ..small }
    }
}
