//! Estimates the up axis from how cameras were held.

use super::Camera;
use crate::eigen;
use glam::{DMat3, DVec3};

/// The up axis of a scene by its cameras: what is at right angles to the sides of them all, which are level where nobody
/// tilts a camera, however far it looks down. Where their sides are much the same, the mean of their up axes. `None` without
/// any, or where these disagree.
pub fn up_of(cameras: &[Camera]) -> Option<DVec3> {
    let count = cameras.len() as f64;
    let axes = |axis: DVec3| cameras.iter().map(move |camera| camera.rotation().transpose() * axis);
    let mean: DVec3 = axes(DVec3::NEG_Y).sum();
    let spread = axes(DVec3::X).fold(DMat3::ZERO, |sum, x| sum + DMat3::from_cols(x * x.x, x * x.y, x * x.z));
    let [_, (second, _), (least, axis)] = eigen::largest_first(spread.to_cols_array_2d());
    let level = DVec3::from(axis) * mean.dot(DVec3::from(axis)).signum();
    let turned = second > 0.02 * count && least < 0.2 * second;
    (mean.length() > 0.2 * count).then(|| if turned { level.normalize() } else { mean.normalize() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use glam::DMat4;

    #[test]
    fn up_is_up_although_all_cameras_look_down_from_one_side() {
        let up = DVec3::new(0.2, 0.1, 1.0).normalize();
        let (side, ahead) = (up.cross(DVec3::X).normalize(), up.cross(up.cross(DVec3::X)).normalize());
        let camera = |turn: f64| {
            let forward = -(side * turn.cos() + ahead * turn.sin() + 0.8 * up).normalize();
            let right = forward.cross(up).normalize();
            let rotation = DMat3::from_cols(right, forward.cross(right), forward).transpose();
            let viewmat = DMat4::from_translation(DVec3::new(0.0, 0.0, 3.0)) * DMat4::from_mat3(rotation);
            Camera { width: 30, height: 20, fx: 30.0, fy: 30.0, cx: 15.0, cy: 10.0, viewmat, reduction: 1.0 }
        };
        let cameras: Vec<Camera> = (0..12).map(|i| camera(f64::from(i) * 0.12)).collect();
        assert!(up_of(&cameras).unwrap().distance(up) < 1e-6);
        // All sides the same: what is level cannot be told from them.
        let one: Vec<Camera> = (0..3).map(|_| camera(0.0)).collect();
        assert!(up_of(&one).unwrap().dot(up) > 0.7);
        assert!(up_of(&[]).is_none());
    }
}
