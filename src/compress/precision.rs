//! Reduces the precision of values below that of their format, so that its file holds more splats.
//!
//! SPZ and SOG compress what they store: values on a coarser grid take fewer bytes. How many bits each attribute gives up
//! depends on the loss in the pictures and the saving in the file, both measured. Grids are those of SPZ
//! (`splat/write/spz.rs`), with 1, 2, 4 … of its steps; formats of a fixed size a splat save nothing and are left alone.

use super::trial::Trial;
use crate::error::Result;
use crate::splat::{Splats, write};
use std::f32::consts::FRAC_1_SQRT_2;

/// Attributes whose bits can be dropped, in the order of [`Dropped`].
const ATTRIBUTES: [&str; 6] = ["positions", "opacities", "colors", "scales", "rotations", "harmonics"];
/// Most bits that an attribute gives up.
const MOST_BITS: u8 = 4;
/// Least gain from twice the splats, dB (docs/compress.md: 3.0 to 8.6 where splats are few).
const WORTH_OF_TWICE: f64 = 3.0;
/// A bit that saves less than this part of the file is not measured.
const LEAST_SAVED: f64 = 0.003;

/// Bits that each attribute gives up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Dropped([u8; ATTRIBUTES.len()]);

impl std::fmt::Display for Dropped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let some = self.0.iter().zip(ATTRIBUTES).filter(|(bits, _)| **bits > 0);
        f.write_str(&some.map(|(bits, name)| format!("{bits} of {name}")).collect::<Vec<_>>().join(", "))
    }
}

impl Dropped {
    /// Bits that save more in the file of `splats` than they cost by `psnr`, as long as they do.
    ///
    /// # Errors
    /// Those of [`Trial`] and of `psnr`.
    pub fn worthwhile(
        splats: &Splats,
        trial: &Trial<'_>,
        mut psnr: impl FnMut(&Splats) -> Result<f64>,
    ) -> Result<Self> {
        let (all_bytes, best) = (trial.bytes(splats)?, psnr(&trial.decoded(splats)?)?);
        let mut dropped = Self::default();
        for (attribute, name) in ATTRIBUTES.iter().enumerate() {
            let (mut bytes, mut loss) = (all_bytes, 0.0);
            for bits in 1..=MOST_BITS {
                let mut one = Self::default();
                one.0[attribute] = bits;
                let coarse = one.apply(splats, trial);
                let fewer = trial.bytes(&coarse)?;
                if fewer as f64 > bytes as f64 - LEAST_SAVED * all_bytes as f64 {
                    break;
                }
                let more_loss = (best - psnr(&trial.decoded(&coarse)?)?).max(0.0);
                let gain = WORTH_OF_TWICE * (bytes as f64 / fewer as f64).log2();
                tracing::debug!("{bits} bits fewer for {name}: {fewer} bytes, -{more_loss:.2} dB");
                if more_loss - loss > gain {
                    break;
                }
                (bytes, loss, dropped.0[attribute]) = (fewer, more_loss, bits);
            }
        }
        Ok(dropped)
    }

    /// Whether no attribute gives up a bit.
    pub fn is_none(self) -> bool {
        self == Self::default()
    }

    /// `splats` on the coarser grids.
    pub fn apply(self, splats: &Splats, trial: &Trial<'_>) -> Splats {
        let steps = self.0.map(|bits| f32::from(1u16 << bits));
        let [positions, opacities, colors, scales, rotations, harmonics] = steps;
        let mut coarse = splats.clone();
        let export = write::Export { splats, frame: trial.frame, antialiased: trial.antialiased };
        let step = positions * write::position_step(&export);
        let on_grid = |v: f32, step: f32| (v / step).round() * step;
        if positions > 1.0 {
            coarse.means.as_flattened_mut().iter_mut().for_each(|v| *v = on_grid(*v, step));
        }
        if opacities > 1.0 {
            coarse.logit_opacities.iter_mut().for_each(|logit| {
                let steps = on_grid(255.0 / (1.0 + (-*logit).exp()), opacities);
                // The first and the last step as finite logits.
                let part = steps.clamp(0.4, 254.6) / 255.0;
                *logit = (part / (1.0 - part)).ln();
            });
        }
        if scales > 1.0 {
            let unit = trial.frame.unit.ln() as f32;
            let grid = |v: &mut f32| *v = on_grid((*v + unit + 10.0) * 16.0, scales) / 16.0 - 10.0 - unit;
            coarse.log_scales.as_flattened_mut().iter_mut().for_each(grid);
        }
        if rotations > 1.0 {
            coarse.quats.iter_mut().for_each(|q| *q = rotation_on_grid(*q, rotations));
        }
        let width = Splats::coefficients(splats.sh_degree);
        for (at, rgb) in coarse.sh.as_chunks_mut::<3>().0.iter_mut().enumerate() {
            let (step, of) = match at % width {
                0 => (colors / (255.0 * 0.15), colors),
                1..=3 => (harmonics / 16.0, harmonics),
                _ => (harmonics / 8.0, harmonics),
            };
            // Gray, 127.5 steps of a color, lies between two steps.
            let offset = if at % width == 0 { 0.5 / 0.15 } else { 0.0 };
            if of > 1.0 {
                rgb.iter_mut().for_each(|v| *v = on_grid(*v + offset, step) - offset);
            }
        }
        coarse
    }
}

