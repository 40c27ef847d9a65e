//! World normalization: the frame in which the metric parameters of PPM are given (NAKA-GS §3.2; the transforms are
//! those of gsplat's dataset code). Files keep the capture's own frame.

use super::Camera;
use crate::eigen;
use glam::{DMat3, DMat4, DVec3};

/// The similarity from the capture's frame to one whose up axis (−y) is the mean camera's, whose origin is the median
/// of the viewing rays' closest points to the old origin, and in which the median camera distance is 1.
/// Degenerate cases (no cameras, all at one point) fall back to no rotation and no scale.
pub fn world_normalization(cameras: &[Camera]) -> DMat4 {
    let up: DVec3 = cameras.iter().map(|camera| camera.rotation().transpose() * DVec3::NEG_Y).sum();
    let align = rotation_between(up.normalize_or(DVec3::NEG_Y), DVec3::NEG_Y);
    let centers: Vec<DVec3> = cameras.iter().map(|camera| align * camera.center()).collect();
    let closest: Vec<DVec3> = cameras
        .iter()
        .zip(&centers)
        .map(|(camera, &center)| {
            let forward = align * camera.forward();
            center - forward * forward.dot(center)
        })
        .collect();
    let focus = median_vec(&closest);
    let distance = median(centers.iter().map(|&center| (center - focus).length()).collect());
    let scale = if distance > f64::EPSILON { 1.0 / distance } else { 1.0 };
    let mut transform = DMat4::from_mat3(align * scale);
    transform.w_axis = (-focus * scale).extend(1.0);
    transform
}

/// The rigid transform to the median point and the principal axes of `points`, largest spread first. Identity for
/// fewer than 3 points.
pub fn principal_axes(points: &[DVec3]) -> DMat4 {
    if points.len() < 3 {
        return DMat4::IDENTITY;
    }
    let center = median_vec(points);
    let mean = points.iter().map(|&p| p - center).sum::<DVec3>() / points.len() as f64;
    let covariance = points.iter().fold(DMat3::ZERO, |sum, &p| {
        let d = p - center - mean;
        sum + DMat3::from_cols(d * d.x, d * d.y, d * d.z)
    });
    let [x, y, z] = eigen::largest_first(covariance.to_cols_array_2d()).map(|(_, vector)| DVec3::from(vector));
    let mut axes = DMat3::from_cols(x, y, z);
    if axes.determinant() < 0.0 {
        axes.x_axis = -axes.x_axis;
    }
    let rotation = axes.transpose();
    super::pose::from_rotation_translation(rotation, -(rotation * center))
}

/// The smallest rotation that takes the unit vector `from` to `to`; half a turn about x where they are opposite.
fn rotation_between(from: DVec3, to: DVec3) -> DMat3 {
    let cosine = from.dot(to);
    if cosine <= -1.0 + 1e-12 {
        return DMat3::from_diagonal(DVec3::new(1.0, -1.0, -1.0));
    }
    let v = from.cross(to);
    let skew = DMat3::from_cols(DVec3::new(0.0, v.z, -v.y), DVec3::new(-v.z, 0.0, v.x), DVec3::new(v.y, -v.x, 0.0));
    DMat3::IDENTITY + skew + skew * skew * (1.0 / (1.0 + cosine))
}

/// Component-wise [`median`].
pub(super) fn median_vec(points: &[DVec3]) -> DVec3 {
    let component = |pick: fn(&DVec3) -> f64| median(points.iter().map(pick).collect());
    DVec3::new(component(|p| p.x), component(|p| p.y), component(|p| p.z))
}

/// Median (the mean of the middle two where there are two); 0 of nothing.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let n = values.len();
    match (n, n % 2) {
        (0, _) => 0.0,
        (_, 1) => values[n / 2],
        _ => 0.5 * (values[n / 2 - 1] + values[n / 2]),
    }
}
