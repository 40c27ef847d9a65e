//! What a model without hidden layers sees of a pixel and its surroundings.

use crate::batch::{Tensors, pixels};
use crate::loss::apart;
use crate::network::linear;
use burn::tensor::Tensor;
use std::ops::Range;

/// Inputs of a pixel.
pub const COUNT: usize = 39;
/// The pictures are pooled by Gaussians of these lengths and deviations, in pixels of the working size. The first leaves
/// pixels alone, the second is that of the low frequencies that maps are applied to.
const POOLS: [(usize, f32); 3] = [(1, 1.0), (5, 1.0), (33, 8.0)];
/// Luma that ratios of colors to it are damped by.
const DAMPING: f32 = 0.02;
const POSITION: usize = 18;
const HUE: usize = 23;

/// Inputs of one kind.
pub struct Group {
    /// What they are.
    pub name: &'static str,
    /// Their numbers.
    pub inputs: Range<usize>,
}

/// All groups; the last is everything.
pub const GROUPS: [Group; 4] = [
    Group { name: "luma", inputs: 0..POSITION },
    Group { name: "position", inputs: POSITION..HUE },
    Group { name: "hue", inputs: HUE..COUNT },
    Group { name: "all three", inputs: 0..COUNT },
];

/// The inputs of every pixel of a batch: luma of dark picture and response, pooled, with squares and cubes; position,
/// from −1 to 1, with products; color differences, pooled, and those of the response as a part of its luma.
pub fn inputs(batch: &Tensors) -> Vec<[f32; COUNT]> {
    let [_, _, height, width] = batch.dark.dims();
    let pool = |(length, sigma)| [&batch.dark, &batch.naka].map(|picture| pixels::<3>(&pooled(picture, length, sigma)));
    let pools = POOLS.map(pool);
    let place = |i: usize, length: usize| (2.0 * i as f32 + 1.0) / length as f32 - 1.0;
    let of_pixel = |i: usize| {
        let (x, y) = (place(i % width, width), place(i / width % height, height));
        let seen = pools.each_ref().map(|pair| pair.each_ref().map(|picture| apart(picture[i])));
        let mut inputs = Vec::with_capacity(COUNT);
        inputs.extend(seen.iter().flatten().flat_map(|&[luma, ..]| [luma, luma * luma, luma * luma * luma]));
        inputs.extend([x, y, x * x, y * y, x * y]);
        inputs.extend(seen.iter().flatten().flat_map(|&[_, blue, red]| [blue, red]));
        inputs.extend(seen[1..].iter().flat_map(|&[_, [luma, blue, red]]| [blue, red].map(|v| v / (luma + DAMPING))));
        std::array::from_fn(|k| inputs[k])
    };
    (0..pools[0][0].len()).map(of_pixel).collect()
}

/// Gaussian means, of what lies within the picture.
fn pooled(picture: &Tensor<4>, length: usize, sigma: f32) -> Tensor<4> {
    let ([_, _, h, w], device) = (picture.dims(), picture.device());
    let kernel = linear::gaussian(length, sigma);
    let [rows, columns] = [h, w].map(|size| linear::filter(&kernel, size, &device));
    let within = linear::apply(Tensor::ones([1, 1, h, w], &device), &rows, &columns);
    linear::apply(picture.clone(), &rows, &columns) / within
}
