//! The network's layers in 64-bit floats, as PyTorch defines them, one value at a time.

use super::layers::groups;
use super::parts::{Block, ConvNorm, Parts, Residual};

/// [channels][height][width].
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    pub channels: usize,
    pub height: usize,
    pub width: usize,
    pub values: Vec<f64>,
}

impl Tensor {
    pub fn from_fn(channels: usize, height: usize, width: usize, f: impl Fn(usize, usize, usize) -> f64) -> Self {
        let at = |i: usize| f(i / (height * width), i / width % height, i % width);
        Self { channels, height, width, values: (0..channels * height * width).map(at).collect() }
    }

    pub fn at(&self, channel: usize, y: usize, x: usize) -> f64 {
        self.values[(channel * self.height + y) * self.width + x]
    }

    pub fn plane(&self, channel: usize) -> &[f64] {
        &self.values[channel * self.height * self.width..][..self.height * self.width]
    }

    pub fn map(&self, f: impl Fn(f64) -> f64) -> Self {
        Self { values: self.values.iter().map(|v| f(*v)).collect(), ..self.clone() }
    }

    pub fn plus(&self, other: &Self) -> Self {
        Self { values: self.values.iter().zip(&other.values).map(|(a, b)| a + b).collect(), ..self.clone() }
    }

    pub fn join(&self, other: &Self) -> Self {
        let values = [self.values.as_slice(), &other.values].concat();
        Self { channels: self.channels + other.channels, values, ..self.clone() }
    }
}

/// 3×3, zero padding 1; `weight` [outputs][inputs][3][3].
pub fn conv(x: &Tensor, weight: &[f32], outputs: usize, stride: usize) -> Tensor {
    Tensor::from_fn(outputs, x.height.div_ceil(stride), x.width.div_ceil(stride), |o, y, u| {
        let mut sum = 0.0;
        for c in 0..x.channels {
            for (j, i) in (0..3).flat_map(|j| (0..3).map(move |i| (j, i))) {
                let (v, h) = ((y * stride + j).wrapping_sub(1), (u * stride + i).wrapping_sub(1));
                if v < x.height && h < x.width {
                    sum += x.at(c, v, h) * f64::from(weight[((o * x.channels + c) * 3 + j) * 3 + i]);
                }
            }
        }
        sum
    })
}

pub fn moments(values: &[f64]) -> (f64, f64) {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    (mean, values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len() as f64)
}

pub fn group_norm(x: &Tensor, groups: usize, affine: &[[f32; 2]]) -> Tensor {
    let per_group = x.channels / groups;
    let size = x.height * x.width;
    let stats: Vec<_> = x.values.chunks(per_group * size).map(moments).collect();
    Tensor::from_fn(x.channels, x.height, x.width, |c, y, u| {
        let (mean, variance) = stats[c / per_group];
        let [weight, bias] = affine[c].map(f64::from);
        (x.at(c, y, u) - mean) / (variance + 1e-5).sqrt() * weight + bias
    })
}

/// erf by its Taylor series, or by the continued fraction of erfc where that would cancel.
pub fn erf(x: f64) -> f64 {
    if x.abs() < 3.0 {
        let (mut term, mut sum) = (x, x);
        for n in 1..200 {
            term *= -x * x / f64::from(n);
            sum += term / f64::from(2 * n + 1);
        }
        return sum * 2.0 / std::f64::consts::PI.sqrt();
    }
    let fraction = (1..60).rev().fold(x.abs(), |f, n| x.abs() + f64::from(n) / 2.0 / f);
    x.signum() * (1.0 - (-x * x).exp() / fraction / std::f64::consts::PI.sqrt())
}

pub fn gelu(x: f64) -> f64 {
    0.5 * x * (1.0 + erf(x / 2f64.sqrt()))
}

pub fn dense(x: &[f64], weight: &[f32], bias: &[f32]) -> Vec<f64> {
    let row = |(w, b): (&[f32], &f32)| w.iter().zip(x).map(|(w, x)| f64::from(*w) * x).sum::<f64>() + f64::from(*b);
    weight.chunks(x.len()).zip(bias).map(row).collect()
}

