//! The viewer's pose, and its motions.

use super::Lens;
use crate::capture::Camera;
use glam::{DMat3, DMat4, DQuat, DVec3};

/// How near the viewing direction may come to the up axis, radians.
const POLE: f64 = 0.02;

/// A point of view. Axes are OpenCV's (x right, y down, z forwards).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pose {
    /// Its place in the world.
    pub eye: DVec3,
    /// Camera to world.
    pub rotation: DQuat,
    /// Distance of the pivot, the point that orbits turn around, along the viewing direction.
    pub distance: f64,
    pub lens: Lens,
}

impl Pose {
    /// From `eye` toward `target`, upright with respect to `up`.
    pub fn looking_at(eye: DVec3, target: DVec3, up: DVec3, lens: Lens) -> Self {
        let ahead = target - eye;
        let distance = ahead.length().max(f64::MIN_POSITIVE);
        let forward = ahead.normalize_or(DVec3::Z);
        // Straight up or down any side will do.
        let right = forward.cross(up).normalize_or(forward.any_orthonormal_vector());
        let rotation = DQuat::from_mat3(&DMat3::from_cols(right, forward.cross(right), forward));
        Self { eye, rotation, distance, lens }
    }

    /// At `camera`, with its pivot at `distance`.
    pub fn of(camera: &Camera, distance: f64) -> Self {
        let rotation = DQuat::from_mat3(&camera.rotation().transpose()).normalize();
        Self { eye: camera.center(), rotation, distance, lens: Lens::of(camera) }
    }

    /// The unit viewing direction.
    pub fn forward(&self) -> DVec3 {
        self.rotation * DVec3::Z
    }

    /// The point that orbits turn around.
    pub fn pivot(&self) -> DVec3 {
        self.eye + self.forward() * self.distance
    }

    /// World to camera.
    pub fn viewmat(&self) -> DMat4 {
        DMat4::from_rotation_translation(self.rotation, self.eye).inverse()
    }

    /// The camera of a window of `width` × `height` pixels.
    pub fn camera(&self, width: u32, height: u32) -> Camera {
        self.lens.camera(width, height, self.viewmat())
    }

    /// Turned by `yaw` about `up` and `pitch` about its own horizontal axis (radians), not over the poles.
    fn turned(&self, yaw: f64, pitch: f64, up: DVec3) -> DQuat {
        let height = self.forward().angle_between(up);
        // A positive turn about x, which points right, looks up.
        let pitch = height - (height - pitch).clamp(POLE, std::f64::consts::PI - POLE);
        (DQuat::from_axis_angle(up, yaw) * self.rotation * DQuat::from_rotation_x(pitch)).normalize()
    }

    /// Around the pivot: `yaw` to the right about `up`, `pitch` upwards (radians).
    pub fn orbit(&mut self, yaw: f64, pitch: f64, up: DVec3) {
        let pivot = self.pivot();
        self.rotation = self.turned(yaw, pitch, up);
        self.eye = pivot - self.forward() * self.distance;
    }

    /// The head alone, by the same angles.
    pub fn turn(&mut self, yaw: f64, pitch: f64, up: DVec3) {
        self.rotation = self.turned(yaw, pitch, up);
    }

    /// Sideways, so that what is at the pivot's distance moves by `right` and `down` heights of the picture.
    pub fn pan(&mut self, right: f64, down: f64) {
        let scale = self.distance / self.lens.fy;
        self.eye -= self.rotation * DVec3::new(right * scale, down * scale, 0.0);
    }

    /// Toward the pivot: its distance is divided by e to the `amount`.
    pub fn dolly(&mut self, amount: f64) {
        let pivot = self.pivot();
        self.distance *= (-amount).exp();
        self.eye = pivot - self.forward() * self.distance;
    }

    /// Through the world: `step` along its own axes, pivot and all.
    pub fn walk(&mut self, step: DVec3) {
        self.eye += self.rotation * step;
    }

