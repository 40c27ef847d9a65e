//! The model's parameters on the CPU.

use crate::error::{Error, Result};

/// 3D Gaussians as they are stored and optimised (3DGS conventions).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Splats {
    /// World positions, `[N, 3]`.
    pub means: Vec<[f32; 3]>,
    /// Rotations as quaternions (w, x, y, z), not necessarily normalised, `[N, 4]`.
    pub quats: Vec<[f32; 4]>,
    /// Natural logarithms of the standard deviations, `[N, 3]`.
    pub log_scales: Vec<[f32; 3]>,
    /// Opacities before the sigmoid, `[N]`.
    pub logit_opacities: Vec<f32>,
    /// Spherical harmonics, `[N, (sh_degree + 1)², 3]` flattened; RGB = SH + 0.5, clamped at 0.
    pub sh: Vec<f32>,
    /// Degree of `sh`, 0–3.
    pub sh_degree: u32,
}

impl Splats {
    /// Number of Gaussians.
    pub fn len(&self) -> usize {
        self.means.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.means.is_empty()
    }

    /// Splats with a value that is NaN or infinite.
    pub fn broken(&self) -> usize {
        let row = 3 * Self::coefficients(self.sh_degree);
        let is_sound = |i: usize| {
            let geometry = self.means[i].iter().chain(&self.quats[i]).chain(&self.log_scales[i]);
            let sh = self.sh[i * row..].iter().take(row);
            geometry.chain(&self.logit_opacities[i..=i]).chain(sh).all(|value| value.is_finite())
        };
        (0..self.len()).filter(|i| !is_sound(*i)).count()
    }

    /// Fails if a splat has a value that is NaN or infinite; `what` is the model's name in the message.
    ///
    /// # Errors
    /// [`Error::NotFinite`] with the number of splats.
    pub fn check_finite(&self, what: impl std::fmt::Display) -> Result<()> {
        match self.broken() {
            0 => Ok(()),
            broken => Err(Error::NotFinite {
                what: what.to_string(),
                found: format!("{broken} of {} splats have values that are not finite", self.len()),
                remedy: "train the model again, with lower learning rates".into(),
            }),
        }
    }

    /// Spherical-harmonic coefficients per colour channel for `degree`.
    pub fn coefficients(degree: u32) -> usize {
        ((degree + 1) * (degree + 1)) as usize
    }
}
