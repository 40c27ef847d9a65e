//! One lit channel as a monotone curve of a mixture of the dark channels, by robust least squares.
//!
//! The mixture is `x_c + Σ δ_j (x_j − x_c)`: a row of a matrix that keeps grays as they are; any other row sum is the
//! same as another curve. Curve and row are fitted together, linearized in the row (Gauss–Newton), with weights that
//! fall off for outliers (Geman and McClure 1987). The fit is regularized toward smooth curves and the identity where the
//! data leave that open.
//!
//! Least squares would use the mixture to average noise: of gray surfaces it makes a row of thirds. So the part of the
//! normal equations that is due to noise is subtracted ([`subtract_noise`]; corrected least squares, Fuller 1987).

use super::spline::{Equations, KNOTS, SEGMENTS, Spline, UNKNOWNS, by_rises};

/// Rounds of the fit.
const ROUNDS: usize = 16;
/// Ranks of the samples' dark levels between which the knots lie.
const ENDS: [f64; 2] = [0.002, 0.998];
/// Neighboring areas show the same surface: this many of them count as one independent sample …
const ALIKE: f64 = 500.0;
/// … when compared with what is expected of a curve's bend (lit levels a segment) and of a row's entries.
const BEND: f64 = 3.0;
const MIXED: f64 = 0.1;
/// Residuals beyond this many standard deviations count little.
const OUTLIER: f64 = 3.0;
/// The smallest standard deviation assumed, in levels.
const LEAST_DEVIATION: f64 = 0.3;
/// Largest off-diagonal entry.
const LARGEST: f64 = 1.5;

/// One area: dark levels and the lit level of one channel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    pub dark: [f64; 3],
    pub lit: f64,
    /// Noise of the same distribution as that of `dark`, but independent of it.
    pub noise: [f64; 3],
}

/// A fitted channel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Channel {
    pub curve: Spline,
    /// The channel's row of the matrix, summing to 1.
    pub row: [f64; 3],
    /// Root mean square residual over all samples, in lit levels.
    pub rms: f64,
    /// Levels between which the curve is measured.
    pub dark: [f64; 2],
    pub lit: [f64; 2],
}

/// Fits lit channel `c` to `samples`, with a row of the matrix if `mixed`. Without samples the curve is flat.
pub fn channel(samples: &[Sample], c: usize, mixed: bool) -> Channel {
    let mut delta = [0.0; 2];
    let mut curve = Spline::between(0.0, 1.0);
    let mut weights = vec![1.0; samples.len()];
    let mut deviation = 1.0;
    for round in 0..ROUNDS {
        let values: Vec<f64> = samples.iter().map(|s| mixture(s, c, delta)).collect();
        let knots = knots(&values);
        let slopes: Vec<f64> = match round {
            0 => vec![0.0; values.len()],
            _ => values.iter().map(|v| curve.at(*v)[1]).collect(),
        };
        let mut equations = Equations::default();
        for (i, sample) in samples.iter().enumerate() {
            let Some(row) = row(&knots, values[i], slopes[i], differences(sample, c)) else { continue };
            let known = slopes[i] * (values[i] - sample.dark[c]);
            equations.add(&row, sample.lit + known, weights[i]);
            subtract_noise(&mut equations, sample, c, slopes[i].powi(2) * weights[i]);
        }
        hold(&mut equations, deviation, samples.len(), mixed && round > 0);
        let Some(unknowns) = equations.solve() else { break };
        curve = knots;
        let mut level = 0.0;
        (0..KNOTS).for_each(|k| {
            level += unknowns[k];
            curve.lit[k] = level;
        });
        if mixed && round > 0 {
            delta = [0, 1].map(|j| unknowns[KNOTS + j].clamp(-LARGEST, LARGEST));
        }
        let residuals: Vec<f64> = samples.iter().map(|s| s.lit - curve.at(mixture(s, c, delta))[0]).collect();
        deviation = robust_deviation(&residuals);
        weights = residuals.iter().map(|r| (1.0 + (r / (OUTLIER * deviation)).powi(2)).powi(-2)).collect();
    }
    describe(samples, c, curve, delta)
}