/// A rotation whose three smaller components are multiples of `steps` of 511 parts of √½.
fn rotation_on_grid(q: [f32; 4], steps: f32) -> [f32; 4] {
    let length = q.iter().map(|v| v * v).sum::<f32>().sqrt();
    if length == 0.0 {
        return q;
    }
    let largest = (0..4).max_by(|a, b| q[*a].abs().total_cmp(&q[*b].abs())).unwrap_or_default();
    let unit = FRAC_1_SQRT_2 / 511.0;
    let most = (511.0 / steps).floor() * steps;
    let mut on_grid = q.map(|v| {
        let parts = ((v / length / unit).abs() / steps).round() * steps;
        (parts.min(most) * unit).copysign(v)
    });
    on_grid[largest] = 0.0;
    let rest = 1.0 - on_grid.iter().map(|v| v * v).sum::<f32>();
    on_grid[largest] = rest.max(0.0).sqrt().copysign(q[largest]);
    on_grid
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::SceneFrame;
    use crate::splat::reference::{cloud, splats};

    /// What SPZ stores of values on a coarser grid is on that grid: the low bits of its bytes are equal.
    #[test]
    fn low_bits_of_the_file_are_given_up() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.spz");
        let trial = Trial { path: &path, frame: SceneFrame::IDENTITY, antialiased: false };
        let whole = splats(&cloud(2000, 7));
        let all = trial.bytes(&whole).unwrap();
        for (attribute, name) in ATTRIBUTES.iter().enumerate() {
            let mut dropped = Dropped::default();
            dropped.0[attribute] = 2;
            let coarse = dropped.apply(&whole, &trial);
            let bytes = trial.bytes(&coarse).unwrap();
            assert!(bytes < all, "{name}: {bytes} of {all}");
            // The grid keeps what it makes: the file loses nothing more, and what it reads back as is on the grid.
            let read = trial.decoded(&coarse).unwrap();
            let [again, before] = [&dropped.apply(&read, &trial), &read].map(|s| trial.bytes(s).unwrap());
            // Of components of equal size another one may be the largest.
            assert!(again.abs_diff(before) <= all / 1000, "{name}: {again}, {before}");
            assert_eq!(dropped.to_string(), format!("2 of {name}"));
            let moved = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            let pairs = [
                (moved(whole.means.as_flattened(), coarse.means.as_flattened()), 0),
                (moved(&whole.logit_opacities, &coarse.logit_opacities), 1),
                (moved(whole.log_scales.as_flattened(), coarse.log_scales.as_flattened()), 3),
            ];
            assert!(pairs.iter().all(|(moved, of)| (*moved > 0.0) == (*of == attribute)), "{name}: {pairs:?}");
        }
    }

    #[test]
    fn rotations_stay_rotations() {
        for q in [[0.9, 0.1, -0.3, 0.2], [-0.5, 0.5, 0.5, -0.5], [0.0, 0.0, 2.0, 0.0], [0.7, -0.7, 0.1, 0.0]] {
            for steps in [2.0, 16.0] {
                let found = rotation_on_grid(q, steps);
                let length = q.iter().map(|v| v * v).sum::<f32>().sqrt();
                let dot: f32 = found.iter().zip(q).map(|(a, b)| a * b / length).sum();
                assert!((found.iter().map(|v| v * v).sum::<f32>() - 1.0).abs() < 1e-5, "{found:?}");
                assert!(dot > 1.0 - 2e-4 * steps, "{q:?}: {found:?}");
            }
        }
    }

    #[test]
    fn bits_are_dropped_where_they_save_more_than_they_cost() {
        let folder = tempfile::tempdir().unwrap();
        let whole = splats(&cloud(2000, 7));
        let trial = |path| Trial { path, frame: SceneFrame::IDENTITY, antialiased: false };
        let spz = folder.path().join("a.spz");
        let stored = trial(&spz).decoded(&whole).unwrap();
        // Scales cost nothing, and everything else all there is.
        let of_scales = |splats: &Splats| -> Result<f64> {
            let same = Splats { log_scales: stored.log_scales.clone(), ..splats.clone() } == stored;
            Ok(if same { 40.0 } else { 0.0 })
        };
        let found = Dropped::worthwhile(&whole, &trial(&spz), of_scales).unwrap();
        assert_eq!(found, Dropped([0, 0, 0, MOST_BITS, 0, 0]), "{found}");
        // A format of a fixed size a splat has nothing to save.
        let ply = folder.path().join("a.ply");
        let found = Dropped::worthwhile(&whole, &trial(&ply), |_| Ok(40.0)).unwrap();
        assert!(found.is_none(), "{found}");
    }
}
