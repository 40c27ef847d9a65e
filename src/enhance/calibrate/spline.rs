//! The curve of a camera file as a linear model: a sum of its knots' lit levels, each with a weight that depends on the
//! dark level only. The interpolation is that of [`super::super::camera::Curve`] before its slopes are limited.

use crate::least_squares;

/// Segments of a curve.
pub const SEGMENTS: usize = 16;
/// Knots of a curve.
pub const KNOTS: usize = SEGMENTS + 1;
/// Unknowns of a fit: the first knot's level, the rises to the others, the weights of the other two channels.
pub const UNKNOWNS: usize = KNOTS + 2;

/// Levels of the least rise of a segment.
pub const LEAST_RISE: f64 = 0.05;

/// Knots at even distances in `u = asinh(dark level)`, with lit levels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spline {
    pub first: f64,
    pub step: f64,
    pub lit: [f64; KNOTS],
}

impl Spline {
    /// Knots between two dark levels, all at lit level 0.
    pub fn between(lowest: f64, highest: f64) -> Self {
        let (first, last) = (lowest.asinh(), highest.asinh());
        Self { first, step: (last - first) / SEGMENTS as f64, lit: [0.0; KNOTS] }
    }

    /// The dark level of a knot.
    pub fn dark(&self, knot: usize) -> f64 {
        (self.first + self.step * knot as f64).sinh()
    }

    /// Weights of the knots in the lit level at the dark level `level`, and in its derivative by the dark level.
    /// Beyond the ends both continue straight.
    pub fn weights(&self, level: f64) -> ([f64; KNOTS], [f64; KNOTS]) {
        let place = (level.asinh() - self.first) / self.step;
        let (mut value, mut slope) = ([0.0; KNOTS], [0.0; KNOTS]);
        if place <= 0.0 || place >= SEGMENTS as f64 {
            let knot = if place <= 0.0 { 0 } else { SEGMENTS };
            add_tangent(&mut slope, knot, 1.0 / (self.step * self.dark(knot).hypot(1.0)));
            let beyond = level - self.dark(knot);
            value.iter_mut().zip(&slope).for_each(|(v, s)| *v = beyond * s);
            value[knot] += 1.0;
            return (value, slope);
        }
        let knot = (place as usize).min(SEGMENTS - 1);
        let t = place - knot as f64;
        let (t2, t3) = (t * t, t * t * t);
        value[knot] += 2.0 * t3 - 3.0 * t2 + 1.0;
        value[knot + 1] += 3.0 * t2 - 2.0 * t3;
        add_tangent(&mut value, knot, t3 - 2.0 * t2 + t);
        add_tangent(&mut value, knot + 1, t3 - t2);
        let per_level = 1.0 / (self.step * level.hypot(1.0));
        slope[knot] += 6.0 * (t2 - t) * per_level;
        slope[knot + 1] -= 6.0 * (t2 - t) * per_level;
        add_tangent(&mut slope, knot, (3.0 * t2 - 4.0 * t + 1.0) * per_level);
        add_tangent(&mut slope, knot + 1, (3.0 * t2 - 2.0 * t) * per_level);
        (value, slope)
    }

    /// The lit level at a dark level, and its derivative.
    pub fn at(&self, level: f64) -> [f64; 2] {
        let (value, slope) = self.weights(level);
        [dot(&value, &self.lit), dot(&slope, &self.lit)]
    }
}

/// Adds `scale` times the slope at `knot`, per segment: the mean of the rises on both sides, at the ends that of one.
fn add_tangent(weights: &mut [f64; KNOTS], knot: usize, scale: f64) {
    let (before, after) = (knot.saturating_sub(1), (knot + 1).min(SEGMENTS));
    let share = scale / (after - before) as f64;
    weights[after] += share;
    weights[before] -= share;
}

fn dot(a: &[f64; KNOTS], b: &[f64; KNOTS]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Weights of the knots' levels as weights of the first level and the rises after it.
pub fn by_rises(weights: &[f64; KNOTS]) -> [f64; KNOTS] {
    let mut sums = *weights;
    (0..SEGMENTS).rev().for_each(|k| sums[k] += sums[k + 1]);
    sums
}

/// Weighted least squares whose rises have a lower bound.
pub struct Equations {
    pub gram: [[f64; UNKNOWNS]; UNKNOWNS],
    pub moments: [f64; UNKNOWNS],
}

impl Default for Equations {
    fn default() -> Self {
        Self { gram: [[0.0; UNKNOWNS]; UNKNOWNS], moments: [0.0; UNKNOWNS] }
    }
}

impl Equations {
    /// One more equation `row · unknowns = target`.
    pub fn add(&mut self, row: &[f64; UNKNOWNS], target: f64, weight: f64) {
        for i in 0..UNKNOWNS {
            let scaled = weight * row[i];
            (0..UNKNOWNS).for_each(|j| self.gram[i][j] += scaled * row[j]);
            self.moments[i] += scaled * target;
        }
    }

    /// The unknowns, all rises at least [`LEAST_RISE`]: rises at their bound are held there, and released where the
    /// equations pull them up, until nothing changes (block pivoting, Júdice and Pires 1994). `None` if the equations
    /// leave an unknown open.
    pub fn solve(&self) -> Option<[f64; UNKNOWNS]> {
        let mut held = [false; UNKNOWNS];
        let mut unknowns = self.with_held(&held)?;
        for _ in 0..3 * SEGMENTS {
            let mut next = held;
            for i in 1..KNOTS {
                let pull = self.moments[i] - (0..UNKNOWNS).map(|j| self.gram[i][j] * unknowns[j]).sum::<f64>();
                next[i] = if held[i] { pull <= 0.0 } else { unknowns[i] < LEAST_RISE };
            }
            if next == held {
                break;
            }
            held = next;
            unknowns = self.with_held(&held)?;
        }
        unknowns[1..KNOTS].iter_mut().for_each(|rise| *rise = rise.max(LEAST_RISE));
        Some(unknowns)
    }

    fn with_held(&self, held: &[bool; UNKNOWNS]) -> Option<[f64; UNKNOWNS]> {
        let (mut gram, mut moments) = (self.gram, self.moments);
        for i in (0..UNKNOWNS).filter(|i| held[*i]) {
            for j in 0..UNKNOWNS {
                moments[j] -= self.gram[j][i] * LEAST_RISE;
                gram[i][j] = 0.0;
                gram[j][i] = 0.0;
            }
            gram[i][i] = 1.0;
        }
        (0..UNKNOWNS).filter(|i| held[*i]).for_each(|i| moments[i] = LEAST_RISE);
        Some(least_squares::solve(&least_squares::cholesky(gram)?, moments))
    }
}
