//! Two splats as one with the same moments.

use crate::eigen::largest_first;
use crate::splat::Splats;
use glam::{DMat3, DQuat, DVec3};

/// Largest opacity in rendering (`shaders/common/footprint.wgsl`).
pub(super) const ALPHA_MAX: f64 = 0.999;
/// Splats are compared as if they were at least this part of their mean extent thick.
const THICKNESS: f64 = 0.1;

/// The shape and opacity of a splat.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Blob {
    pub mean: DVec3,
    pub covariance: DMat3,
    pub opacity: f64,
}

impl Blob {
    pub fn of(splats: &Splats, i: usize) -> Self {
        let [w, x, y, z] = splats.quats[i].map(f64::from);
        let rotation = DMat3::from_quat(DQuat::from_xyzw(x, y, z, w).normalize());
        let scales = DVec3::from_array(splats.log_scales[i].map(f64::from)).exp();
        let axes = rotation * DMat3::from_diagonal(scales);
        Self {
            mean: DVec3::from_array(splats.means[i].map(f64::from)),
            covariance: axes * axes.transpose(),
            opacity: 1.0 / (1.0 + (-f64::from(splats.logit_opacities[i])).exp()),
        }
    }

    /// Root mean square of the areas of its projections along three orthogonal axes, whichever these are.
    pub fn area(&self) -> f64 {
        let c = &self.covariance;
        let minor = |a: usize, b: usize| c.col(a)[a] * c.col(b)[b] - c.col(a)[b] * c.col(b)[a];
        ((minor(0, 1) + minor(1, 2) + minor(0, 2)) / 3.0).max(0.0).sqrt()
    }

    /// What it covers: opacity times area.
    pub fn mass(&self) -> f64 {
        self.opacity * self.area()
    }

    /// One that stands for both: mean and covariance of the two, weighted by mass, and as opaque as keeps the mass. Where
    /// the two cover each other, what both cover counts once: of two equal ones 1 − (1 − a)(1 − b) is left.
    pub fn merged(&self, other: &Self) -> Self {
        let (a, b) = (self.mass(), other.mass());
        let all = (a + b).max(f64::MIN_POSITIVE);
        let (a, b) = (a / all, b / all);
        let apart = other.mean - self.mean;
        let between = DMat3::from_cols(apart * apart.x, apart * apart.y, apart * apart.z);
        let covariance = self.covariance * a + other.covariance * b + between * (a * b);
        let one = Self { mean: self.mean + apart * b, covariance, opacity: 1.0 };
        let twice = self.overlap(other) * self.opacity * other.opacity;
        Self { opacity: (all / one.area().max(f64::MIN_POSITIVE) - twice).clamp(0.0, ALPHA_MAX), ..one }
    }

    /// Bhattacharyya coefficient: 1 for equal shapes at the same place, 0 where they do not touch.
    pub fn overlap(&self, other: &Self) -> f64 {
        let thick = |blob: &Self| {
            let trace = (0..3).map(|k| blob.covariance.col(k)[k]).sum::<f64>();
            blob.covariance + DMat3::from_diagonal(DVec3::splat(THICKNESS * THICKNESS * trace / 3.0))
        };
        let (a, b) = (thick(self), thick(other));
        let middle = (a + b) * 0.5;
        let apart = other.mean - self.mean;
        let exponent = apart.dot(middle.inverse() * apart) / 8.0;
        ((a.determinant() * b.determinant()).sqrt() / middle.determinant()).sqrt() * (-exponent).exp()
    }

