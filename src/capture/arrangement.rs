//! How the cameras of a capture stand to each other: how large what they look at is, and which arrangements make bad
//! models or come from wrong poses.

use super::medians::{median, median_vec};
use super::messages::list_names;
use super::{Camera, Capture, View};
use crate::eigen;
use glam::{DMat3, DVec3};

/// A camera is a stray where it is this many times as far from the middle as three of four cameras are. Ordinary captures
/// stay below 5: a walk through rooms, a ring with views from afar.
const STRAY: f64 = 10.0;
/// The fewest cameras of which one can be a stray.
const MIN_CAMERAS: usize = 5;
/// Part of the extent along a line within which cameras stand on it.
const COLLINEAR: f64 = 0.01;
/// Cameras closer than this part of their distance from the origin count as coincident: files do not resolve less.
const COINCIDENT: f64 = 1e-12;

impl Capture {
    /// 1.1 · the largest distance of a training camera from their centroid (the unit of the means' learning rate and
    /// of densification; Kerbl et al. 2023), without stray ones: one camera 4 800 units away cost a synthetic capture
    /// 4 dB. At least a tiny positive number.
    pub fn scene_scale(&self) -> f64 {
        let strays = strays(&self.train);
        let views = self.train.iter().enumerate().filter(|(index, _)| !strays.contains(index));
        let centers: Vec<DVec3> = views.map(|(_, view)| view.camera.center()).collect();
        let centroid = centers.iter().sum::<DVec3>() / centers.len().max(1) as f64;
        let radius = centers.iter().map(|&center| center.distance(centroid)).fold(0.0, f64::max);
        (1.1 * radius).max(1e-6)
    }

    /// Warnings about unusual arrangements of the training cameras that cost quality, one sentence each.
    pub fn arrangement_warnings(&self) -> Vec<String> {
        let strays = strays(&self.train);
        let (far, near): (Vec<_>, Vec<_>) = self.train.iter().enumerate().partition(|(i, _)| strays.contains(i));
        let centers: Vec<DVec3> = near.iter().map(|(_, view)| view.camera.center()).collect();
        let mut warnings = Vec::new();
        if !far.is_empty() {
            let center = median_vec(&centers);
            let names: Vec<&str> = far.iter().map(|(_, view)| view.name.as_str()).collect();
            let nearest =
                far.iter().map(|(_, view)| view.camera.center().distance(center)).fold(f64::INFINITY, f64::min);
            let radius = centers.iter().map(|c| c.distance(center)).fold(0.0, f64::max);
            warnings.push(format!(
                "{} stray cameras stand {nearest:.3e} units or more from the others, which are within {radius:.3e} units \
                 of their middle: {}; correct their poses or remove them",
                far.len(),
                list_names(&names)
            ));
        }
        warnings.extend(shape_warning(&centers).map(String::from));
        warnings
    }
}

/// The warning about camera centers that coincide or lie on one line.
fn shape_warning(centers: &[DVec3]) -> Option<&'static str> {
    if centers.len() < 3 {
        return None;
    }
    let mean = centers.iter().sum::<DVec3>() / centers.len() as f64;
    let covariance = centers.iter().fold(DMat3::ZERO, |sum, &center| {
        let d = center - mean;
        sum + DMat3::from_cols(d * d.x, d * d.y, d * d.z)
    });
    let [first, second, _] =
        eigen::largest_first(covariance.to_cols_array_2d()).map(|(value, _)| value.max(0.0).sqrt());
    if first <= COINCIDENT * mean.length() * (centers.len() as f64).sqrt() {
        return Some(
            "all cameras stand at one place: photographs from there tell no depth, and only views from there will be \
             good; add photographs from other places, or check the poses",
        );
    }
    (second <= COLLINEAR * first).then_some(
        "all cameras stand on one line: views from off that line are guesses; add photographs from other sides, or check \
         the poses",
    )
}

/// Indices of the views whose cameras are far from all others.
fn strays(views: &[View]) -> Vec<usize> {
    if views.len() < MIN_CAMERAS {
        return Vec::new();
    }
    let centers: Vec<DVec3> = views.iter().map(|view| view.camera.center()).collect();
    let center = median_vec(&centers);
    let distances: Vec<f64> = centers.iter().map(|c| c.distance(center)).collect();
    let mut sorted = distances.clone();
    sorted.sort_by(f64::total_cmp);
    let most = sorted[(3 * (views.len() - 1)).div_ceil(4)];
    // Where most cameras coincide, their extent does not limit the others.
    if most <= COINCIDENT * center.length() {
        return Vec::new();
    }
    (0..views.len()).filter(|&i| distances[i] > STRAY * most).collect()
}