    /// Between two poses: `self` at 0, `other` at 1.
    pub fn between(&self, other: &Self, t: f64) -> Self {
        Self {
            eye: self.eye.lerp(other.eye, t),
            rotation: self.rotation.slerp(other.rotation, t),
            distance: self.distance * (other.distance / self.distance).powf(t),
            lens: self.lens.lerp(&other.lens, t),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UP: DVec3 = DVec3::new(0.0, 0.0, 1.0);

    fn pose() -> Pose {
        Pose::looking_at(DVec3::new(0.0, -4.0, 1.0), DVec3::new(0.0, 0.0, 1.0), UP, Lens::vertical(60.0, 1.5))
    }

    /// Where a point of the world is in a window of 300 × 200 pixels.
    fn seen(pose: &Pose, point: DVec3) -> DVec3 {
        pose.camera(300, 200).project(point)
    }

    fn near(a: DVec3, b: DVec3) -> bool {
        a.distance(b) < 1e-9
    }

    #[test]
    fn it_looks_at_its_target_upright() {
        let pose = pose();
        assert!(near(seen(&pose, DVec3::new(0.0, 0.0, 1.0)), DVec3::new(150.0, 100.0, 4.0)));
        assert!(seen(&pose, DVec3::new(0.0, 0.0, 1.5)).y < 100.0, "up is up");
        assert!(seen(&pose, DVec3::new(0.5, 0.0, 1.0)).x > 150.0, "east is right, looking north");
        let down = Pose::looking_at(DVec3::Z, DVec3::ZERO, UP, pose.lens);
        assert!(down.rotation.is_finite() && near(down.forward(), -DVec3::Z));
    }

    #[test]
    fn a_pose_of_a_camera_is_that_camera() {
        let camera = pose().camera(300, 200);
        let again = Pose::of(&camera, 2.0).camera(300, 200);
        assert!(again.viewmat.abs_diff_eq(camera.viewmat, 1e-12));
        assert!((again.fx - camera.fx).abs() < 1e-9);
    }

    #[test]
    fn an_orbit_keeps_the_pivot_in_place_and_the_horizon_level() {
        let mut pose = pose();
        pose.orbit(0.4, 0.3, UP);
        assert!(near(seen(&pose, DVec3::new(0.0, 0.0, 1.0)), DVec3::new(150.0, 100.0, 4.0)));
        let right = pose.rotation * DVec3::X;
        assert!(right.z.abs() < 1e-9, "{right}");
        assert!(pose.eye.x > 0.1, "turned to the right about up, as seen from above: {}", pose.eye);
        assert!(pose.eye.z < 1.0, "it looks up from below: {}", pose.eye);
    }

    #[test]
    fn an_orbit_stops_at_the_poles() {
        for pitch in [9.0, -9.0] {
            let mut pose = pose();
            (0..20).for_each(|_| pose.orbit(0.0, pitch, UP));
            let angle = pose.forward().angle_between(UP);
            assert!(angle > 0.01 && angle < std::f64::consts::PI - 0.01, "{angle}");
            // And comes back from there.
            pose.orbit(0.0, -pitch.signum() * 0.5, UP);
            assert!((pose.forward().angle_between(UP) - angle).abs() > 0.4);
        }
    }

    #[test]
    fn a_pan_moves_the_pivot_with_the_pointer() {
        let mut pose = pose();
        // 30 pixels right and 20 down in a window 200 pixels high.
        pose.pan(30.0 / 200.0, 20.0 / 200.0);
        assert!(near(seen(&pose, DVec3::new(0.0, 0.0, 1.0)), DVec3::new(180.0, 120.0, 4.0)));
    }

    #[test]
    fn steps_forwards() {
        let mut pose = pose();
        pose.dolly(std::f64::consts::LN_2);
        assert!(near(pose.eye, DVec3::new(0.0, -2.0, 1.0)) && near(pose.pivot(), DVec3::new(0.0, 0.0, 1.0)));
        pose.walk(DVec3::new(0.5, 0.0, 1.0));
        assert!(near(pose.eye, DVec3::new(0.5, -1.0, 1.0)), "{}", pose.eye);
        let eye = pose.eye;
        pose.turn(0.3, 0.1, UP);
        assert_eq!(pose.eye, eye);
    }
}
