//! Cameras for splats that come without any: around the scene, and within it.

use crate::capture::Camera;
use crate::splat::{Bounds, on_sphere};
use glam::{DMat4, DVec3};

/// Cameras outside, and as many inside: whether splats are an object or a room, one of the two sees what people will.
const CAMERAS: u32 = 24;
/// Their distances from the center, in radii of the scene.
const DISTANCES: [f64; 2] = [2.2, 0.5];
const SIDE: u32 = 512;
/// Focal length by side: a field of view of 60°.
const FOCAL: f64 = 0.866;

/// Cameras on two spheres about the middle of `positions`, looking through it.
pub fn around(positions: &[[f32; 3]]) -> Vec<Camera> {
    let Bounds { center, radius } = Bounds::of(positions);
    let camera = |at: u32, distance: f64| {
        let outward = on_sphere(at, CAMERAS);
        look(center + outward * distance * radius, -outward)
    };
    DISTANCES.into_iter().flat_map(|distance| (0..CAMERAS).map(move |at| camera(at, distance))).collect()
}

/// The camera at `position` that looks along `forward`.
fn look(position: DVec3, forward: DVec3) -> Camera {
    let up = if forward.z.abs() < 0.9 { DVec3::Z } else { DVec3::X };
    let right = forward.cross(up).normalize();
    let down = forward.cross(right);
    let c2w = DMat4::from_cols(right.extend(0.0), down.extend(0.0), forward.extend(0.0), position.extend(1.0));
    let (side, focal) = (f64::from(SIDE), FOCAL * f64::from(SIDE));
    let (cx, cy) = (0.5 * side, 0.5 * side);
    Camera { width: SIDE, height: SIDE, fx: focal, fy: focal, cx, cy, viewmat: c2w.inverse(), reduction: 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_camera_looks_through_the_middle_with_a_rigid_pose() {
        let positions: Vec<[f32; 3]> = (0..1000).map(|i| [5.0, -3.0, 0.002 * i as f32 + 7.0]).collect();
        let cameras = around(&positions);
        assert_eq!(cameras.len(), 2 * CAMERAS as usize);
        let middle = DVec3::new(5.0, -3.0, 8.0);
        for (at, camera) in cameras.iter().enumerate() {
            let seen = camera.sees(middle).expect("it is in view");
            assert!((seen.x - 256.0).abs() < 1.0 && (seen.y - 256.0).abs() < 1.0, "{seen}");
            let radii = if at < CAMERAS as usize { 2.2 } else { 0.5 };
            assert!((seen.z / 0.9 - radii).abs() < 0.02 * radii, "{} of {radii}", seen.z / 0.9);
            assert!((camera.rotation().determinant() - 1.0).abs() < 1e-9);
        }
        assert!(around(&[]).iter().all(|camera| camera.viewmat.is_finite()));
    }
}
