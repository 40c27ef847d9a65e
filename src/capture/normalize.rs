//! World normalization: the frame in which the metric parameters of PPM are given (NAKA-GS §3.2; the transforms are
//! those of gsplat's dataset code, but for their dependence on where the capture's origin lies). Files keep the
//! capture's own frame.

use super::Camera;
use super::arrangement::typical_depth;
use super::medians::{median, median_vec};
use crate::eigen;
use glam::{DMat3, DMat4, DVec3};

/// Centers of cameras nearer to each other than this part of their distance from the origin coincide, as far as
/// double precision tells.
const COINCIDENT: f64 = 1e-12;

/// The similarity from the capture's frame to one whose up axis (−y) is the mean camera's, whose origin is what the
/// cameras look at, and in which their median distance from it is 1, wherever the capture's origin lies.
/// Degenerate cases (no cameras, all at one point) fall back to no rotation and no scale.
pub fn world_normalization(cameras: &[Camera]) -> DMat4 {
    world_normalization_about(cameras, looked_at(cameras))
}

/// The published rule: the frame's origin is the median of the viewing rays' closest points to `reference`. There it
/// is the capture's origin. Where that lies off the scene, its distance becomes the unit of length (with the origin
/// 120 units away, 56 of 60 000 points were left), so that all but golden files take what the cameras look at. Where
/// the origin is the scene's middle, the unit is the same within 1 % on the captures of RealX3D, 2.4 % on fox.
pub(crate) fn world_normalization_about(cameras: &[Camera], reference: DVec3) -> DMat4 {
    let up: DVec3 = cameras.iter().map(|camera| camera.rotation().transpose() * DVec3::NEG_Y).sum();
    let align = rotation_between(up.normalize_or(DVec3::NEG_Y), DVec3::NEG_Y);
    let centers: Vec<DVec3> = cameras.iter().map(|camera| align * (camera.center() - reference)).collect();
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
    let scale = if distance > f64::EPSILON.max(COINCIDENT * reference.length()) { 1.0 / distance } else { 1.0 };
    let mut transform = DMat4::from_mat3(align * scale);
    transform.w_axis = (-(focus + align * reference) * scale).extend(1.0);
    transform
}

