//! Regions of space to keep.

use super::super::on_sphere;
use crate::capture::Camera;
use crate::error::{Error, Result};
use glam::DVec3;

/// Directions in which the hull of the cameras is measured. It is approximated from outside by the half-spaces of these,
/// which works for cameras in a plane and on a line, too; it reaches up to a tenth of its radius too far between them.
const DIRECTIONS: u32 = 512;

/// A part of space.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Region {
    /// An axis-aligned box between two opposite corners.
    Box([DVec3; 2]),
    /// A ball.
    Sphere {
        /// Its middle.
        center: DVec3,
        /// Its radius.
        radius: f64,
    },
    /// The convex hull of the camera centers, wider on all sides by this part of its radius.
    Hull(f64),
}

impl Region {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Box(_) => "box",
            Self::Sphere { .. } => "sphere",
            Self::Hull(_) => "hull",
        }
    }

    /// Whether a point is in it.
    ///
    /// # Errors
    /// The hull of no cameras.
    pub(super) fn test(self, cameras: &[Camera]) -> Result<Box<dyn Fn(DVec3) -> bool>> {
        Ok(match self {
            Self::Box([a, b]) => {
                let (low, high) = (a.min(b), a.max(b));
                Box::new(move |point| point.cmpge(low).all() && point.cmple(high).all())
            }
            Self::Sphere { center, radius } => Box::new(move |point| point.distance(center) <= radius),
            Self::Hull(margin) => {
                let sides = hull(cameras, margin)?;
                Box::new(move |point| sides.iter().all(|(direction, most)| direction.dot(point) <= *most))
            }
        })
    }
}

/// The extent of the hull in each direction.
fn hull(cameras: &[Camera], margin: f64) -> Result<Vec<(DVec3, f64)>> {
    let centers: Vec<DVec3> = cameras.iter().map(Camera::center).collect();
    if centers.is_empty() {
        return Err(Error::setting("hull", "no cameras", "say where they are (`cameras`)"));
    }
    let middle = centers.iter().sum::<DVec3>() / centers.len() as f64;
    let radius = centers.iter().map(|center| center.distance(middle)).fold(0.0, f64::max);
    let reach = |direction: DVec3| {
        centers.iter().map(|center| direction.dot(*center)).fold(f64::NEG_INFINITY, f64::max) + margin * radius
    };
    Ok((0..DIRECTIONS)
        .map(|at| on_sphere(at, DIRECTIONS))
        .chain(DVec3::AXES)
        .chain(DVec3::AXES.map(|axis| -axis))
        .map(|d| (d, reach(d)))
        .collect())
}
