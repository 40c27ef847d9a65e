//! A box with sides along the axes, and the handles that move its faces. Pure: cameras, pixels and boxes in, boxes out.

use crate::capture::{Camera, SceneFrame};
use crate::splat::Bounds;
use glam::{DVec2, DVec3};

/// The sine of the angle between a face's axis and the ray to its handle below which the handle cannot be dragged: on the
/// screen the axis is next to a point there, and a pixel would move the face by a large part of the scene.
const LEAST_SINE: f64 = 0.1;
/// A drag takes a handle to at most this many times its depth: at the vanishing point of the axis it would be infinite.
const DEEPEST: f64 = 8.0;

/// One of the six faces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Face {
    /// The axis that it is perpendicular to: 0 to 2 for x to z.
    pub axis: usize,
    /// Whether it is the one at the larger coordinate.
    pub high: bool,
}

impl Face {
    /// All six.
    pub const ALL: [Self; 6] = [
        Self { axis: 0, high: false },
        Self { axis: 0, high: true },
        Self { axis: 1, high: false },
        Self { axis: 1, high: true },
        Self { axis: 2, high: false },
        Self { axis: 2, high: true },
    ];
}

/// A box between two opposite corners; no coordinate of `low` is above that of `high`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CropBox {
    /// The corner of the least coordinates.
    pub low: DVec3,
    /// The corner of the largest ones.
    pub high: DVec3,
}

impl CropBox {
    /// Around most of a scene.
    pub fn around(bounds: &Bounds) -> Self {
        let Bounds { center, radius } = *bounds;
        Self { low: center - radius, high: center + radius }
    }

    /// The same box, of the capture's coordinates, in `frame`.
    pub fn entering(&self, frame: &SceneFrame) -> Self {
        Self { low: frame.enter(self.low), high: frame.enter(self.high) }
    }

    /// The same box, of the coordinates of `frame`, in the capture's.
    pub fn leaving(&self, frame: &SceneFrame) -> Self {
        Self { low: frame.leave(self.low), high: frame.leave(self.high) }
    }

    /// The coordinate of a face along its axis.
    pub fn value(&self, face: Face) -> f64 {
        if face.high { self.high[face.axis] } else { self.low[face.axis] }
    }

    /// The box with a face at `value`, but not nearer to the opposite face than `least`, or than it is.
    pub fn with_value(mut self, face: Face, value: f64, least: f64) -> Self {
        let Face { axis, high } = face;
        let least = least.min(self.high[axis] - self.low[axis]);
        if high {
            self.high[axis] = value.max(self.low[axis] + least);
        } else {
            self.low[axis] = value.min(self.high[axis] - least);
        }
        self
    }

    /// The middle of a face, where its handle is.
    pub fn handle(&self, face: Face) -> DVec3 {
        let mut middle = 0.5 * (self.low + self.high);
        middle[face.axis] = self.value(face);
        middle
    }

    /// The ends of the twelve edges.
    pub fn edges(&self) -> [[DVec3; 2]; 12] {
        let corner = |bits: usize| {
            let coordinate = |axis: usize| self.value(Face { axis, high: bits >> axis & 1 == 1 });
            DVec3::from_array([0, 1, 2].map(coordinate))
        };
        std::array::from_fn(|edge| {
            let (axis, place) = (edge / 4, edge % 4);
            // The other two axes' bits are those of `place`.
            let bits = (place & 1) << ((axis + 1) % 3) | (place >> 1) << ((axis + 2) % 3);
            [corner(bits), corner(bits | 1 << axis)]
        })
    }

    /// Whether a handle can be dragged in the picture of `camera`: it is farther than `near`, and its axis does not point
    /// at the viewer.
    pub fn is_movable(&self, face: Face, camera: &Camera, near: f64) -> bool {
        let (seen, along) = self.seen(face, camera);
        seen.z > near && along.cross(seen.normalize()).length() >= LEAST_SINE
    }