fn describe(samples: &[Sample], c: usize, curve: Spline, delta: [f64; 2]) -> Channel {
    let square = |s: &Sample| (s.lit - curve.at(mixture(s, c, delta))[0]).powi(2);
    let rms = (samples.iter().map(square).sum::<f64>() / samples.len().max(1) as f64).sqrt();
    let mut row = [0.0; 3];
    row[c] = 1.0 - delta[0] - delta[1];
    others(c).into_iter().zip(delta).for_each(|(j, d)| row[j] = d);
    Channel { curve, row, rms, dark: [curve.dark(0), curve.dark(SEGMENTS)], lit: [curve.lit[0], curve.lit[SEGMENTS]] }
}

/// The channels beside `c`.
fn others(c: usize) -> [usize; 2] {
    [(c + 1) % 3, (c + 2) % 3]
}

fn differences(sample: &Sample, c: usize) -> [f64; 2] {
    others(c).map(|j| sample.dark[j] - sample.dark[c])
}

fn mixture(sample: &Sample, c: usize, delta: [f64; 2]) -> f64 {
    let differences = differences(sample, c);
    sample.dark[c] + delta[0] * differences[0] + delta[1] * differences[1]
}

/// Knots over the samples' mixed levels, at lit level 0.
fn knots(values: &[f64]) -> Spline {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = |rank: f64| sorted.get((rank * sorted.len() as f64) as usize).copied();
    let [low, high] = ENDS.map(|rank| at(rank).unwrap_or(0.0));
    Spline::between(low, high.max(low + 0.01))
}

/// The equation of one sample; `None` for the few beyond the knots.
fn row(knots: &Spline, value: f64, slope: f64, differences: [f64; 2]) -> Option<[f64; UNKNOWNS]> {
    if !(knots.dark(0) - 1e-9..=knots.dark(SEGMENTS) + 1e-9).contains(&value) {
        return None;
    }
    let curve = by_rises(&knots.weights(value).0);
    let mut row = [0.0; UNKNOWNS];
    row[..KNOTS].copy_from_slice(&curve);
    (0..2).for_each(|j| row[KNOTS + j] = slope * differences[j]);
    Some(row)
}

/// The noise of a sample changes its equation for the row by `slope · (n_j − n_c)`, and the curve's value there by
/// `slope · n_c` as far as it belongs to the fitted channel itself. `weight` holds the slope's square.
fn subtract_noise(equations: &mut Equations, sample: &Sample, c: usize, weight: f64) {
    let own = sample.noise[c];
    let differences = others(c).map(|j| sample.noise[j] - own);
    for (j, a) in differences.iter().enumerate() {
        for (k, b) in differences.iter().enumerate() {
            equations.gram[KNOTS + j][KNOTS + k] -= weight * a * b;
        }
        equations.moments[KNOTS + j] += weight * a * own;
    }
}

/// What is expected without data: no bend, no mixture. Where the row is not fitted, it stays at 0.
fn hold(equations: &mut Equations, deviation: f64, samples: usize, mixed: bool) {
    let strength = deviation.powi(2) * samples as f64 / ALIKE;
    for k in 1..SEGMENTS {
        let mut bend = [0.0; UNKNOWNS];
        (bend[k], bend[k + 1]) = (-1.0, 1.0);
        equations.add(&bend, 0.0, strength / BEND.powi(2));
    }
    for j in KNOTS..UNKNOWNS {
        let mut entry = [0.0; UNKNOWNS];
        entry[j] = 1.0;
        equations.add(&entry, 0.0, if mixed { strength / MIXED.powi(2) } else { 1e12 });
    }
}

/// The standard deviation of normal residuals with outliers among them, from the median of their absolute values.
fn robust_deviation(residuals: &[f64]) -> f64 {
    let mut sizes: Vec<f64> = residuals.iter().map(|r| r.abs()).collect();
    sizes.sort_by(f64::total_cmp);
    (1.4826 * sizes.get(sizes.len() / 2).copied().unwrap_or(0.0)).max(LEAST_DEVIATION)
}
