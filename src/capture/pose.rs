//! Camera poses from files: checked to be rigid.

use glam::{DMat3, DMat4, DVec3};

/// Largest difference of `RᵀR` from the identity that counts as rounding.
const MAX_SKEW: f64 = 1e-2;
/// Positions beyond this have no square in single precision, in which the kernels compute.
pub const MAX_POSITION: f64 = 1e18;

/// `translation` if the kernels can compute with it.
///
/// # Errors
/// What is wrong with it.
pub fn position(translation: DVec3) -> Result<DVec3, String> {
    // Written so that NaN fails.
    match translation.abs().max_element() <= MAX_POSITION && translation.is_finite() {
        true => Ok(translation),
        false => {
            let [x, y, z] = translation.to_array();
            Err(format!("its position ({x:e}, {y:e}, {z:e}) is not within ±1e18"))
        }
    }
}

/// `matrix` (camera to world or back) with its rotation made exactly orthonormal.
///
/// # Errors
/// What is wrong with it: not finite, singular, mirrored, scaled or sheared.
pub fn rigid(matrix: DMat4) -> Result<DMat4, String> {
    if !matrix.is_finite() {
        return Err("its pose holds NaN or infinity".into());
    }
    let last_row = matrix.row(3);
    if (last_row - glam::DVec4::W).length() > 1e-6 {
        let hint = if matrix.col(3) == glam::DVec4::W { "; its rows seem to be columns" } else { "" };
        return Err(format!("the last row of its pose is {last_row}, not [0, 0, 0, 1]{hint}"));
    }
    let rotation = DMat3::from_mat4(matrix);
    let scale = rotation.x_axis.length().max(rotation.y_axis.length()).max(rotation.z_axis.length());
    let determinant = rotation.determinant();
    if determinant.abs() <= 1e-6 * scale.powi(3) {
        return Err("its pose is singular (the rotation has no inverse)".into());
    }
    let skew = rotation.transpose() * rotation - DMat3::IDENTITY;
    if skew.to_cols_array().iter().any(|v| v.abs() > MAX_SKEW) {
        return Err(format!(
            "its pose is not rigid (the axes have lengths up to {scale:.4} or are not at right angles)"
        ));
    }
    if determinant < 0.0 {
        return Err("its pose is a mirror image (determinant -1)".into());
    }
    Ok(from_rotation_translation(nearest_rotation(rotation), position(matrix.w_axis.truncate())?))
}

/// The rotation nearest to `m` (polar decomposition by Newton's iteration, Higham 1986); converges quadratically.
fn nearest_rotation(m: DMat3) -> DMat3 {
    let mut r = m;
    for _ in 0..6 {
        r = (r + r.inverse().transpose()) * 0.5;
    }
    r
}

/// The rigid transform `x ↦ rotation · x + translation`.
pub fn from_rotation_translation(rotation: DMat3, translation: DVec3) -> DMat4 {
    let mut matrix = DMat4::from_mat3(rotation);
    matrix.w_axis = translation.extend(1.0);
    matrix
}

/// The pose of one photograph.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedPose {
    /// The image as its file names it; folders may stand before it.
    pub image: String,
    /// World to camera, OpenCV axes.
    pub viewmat: DMat4,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounded_rotations_are_made_exact_and_exact_ones_kept() {
        let exact = DMat4::from_axis_angle(DVec3::new(1.0, 2.0, 3.0).normalize(), 0.7);
        assert!(rigid(exact).unwrap().abs_diff_eq(exact, 1e-14));
        let mut rounded = exact;
        rounded.x_axis.y += 1e-3;
        rounded.w_axis.x = 5.0;
        let r = DMat3::from_mat4(rigid(rounded).unwrap());
        assert!((r.transpose() * r).abs_diff_eq(DMat3::IDENTITY, 1e-12));
        assert_eq!(rigid(rounded).unwrap().w_axis.x, 5.0);
    }

    #[test]
    fn wrong_poses_are_named() {
        let reason = |m: DMat4| rigid(m).unwrap_err();
        assert!(reason(DMat4::from_diagonal(glam::DVec4::new(1.0, 1.0, 0.0, 1.0))).contains("singular"));
        assert!(reason(DMat4::ZERO + DMat4::from_cols_array(&[0.0; 16])).contains("last row"));
        assert!(reason(DMat4::from_scale(DVec3::splat(2.0))).contains("rigid"));
        assert!(reason(DMat4::from_scale(DVec3::new(1.0, 1.0, -1.0))).contains("mirror"));
        assert!(reason(DMat4::from_translation(DVec3::new(f64::NAN, 0.0, 0.0))).contains("NaN"));
        assert!(reason(DMat4::from_translation(DVec3::new(0.0, -1e300, 0.0))).contains("1e18"));
    }
}
