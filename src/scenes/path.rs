//! Camera poses, and the pictures they take.

use super::description::CameraPath;
use super::shape::Ray;
use super::world::World;
use crate::capture::{Camera, Image};
use glam::{DMat3, DMat4, DVec3, DVec4, Vec3};
use rayon::prelude::*;

/// Train views at even steps from the first to the last place of the path.
pub fn train_cameras(path: &CameraPath) -> Vec<Camera> {
    let last = f64::from(path.train - 1);
    (0..path.train).map(|i| camera(path, f64::from(i) / last)).collect()
}

/// Test views half-way between train views, spread evenly over the path.
pub fn test_cameras(path: &CameraPath) -> Vec<Camera> {
    let gaps = f64::from(path.train - 1);
    let place = |k: u32| ((f64::from(k) + 0.5) / f64::from(path.test) * gaps).floor() + 0.5;
    (0..path.test).map(|k| camera(path, place(k) / gaps)).collect()
}

/// The camera at place `t` (0–1) of the path.
fn camera(path: &CameraPath, t: f64) -> Camera {
    let azimuth = (path.arc[0] + (path.arc[1] - path.arc[0]) * t).to_radians();
    let swing = 0.5 - 0.5 * (std::f64::consts::TAU * path.swings * t).cos();
    let height = path.heights[0] + (path.heights[1] - path.heights[0]) * swing;
    let target = DVec3::from(path.target);
    let ground = target + path.radius * DVec3::new(azimuth.cos(), azimuth.sin(), 0.0);
    let (width, focal) = (f64::from(path.width), 0.5 * f64::from(path.width) / (0.5 * path.fov.to_radians()).tan());
    Camera {
        width: path.width,
        height: path.height,
        fx: focal,
        fy: focal,
        cx: 0.5 * width,
        cy: 0.5 * f64::from(path.height),
        viewmat: Camera::viewmat_from_opengl(look_at(ground.with_z(height), target)),
        reduction: 1.0,
    }
}

/// Camera-to-world in OpenGL axes: x right, y up, z backwards.
fn look_at(eye: DVec3, target: DVec3) -> DMat4 {
    let back = (eye - target).normalize_or(DVec3::NEG_Y);
    let right = DVec3::Z.cross(back).normalize_or(DVec3::X);
    let up = back.cross(right);
    let column = |v: DVec3, w: f64| DVec4::new(v.x, v.y, v.z, w);
    DMat4::from_cols(column(right, 0.0), column(up, 0.0), column(back, 0.0), column(eye, 1.0))
}

/// A camera as a source of rays.
pub struct Eye {
    camera: Camera,
    to_world: DMat3,
    pub origin: Vec3,
}

impl Eye {
    pub fn new(camera: &Camera) -> Self {
        let to_world = camera.rotation().transpose();
        Self { camera: camera.clone(), to_world, origin: camera.center().as_vec3() }
    }

    /// The ray through a place of the picture; pixel centers lie at +0.5.
    pub fn ray(&self, x: f64, y: f64) -> Ray {
        let (px, py) = ((x - self.camera.cx) / self.camera.fx, (y - self.camera.cy) / self.camera.fy);
        let direction = (self.to_world * DVec3::new(px, py, 1.0)).normalize().as_vec3();
        Ray { origin: self.origin, direction }
    }
}

/// The radiance image a camera sees, the mean of `antialias`² rays a pixel.
pub fn photograph(world: &World, camera: &Camera, antialias: u32) -> Image {
    let eye = Eye::new(camera);
    let pixel = |i: usize| {
        let (x, y) = (i as u32 % camera.width, i as u32 / camera.width);
        let mut sum = Vec3::ZERO;
        for (a, b) in (0..antialias).flat_map(|a| (0..antialias).map(move |b| (a, b))) {
            let place = |p: u32, k: u32| f64::from(p) + (f64::from(k) + 0.5) / f64::from(antialias);
            sum += world.radiance(&eye.ray(place(x, a), place(y, b)));
        }
        (sum / (antialias * antialias) as f32).to_array()
    };
    let pixels = (0..camera.width as usize * camera.height as usize).into_par_iter().map(pixel).collect();
    Image { width: camera.width, height: camera.height, pixels }
}
