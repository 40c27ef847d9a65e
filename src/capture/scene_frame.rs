//! The frame that a scene is computed in. Kernels and files are in single precision, and the renderer has a near plane, so
//! that coordinates far from the origin (UTM, ECEF) or in a very large or small unit of length would cost quality. Such
//! a capture is moved and scaled by a [`SceneFrame`] once its poses are known in double precision; everything after that
//! works in the frame. Well-conditioned captures stay bit-identical.

use super::arrangement::typical_depth;
use super::medians::{median, median_vec};
use super::{Camera, Capture, View};
use crate::error::Result;
use glam::{DMat4, DVec3};
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;

/// Sizes of scenes, in units of length, that need no scaling: the near plane (`NEAR` in
/// `shaders/common/projection.wgsl`) is small beside them. With scenes of 0.01 units it cuts off what cameras see.
const SIZES: RangeInclusive<f64> = 0.0625..=1024.0;
/// The part of the scene's size that rounding to single precision may move a point by. A pixel of a sharp photograph sees
/// some 1e-3 of it, and a synthetic capture of small pictures loses nothing up to 1e-2.
const MAX_ROUNDING: f64 = 1e-5;
/// Centers of cameras nearer to each other than this part of their distance from the origin coincide, as far as
/// double precision and the inversion of poses can tell.
const COINCIDENT: f64 = 1e-14;

/// A similarity without rotation: a point `x` of the capture is `(x - origin) / unit` in the frame.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SceneFrame {
    /// The frame's origin in the capture. It is zero where single precision can hold the capture's positions.
    pub origin: DVec3,
    /// The frame's unit of length in units of the capture: a power of two, so that scaling rounds nothing.
    pub unit: f64,
}

impl Default for SceneFrame {
    fn default() -> Self {
        Self::IDENTITY
    }
}

impl SceneFrame {
    /// The capture's own frame.
    pub const IDENTITY: Self = Self { origin: DVec3::ZERO, unit: 1.0 };

    /// The frame for what `cameras` look at. Medians decide, so that single stray cameras do not.
    pub fn of_cameras(cameras: &[Camera]) -> Self {
        let centers: Vec<DVec3> = cameras.iter().map(Camera::center).collect();
        let center = median_vec(&centers);
        let distance = median(centers.iter().map(|c| c.distance(center)).collect());
        if distance <= COINCIDENT * center.abs().max_element() {
            // Cameras that only turn tell no size.
            return Self::of(center, 1.0);
        }
        let refs: Vec<&Camera> = cameras.iter().collect();
        Self::of(center, distance.max(typical_depth(&refs).unwrap_or(0.0)))
    }

    /// The frame for a cloud of points or splats that comes without cameras.
    pub fn of_points(positions: &[[f32; 3]]) -> Self {
        // Some thousands tell as much as all.
        let stride = positions.len().div_ceil(10_000).max(1);
        let points = positions.iter().step_by(stride).map(|p| DVec3::from(p.map(f64::from)));
        let points: Vec<DVec3> = points.filter(|p| p.is_finite()).collect();
        let center = median_vec(&points);
        let size = median(points.iter().map(|p| p.distance(center)).collect());
        if size > 0.0 { Self::of(center, size) } else { Self::of(center, 1.0) }
    }

    /// What `read` makes of a file in the frame that suits its positions, and that frame. It is read again where single
    /// precision has lost what the file may hold in double, and once more where it had lost the size as well.
    ///
    /// # Errors
    /// Those of `read`.
    pub fn suiting<T>(read: impl Fn(&Self) -> Result<T>, positions: impl Fn(&T) -> &[[f32; 3]]) -> Result<(T, Self)> {
        let mut frame = Self::IDENTITY;
        let mut found = read(&frame)?;
        for _ in 0..2 {
            let within = Self::of_points(positions(&found));
            if within.is_identity() {
                break;
            }
            frame = Self { origin: frame.leave(within.origin), unit: frame.unit * within.unit };
            found = read(&frame)?;
        }
        Ok((found, frame))
    }

