//! GroupNorm with statistics over the whole batch, an optional addend, and GELU, in one pass each way.

use super::activation::{gelu, gelu_slope};
use super::planes::LANES;
use crate::network::groups;
use rayon::prelude::*;
use wide::f32x16;

/// Mean and 1/√(variance + ε) of every channel's group.
pub type Statistics = Vec<[f32; 2]>;

/// A batch's pictures and channels.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    pub pictures: usize,
    pub channels: usize,
    /// Pixels of a picture.
    pub area: usize,
}

impl Shape {
    /// The channel `c` of every picture.
    fn channel<'a>(&self, x: &'a [f32], c: usize) -> impl Iterator<Item = &'a [f32]> {
        x.chunks_exact(self.area).skip(c).step_by(self.channels)
    }

    fn per_group(&self) -> usize {
        self.channels / groups(self.channels)
    }
}

/// Means and deviations of `x` [N, C, area], by groups of channels.
pub fn statistics(x: &[f32], shape: Shape, epsilon: f32) -> Statistics {
    let count = (shape.pictures * shape.area * shape.per_group()) as f64;
    let over_groups = |of_channel: &(dyn Fn(usize) -> f64 + Sync)| -> Vec<f64> {
        let sums: Vec<f64> = (0..shape.channels).into_par_iter().map(of_channel).collect();
        sums.chunks(shape.per_group()).map(|sums| sums.iter().sum::<f64>() / count).collect()
    };
    let means = over_groups(&|c| shape.channel(x, c).map(|values| sum(values, |v| v)).sum());
    let variances = over_groups(&|c| {
        let mean = f32x16::splat(means[c / shape.per_group()] as f32);
        // The lanes of the last vector that are no pixels hold zeros.
        let missing = (shape.area.next_multiple_of(LANES) - shape.area) as f64 * f64::from(mean.to_array()[0]).powi(2);
        shape.channel(x, c).map(|values| sum(values, |v| (v - mean) * (v - mean)) - missing).sum()
    });
    let group = |c: usize| c / shape.per_group();
    (0..shape.channels)
        .map(|c| [means[group(c)] as f32, (variances[group(c)] + f64::from(epsilon)).sqrt().recip() as f32])
        .collect()
}

/// gelu((x − mean) · rate · scale + shift [+ addend]).
pub fn forward(
    x: &[f32],
    statistics: &Statistics,
    [scale, shift]: [&[f32]; 2],
    addend: Option<&[f32]>,
    shape: Shape,
) -> Vec<f32> {
    let mut out = vec![0.0; x.len()];
    out.par_chunks_exact_mut(shape.area).enumerate().for_each(|(plane, out)| {
        let line = line(statistics, scale, shift, plane % shape.channels);
        let range = plane * shape.area..(plane + 1) * shape.area;
        let addend = addend.map(|values| &values[range.clone()]);
        each(&x[range.clone()], addend.unwrap_or(&x[range]), out, |x, other| {
            let u = x.mul_add(line[0], line[1]);
            gelu(if addend.is_some() { u + other } else { u })
        });
    });
    out
}

/// What flows back through [`forward`].
pub struct Gradients {
    /// Of GELU's argument, which is also the addend's.
    pub addend: Vec<f32>,
    pub x: Vec<f32>,
    pub scale: Vec<f32>,
    pub shift: Vec<f32>,
}

