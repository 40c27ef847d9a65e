//! Counts splats whose values exceed a format's limits.

use std::path::Path;

/// Which splats lost something, by what.
pub struct Cut {
    values: Vec<bool>,
    positions: Vec<bool>,
    /// Splats whose positions are rounded by more than their size, since one near them in the file lies far off.
    pub coarse: usize,
}

impl Cut {
    /// Nothing is cut off `count` splats.
    pub fn none(count: usize) -> Self {
        Self { values: vec![false; count], positions: vec![false; count], coarse: 0 }
    }

    /// `value` of splat `i` within `limits`; notes where it was not.
    pub fn clamp(&mut self, i: usize, value: f32, limits: [f32; 2]) -> f32 {
        within(&mut self.values[i], value, limits)
    }

    /// The same of a coordinate.
    pub fn clamp_position(&mut self, i: usize, value: f32, limits: [f32; 2]) -> f32 {
        within(&mut self.positions[i], value, limits)
    }

    /// Splats of which a value was cut off.
    pub fn count(&self) -> usize {
        self.values.iter().zip(&self.positions).filter(|(value, position)| **value || **position).count()
    }

    /// Says what the file `path` has lost.
    pub fn warn(&self, path: &Path) {
        let (path, all) = (path.display(), self.values.len());
        let [values, positions] = [&self.values, &self.positions].map(|cut| cut.iter().filter(|cut| **cut).count());
        if values > 0 {
            let limits = "scales, colors or harmonics beyond what the format holds";
            tracing::warn!("{path}: {values} of {all} splats have {limits}; they are cut off there");
        }
        if positions > 0 {
            tracing::warn!(
                "{path}: {positions} of {all} splats are too far away for a step size that suits the rest; they are \
                 moved to the format's limit. Remove them first (`box`, `sphere`), or choose .ply"
            );
        }
        if self.coarse > 0 {
            tracing::warn!(
                "{path}: the positions of {} of {all} splats are rounded by more than their size, since splats of the \
                 same chunk are far away. Remove those first (`box`, `sphere`), or choose .ply",
                self.coarse
            );
        }
    }
}

fn within(cut: &mut bool, value: f32, [least, most]: [f32; 2]) -> f32 {
    *cut |= value < least || value > most;
    value.clamp(least, most)
}
