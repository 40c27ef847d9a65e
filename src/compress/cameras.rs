//! Generated cameras: around and inside splats that come without any, and between given ones.

use crate::capture::Camera;
use crate::splat::{Bounds, on_sphere};
use glam::{DMat4, DQuat, DVec3};
use std::collections::BTreeSet;

/// Number of cameras outside, and of those inside: for an object or a room, one of the two sees what viewers will.
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

/// Nearest neighbors of each camera between which one is placed.
const NEIGHBORS: usize = 2;
/// Least cosine between the directions of cameras that look the same way: 60°.
const SAME_WAY: f64 = 0.5;

/// A camera halfway between each of `cameras` and its two nearest that look the same way, once for each pair: position and
/// rotation in the middle, lens and size of the first.
pub fn between(cameras: &[Camera]) -> Vec<Camera> {
    let centers: Vec<DVec3> = cameras.iter().map(Camera::center).collect();
    let forward: Vec<DVec3> = cameras.iter().map(Camera::forward).collect();
    let mut pairs = BTreeSet::new();
    for one in 0..cameras.len() {
        let distance = |other: &usize| centers[one].distance_squared(centers[*other]);
        let same_way = |other: &usize| *other != one && forward[one].dot(forward[*other]) > SAME_WAY;
        let mut others: Vec<usize> = (0..cameras.len()).filter(same_way).collect();
        others.sort_by(|a, b| distance(a).total_cmp(&distance(b)));
        pairs.extend(others.into_iter().take(NEIGHBORS).map(|other| (one.min(other), one.max(other))));
    }
    let halfway = |(one, other): (usize, usize)| {
        let turn = |camera: &Camera| DQuat::from_mat3(&camera.rotation());
        let rotation = turn(&cameras[one]).slerp(turn(&cameras[other]), 0.5);
        let center = centers[one].midpoint(centers[other]);
        let viewmat = DMat4::from_rotation_translation(rotation, -(rotation * center));
        Camera { viewmat, ..cameras[one].clone() }
    };
    pairs.into_iter().map(halfway).collect()
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
    fn cameras_between_are_halfway_between_neighbors() {
        let at = |x: f64, forward: DVec3| Camera { width: 40, ..look(DVec3::new(x, 0.0, 0.0), forward.normalize()) };
        let row = [0.0, 1.0, 2.1, 3.3, 90.0].map(|x| at(x, DVec3::new(-0.1 * x.min(4.0), 1.0, 0.0)));
        let back = at(1.0, -DVec3::Y);
        let all: Vec<Camera> = row.into_iter().chain([back]).collect();
        let found = between(&all);
        let mut positions: Vec<f64> = found.iter().map(|camera| camera.center().x).collect();
        positions.sort_by(f64::total_cmp);
        // 0-1, 0-2.1, 1-2.1, 1-3.3, 2.1-3.3, and the far one with its two nearest; none with the one that looks back.
        let expected = [0.5, 1.05, 1.55, 2.15, 2.7, 46.05, 46.65];
        assert_eq!(positions.len(), expected.len(), "{positions:?}");
        assert!(positions.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-9), "{positions:?}");
        for camera in &found {
            assert!((camera.rotation().determinant() - 1.0).abs() < 1e-9 && camera.width == 40);
        }
        let middle = found.iter().find(|camera| (camera.center().x - 0.5).abs() < 1e-9).unwrap().forward();
        let halfway = (all[0].forward() + all[1].forward()).normalize();
        assert!(middle.distance(halfway) < 1e-9, "{middle}");
        assert!(between(&all[..1]).is_empty() && between(&[]).is_empty());
    }

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