    /// The frame for a scene of this size about `center`.
    fn of(center: DVec3, size: f64) -> Self {
        // The frame's size is then 2 to 4 units, like that of most captures that need no frame.
        let natural = (size.log2().floor() - 1.0).exp2();
        let rounding = center.abs().max_element() * f64::from(f32::EPSILON);
        let unit = if SIZES.contains(&size) { 1.0 } else { natural };
        // Whole steps leave coordinates that are short to write, and differences that are exact.
        let origin = if rounding > MAX_ROUNDING * size { (center / natural).round() * natural } else { DVec3::ZERO };
        let frame = Self { origin, unit };
        if frame.is_usable() { frame } else { Self::IDENTITY }
    }

    /// Whether it is the capture's own frame.
    pub fn is_identity(&self) -> bool {
        *self == Self::IDENTITY
    }

    /// Whether positions in files of this frame are relative to [`SceneFrame::origin`].
    pub fn is_recentered(&self) -> bool {
        self.origin != DVec3::ZERO
    }

    /// Whether a file may state it.
    pub fn is_usable(&self) -> bool {
        self.origin.is_finite() && self.unit.is_normal() && (1e-30..=1e30).contains(&self.unit)
    }

    /// The point of the frame that is `point` in the capture.
    pub fn enter(&self, point: DVec3) -> DVec3 {
        (point - self.origin) / self.unit
    }

    /// The point of the capture that is `point` in the frame: the inverse of [`SceneFrame::enter`].
    pub fn leave(&self, point: DVec3) -> DVec3 {
        point * self.unit + self.origin
    }

    /// The same camera in the frame; depths scale with the world.
    pub fn camera(&self, camera: &Camera) -> Camera {
        if self.is_identity() {
            return camera.clone();
        }
        let mut viewmat: DMat4 = camera.viewmat;
        let origin = viewmat.transform_point3(self.origin);
        viewmat.w_axis = (origin / self.unit).extend(1.0);
        Camera { viewmat, ..camera.clone() }
    }
}

