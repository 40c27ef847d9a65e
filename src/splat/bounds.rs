//! How large a scene is, without its outliers.

use crate::capture::{Camera, median};
use glam::DVec3;

/// Most positions that are looked at.
const SAMPLES: usize = 20_000;

/// A sphere that holds most of a scene.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bounds {
    /// The median of its positions.
    pub center: DVec3,
    /// Nine tenths of its positions are nearer to the center.
    pub radius: f64,
}

impl Default for Bounds {
    /// About the origin.
    fn default() -> Self {
        Self { center: DVec3::ZERO, radius: 1.0 }
    }
}

impl Bounds {
    /// Centered at the medians of `positions`, with nine tenths of them inside.
    pub fn of(positions: &[[f32; 3]]) -> Self {
        let step = positions.len().div_ceil(SAMPLES).max(1);
        let samples: Vec<DVec3> = positions.iter().step_by(step).map(|p| DVec3::from(p.map(f64::from))).collect();
        if samples.is_empty() {
            return Self::default();
        }
        let middle = |axis: usize| median(samples.iter().map(|p| p[axis]).collect());
        let center = DVec3::new(middle(0), middle(1), middle(2));
        let mut distances: Vec<f64> = samples.iter().map(|p| p.distance(center)).collect();
        distances.sort_by(f64::total_cmp);
        Self { center, radius: distances[distances.len() * 9 / 10].max(1e-6) }
    }

    /// The depths between which the sphere lies in front of `camera`.
    pub fn depths(&self, camera: &Camera) -> [f32; 2] {
        let depth = camera.viewmat.transform_point3(self.center).z;
        let far = (depth + self.radius).max(0.1 * self.radius);
        let near = (depth - self.radius).max(0.02 * far);
        [near as f32, far as f32]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use glam::DMat4;

    #[test]
    fn outliers_do_not_count() {
        let mut positions: Vec<[f32; 3]> = (0..=1000).map(|i| [i as f32 / 500.0 + 1.0, 5.0, -2.0]).collect();
        positions.extend([[1e9, 0.0, 0.0]; 20]);
        let bounds = Bounds::of(&positions);
        assert!(bounds.center.distance(DVec3::new(2.02, 5.0, -2.0)) < 0.03, "{bounds:?}");
        assert!((0.85..1.0).contains(&bounds.radius), "{bounds:?}");
        assert_eq!(Bounds::of(&[]), Bounds::default());
    }

    #[test]
    fn depths_hold_the_sphere() {
        let camera = Camera {
            width: 10,
            height: 10,
            fx: 10.0,
            fy: 10.0,
            cx: 5.0,
            cy: 5.0,
            viewmat: DMat4::from_translation(DVec3::new(0.0, 0.0, 4.0)),
            reduction: 1.0,
        };
        assert_eq!(Bounds::default().depths(&camera), [3.0, 5.0]);
        let inside = Bounds { radius: 6.0, ..Bounds::default() }.depths(&camera);
        assert!(inside[0] > 0.0 && inside[0] < 0.5 && inside[1] == 10.0);
    }
}