/// The median depth at which the axes of two cameras pass each other, over pairs that are not parallel. `None` where
/// no axes meet in front of their cameras (a camera that turns on the spot, or moves along a wall).
pub fn typical_depth(cameras: &[&Camera]) -> Option<f64> {
    let rays: Vec<_> = cameras.iter().map(|camera| (camera.center(), camera.forward())).collect();
    // All pairs of a large capture would take minutes, and add nothing.
    let stride = rays.len().div_ceil(200).max(1);
    let mut depths = Vec::new();
    for (i, (center, forward)) in rays.iter().enumerate().step_by(stride) {
        for (other_center, other_forward) in rays.iter().skip(i + 1).step_by(stride) {
            let cosine = forward.dot(*other_forward);
            let sine_squared = 1.0 - cosine * cosine;
            if sine_squared < 0.003 || cosine < 0.0 {
                continue;
            }
            let offset = *other_center - *center;
            let along = (offset.dot(*forward) - offset.dot(*other_forward) * cosine) / sine_squared;
            let other_along = (offset.dot(*forward) * cosine - offset.dot(*other_forward)) / sine_squared;
            if along > 0.0 && other_along > 0.0 {
                depths.extend([along, other_along]);
            }
        }
    }
    Some(median(depths)).filter(|depth| depth.is_finite() && *depth > 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use glam::DMat4;

    fn capture(centers: &[DVec3]) -> Capture {
        let view = |(i, center): (usize, &DVec3)| {
            let viewmat = DMat4::from_translation(-*center);
            let camera = Camera { width: 8, height: 6, fx: 9.0, fy: 9.0, cx: 4.0, cy: 3.0, viewmat, reduction: 1.0 };
            View {
                name: format!("{i}.png"),
                image: None,
                camera,
                lens: None,
                mask: None,
                gain: None,
                shots: Vec::new(),
            }
        };
        Capture { train: centers.iter().enumerate().map(view).collect(), ..Capture::default() }
    }

    fn ring(radius: f64) -> Vec<DVec3> {
        (0..9)
            .map(|i| DVec3::new(radius * f64::from(i).sin(), 0.1 * f64::from(i), radius * f64::from(i).cos()))
            .collect()
    }

    #[test]
    fn a_stray_camera_is_named_and_sets_nobodys_scale() {
        for unit in [1.0, 1e-3, 1e5] {
            let mut centers: Vec<DVec3> = ring(3.0).iter().map(|c| *c * unit).collect();
            assert_eq!(capture(&centers).arrangement_warnings(), Vec::<String>::new());
            let scale = capture(&centers).scene_scale();
            centers.push(DVec3::new(4800.0, 0.0, 1.0) * unit);
            let found = capture(&centers);
            assert!((found.scene_scale() / scale - 1.0).abs() < 1e-12, "{unit}");
            let warnings = found.arrangement_warnings();
            assert!(
                warnings.len() == 1 && warnings[0].contains("1 stray") && warnings[0].contains("9.png"),
                "{warnings:?}"
            );
        }
    }

    #[test]
    fn far_views_of_an_ordinary_capture_are_no_strays() {
        let mut centers = ring(1.0);
        centers.push(DVec3::new(0.0, 0.0, 8.0));
        assert!(capture(&centers).arrangement_warnings().is_empty());
        assert!(capture(&centers).scene_scale() > 6.0);
        let walk: Vec<DVec3> = (0..200).map(|i| DVec3::new(f64::from(i), f64::from(i % 9), 0.0)).collect();
        assert!(capture(&walk).arrangement_warnings().is_empty());
    }

    #[test]
    fn cameras_at_one_place_or_on_one_line_are_told_of() {
        for origin in [DVec3::ZERO, DVec3::new(5e6, -4e6, 3e6)] {
            let warning = |centers: Vec<DVec3>| {
                let moved: Vec<DVec3> = centers.iter().map(|c| *c + origin).collect();
                capture(&moved).arrangement_warnings().join("; ")
            };
            assert!(warning(vec![DVec3::ZERO; 7]).contains("one place"));
            let line = |i: i32| DVec3::new(0.5, 1.0, 2.0) * f64::from(i);
            assert!(warning((0..7).map(line).collect()).contains("one line"));
            assert_eq!(warning(ring(2.0)), "");
        }
    }
}