impl Capture {
    /// The capture in the frame for its training cameras.
    #[must_use]
    pub fn in_scene_frame(&self) -> Self {
        let cameras: Vec<Camera> = self.train.iter().map(|view| view.camera.clone()).collect();
        let frame = SceneFrame::of_cameras(&cameras);
        let enter = |views: &[View]| {
            views.iter().map(|view| View { camera: frame.camera(&view.camera), ..view.clone() }).collect()
        };
        let (train, holdout, test) = (enter(&self.train), enter(&self.holdout), enter(&self.test));
        Self { train, holdout, test, frame, root: self.root.clone(), points: self.points.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::super::pose::from_rotation_translation;
    use super::*;
    use glam::DMat3;

    /// Cameras on a ring about (0, 0, 0), looking in, in a capture of another unit and origin.
    fn ring(unit: f64, origin: DVec3) -> Vec<Camera> {
        let camera = |i: u32| {
            let angle = 0.3 * f64::from(i);
            let eye = DVec3::new(3.0 * angle.sin(), 0.4, 3.0 * angle.cos()) * unit + origin;
            let forward = (origin - eye).normalize();
            let right = forward.cross(DVec3::Y).normalize();
            let rotation = DMat3::from_cols(right, forward.cross(right), forward).transpose();
            let viewmat = from_rotation_translation(rotation, -(rotation * eye));
            Camera { width: 8, height: 6, fx: 9.0, fy: 9.0, cx: 4.0, cy: 3.0, viewmat, reduction: 1.0 }
        };
        (0..12).map(camera).collect()
    }

    #[test]
    fn ordinary_captures_stay_as_they_are() {
        let places = [(1.0, 0.0), (0.05, 1.0), (300.0, 0.0), (1.0, 100.0)];
        for (unit, offset) in places {
            let cameras = ring(unit, DVec3::splat(offset));
            assert_eq!(SceneFrame::of_cameras(&cameras), SceneFrame::IDENTITY, "{unit} {offset}");
        }
        let cameras = ring(1.0, DVec3::ZERO);
        assert_eq!(SceneFrame::IDENTITY.camera(&cameras[1]), cameras[1]);
        assert_eq!(SceneFrame::of_cameras(&[]), SceneFrame::IDENTITY);
        assert_eq!(SceneFrame::of_points(&[]), SceneFrame::IDENTITY);
    }

    #[test]
    fn unit_and_origin_change_nothing_of_what_cameras_see() {
        let point = DVec3::new(0.2, -0.3, 0.5);
        for (unit, offset) in [(1e-3, 0.0), (1e4, 0.0), (1.0, 5e6), (1e-3, 5e6), (1e-6, 3.0), (1e6, -1e9)] {
            let origin = DVec3::new(offset, -0.3 * offset, 0.7 * offset);
            let cameras = ring(unit, origin);
            let frame = SceneFrame::of_cameras(&cameras);
            assert!(frame.unit.log2().fract() == 0.0 && frame.is_usable());
            let size = 3.0 * unit / frame.unit;
            assert!((2.0..4.5).contains(&size) || frame.unit == 1.0, "{unit} {offset}: {size}");
            assert_eq!(frame.is_recentered(), offset != 0.0);
            let placed = point * unit + origin;
            for camera in &cameras {
                let there = frame.camera(camera);
                let (before, after) = (camera.project(placed), there.project(frame.enter(placed)));
                // Doubles at 5e6 have steps of 1e-9.
                let tolerance = 1e-6 + 1e-14 * offset.abs() / unit;
                assert!((before - after).truncate().length() < tolerance, "{unit} {offset}: {before} {after}");
                assert!((after.z * frame.unit - before.z).abs() < 1e-6 * unit + 1e-14 * offset.abs());
                assert!(there.center().length() < 20.0 && there.viewmat.is_finite());
            }
            assert!(frame.leave(frame.enter(placed)).distance(placed) <= 1e-15 * placed.length());
        }
    }

    #[test]
    fn stray_cameras_and_cameras_at_one_place_do_not_decide() {
        let mut cameras = ring(1e-3, DVec3::ZERO);
        let frame = SceneFrame::of_cameras(&cameras);
        cameras[4].viewmat.w_axis.x += 4800.0;
        assert_eq!(SceneFrame::of_cameras(&cameras), frame);
        let turning = |origin: DVec3| {
            let turn = |i: u32| DMat4::from_rotation_y(0.2 * f64::from(i)) * DMat4::from_translation(-origin);
            let viewmats = (0..9).map(turn);
            viewmats.map(|viewmat| Camera { viewmat, ..ring(1.0, origin)[0].clone() }).collect::<Vec<_>>()
        };
        assert_eq!(SceneFrame::of_cameras(&turning(DVec3::ONE)), SceneFrame::IDENTITY);
        let frame = SceneFrame::of_cameras(&turning(DVec3::new(4e6, 1.0, -3e6)));
        assert!(frame.unit == 1.0 && frame.is_recentered());
    }

    #[test]
    fn points_without_cameras_have_a_frame_too() {
        let cloud = |unit: f32, offset: f32| -> Vec<[f32; 3]> {
            (0..5000_u16).map(|i| [i % 17, i % 29, i % 31].map(|v| f32::from(v) * 0.2 * unit + offset)).collect()
        };
        assert_eq!(SceneFrame::of_points(&cloud(1.0, 9.0)), SceneFrame::IDENTITY);
        let frame = SceneFrame::of_points(&cloud(1e-3, 0.0));
        assert!(frame.unit == 2f64.powi(-10) && !frame.is_recentered());
        assert!(SceneFrame::of_points(&cloud(1.0, 1e6)).is_recentered());
    }
}
