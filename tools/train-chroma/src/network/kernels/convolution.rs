//! Convolution 3×3 with one pixel of zeros around the picture, without bias, and its gradients.

use super::planes::{LANES, SPAN, load, load_span};
use rayon::prelude::*;
use wide::f32x16;

pub use super::planes::Shape;

/// Output channels that are summed at once.
const CHANNELS: usize = 8;

/// Weights of eight output channels for every tap of every input channel.
type Packed = Vec<[f32; CHANNELS]>;

/// `x` [N, inputs, H, W] convolved with `weight` [outputs, inputs, 3, 3].
pub fn forward(x: &[f32], weight: &[f32], shape: Shape) -> Vec<f32> {
    let taps = shape.inputs * 9;
    let blocks: Vec<Packed> = (0..shape.outputs.div_ceil(CHANNELS))
        .map(|block| {
            let value = |tap: usize, c: usize| weight.get((block * CHANNELS + c) * taps + tap).copied().unwrap_or(0.0);
            (0..taps).map(|tap| std::array::from_fn(|c| value(tap, c))).collect()
        })
        .collect();
    convolve(x, &blocks, shape)
}

/// The gradient of the input for `gradient` [N, outputs, H', W'] of the output: the output's gradient, at its own
/// pixels of the input's grid, convolved with the turned kernels.
pub fn input_gradient(gradient: &[f32], weight: &[f32], shape: Shape) -> Vec<f32> {
    let mut turned = vec![0.0; weight.len()];
    for output in 0..shape.outputs {
        for input in 0..shape.inputs {
            for tap in 0..9 {
                turned[(input * shape.outputs + output) * 9 + 8 - tap] =
                    weight[(output * shape.inputs + input) * 9 + tap];
            }
        }
    }
    let back = Shape { inputs: shape.outputs, outputs: shape.inputs, stride: 1, ..shape };
    if shape.stride == 1 {
        return forward(gradient, &turned, back);
    }
    let (height, width) = shape.output_size();
    let mut apart = vec![0.0; shape.pictures * shape.outputs * shape.height * shape.width];
    for (from, to) in gradient.chunks_exact(height * width).zip(apart.chunks_exact_mut(shape.height * shape.width)) {
        for (row, to) in from.chunks_exact(width).zip(to.chunks_mut(shape.width * shape.stride)) {
            row.iter().zip(to.iter_mut().step_by(shape.stride)).for_each(|(from, to)| *to = *from);
        }
    }
    forward(&apart, &turned, back)
}

/// The gradient of the weights for `gradient` [N, outputs, H', W'] of the output.
pub fn weight_gradient(x: &[f32], gradient: &[f32], shape: Shape) -> Vec<f32> {
    let pictures = x.par_chunks_exact(shape.inputs * shape.height * shape.width);
    let inputs: Vec<Vec<f32>> = pictures.map(|picture| shape.planes(picture, shape.inputs)).collect();
    let mut weights = vec![0.0; shape.outputs * shape.inputs * 9];
    weights
        .par_chunks_mut(2 * shape.inputs * 9)
        .enumerate()
        .for_each(|(pair, weights)| weights_of_pair(pair, &inputs, gradient, shape, weights));
    weights
}

/// The gradient of the weights of output channels 2 `pair` and 2 `pair` + 1, over all pictures.
fn weights_of_pair(pair: usize, inputs: &[Vec<f32>], gradient: &[f32], shape: Shape, weights: &mut [f32]) {
    let (height, width) = shape.output_size();
    let (length, area) = (shape.length(), height * width);

    // The second may not exist: it stays zero.
    let mut spread = vec![0.0; shape.pictures * 2 * length];
    for (picture, to) in spread.chunks_exact_mut(2 * length).enumerate() {
        for (c, to) in to.chunks_exact_mut(length).enumerate().take(shape.outputs - 2 * pair) {
            let start = (picture * shape.outputs + 2 * pair + c) * area;
            shape.spread(&gradient[start..start + area], to);
        }
    }
    for input in 0..shape.inputs {
        let offsets = shape.offsets(input);
        let mut sums = [[f32x16::ZERO; 9]; 2];
        for (planes, gradients) in inputs.iter().zip(spread.chunks_exact(2 * length)) {
            let (first, second) = gradients.split_at(length);
            for position in (0..length).step_by(LANES) {
                let (first, second) = (load(first, position), load(second, position));
                for tap in 0..9 {
                    let value = load(planes, position + offsets[tap]);
                    sums[0][tap] = value.mul_add(first, sums[0][tap]);
                    sums[1][tap] = value.mul_add(second, sums[1][tap]);
                }
            }
        }
        for (weights, sums) in weights.chunks_exact_mut(shape.inputs * 9).zip(&sums) {
            for (weight, sum) in weights[input * 9..].iter_mut().zip(sums) {
                *weight = sum.reduce_add();
            }
        }
    }
}

fn convolve(x: &[f32], blocks: &[Packed], shape: Shape) -> Vec<f32> {
    let (height, width) = shape.output_size();
    let area = height * width;
    let offsets: Vec<usize> = (0..shape.inputs).flat_map(|c| shape.offsets(c)).collect();
    let mut out = vec![0.0; shape.pictures * shape.outputs * area];
    let pictures = x.par_chunks_exact(shape.inputs * shape.height * shape.width);
    out.par_chunks_exact_mut(shape.outputs * area)
        .zip(pictures)
        .for_each(|(out, picture)| convolve_picture(picture, blocks, &offsets, shape, out));
    out
}

fn convolve_picture(picture: &[f32], blocks: &[Packed], offsets: &[usize], shape: Shape, out: &mut [f32]) {
    let (height, width) = shape.output_size();
    let (area, length) = (height * width, shape.length());
    let planes = shape.planes(picture, shape.inputs);
    let mut sums = vec![0.0; CHANNELS * length];
    for (weights, out) in blocks.iter().zip(out.chunks_mut(CHANNELS * area)) {
        for position in (0..length).step_by(LANES * SPAN) {
            let block = block(&planes, offsets, weights, position);
            for (c, vectors) in block.iter().enumerate() {
                for (i, vector) in vectors.iter().enumerate() {
                    let lanes = sums[c * length + position + i * LANES..].first_chunk_mut::<LANES>();
                    lanes.into_iter().for_each(|lanes| *lanes = vector.to_array());
                }
            }
        }
        for (sums, out) in sums.chunks_exact(length).zip(out.chunks_exact_mut(area)) {
            shape.gather(sums, out);
        }
    }
}

/// Eight channels of 32 outputs.
#[inline(always)]
// Plain counting: iterators here are calls that the compiler does not inline.
#[allow(clippy::needless_range_loop)]
fn block(
    planes: &[f32],
    offsets: &[usize],
    weights: &[[f32; CHANNELS]],
    position: usize,
) -> [[f32x16; SPAN]; CHANNELS] {
    let mut sums = [[f32x16::ZERO; SPAN]; CHANNELS];
    for tap in 0..offsets.len().min(weights.len()) {
        let (values, weights) = (load_span(planes, position + offsets[tap]), &weights[tap]);
        for c in 0..CHANNELS {
            let weight = f32x16::splat(weights[c]);
            sums[c][0] = values[0].mul_add(weight, sums[c][0]);
            sums[c][1] = values[1].mul_add(weight, sums[c][1]);
        }
    }
    sums
}
