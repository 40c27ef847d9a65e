//! The model's parameters on the CPU.

use crate::capture::SceneFrame;
use crate::error::{Error, Result};
use glam::DVec3;

/// Replaces infinity in logarithms of scales and logits of opacities: beyond it nothing changes in f32. A splat as
/// thin as exp(-30) is flat at any distance, and the square of its thickness is still a normal number (exp(-44) has none);
/// the sigmoid of 30 is 1, that of -30 far below anything that is drawn.
pub(super) const LIMIT: f32 = 30.0;

/// 3D Gaussians as they are stored and optimized (3DGS conventions).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Splats {
    /// World positions, `[N, 3]`, in the frame of their producer (training: the scene frame, see [`SceneFrame`]).
    pub means: Vec<[f32; 3]>,
    /// Rotations as quaternions (w, x, y, z), not necessarily normalized, `[N, 4]`.
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
        (0..self.len()).filter(|i| !self.is_sound(*i)).count()
    }

    /// Fails unless every tensor has a row for each Gaussian and the degree is 0–3; `what` is the model's name in the message.
    ///
    /// # Errors
    /// [`Error::Setting`] with the lengths.
    pub fn check_shapes(&self, what: impl std::fmt::Display) -> Result<()> {
        let n = self.len();
        let [quats, scales, opacities] = [self.quats.len(), self.log_scales.len(), self.logit_opacities.len()];
        let (sh, degree) = (self.sh.len(), self.sh_degree);
        if degree <= 3 && [quats, scales, opacities] == [n; 3] && sh == n * 3 * Self::coefficients(degree) {
            return Ok(());
        }
        let found = format!(
            "{n} means, {quats} quats, {scales} log_scales, {opacities} logit_opacities and {sh} values of sh (degree {degree})"
        );
        let remedy =
            "give a row of each for every Gaussian, (degree + 1)² · 3 values of sh for it, and a degree of 0 to 3";
        Err(Error::setting(what.to_string(), found, remedy))
    }

    /// Fails if a splat has a value that is NaN or infinite; `what` is the model's name in the message.
    ///
    /// # Errors
    /// As [`Splats::check_shapes`]; [`Error::NotFinite`] with the number of splats.
    pub fn check_finite(&self, what: impl std::fmt::Display) -> Result<()> {
        self.check_shapes(&what)?;
        match self.broken() {
            0 => Ok(()),
            broken => Err(Error::NotFinite {
                what: what.to_string(),
                found: format!("{broken} of {} splats have values that are not finite", self.len()),
                remedy: "train the model again, with lower learning rates".into(),
            }),
        }
    }

    /// No splats, with room for `capacity` of them.
    pub(super) fn with_capacity(capacity: usize, sh_degree: u32) -> Self {
        Self {
            means: Vec::with_capacity(capacity),
            quats: Vec::with_capacity(capacity),
            log_scales: Vec::with_capacity(capacity),
            logit_opacities: Vec::with_capacity(capacity),
            sh: Vec::with_capacity(capacity * 3 * Self::coefficients(sh_degree)),
            sh_degree,
        }
    }

    /// Takes infinite logits and log-scales of -∞ (flat splats) at [`LIMIT`], and drops splats with NaN or other infinite
    /// values; returns how many were dropped.
    pub(super) fn make_finite(&mut self) -> usize {
        let to_limit = |value: &mut f32| *value = LIMIT.copysign(*value);
        self.logit_opacities.iter_mut().filter(|v| v.is_infinite()).for_each(to_limit);
        self.log_scales.as_flattened_mut().iter_mut().filter(|v| **v == f32::NEG_INFINITY).for_each(to_limit);
        let broken = self.broken();
        if broken > 0 {
            let kept: Vec<bool> = (0..self.len()).map(|i| self.is_sound(i)).collect();
            self.retain(&kept);
        }
        broken
    }

    /// Puts `others`, of the same degree, behind these.
    pub(super) fn append(&mut self, mut others: Self) {
        debug_assert_eq!(self.sh_degree, others.sh_degree);
        self.means.append(&mut others.means);
        self.quats.append(&mut others.quats);
        self.log_scales.append(&mut others.log_scales);
        self.logit_opacities.append(&mut others.logit_opacities);
        self.sh.append(&mut others.sh);
    }

    /// Drops the splats that are not `kept`.
    pub(super) fn retain(&mut self, kept: &[bool]) {
        retain_rows(&mut self.means, 1, kept);
        retain_rows(&mut self.quats, 1, kept);
        retain_rows(&mut self.log_scales, 1, kept);
        retain_rows(&mut self.logit_opacities, 1, kept);
        retain_rows(&mut self.sh, 3 * Self::coefficients(self.sh_degree), kept);
    }

    /// The same splats in the frame `frame` of the coordinates that they are in.
    pub(super) fn placed_in(mut self, frame: &SceneFrame) -> Self {
        if !frame.is_identity() {
            let log_unit = frame.unit.ln() as f32;
            let enter =
                |mean: &mut [f32; 3]| *mean = frame.enter(DVec3::from(mean.map(f64::from))).as_vec3().to_array();
            self.means.iter_mut().for_each(enter);
            self.log_scales.as_flattened_mut().iter_mut().for_each(|scale| *scale -= log_unit);
        }
        self
    }

    fn is_sound(&self, i: usize) -> bool {
        let row = 3 * Self::coefficients(self.sh_degree);
        let geometry = self.means[i].iter().chain(&self.quats[i]).chain(&self.log_scales[i]);
        let sh = self.sh[i * row..].iter().take(row);
        geometry.chain(&self.logit_opacities[i..=i]).chain(sh).all(|value| value.is_finite())
    }

    /// Spherical-harmonic coefficients per color channel for `degree`.
    pub fn coefficients(degree: u32) -> usize {
        ((degree + 1) * (degree + 1)) as usize
    }
}

/// Keeps the rows of `width` values for which `kept` is true.
fn retain_rows<T>(values: &mut Vec<T>, width: usize, kept: &[bool]) {
    let mut index = 0..;
    values.retain(|_| index.next().is_none_or(|i: usize| kept[i / width]));
}
