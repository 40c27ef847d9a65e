//! Cameras of pictures that viewers turn by right angles because of their EXIF orientation.

use super::{Camera, Distortion, Extras, Lens, View};
use glam::{DMat4, DVec4};
use image::metadata::Orientation;
use std::path::Path;

/// A quarter of a turn of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    Clockwise,
    Counterclockwise,
}

impl Turn {
    /// The turn from the picture that viewers show of the file `image` to its pixels as they are stored.
    pub fn to_stored(image: &Path) -> Option<Self> {
        match Extras::read(image).orientation {
            Orientation::Rotate90 => Some(Self::Counterclockwise),
            Orientation::Rotate270 => Some(Self::Clockwise),
            _ => None,
        }
    }

    /// A direction in the picture (x right, y down).
    fn vector(self, [x, y]: [f64; 2]) -> [f64; 2] {
        match self {
            Self::Clockwise => [-y, x],
            Self::Counterclockwise => [y, -x],
        }
    }

    /// A point of a picture of `width` × `height`.
    fn point(self, [x, y]: [f64; 2], width: u32, height: u32) -> [f64; 2] {
        match self {
            Self::Clockwise => [f64::from(height) - y, x],
            Self::Counterclockwise => [y, f64::from(width) - x],
        }
    }

    /// The camera that takes the turned picture.
    pub fn camera(self, camera: &Camera) -> Camera {
        let &Camera { width, height, fx, fy, cx, cy, viewmat, reduction } = camera;
        let [cx, cy] = self.point([cx, cy], width, height);
        let columns = [[1.0, 0.0], [0.0, 1.0]].map(|axis| self.vector(axis));
        let [x, y] = columns.map(|[x, y]| DVec4::new(x, y, 0.0, 0.0));
        let turn = DMat4::from_cols(x, y, DVec4::Z, DVec4::W);
        Camera { width: height, height: width, fx: fy, fy: fx, cx, cy, viewmat: turn * viewmat, reduction }
    }

    /// The lens that does.
    pub fn lens(self, lens: &Lens) -> Lens {
        let &Lens { width, height, fx, fy, cx, cy, distortion, zoom } = lens;
        let [cx, cy] = self.point([cx, cy], width, height);
        let distortion = self.distortion(distortion);
        Lens { width: height, height: width, fx: fy, fy: fx, cx, cy, distortion, zoom }
    }

    /// Tangential and prism terms are vectors: with t = (p2, p1), the tangential ones are r² t + 2 (t·x) x.
    fn distortion(self, distortion: Distortion) -> Distortion {
        match distortion {
            Distortion::Brown { k, p: [p1, p2] } => {
                let [p2, p1] = self.vector([p2, p1]);
                Distortion::Brown { k, p: [p1, p2] }
            }
            Distortion::Fisheye { k, p: [p1, p2], s } => {
                let [p2, p1] = self.vector([p2, p1]);
                Distortion::Fisheye { k, p: [p1, p2], s: self.vector(s) }
            }
            Distortion::Fisheye624 { k, p, s: [s0, s1, s2, s3] } => {
                let ([s0, s2], [s1, s3]) = (self.vector([s0, s2]), self.vector([s1, s3]));
                Distortion::Fisheye624 { k, p: self.vector(p), s: [s0, s1, s2, s3] }
            }
            Distortion::Fov { .. } | Distortion::Division { .. } | Distortion::Unified { .. } => distortion,
        }
    }
}

impl View {
    /// The camera of the pixels as they are stored, if [`View::camera`] is that of the picture as viewers show it; `None` where
    /// viewers turn nothing.
    pub fn stored_camera(&self) -> Option<Camera> {
        let turns: &[Turn] = match Extras::read(self.image.as_deref()?).orientation {
            Orientation::Rotate90 => &[Turn::Counterclockwise],
            Orientation::Rotate180 => &[Turn::Clockwise, Turn::Clockwise],
            Orientation::Rotate270 => &[Turn::Clockwise],
            _ => return None,
        };
        let mut shown = self.camera.clone();
        if turns.len() == 1 {
            // Of the stored size, which may have been all that was known: the picture shown is upright.
            let Camera { width, height, cx, cy, .. } = self.camera;
            let [w, h] = [width, height].map(f64::from);
            shown = Camera { width: height, height: width, cx: cx / w * h, cy: cy / h * w, ..shown };
        }
        Some(turns.iter().fold(shown, |camera, turn| turn.camera(&camera)))
    }

    /// The camera of the picture as viewers show it, by the EXIF data of its file; [`View::camera`] is that of the pixels as
    /// they are stored.
    pub fn shown_camera(&self) -> Camera {
        let turns: &[Turn] = match self.image.as_deref().map(|image| Extras::read(image).orientation) {
            Some(Orientation::Rotate90) => &[Turn::Clockwise],
            Some(Orientation::Rotate180) => &[Turn::Clockwise, Turn::Clockwise],
            Some(Orientation::Rotate270) => &[Turn::Counterclockwise],
            _ => &[],
        };
        turns.iter().fold(self.camera.clone(), |camera, turn| turn.camera(&camera))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use glam::DVec3;

    #[test]
    fn what_a_camera_sees_turns_with_its_picture() {
        let viewmat = DMat4::from_rotation_y(0.3) * DMat4::from_translation(DVec3::new(0.2, -0.1, 0.5));
        let camera = Camera { width: 120, height: 90, fx: 80.0, fy: 84.0, cx: 61.5, cy: 43.0, viewmat, reduction: 1.0 };
        let models: [(&str, &[f64]); 4] = [
            ("OPENCV", &[0.1, -0.02, 0.01, -0.03]),
            ("THIN_PRISM_FISHEYE", &[0.05, 0.01, 0.02, -0.01, 0.0, 0.0, 0.01, -0.02]),
            ("RAD_TAN_THIN_PRISM_FISHEYE", &[0.05, 0.01, 0.0, 0.0, 0.0, 0.0, 0.02, -0.01, 0.01, 0.02, -0.02, 0.01]),
            ("FOV", &[0.5]),
        ];
        for turn in [Turn::Clockwise, Turn::Counterclockwise] {
            let turned = turn.camera(&camera);
            assert_eq!((turned.width, turned.height), (90, 120));
            for point in [DVec3::new(0.3, 0.2, 2.0), DVec3::new(-0.5, 0.4, 3.0)] {
                let (upright, stored) = (camera.sees(point).unwrap(), turned.sees(point).unwrap());
                let expected = turn.point([upright.x, upright.y], 120, 90);
                assert!((stored.x - expected[0]).abs() < 1e-9 && (stored.y - expected[1]).abs() < 1e-9, "{stored}");
            }
            for (name, params) in models {
                let distortion = Distortion::colmap(name, params).unwrap();
                for at in [[0.2, -0.1], [-0.3, 0.25]] {
                    let bent = turn.vector(distortion.distort(at));
                    let found = turn.distortion(distortion).distort(turn.vector(at));
                    assert!((0..2).all(|i| (bent[i] - found[i]).abs() < 1e-12), "{name}: {found:?}, not {bent:?}");
                }
            }
        }
    }
}
