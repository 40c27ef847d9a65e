//! The chroma-correction network (NAKA-GS §3.2) in tensor operations, with gradients.
//!
//! All that the network takes from a whole image (mean and deviation of its inputs, of every GroupNorm, the means of
//! squeeze and excitation) it takes from the whole batch here: a batch is several crops of one scene under one camera,
//! and a capture is enhanced with statistics of several views. With a batch of one it is the published network.

mod blocks;
mod kernels;
mod layout;
pub mod linear;

pub use layout::{INPUTS, problems, tensors};

use crate::parameters::Parameters;
use burn::tensor::activation::{gelu, sigmoid, tanh};
use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Gradients, Tensor, TensorData};
use std::collections::BTreeMap;

/// GroupNorm's ε, and the smallest deviation the inputs are divided by.
const EPSILON: (f64, f64) = (1e-5, 1e-4);
/// How far `mul` may leave 1 and `add` 0.
pub const REACH: (f64, f64) = (0.6, 0.25);

/// Is told the name of a residual block and its inner activations.
pub type Watch<'a> = &'a mut dyn FnMut(&str, &Tensor<4>);

/// The parameters as tensors on a device.
pub struct Network {
    flat: BTreeMap<String, Tensor<1>>,
    shapes: BTreeMap<String, Vec<usize>>,
    /// Whether blocks are single operations, which only processors have.
    fused: bool,
}

/// What the network predicts: `mul` [N, 1, H, W] and `add` [N, 3, H, W].
pub struct Maps {
    pub mul: Tensor<4>,
    pub add: Tensor<4>,
}

impl Network {
    /// The network of `parameters` on `device`; with gradients where the device has them.
    pub fn new(parameters: &Parameters, device: &Device) -> Self {
        let (mut flat, mut shapes) = (BTreeMap::new(), BTreeMap::new());
        for (name, array) in &parameters.0 {
            let data = TensorData::new(array.values.clone(), [array.values.len()]);
            let tensor = Tensor::from_data(data, device);
            flat.insert(name.clone(), if device.is_autodiff() { tensor.require_grad() } else { tensor });
            shapes.insert(name.clone(), array.shape.clone());
        }
        Self { flat, shapes, fused: true }
    }

    /// The same network in burn's own operations, which every device has.
    #[cfg(test)]
    pub fn in_single_operations(self) -> Self {
        Self { fused: false, ..self }
    }

    /// The gradients of all parameters; zeros for those that had no part in the loss.
    pub fn gradients(&self, gradients: &Gradients) -> Parameters {
        let mut found = Parameters::default();
        for (name, tensor) in &self.flat {
            let count = tensor.dims()[0];
            let values = match tensor.grad(gradients) {
                Some(gradient) => gradient.into_data().try_to_vec::<f32>().unwrap_or_else(|_| vec![0.0; count]),
                None => vec![0.0; count],
            };
            found.insert(name, &self.shapes[name], values);
        }
        found
    }

    /// The maps for `dark` and `naka` [N, 3, H, W], crops of one scene.
    pub fn forward(&self, dark: &Tensor<4>, naka: &Tensor<4>) -> Maps {
        self.forward_watched(dark, naka, &mut |_, _| ())
    }

    /// As [`Network::forward`]; `watch` gets the name of every residual block and the activations [N, C, H, W] between
    /// its two convolutions, in the order of the layers.
    pub fn forward_watched(&self, dark: &Tensor<4>, naka: &Tensor<4>, watch: Watch<'_>) -> Maps {
        let x = self.conv_act("stem", inputs(dark, naka), 1);
        let (skip1, x) = self.down("down1", x, watch);
        let (skip2, x) = self.down("down2", x, watch);
        let (skip3, x) = self.down("down3", x, watch);
        let x = self.body("bottleneck", 1, self.conv_act("bottleneck.0", x, 1), watch);
        let x = self.up("up3", x, skip3, watch);
        let x = self.up("up2", x, skip2, watch);
        let x = self.up("up1", x, skip1, watch);
        let x = self.residual("fuse.1", self.conv_act("fuse.0", x, 1), watch);
        let mul = tanh(self.head("mul_head", &x)) * REACH.0 + 1.0;
        let add = tanh(self.head("add_head", &x)) * REACH.1;
        Maps { mul, add }
    }

    fn down(&self, name: &str, x: Tensor<4>, watch: Watch<'_>) -> (Tensor<4>, Tensor<4>) {
        let x = self.conv_act(&format!("{name}.block.0"), x, 1);
        let x = self.body(&format!("{name}.block"), 1, x, watch);
        (x.clone(), self.conv_act(&format!("{name}.down"), x, 2))
    }

    fn up(&self, name: &str, x: Tensor<4>, skip: Tensor<4>, watch: Watch<'_>) -> Tensor<4> {
        let ([_, _, from_h, from_w], [_, _, to_h, to_w]) = (x.dims(), skip.dims());
        let device = x.device();
        let x = linear::apply(x, &linear::bilinear(from_h, to_h, &device), &linear::bilinear(from_w, to_w, &device));
        let x = self.conv_act(&format!("{name}.reduce"), Tensor::cat(vec![x, skip], 1), 1);
        self.body(&format!("{name}.block"), 0, x, watch)
    }