    /// The face whose handle is at most `catch` pixels from `pointer`, if it can be dragged; the nearest of several.
    pub fn hit(&self, camera: &Camera, near: f64, pointer: DVec2, catch: f64) -> Option<Face> {
        let movable = Face::ALL.into_iter().filter(|face| self.is_movable(*face, camera, near));
        let distance = |face: &Face| camera.project(self.handle(*face)).truncate().distance(pointer);
        let caught = movable.map(|face| (distance(&face), face)).filter(|(distance, _)| *distance <= catch);
        caught.min_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, face)| face)
    }

    /// The box after its handle was dragged by `by` pixels: the face moves along its axis until the handle has gone as far
    /// along the axis's line in the picture as the pointer has. Faces stay `least` apart.
    pub fn dragged(&self, face: Face, camera: &Camera, near: f64, by: DVec2, least: f64) -> Self {
        if !self.is_movable(face, camera, near) {
            return *self;
        }
        let (seen, along) = self.seen(face, camera);
        // A step of t along the axis moves the handle by t × pace / (1 + t × recession) pixels, in perspective.
        let focal = DVec2::new(camera.fx, camera.fy);
        let pace = focal * (along.truncate() * seen.z - seen.truncate() * along.z) / (seen.z * seen.z);
        let recession = along.z / seen.z;
        let speed = pace.length();
        let pixels = by.dot(pace / speed);
        // The depth grows by the factor 1 / (1 - part), which is infinite at the vanishing point.
        let part = (pixels * recession / speed).min(1.0 - 1.0 / DEEPEST);
        let pixels = if recession == 0.0 { pixels } else { part * speed / recession };
        self.with_value(face, self.value(face) + pixels / (speed * (1.0 - part)), least)
    }

    /// A handle, and the unit vector of its axis, in the coordinates of `camera`.
    fn seen(&self, face: Face, camera: &Camera) -> (DVec3, DVec3) {
        let axis = DVec3::AXES[face.axis];
        (camera.viewmat.transform_point3(self.handle(face)), camera.viewmat.transform_vector3(axis))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use glam::{DMat4, DQuat};

    const NEAR: f64 = 0.01;
    const LEAST: f64 = 0.01;

    fn shape() -> CropBox {
        CropBox { low: DVec3::new(-1.0, -0.5, -2.0), high: DVec3::new(1.5, 0.7, 2.5) }
    }

    /// From `eye` toward the origin, turned about the viewing direction; focal lengths differ.
    fn camera(eye: DVec3, roll: f64) -> Camera {
        let ahead = (-eye).normalize();
        let turn = DQuat::from_rotation_arc(DVec3::Z, ahead) * DQuat::from_rotation_z(roll);
        let viewmat = DMat4::from_rotation_translation(turn, eye).inverse();
        Camera { width: 800, height: 600, fx: 620.0, fy: 580.0, cx: 390.0, cy: 310.0, viewmat, reduction: 1.0 }
    }

    fn cameras() -> Vec<Camera> {
        let eyes = [(4.0, 3.0, -5.0), (-6.0, 1.0, 2.0), (2.0, -7.0, 3.0), (0.9, 0.3, -8.0), (0.4, 0.1, 0.2)];
        eyes.iter().zip(0..).map(|(eye, i)| camera((*eye).into(), 0.7 * f64::from(i))).collect()
    }

    #[test]
    fn a_face_follows_the_projection_of_its_handle() {
        let mut tried = 0;
        for camera in cameras() {
            for face in Face::ALL.into_iter().filter(|face| shape().is_movable(*face, &camera, NEAR)) {
                for step in [0.3, -0.3, 0.04] {
                    let mut moved = shape().handle(face);
                    moved[face.axis] += step;
                    let [from, to] = [shape().handle(face), moved].map(|point| camera.project(point));
                    if to.z <= NEAR {
                        continue;
                    }
                    let by = to.truncate() - from.truncate();
                    // What the pointer does across the axis does not matter.
                    for by in [by, by + 3.0 * by.perp()] {
                        let new = shape().dragged(face, &camera, NEAR, by, LEAST);
                        let found = new.value(face) - shape().value(face);
                        assert!((found - step).abs() < 0.01 * step.abs(), "{face:?} by {step}: {found}");
                        assert_eq!(new.with_value(face, shape().value(face), 0.0), shape(), "no other face moves");
                        tried += 1;
                    }
                }
            }
        }
        assert!(tried > 80, "{tried}");
    }

    #[test]
    fn small_drags_agree_with_finite_differences_of_the_projection() {
        let camera = &cameras()[0];
        let (face, h) = (Face::ALL[3], 1e-6);
        let at = |y: f64| camera.project(shape().with_value(face, y, 0.0).handle(face)).truncate();
        let pace = (at(0.7 + h) - at(0.7 - h)) / (2.0 * h);
        let new = shape().dragged(face, camera, NEAR, DVec2::new(2.0, 0.0), LEAST);
        let expected = 2.0 * pace.x / pace.length_squared();
        assert!((new.high.y - 0.7 - expected).abs() < 0.02 * expected.abs(), "{} {expected}", new.high.y - 0.7);
    }

    #[test]
    fn handles_are_hit_where_they_are_seen_and_not_behind_the_camera() {
        let camera = &cameras()[0];
        for face in Face::ALL {
            let place = camera.project(shape().handle(face)).truncate();
            assert_eq!(shape().hit(camera, NEAR, place + DVec2::new(3.0, -2.0), 9.0), Some(face));
        }
        let aside = camera.project(shape().handle(Face::ALL[0])).truncate() + DVec2::new(0.0, 9.5);
        assert_ne!(shape().hit(camera, NEAR, aside, 9.0), Some(Face::ALL[0]));
        // From inside the box, half of the handles are behind; the projection puts them somewhere, all the same.
        let inside = &cameras()[4];
        let behind: Vec<Face> = Face::ALL
            .into_iter()
            .filter(|face| inside.viewmat.transform_point3(shape().handle(*face)).z <= NEAR)
            .collect();
        assert!(!behind.is_empty());
        for face in behind {
            let place = inside.project(shape().handle(face)).truncate();
            assert_ne!(shape().hit(inside, NEAR, place, 9.0), Some(face));
            assert_eq!(shape().dragged(face, inside, NEAR, DVec2::new(50.0, 20.0), LEAST), shape());
        }
    }

    #[test]
    fn an_axis_that_points_at_the_viewer_does_not_move_its_face() {
        let ahead = camera(DVec3::new(0.25, 0.1, -9.0), 0.0);
        for face in [Face { axis: 2, high: false }, Face { axis: 2, high: true }] {
            let place = ahead.project(shape().handle(face)).truncate();
            assert_eq!(shape().hit(&ahead, NEAR, place, 9.0), None);
            assert_eq!(shape().dragged(face, &ahead, NEAR, DVec2::new(40.0, -30.0), LEAST), shape());
        }
        // Wherever a handle can be dragged, a pixel moves it by a bounded part of its distance.
        for turn in 0..200 {
            let angle = f64::from(turn) * 0.01;
            let camera = camera(DVec3::new(9.0 * angle.sin(), 0.2, -9.0 * angle.cos()), 0.3);
            for face in Face::ALL {
                for by in [DVec2::X, DVec2::NEG_X, DVec2::Y, DVec2::NEG_Y] {
                    let new = shape().dragged(face, &camera, NEAR, by, LEAST);
                    let moved = (new.value(face) - shape().value(face)).abs();
                    assert!(moved < 0.03 * camera.viewmat.transform_point3(shape().handle(face)).length());
                }
            }
        }
    }

    #[test]
    fn drags_beyond_the_vanishing_point_end_at_a_finite_depth() {
        // The z axis vanishes in the picture; the pointer goes far beyond that.
        let camera = camera(DVec3::new(3.0, 2.0, -9.0), 0.0);
        let face = Face { axis: 2, high: true };
        let from = camera.project(shape().handle(face));
        let vanishing = camera.project(DVec3::new(0.0, 0.0, 1e9)).truncate();
        let mut last = shape().value(face);
        for part in [0.3, 0.6, 0.9, 1.0, 1.5, 20.0] {
            let by = part * (vanishing - from.truncate());
            let new = shape().dragged(face, &camera, NEAR, by, LEAST);
            assert!(new.high.z >= last && new.high.z.is_finite(), "{part}: {}", new.high.z);
            last = new.high.z;
        }
        let depth = camera.project(DVec3::new(0.25, 0.1, last)).z;
        assert!((depth / from.z - DEEPEST).abs() < 1e-9, "{depth}");
        // The other way, it comes no nearer than the opposite face.
        let new = shape().dragged(face, &camera, NEAR, 50.0 * (from.truncate() - vanishing), LEAST);
        assert!((new.high.z - (new.low.z + LEAST)).abs() < 1e-12);
    }

    #[test]
    fn faces_do_not_cross() {
        let face = Face { axis: 1, high: false };
        assert_eq!(shape().with_value(face, 0.2, LEAST).low.y, 0.2);
        assert_eq!(shape().with_value(face, 5.0, LEAST).low.y, 0.7 - LEAST);
        // One that is thinner already, by numbers, does not become thicker by itself.
        let thin = CropBox { low: DVec3::splat(1.0), high: DVec3::splat(1.001) };
        let new = thin.with_value(Face { axis: 0, high: true }, 0.0, LEAST);
        assert!((new.high.x - 1.001).abs() < 1e-12, "{new:?}");
    }

    #[test]
    fn edges_join_corners_that_differ_along_one_axis() {
        let edges = shape().edges();
        for (index, [from, to]) in edges.iter().enumerate() {
            let differs: Vec<usize> = (0..3).filter(|axis| from[*axis] != to[*axis]).collect();
            assert_eq!(differs, [index / 4]);
            assert!(!edges[..index].contains(&[*from, *to]), "each is there once");
        }
        let of = |face: Face| edges.iter().filter(|e| e.iter().all(|p| p[face.axis] == shape().value(face))).count();
        assert_eq!(Face::ALL.map(of), [4; 6]);
    }

    #[test]
    fn a_box_keeps_its_place_between_frames() {
        let frame = SceneFrame { origin: DVec3::new(10.0, -20.0, 3.0), unit: 4.0 };
        let entered = shape().entering(&frame);
        assert_eq!(entered.low, DVec3::new(-2.75, 4.875, -1.25));
        let left = entered.leaving(&frame);
        assert!(left.low.abs_diff_eq(shape().low, 1e-12) && left.high.abs_diff_eq(shape().high, 1e-12), "{left:?}");
        let around = CropBox::around(&Bounds { center: DVec3::X, radius: 2.0 });
        assert_eq!(around, CropBox { low: DVec3::new(-1.0, -2.0, -2.0), high: DVec3::new(3.0, 2.0, 2.0) });
    }
}