/// The median of the points on the cameras' axes at the depth where these typically pass each other, or, where all are
/// parallel, at the cameras' median distance from their middle.
fn looked_at(cameras: &[Camera]) -> DVec3 {
    let centers: Vec<DVec3> = cameras.iter().map(Camera::center).collect();
    let middle = median_vec(&centers);
    let refs: Vec<&Camera> = cameras.iter().collect();
    let depth = typical_depth(&refs).unwrap_or_else(|| median(centers.iter().map(|c| c.distance(middle)).collect()));
    let ahead: Vec<DVec3> = cameras.iter().zip(&centers).map(|(c, &center)| center + c.forward() * depth).collect();
    median_vec(&ahead)
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

#[cfg(test)]
mod tests {
    use super::super::pose::from_rotation_translation;
    use super::*;

    fn camera(eye: DVec3, forward: DVec3) -> Camera {
        let right = forward.cross(DVec3::new(0.1, 1.0, 0.2)).normalize();
        let rotation = DMat3::from_cols(right, forward.cross(right), forward).transpose();
        let viewmat = from_rotation_translation(rotation, -(rotation * eye));
        Camera { width: 8, height: 6, fx: 9.0, fy: 9.0, cx: 4.0, cy: 3.0, viewmat, reduction: 1.0 }
    }

    /// Places and directions of a ring that looks in, of an arc, of an aerial survey that looks straight down, and of
    /// cameras that look out of a room.
    fn arrangements() -> [Vec<(DVec3, DVec3)>; 4] {
        let on_ring = |angle: f64| {
            let eye = DVec3::new(3.0 * angle.sin(), 0.4, 3.0 * angle.cos());
            (eye, -eye.normalize())
        };
        let ring = (0..12).map(|i| on_ring(0.52 * f64::from(i))).collect();
        let arc = (0..9).map(|i| on_ring(0.1 * f64::from(i))).collect();
        let down = DVec3::new(0.0, -1.0, 0.0);
        let survey = (0..25).map(|i| (DVec3::new(20.0 * f64::from(i % 5), 60.0, 20.0 * f64::from(i / 5)), down));
        let out = (0..12).map(|i| on_ring(0.52 * f64::from(i))).map(|(eye, inwards)| (eye, -inwards));
        [ring, arc, survey.collect(), out.collect()]
    }

    #[test]
    fn the_origin_of_the_capture_changes_nothing() {
        for (kind, poses) in arrangements().into_iter().enumerate() {
            let at = |offset: DVec3| {
                let cameras: Vec<Camera> = poses.iter().map(|&(eye, forward)| camera(eye + offset, forward)).collect();
                world_normalization(&cameras)
            };
            let here = at(DVec3::ZERO);
            for distance in [0.5, 30.0, 250.0, 5e5] {
                let offset = DVec3::new(1.0, 0.2, -0.7) * distance;
                let there = at(offset) * DMat4::from_translation(offset);
                assert!(there.abs_diff_eq(here, 1e-8 * (1.0 + distance)), "{kind} {distance}: {there} {here}");
                let scale = there.x_axis.truncate().length() / here.x_axis.truncate().length();
                assert!((scale - 1.0).abs() < 1e-6, "{kind} {distance}: {scale}");
            }
        }
    }

    #[test]
    fn the_unit_is_the_distance_to_what_is_looked_at() {
        let unit = |poses: &[(DVec3, DVec3)]| {
            let cameras: Vec<Camera> = poses.iter().map(|&(eye, forward)| camera(eye, forward)).collect();
            world_normalization(&cameras).x_axis.truncate().length().recip()
        };
        let [ring, arc, survey, out] = arrangements();
        let radius = 3.0f64.hypot(0.4);
        for (name, poses) in [("ring", &ring), ("arc", &arc), ("out", &out)] {
            assert!((unit(poses) / radius - 1.0).abs() < 0.02, "{name}: {}", unit(poses));
        }
        // Nothing tells the height above ground: the unit is of the size of the flight.
        assert!((20.0..90.0).contains(&unit(&survey)), "{}", unit(&survey));
        let mut stray = ring;
        stray.push((DVec3::new(4800.0, 100.0, 3.0), DVec3::X));
        assert!((unit(&stray) / radius - 1.0).abs() < 0.02, "{}", unit(&stray));
    }

    #[test]
    fn the_published_rule_is_about_the_origin() {
        let cameras: Vec<Camera> = arrangements()[0].iter().map(|&(eye, forward)| camera(eye, forward)).collect();
        let (own, published) = (world_normalization(&cameras), world_normalization_about(&cameras, DVec3::ZERO));
        assert!(own.abs_diff_eq(published, 1e-9), "{own} {published}");
        let far = DVec3::new(30.0, 0.0, 0.0);
        let moved: Vec<Camera> = arrangements()[0].iter().map(|&(eye, forward)| camera(eye + far, forward)).collect();
        let unit = |to: DMat4| to.x_axis.truncate().length().recip();
        let [own, published] = [world_normalization(&moved), world_normalization_about(&moved, DVec3::ZERO)].map(unit);
        assert!(published > 3.0 * own, "{published} {own}");
    }

    #[test]
    fn cameras_at_one_place_have_no_unit() {
        for origin in [DVec3::ZERO, DVec3::new(3e5, 4e6, 100.0)] {
            let turning: Vec<Camera> = (0..9)
                .map(|i| camera(origin, DVec3::new((0.3 * f64::from(i)).sin(), 0.0, (0.3 * f64::from(i)).cos())))
                .collect();
            let scale = world_normalization(&turning).x_axis.truncate().length();
            assert!((scale - 1.0).abs() < 1e-9, "{scale}");
        }
    }
}
