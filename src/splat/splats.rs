//! The model's parameters on the CPU.

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

    /// Spherical-harmonic coefficients per colour channel for `degree`.
    pub fn coefficients(degree: u32) -> usize {
        ((degree + 1) * (degree + 1)) as usize
    }
}
