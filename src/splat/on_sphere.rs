//! Directions that are even on the sphere.

use glam::DVec3;
use std::f64::consts::PI;

/// The direction `at` of `count`, along a spiral of golden angles (the Fibonacci lattice).
pub(crate) fn on_sphere(at: u32, count: u32) -> DVec3 {
    let angle = PI * (3.0 - 5f64.sqrt()) * f64::from(at);
    let z = 1.0 - (2.0 * f64::from(at) + 1.0) / f64::from(count);
    let level = (1.0 - z * z).sqrt();
    DVec3::new(level * angle.cos(), level * angle.sin(), z)
}
