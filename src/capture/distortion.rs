//! Lens distortion: the camera models of COLMAP (`src/colmap/sensor/models.h`), which
//! include OpenCV's.

use serde::{Deserialize, Serialize};

/// A map from where a pinhole sees a point, (x / z, y / z), to where the lens does; then follow focal length and principal
/// point. Parameters have the names and signs of COLMAP's models.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Distortion {
    /// Brown–Conrady with OpenCV's rational radial term: SIMPLE_RADIAL, RADIAL, OPENCV, FULL_OPENCV. `k` is k1–k6, `p`
    /// p1 and p2.
    Brown {
        /// Radial coefficients: three of the numerator, three of the denominator.
        k: [f64; 6],
        /// Tangential coefficients.
        p: [f64; 2],
    },
    /// Equidistant (θ = atan r), then a polynomial of θ (Kannala & Brandt 2006), tangential and thin-prism terms:
    /// SIMPLE_FISHEYE, FISHEYE, SIMPLE_RADIAL_FISHEYE, RADIAL_FISHEYE, OPENCV_FISHEYE, THIN_PRISM_FISHEYE. `k` is k1–k4, `s`
    /// sx1 and sy1.
    Fisheye {
        /// Coefficients of the powers of the angle.
        k: [f64; 4],
        /// Tangential coefficients.
        p: [f64; 2],
        /// Thin-prism coefficients.
        s: [f64; 2],
    },
    /// RAD_TAN_THIN_PRISM_FISHEYE (Project Aria's Fisheye624): the tangential and prism terms follow the radial one, and
    /// p0 and p1 are the other way round.
    Fisheye624 {
        /// Coefficients of the powers of the angle.
        k: [f64; 6],
        /// Tangential coefficients.
        p: [f64; 2],
        /// Thin-prism coefficients.
        s: [f64; 4],
    },
    /// FOV (Devernay & Faugeras 2001); `omega` in radians.
    Fov {
        /// Field of view, radians.
        omega: f64,
    },
    /// SIMPLE_DIVISION, DIVISION (Fitzgibbon 2001).
    Division {
        /// Coefficient of the squared radius.
        k: f64,
    },
    /// EUCM (Khomutenko, Garcia & Martinet 2016).
    Unified {
        /// Weight of the sphere, 0–1.
        alpha: f64,
        /// Shape of the sphere.
        beta: f64,
    },
}

impl Distortion {
    /// The distortion of COLMAP's model `name` with the parameters that follow focal length and principal point; `None`
    /// where there is no such model, or where it has another number of parameters.
    pub fn colmap(name: &str, params: &[f64]) -> Option<Self> {
        let brown = |k, p| Some(Self::Brown { k, p });
        let fisheye = |k| Some(Self::Fisheye { k, p: [0.0; 2], s: [0.0; 2] });
        match (name, params) {
            ("SIMPLE_PINHOLE" | "PINHOLE", []) => brown([0.0; 6], [0.0; 2]),
            ("SIMPLE_RADIAL", &[k]) => brown([k, 0.0, 0.0, 0.0, 0.0, 0.0], [0.0; 2]),
            ("RADIAL", &[k1, k2]) => brown([k1, k2, 0.0, 0.0, 0.0, 0.0], [0.0; 2]),
            ("OPENCV", &[k1, k2, p1, p2]) => brown([k1, k2, 0.0, 0.0, 0.0, 0.0], [p1, p2]),
            ("FULL_OPENCV", &[k1, k2, p1, p2, k3, k4, k5, k6]) => brown([k1, k2, k3, k4, k5, k6], [p1, p2]),
            ("SIMPLE_FISHEYE" | "FISHEYE", []) => fisheye([0.0; 4]),
            ("SIMPLE_RADIAL_FISHEYE", &[k]) => fisheye([k, 0.0, 0.0, 0.0]),
            ("RADIAL_FISHEYE", &[k1, k2]) => fisheye([k1, k2, 0.0, 0.0]),
            ("OPENCV_FISHEYE", &[k1, k2, k3, k4]) => fisheye([k1, k2, k3, k4]),
            ("THIN_PRISM_FISHEYE", &[k1, k2, p1, p2, k3, k4, sx1, sy1]) => {
                Some(Self::Fisheye { k: [k1, k2, k3, k4], p: [p1, p2], s: [sx1, sy1] })
            }
            ("RAD_TAN_THIN_PRISM_FISHEYE", &[k0, k1, k2, k3, k4, k5, p0, p1, s0, s1, s2, s3]) => {
                Some(Self::Fisheye624 { k: [k0, k1, k2, k3, k4, k5], p: [p0, p1], s: [s0, s1, s2, s3] })
            }
            ("FOV", &[omega]) => Some(Self::Fov { omega }),
            ("SIMPLE_DIVISION" | "DIVISION", &[k]) => Some(Self::Division { k }),
            ("EUCM", &[alpha, beta]) => Some(Self::Unified { alpha, beta }),
            _ => None,
        }
    }