/// The gradients for `gradient` of [`forward`]'s result, through the statistics too.
pub fn backward(
    gradient: &[f32],
    x: &[f32],
    statistics: &Statistics,
    [scale, shift]: [&[f32]; 2],
    addend: Option<&[f32]>,
    shape: Shape,
) -> Gradients {
    let mut inner = vec![0.0; x.len()];
    inner.par_chunks_exact_mut(shape.area).enumerate().for_each(|(plane, inner)| {
        let line = line(statistics, scale, shift, plane % shape.channels);
        let range = plane * shape.area..(plane + 1) * shape.area;
        let (x, gradient) = (&x[range.clone()], &gradient[range.clone()]);
        let other = addend.map_or(x, |values| &values[range]);
        each(x, other, inner, |x, other| {
            let u = x.mul_add(line[0], line[1]);
            gelu_slope(if addend.is_some() { u + other } else { u })
        });
        inner.iter_mut().zip(gradient).for_each(|(inner, gradient)| *inner *= gradient);
    });
    let sums: Vec<[f64; 2]> = (0..shape.channels)
        .into_par_iter()
        .map(|c| {
            let [mean, rate] = statistics[c].map(f64::from);
            let (mut of_shift, mut of_scale) = (0.0, 0.0);
            for (inner, x) in shape.channel(&inner, c).zip(shape.channel(x, c)) {
                let plain = sum(inner, |v| v);
                of_shift += plain;
                of_scale += (dot(inner, x) - mean * plain) * rate;
            }
            [of_shift, of_scale]
        })
        .collect();
    // dx = rate · (scale · g − mean(scale · g) − x̂ · mean(scale · g · x̂)), means over the group.
    let count = (shape.pictures * shape.area * shape.per_group()) as f64;
    let means: Vec<[f64; 2]> = sums
        .chunks(shape.per_group())
        .zip(scale.chunks(shape.per_group()))
        .map(|(sums, scale)| {
            let mean = |i: usize| sums.iter().zip(scale).map(|(s, a)| s[i] * f64::from(*a)).sum::<f64>() / count;
            [mean(0), mean(1)]
        })
        .collect();
    let mut of_x = vec![0.0; x.len()];
    of_x.par_chunks_exact_mut(shape.area).enumerate().for_each(|(plane, out)| {
        let c = plane % shape.channels;
        let ([mean, rate], group) = (statistics[c].map(f64::from), means[c / shape.per_group()]);
        let range = plane * shape.area..(plane + 1) * shape.area;
        let splat = |v: f64| f32x16::splat(v as f32);
        let (by_gradient, by_x) = (splat(rate * f64::from(scale[c])), splat(-rate * rate * group[1]));
        let rest = splat(-rate * group[0] + rate * rate * mean * group[1]);
        each(&inner[range.clone()], &x[range], out, |g, x| g.mul_add(by_gradient, x.mul_add(by_x, rest)));
    });
    let of = |i: usize| sums.iter().map(|s| s[i] as f32).collect();
    Gradients { addend: inner, x: of_x, shift: of(0), scale: of(1) }
}

/// Slope and offset of the channel's normalization.
fn line(statistics: &Statistics, scale: &[f32], shift: &[f32], c: usize) -> [f32x16; 2] {
    let [mean, rate] = statistics[c];
    [f32x16::splat(rate * scale[c]), f32x16::splat(shift[c] - mean * rate * scale[c])]
}

/// `out = f(a, b)`, vector by vector; missing lanes are zero.
#[inline(always)]
fn each(a: &[f32], b: &[f32], out: &mut [f32], f: impl Fn(f32x16, f32x16) -> f32x16) {
    let (whole, rest) = out.as_chunks_mut::<LANES>();
    let at = |i: usize| f(vector(&a[i * LANES..]), vector(&b[i * LANES..])).to_array();
    for (i, out) in whole.iter_mut().enumerate() {
        *out = at(i);
    }
    if !rest.is_empty() {
        rest.copy_from_slice(&at(whole.len())[..rest.len()]);
    }
}

#[inline(always)]
fn sum(values: &[f32], f: impl Fn(f32x16) -> f32x16) -> f64 {
    // Partial sums of 64 vectors keep f32's rounding small.
    let part = |values: &[f32]| {
        let total = values.chunks(LANES).fold(f32x16::ZERO, |total, lanes| total + f(vector(lanes)));
        f64::from(total.reduce_add())
    };
    values.chunks(64 * LANES).map(part).sum()
}

#[inline(always)]
fn dot(a: &[f32], b: &[f32]) -> f64 {
    let part = |(a, b): (&[f32], &[f32])| {
        let pairs = a.chunks(LANES).zip(b.chunks(LANES));
        let total = pairs.fold(f32x16::ZERO, |total, (a, b)| vector(a).mul_add(vector(b), total));
        f64::from(total.reduce_add())
    };
    a.chunks(64 * LANES).zip(b.chunks(64 * LANES)).map(part).sum()
}

/// The first 16 values; zeros where there are fewer.
#[inline(always)]
fn vector(values: &[f32]) -> f32x16 {
    match values.first_chunk::<LANES>() {
        Some(lanes) => f32x16::new(*lanes),
        None => {
            let mut lanes = [0.0; LANES];
            lanes[..values.len()].copy_from_slice(values);
            f32x16::new(lanes)
        }
    }
}
