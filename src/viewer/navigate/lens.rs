//! The viewer's lens, in units of the picture's height, so that it fits windows of any size.

use crate::capture::Camera;
use glam::DMat4;

/// Intrinsics of a picture of height 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lens {
    /// Width of the picture.
    pub aspect: f64,
    pub fx: f64,
    pub fy: f64,
    pub cx: f64,
    pub cy: f64,
}

impl Lens {
    /// A lens without offset that sees `degrees` from top to bottom.
    pub fn vertical(degrees: f64, aspect: f64) -> Self {
        let focal = 0.5 / (0.5 * degrees.to_radians()).tan();
        Self { aspect, fx: focal, fy: focal, cx: 0.5 * aspect, cy: 0.5 }
    }

    /// The lens of `camera`.
    pub fn of(camera: &Camera) -> Self {
        let height = f64::from(camera.height.max(1));
        Self {
            aspect: f64::from(camera.width.max(1)) / height,
            fx: camera.fx / height,
            fy: camera.fy / height,
            cx: camera.cx / height,
            cy: camera.cy / height,
        }
    }

    /// Degrees from top to bottom.
    pub fn degrees(&self) -> f64 {
        (2.0 * (0.5 / self.fy).atan()).to_degrees()
    }

    /// The same lens with another focal length, by the angle it sees from top to bottom.
    pub fn with_degrees(&self, degrees: f64) -> Self {
        let ratio = 0.5 / (0.5 * degrees.to_radians()).tan() / self.fy;
        Self { fx: self.fx * ratio, fy: self.fy * ratio, ..*self }
    }

    /// Left, top, width and height of the lens's own picture in a window of `width` × `height` pixels: as large as fits,
    /// in the middle. The window sees more than that on two sides.
    pub fn frame(&self, width: u32, height: u32) -> [f64; 4] {
        let (width, height) = (f64::from(width), f64::from(height));
        let scale = (width / self.aspect).min(height);
        [0.5 * (width - self.aspect * scale), 0.5 * (height - scale), self.aspect * scale, scale]
    }

    /// The camera of a window whose picture holds that of the lens.
    pub fn camera(&self, width: u32, height: u32, viewmat: DMat4) -> Camera {
        let [left, top, _, scale] = self.frame(width, height);
        Camera {
            width,
            height,
            fx: self.fx * scale,
            fy: self.fy * scale,
            cx: left + self.cx * scale,
            cy: top + self.cy * scale,
            viewmat,
            reduction: 1.0,
        }
    }

    /// Between two lenses: `self` at 0, `other` at 1.
    pub fn lerp(&self, other: &Self, t: f64) -> Self {
        let mix = |a: f64, b: f64| a + (b - a) * t;
        Self {
            aspect: mix(self.aspect, other.aspect),
            fx: mix(self.fx, other.fx),
            fy: mix(self.fy, other.fy),
            cx: mix(self.cx, other.cx),
            cy: mix(self.cy, other.cy),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn photo() -> Camera {
        Camera {
            width: 640,
            height: 360,
            fx: 500.0,
            fy: 490.0,
            cx: 300.0,
            cy: 200.0,
            viewmat: DMat4::IDENTITY,
            reduction: 1.0,
        }
    }

    #[test]
    fn a_window_of_the_pictures_size_has_the_pictures_camera() {
        let fitted = Lens::of(&photo()).camera(640, 360, DMat4::IDENTITY);
        for (a, b) in [(fitted.fx, 500.0), (fitted.fy, 490.0), (fitted.cx, 300.0), (fitted.cy, 200.0)] {
            assert!((a - b).abs() < 1e-9, "{a} {b}");
        }
    }

    #[test]
    fn a_window_of_another_shape_holds_the_whole_picture_in_its_middle() {
        for (width, height) in [(1280, 500), (300, 900)] {
            let lens = Lens::of(&photo());
            let [left, top, w, h] = lens.frame(width, height);
            let fitted = lens.camera(width, height, DMat4::IDENTITY);
            assert!(left >= -1e-9 && top >= -1e-9 && (w / h - 640.0 / 360.0).abs() < 1e-9);
            // The picture's corners stay its corners.
            for (x, y) in [(0.0, 0.0), (640.0, 360.0)] {
                let seen = fitted.project(photo().unproject(x, y, 2.0));
                assert!((seen.x - (left + x / 640.0 * w)).abs() < 1e-9, "{seen}");
                assert!((seen.y - (top + y / 360.0 * h)).abs() < 1e-9, "{seen}");
            }
        }
    }

    #[test]
    fn angles_of_view() {
        let lens = Lens::vertical(60.0, 1.5);
        assert!((lens.degrees() - 60.0).abs() < 1e-9);
        assert!((lens.with_degrees(35.0).degrees() - 35.0).abs() < 1e-9);
    }
}