/// Bilinear, align_corners = false.
pub fn resize(x: &Tensor, height: usize, width: usize) -> Tensor {
    let between = |i: usize, from: usize, to: usize| {
        let at = ((i as f64 + 0.5) * from as f64 / to as f64 - 0.5).max(0.0);
        let first = (at.floor() as usize).min(from - 1);
        (first, (first + 1).min(from - 1), at - first as f64)
    };
    Tensor::from_fn(x.channels, height, width, |c, y, u| {
        let (top, bottom, v) = between(y, x.height, height);
        let (left, right, h) = between(u, x.width, width);
        let row = |y: usize| x.at(c, y, left) * (1.0 - h) + x.at(c, y, right) * h;
        row(top) * (1.0 - v) + row(bottom) * v
    })
}

/// Gaussian 5×5, σ = 1, zero padding.
pub fn smooth(x: &Tensor) -> Tensor {
    let sum: f64 = (-2..=2).map(|d| (-0.5 * f64::from(d * d)).exp()).sum();
    Tensor::from_fn(x.channels, x.height, x.width, |c, y, u| {
        let mut total = 0.0;
        for (j, i) in (-2..=2i32).flat_map(|j| (-2..=2i32).map(move |i| (j, i))) {
            let (v, h) = (y as i32 + j, u as i32 + i);
            if (0..x.height as i32).contains(&v) && (0..x.width as i32).contains(&h) {
                total += (-0.5 * f64::from(i * i + j * j)).exp() / (sum * sum) * x.at(c, v as usize, h as usize);
            }
        }
        total
    })
}

fn conv_norm(x: &Tensor, part: &ConvNorm, stride: usize) -> Tensor {
    group_norm(&conv(x, &part.weight, part.outputs, stride), groups(part.outputs), &part.affine)
}

fn residual(x: &Tensor, part: &Residual) -> Tensor {
    conv_norm(&conv_norm(x, &part.first, 1).map(gelu), &part.second, 1).plus(x).map(gelu)
}

fn block(x: &Tensor, part: &Block) -> Tensor {
    let x = part.residuals.iter().fold(conv_norm(x, &part.first, 1).map(gelu), |x, part| residual(&x, part));
    let means: Vec<f64> = (0..x.channels).map(|c| moments(x.plane(c)).0).collect();
    let [hidden, excite] = &part.squeeze;
    let hidden: Vec<f64> = dense(&means, &hidden.weight, &hidden.bias).into_iter().map(gelu).collect();
    let gates = dense(&hidden, &excite.weight, &excite.bias);
    Tensor::from_fn(x.channels, x.height, x.width, |c, y, u| x.at(c, y, u) / (1.0 + (-gates[c]).exp()))
}

/// The maps, mul and three of add, of a dark image and its response.
pub fn network(parts: &Parts, dark: &Tensor, lit: &Tensor) -> Tensor {
    let colors = dark.join(lit).join(&lit.plus(&dark.map(|v| -v)));
    let standard = Tensor::from_fn(9, dark.height, dark.width, |c, y, u| {
        let (mean, variance) = moments(colors.plane(c));
        (colors.at(c, y, u) - mean) / variance.sqrt().max(1e-4)
    });
    let mut x = conv_norm(&colors.join(&standard), &parts.stem, 1).map(gelu);
    let mut skips = Vec::new();
    for (part, down) in &parts.downs {
        skips.push(block(&x, part));
        x = conv_norm(&skips[skips.len() - 1], down, 2).map(gelu);
    }
    x = block(&x, &parts.bottleneck);
    for (part, skip) in parts.ups.iter().zip(&skips).rev() {
        x = block(&resize(&x, skip.height, skip.width).join(skip), part);
    }
    let x = residual(&conv_norm(&x, &parts.fuse.0, 1).map(gelu), &parts.fuse.1);
    let heads = conv(&x, &parts.heads, 4, 1);
    Tensor::from_fn(4, x.height, x.width, |c, y, u| {
        let value = (heads.at(c, y, u) + f64::from(parts.heads_bias[c])).tanh();
        if c == 0 { 1.0 + 0.6 * value } else { 0.25 * value }
    })
}

/// The lit image from its response and maps of the same size.
pub fn apply(maps: &Tensor, lit: &Tensor) -> Tensor {
    let low = smooth(lit);
    Tensor::from_fn(3, lit.height, lit.width, |c, y, u| {
        let high = lit.at(c, y, u) - low.at(c, y, u);
        (low.at(c, y, u) * maps.at(0, y, u) + maps.at(c + 1, y, u) + high).clamp(0.0, 1.0)
    })
}