    /// Whether the lens is a pinhole.
    pub fn is_none(&self) -> bool {
        match *self {
            Self::Brown { k, p } => k.iter().chain(&p).all(|&v| v == 0.0),
            Self::Fov { omega: k } | Self::Division { k } | Self::Unified { alpha: k, .. } => k == 0.0,
            Self::Fisheye { .. } | Self::Fisheye624 { .. } => false,
        }
    }

    /// Takes the point (`u`, `v`) of a pinhole's image plane to that of the lens, both at focal length 1. Not finite where the
    /// lens does not see it.
    pub fn distort(&self, [u, v]: [f64; 2]) -> [f64; 2] {
        let r2 = u * u + v * v;
        match *self {
            Self::Brown { k: [k1, k2, k3, k4, k5, k6], p } => {
                let radial = (1.0 + r2 * (k1 + r2 * (k2 + r2 * k3))) / (1.0 + r2 * (k4 + r2 * (k5 + r2 * k6)));
                let [du, dv] = tangential([u, v], p);
                [u * radial + du, v * radial + dv]
            }
            Self::Fisheye { k: [k1, k2, k3, k4], p, s: [sx, sy] } => {
                let [u, v] = equidistant([u, v]);
                let t2 = u * u + v * v;
                let radial = 1.0 + t2 * (k1 + t2 * (k2 + t2 * (k3 + t2 * k4)));
                let [du, dv] = tangential([u, v], p);
                [u * radial + du + sx * t2, v * radial + dv + sy * t2]
            }
            Self::Fisheye624 { k, p: [p0, p1], s: [s0, s1, s2, s3] } => {
                let [u, v] = equidistant([u, v]);
                let t2 = u * u + v * v;
                let radial = 1.0 + t2 * k.iter().rev().fold(0.0, |sum, k| k + t2 * sum);
                let (x, y) = (u * radial, v * radial);
                let r2 = x * x + y * y;
                let [dx, dy] = tangential([x, y], [p1, p0]);
                [x + dx + r2 * (s0 + r2 * s1), y + dy + r2 * (s2 + r2 * s3)]
            }
            Self::Fov { omega } => {
                let slope = 2.0 * (0.5 * omega).tan();
                let factor = if omega == 0.0 { 1.0 } else { slope / omega * atan_ratio(r2.sqrt() * slope) };
                [u * factor, v * factor]
            }
            Self::Division { k } => {
                let factor = 2.0 / (1.0 + (1.0 - 4.0 * k * r2).sqrt());
                [u * factor, v * factor]
            }
            Self::Unified { alpha, beta } => {
                let factor = 1.0 / (alpha * (beta * r2 + 1.0).sqrt() + 1.0 - alpha);
                [u * factor, v * factor]
            }
        }
    }

    /// The inverse of [`Self::distort`] at `target`, by Newton's method. Beyond a
    /// fold, where the lens sees nothing, some point whose picture is near.
    pub fn undistort(&self, target: [f64; 2]) -> [f64; 2] {
        const STEPS: u32 = 50;
        const HALVINGS: u32 = 12;
        let off = |at: [f64; 2]| {
            let found = self.distort(at);
            let off = [target[0] - found[0], target[1] - found[1]];
            (off, off[0].hypot(off[1]))
        };
        // The middle is where every lens sees something.
        let mut at = if off(target).1.is_finite() { target } else { [0.0; 2] };
        for _ in 0..STEPS {
            let ([x, y], distance) = off(at);
            let [du, dv] = self.columns(at);
            let determinant = du[0] * dv[1] - du[1] * dv[0];
            let step = [(dv[1] * x - dv[0] * y) / determinant, (du[0] * y - du[1] * x) / determinant];
            let along = |halvings: u32| [0, 1].map(|i| at[i] + step[i] * 0.5_f64.powi(halvings as i32));
            match (0..HALVINGS).map(along).find(|&next| off(next).1 < distance) {
                Some(next) => at = next,
                None => break,
            }
        }
        at
    }

    /// Determinant and trace of the derivative of [`Self::distort`]. Both are positive as long as the lens does not fold
    /// the picture.
    pub(super) fn derivative(&self, at: [f64; 2]) -> [f64; 2] {
        let [du, dv] = self.columns(at);
        [du[0] * dv[1] - du[1] * dv[0], du[0] + dv[1]]
    }