    /// Writes its shape and opacity into splat `i`.
    pub fn store(&self, splats: &mut Splats, i: usize) {
        let c = &self.covariance;
        let pairs = largest_first::<3>(std::array::from_fn(|row| std::array::from_fn(|col| c.col(col)[row])));
        let [x, y] = [0, 1].map(|k: usize| DVec3::from_array(pairs[k].1));
        let q = DQuat::from_mat3(&DMat3::from_cols(x, y, x.cross(y)));
        splats.means[i] = self.mean.as_vec3().to_array();
        splats.quats[i] = [q.w, q.x, q.y, q.z].map(|v| v as f32);
        splats.log_scales[i] = pairs.map(|(value, _)| (0.5 * value.max(1e-24).ln()) as f32);
        let opacity = self.opacity.clamp(1e-6, ALPHA_MAX);
        splats.logit_opacities[i] = (opacity / (1.0 - opacity)).ln() as f32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::splat::reference::{camera, cloud, render, splats};
    use crate::splat::{RenderSettings, Style};

    /// Mean and covariance of the two by integrating over samples of both: quadrature points at ± √3 σ along each axis.
    fn moments(blobs: &[Blob]) -> (DVec3, DMat3) {
        let all: f64 = blobs.iter().map(Blob::mass).sum();
        let mut points: Vec<(f64, DVec3)> = Vec::new();
        for blob in blobs {
            let c = &blob.covariance;
            let axes = largest_first::<3>(std::array::from_fn(|i| std::array::from_fn(|j| c.col(j)[i])));
            for (variance, axis) in axes {
                let reach = DVec3::from_array(axis) * (3.0 * variance.max(0.0)).sqrt();
                points.extend([1.0, -1.0].map(|sign| (blob.mass() / all / 6.0, blob.mean + sign * reach)));
            }
        }
        let mean: DVec3 = points.iter().map(|(weight, point)| *point * *weight).sum();
        let outer = |d: DVec3| DMat3::from_cols(d * d.x, d * d.y, d * d.z);
        let covariance = points.iter().fold(DMat3::ZERO, |sum, (weight, point)| sum + outer(*point - mean) * *weight);
        (mean, covariance)
    }

    #[test]
    fn one_has_the_moments_and_the_mass_of_two() {
        let mut all = splats(&cloud(40, 3));
        for i in 0..20 {
            let blobs = [Blob::of(&all, 2 * i), Blob::of(&all, 2 * i + 1)];
            let one = blobs[0].merged(&blobs[1]);
            one.store(&mut all, 2 * i);
            let stored = Blob::of(&all, 2 * i);
            let (mean, covariance) = moments(&blobs);
            assert!((stored.mean - mean).length() < 1e-5, "{} instead of {mean}", stored.mean);
            let (found, size) =
                (stored.covariance, covariance.to_cols_array().iter().fold(0.0f64, |a, b| a.max(b.abs())));
            let wrong = (found - covariance).to_cols_array().iter().fold(0.0f64, |a, b| a.max(b.abs()));
            assert!(wrong < 1e-4 * size, "{found} instead of {covariance}");
            let twice = blobs[0].overlap(&blobs[1]) * blobs[0].opacity * blobs[1].opacity * one.area();
            let mass = (blobs[0].mass() + blobs[1].mass() - twice).min(ALPHA_MAX * one.area());
            assert!((stored.mass() - mass).abs() < 1e-4 * mass, "{} instead of {mass}", stored.mass());
        }
    }

    #[test]
    fn of_duplicates_one_that_shows_as_much_is_left() {
        let splats = splats(&cloud(1, 5));
        let blob = |opacity: f64| Blob { opacity, ..Blob::of(&splats, 0) };
        for (a, b) in [(0.1, 0.2), (0.5, 0.5), (0.95, 0.3)] {
            let one = blob(a).merged(&blob(b));
            let (wrong, size) = (one.covariance - blob(a).covariance, blob(a).covariance.determinant().cbrt());
            assert!(wrong.to_cols_array().iter().all(|v| v.abs() < 1e-9 * size) && one.mean == blob(a).mean);
            assert!((one.opacity - (1.0 - (1.0 - a) * (1.0 - b))).abs() < 1e-9, "{}", one.opacity);
        }
        // The pair covers (a + b) g − a b g² where its Gaussian is g, and the one that is left (a + b − a b) g.
        let (a, b) = (0.5f64, 0.4f64);
        let logit = |opacity: f64| (opacity / (1.0 - opacity)).ln();
        let of = |opacities: &[f64]| {
            let mut model = cloud(1, 1).map(|values| values.repeat(opacities.len()));
            // Large, and in the middle of the view.
            model[0].fill(0.0);
            model[2].fill(-0.3);
            model[3] = opacities.iter().map(|opacity| logit(*opacity)).collect();
            let settings =
                RenderSettings { background: [0.0; 3], sh_degree: 3, antialiased: false, style: Style::default() };
            render(&model, &camera(), &settings).alpha
        };
        let (pair, one) = (of(&[a, b]), of(&[blob(a).merged(&blob(b)).opacity]));
        let wrong = pair.iter().zip(&one).map(|(pair, one)| pair - one).fold(0.0f64, f64::max);
        assert!(wrong < 0.25 * a * b + 1.0 / 255.0 && one.iter().any(|alpha| *alpha > 0.4), "{wrong}");
        // Far apart nothing is covered twice, and flat ones are compared like any others.
        let mut far = blob(0.2);
        far.mean.x += 1e3;
        assert!(blob(0.2).overlap(&far) < 1e-12 && (blob(0.2).overlap(&blob(0.9)) - 1.0).abs() < 1e-9);
        let flat = Blob { covariance: DMat3::from_diagonal(DVec3::new(1.0, 1.0, 0.0)), ..blob(0.5) };
        let raised = Blob { mean: flat.mean + DVec3::Z * 0.02, ..flat };
        assert!((flat.merged(&raised).opacity - 0.75).abs() < 0.02 && flat.overlap(&raised) > 0.95);
    }
}