    /// Residual blocks from index `first` on as many as there are, then squeeze and excitation.
    fn body(&self, name: &str, first: usize, mut x: Tensor<4>, watch: Watch<'_>) -> Tensor<4> {
        let mut index = first;
        while self.flat.contains_key(&format!("{name}.{index}.conv1.block.0.weight")) {
            x = self.residual(&format!("{name}.{index}"), x, watch);
            index += 1;
        }
        self.squeeze(&format!("{name}.{index}.fc"), x)
    }

    fn residual(&self, name: &str, x: Tensor<4>, watch: Watch<'_>) -> Tensor<4> {
        let inner = self.conv_act(&format!("{name}.conv1"), x.clone(), 1);
        watch(name, &inner);
        self.block(&format!("{name}.conv2"), inner, 1, Some(x))
    }

    fn conv_act(&self, name: &str, x: Tensor<4>, stride: usize) -> Tensor<4> {
        self.block(name, x, stride, None)
    }

    /// conv3×3 without bias, GroupNorm with the batch's statistics, an addend where there is one, GELU.
    fn block(&self, name: &str, x: Tensor<4>, stride: usize, addend: Option<Tensor<4>>) -> Tensor<4> {
        let weight = self.weight(&format!("{name}.block.0.weight"));
        let scale = self.flat[&format!("{name}.block.1.weight")].clone();
        let shift = self.flat[&format!("{name}.block.1.bias")].clone();
        if self.fused {
            return blocks::block(x, blocks::Parts { weight, scale, shift }, stride, addend);
        }
        let x = conv2d(x, weight, None, ConvOptions::new([stride, stride], [1, 1], [1, 1], 1));
        let x = norm(x, scale, shift);
        gelu(match addend {
            Some(addend) => x + addend,
            None => x,
        })
    }

    fn squeeze(&self, name: &str, x: Tensor<4>) -> Tensor<4> {
        let channels = x.dims()[1];
        let dense = |layer: &str, v: Tensor<2>| -> Tensor<2> {
            let [outputs, inputs, _, _] = self.weight(&format!("{name}.{layer}.weight")).dims();
            let weight = self.weight(&format!("{name}.{layer}.weight")).reshape([outputs, inputs]);
            weight.matmul(v) + self.flat[&format!("{name}.{layer}.bias")].clone().reshape([outputs, 1])
        };
        let pooled = x.clone().mean_dims(&[0, 2, 3]).reshape([channels, 1]);
        let gate = sigmoid(dense("2", gelu(dense("0", pooled))));
        x * gate.reshape([1, channels, 1, 1])
    }

    fn head(&self, name: &str, x: &Tensor<4>) -> Tensor<4> {
        let bias = self.flat[&format!("{name}.bias")].clone();
        let options = ConvOptions::new([1, 1], [1, 1], [1, 1], 1);
        conv2d(x.clone(), self.weight(&format!("{name}.weight")), Some(bias), options)
    }

    fn weight(&self, name: &str) -> Tensor<4> {
        let shape = &self.shapes[name];
        self.flat[name].clone().reshape([shape[0], shape[1], shape[2], shape[3]])
    }
}

/// GroupNorm with the batch's statistics.
fn norm(x: Tensor<4>, scale: Tensor<1>, shift: Tensor<1>) -> Tensor<4> {
    let channels = x.dims()[1];
    let of_groups = |x: Tensor<4>| -> Tensor<4> {
        let groups = groups(channels);
        let of_channels = x.mean_dims(&[0, 2, 3]).reshape([groups, channels / groups]);
        of_channels.mean_dim(1).repeat_dim(1, channels / groups).reshape([1, channels, 1, 1])
    };
    let centered = x.clone() - of_groups(x);
    let variance = of_groups(centered.clone() * centered.clone());
    let scale = scale.reshape([1, channels, 1, 1]) / (variance + EPSILON.0).sqrt();
    centered * scale + shift.reshape([1, channels, 1, 1])
}

/// The 18 input channels.
fn inputs(dark: &Tensor<4>, naka: &Tensor<4>) -> Tensor<4> {
    let plain = Tensor::cat(vec![dark.clone(), naka.clone(), naka.clone() - dark.clone()], 1);
    let centered = plain.clone() - plain.clone().mean_dims(&[0, 2, 3]);
    let deviation = (centered.clone() * centered.clone()).mean_dims(&[0, 2, 3]).sqrt();
    Tensor::cat(vec![plain, centered / deviation.clamp_min(EPSILON.1)], 1)
}

/// GroupNorm's number of groups: at most 8, and a divisor of the channels.
pub fn groups(channels: usize) -> usize {
    (1..=channels.min(8)).rev().find(|groups| channels.is_multiple_of(*groups)).unwrap_or(1)
}

/// `clamp(naka_lf · mul + add + naka_hf, 0, 1)`, with `low` the smoothed `naka`.
pub fn apply(maps: &Maps, naka: &Tensor<4>, low: &Tensor<4>) -> Tensor<4> {
    let high = naka.clone() - low.clone();
    (low.clone() * maps.mul.clone() + maps.add.clone() + high).clamp(0.0, 1.0)
}

/// The low frequencies of `naka`: a Gaussian 5×5 of σ = 1, zeros beyond the borders.
pub fn low_frequencies(naka: &Tensor<4>) -> Tensor<4> {
    let ([_, _, h, w], device) = (naka.dims(), naka.device());
    let kernel = linear::gaussian(5, 1.0);
    linear::apply(naka.clone(), &linear::filter(&kernel, h, &device), &linear::filter(&kernel, w, &device))
}

#[cfg(test)]
mod tests;