    /// The derivatives of [`Self::distort`] by u and by v, by central differences.
    fn columns(&self, [u, v]: [f64; 2]) -> [[f64; 2]; 2] {
        const STEP: f64 = 1e-5;
        let difference = |a: [f64; 2], b: [f64; 2]| {
            let (a, b) = (self.distort(a), self.distort(b));
            [0, 1].map(|i| (b[i] - a[i]) / (2.0 * STEP))
        };
        [difference([u - STEP, v], [u + STEP, v]), difference([u, v - STEP], [u, v + STEP])]
    }
}

/// OpenCV's tangential terms.
fn tangential([u, v]: [f64; 2], [p1, p2]: [f64; 2]) -> [f64; 2] {
    let r2 = u * u + v * v;
    [2.0 * p1 * u * v + p2 * (r2 + 2.0 * u * u), 2.0 * p2 * u * v + p1 * (r2 + 2.0 * v * v)]
}

/// The point at distance θ = atan r in the direction of (u, v).
fn equidistant([u, v]: [f64; 2]) -> [f64; 2] {
    let factor = atan_ratio(u.hypot(v));
    [u * factor, v * factor]
}

/// atan(r) / r.
fn atan_ratio(r: f64) -> f64 {
    if r.abs() < 1e-8 { 1.0 } else { r.atan() / r }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Parameters of every model, such as calibrations of real lenses have.
    pub const EXAMPLES: [(&str, &[f64]); 15] = [
        ("SIMPLE_RADIAL", &[-0.12]),
        ("RADIAL", &[-0.21, 0.05]),
        ("OPENCV", &[-0.28, 0.09, 0.001, -0.002]),
        ("FULL_OPENCV", &[0.3, 0.1, 0.001, -0.002, 0.02, 0.45, 0.15, 0.03]),
        ("OPENCV_FISHEYE", &[0.02, -0.01, 0.004, -0.001]),
        ("SIMPLE_RADIAL_FISHEYE", &[-0.03]),
        ("RADIAL_FISHEYE", &[-0.03, 0.004]),
        ("SIMPLE_FISHEYE", &[]),
        ("FISHEYE", &[]),
        ("THIN_PRISM_FISHEYE", &[0.02, -0.01, 0.001, -0.002, 0.004, -0.001, 0.003, -0.004]),
        (
            "RAD_TAN_THIN_PRISM_FISHEYE",
            &[0.02, -0.01, 0.004, -0.003, 0.001, -0.0002, 0.001, -0.002, 0.003, -0.001, 0.002, 0.004],
        ),
        ("FOV", &[0.9]),
        ("SIMPLE_DIVISION", &[-0.2]),
        ("DIVISION", &[0.08]),
        ("EUCM", &[0.6, 1.1]),
    ];

    fn close(a: [f64; 2], b: [f64; 2], within: f64) -> bool {
        (a[0] - b[0]).hypot(a[1] - b[1]) < within
    }

    /// COLMAP's own code, term by term: the offset (du, dv), on the normalized or the equidistant plane.
    fn reference(name: &str, e: &[f64], [mut u, mut v]: [f64; 2]) -> [f64; 2] {
        let r = (u * u + v * v).sqrt();
        if name.contains("FISHEYE") {
            (u, v) = (u * r.atan() / r, v * r.atan() / r);
        }
        let (u2, uv, v2) = (u * u, u * v, v * v);
        let r2 = u2 + v2;
        let (r4, r6) = (r2 * r2, r2 * r2 * r2);
        let r8 = r4 * r4;
        match name {
            "SIMPLE_RADIAL" | "SIMPLE_RADIAL_FISHEYE" => [u + u * e[0] * r2, v + v * e[0] * r2],
            "RADIAL" | "RADIAL_FISHEYE" => [u, v].map(|w| w + w * (e[0] * r2 + e[1] * r4)),
            "OPENCV" => {
                let (radial, p1, p2) = (e[0] * r2 + e[1] * r4, e[2], e[3]);
                [
                    u + u * radial + 2.0 * p1 * uv + p2 * (r2 + 2.0 * u2),
                    v + v * radial + 2.0 * p2 * uv + p1 * (r2 + 2.0 * v2),
                ]
            }
            "FULL_OPENCV" => {
                let (k1, k2, p1, p2, k3, k4, k5, k6) = (e[0], e[1], e[2], e[3], e[4], e[5], e[6], e[7]);
                let radial = (1.0 + k1 * r2 + k2 * r4 + k3 * r6) / (1.0 + k4 * r2 + k5 * r4 + k6 * r6);
                [u * radial + 2.0 * p1 * uv + p2 * (r2 + 2.0 * u2), v * radial + 2.0 * p2 * uv + p1 * (r2 + 2.0 * v2)]
            }
            "OPENCV_FISHEYE" => [u, v].map(|w| w * (1.0 + e[0] * r2 + e[1] * r4 + e[2] * r6 + e[3] * r8)),
            "SIMPLE_FISHEYE" | "FISHEYE" => [u, v],
            "THIN_PRISM_FISHEYE" => {
                let (k1, k2, p1, p2, k3, k4, sx1, sy1) = (e[0], e[1], e[2], e[3], e[4], e[5], e[6], e[7]);
                let radial = k1 * r2 + k2 * r4 + k3 * r6 + k4 * r8;
                [
                    u + u * radial + 2.0 * p1 * uv + p2 * (r2 + 2.0 * u2) + sx1 * r2,
                    v + v * radial + 2.0 * p2 * uv + p1 * (r2 + 2.0 * v2) + sy1 * r2,
                ]
            }
            "RAD_TAN_THIN_PRISM_FISHEYE" => {
                let (mut radial, mut power) = (1.0, 1.0);
                for k in &e[..6] {
                    power *= r2;
                    radial += k * power;
                }
                let (x, y, p0, p1) = (radial * u, radial * v, e[6], e[7]);
                let (x2, y2, xy) = (x * x, y * y, x * y);
                let q2 = x2 + y2;
                [
                    x + 2.0 * p1 * xy + p0 * (q2 + 2.0 * x2) + e[8] * q2 + e[9] * q2 * q2,
                    y + 2.0 * p0 * xy + p1 * (q2 + 2.0 * y2) + e[10] * q2 + e[11] * q2 * q2,
                ]
            }
            "FOV" => {
                let factor = (r * 2.0 * (e[0] / 2.0).tan()).atan() / (r * e[0]);
                [u * factor, v * factor]
            }
            // The definition of the division model: what the pinhole sees is x / (1 + k x²) of what the lens does.
            "SIMPLE_DIVISION" | "DIVISION" => {
                let mut x = [u, v];
                for _ in 0..200 {
                    let s = 1.0 + e[0] * (x[0] * x[0] + x[1] * x[1]);
                    x = [u * s, v * s];
                }
                x
            }
            _ => {
                let rho = (e[1] * r2 + 1.0).sqrt();
                [u, v].map(|w| w / (e[0] * rho + (1.0 - e[0])))
            }
        }
    }

    #[test]
    fn every_model_follows_colmaps_formulas() {
        for (name, params) in EXAMPLES {
            let lens = Distortion::colmap(name, params).unwrap();
            for at in [[0.1, -0.2], [0.5, 0.4], [-0.7, 0.3], [1e-3, 2e-3]] {
                let (found, expected) = (lens.distort(at), reference(name, params, at));
                assert!(close(found, expected, 1e-9), "{name} at {at:?}: {found:?} instead of {expected:?}");
            }
            assert_eq!(lens.distort([0.0, 0.0]), [0.0, 0.0], "{name}");
            assert!(!lens.is_none());
            assert_eq!(Distortion::colmap(name, &[params, &[0.0]].concat()), None, "{name}");
        }
        assert_eq!(Distortion::colmap("EQUIRECTANGULAR", &[]), None);
        assert!(Distortion::colmap("PINHOLE", &[]).unwrap().is_none());
    }

    #[test]
    fn every_model_is_inverted() {
        for (name, params) in EXAMPLES {
            let lens = Distortion::colmap(name, params).unwrap();
            for at in [[0.1, -0.2], [0.5, 0.4], [-0.6, 0.3], [0.0, 0.0]] {
                let found = lens.undistort(lens.distort(at));
                assert!(close(found, at, 1e-9), "{name}: {found:?} instead of {at:?}");
                let [determinant, trace] = lens.derivative(at);
                assert!(determinant > 0.0 && trace > 0.0, "{name}");
            }
        }
    }

    #[test]
    fn beyond_a_fold_a_finite_point_is_found() {
        // r - r³ has its largest value, 0.385, at r = 0.577.
        let folded = Distortion::colmap("SIMPLE_RADIAL", &[-1.0]).unwrap();
        assert!(folded.derivative([0.7, 0.0])[0] < 0.0);
        let near = folded.undistort([0.38, 0.0]);
        assert!((0.5..0.577).contains(&near[0]), "on this side of the fold: {near:?}");
        for target in [[0.39, 0.0], [0.6, 0.8], [3.0, -4.0]] {
            let found = folded.undistort(target);
            assert!(found.iter().all(|v| v.is_finite()), "{target:?}: {found:?}");
        }
        // The division model has no picture at all beyond its border.
        let border = Distortion::colmap("DIVISION", &[1.0]).unwrap();
        assert!(border.distort([2.0, 0.0])[0].is_nan());
        assert!(border.undistort([2.0, 0.0]).iter().all(|v| v.is_finite()));
    }
}
