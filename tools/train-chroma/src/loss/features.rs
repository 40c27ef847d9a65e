//! L1 between features of VGG-19 (Simonyan and Zisserman, 2015; after the ReLUs 3, 8, 17 and 26 of torchvision's
//! `vgg19().features`): the perceptual term of the published loss, where a file of its weights is given.

use burn::tensor::activation::relu;
use burn::tensor::module::{conv2d, max_pool2d};
use burn::tensor::ops::{ConvOptions, MaxPoolOptions};
use burn::tensor::{Device, Tensor, TensorData};
use naka_gs::enhance::weights::{Tensor as Array, Weights};
use naka_gs::{Error, Result};
use std::path::Path;

/// Convolutions between two poolings, by their numbers in `features`; the last ReLU of each block is compared.
const BLOCKS: [&[usize]; 4] = [&[0, 2], &[5, 7], &[10, 12, 14, 16], &[19, 21, 23, 25]];
/// Shortest side that survives three poolings.
pub const SMALLEST: u32 = 8;
/// Mean and standard deviation of the pictures that VGG-19 was trained on (ImageNet).
const MEAN: [f32; 3] = [0.485, 0.456, 0.406];
const DEVIATION: [f32; 3] = [0.229, 0.224, 0.225];

/// The convolutions of VGG-19 up to the last features that are compared.
pub struct Features {
    blocks: Vec<Vec<(Tensor<4>, Tensor<1>)>>,
}

impl Features {
    /// Reads `features.N.weight` and `.bias` (with or without `features.`), safetensors or as `torch.save` writes them.
    /// What else the file holds is left alone.
    ///
    /// # Errors
    /// Those of [`Weights::read`]; [`Error::Input`] that names tensors that are missing or do not fit each other.
    pub fn read(path: &Path, device: &Device) -> Result<Self> {
        let weights = Weights::read(path)?;
        let mut problems = Vec::new();
        let mut channels = 3;
        let mut layer = |number: usize| {
            let tensor = |part: &str| {
                let name = format!("{number}.{part}");
                weights.tensors.get(&format!("features.{name}")).or_else(|| weights.tensors.get(&name))
            };
            let (Some(weight), Some(bias)) = (tensor("weight"), tensor("bias")) else {
                problems.push(format!("features.{number} is missing"));
                return None;
            };
            let shape = <[usize; 4]>::try_from(&weight.shape[..]).ok();
            let fits = |s: &[usize; 4]| s[1..] == [channels, 3, 3] && bias.shape == [s[0]];
            let Some(shape) = shape.filter(fits) else {
                let (weight, bias) = (&weight.shape, &bias.shape);
                problems.push(format!(
                    "features.{number} has the shapes {weight:?} and {bias:?} after {channels} channels"
                ));
                return None;
            };
            channels = shape[0];
            let data = |array: &Array| TensorData::new(array.values.clone(), array.shape.clone());
            Some((Tensor::from_data(data(weight), device), Tensor::from_data(data(bias), device)))
        };
        let blocks = BLOCKS.iter().map(|block| block.iter().filter_map(|n| layer(*n)).collect()).collect();
        match problems.first() {
            None => Ok(Self { blocks }),
            Some(first) => {
                let more =
                    if problems.len() > 1 { format!(", {} more like it", problems.len() - 1) } else { String::new() };
                Err(Error::input(path, format!("{first}{more}"), "give torchvision's weights of vgg19"))
            }
        }
    }

    /// The sum over the compared features of their mean absolute difference; both pictures are [N, 3, H, W] of 0–1.
    pub fn difference(&self, found: &Tensor<4>, truth: &Tensor<4>) -> Tensor<1> {
        let device = found.device();
        let channel = |values: [f32; 3]| Tensor::from_data(TensorData::new(values.to_vec(), [1, 3, 1, 1]), &device);
        let standard = |x: &Tensor<4>| (x.clone() - channel(MEAN)) / channel(DEVIATION);
        let pictures = found.dims()[0];
        let mut x = Tensor::cat(vec![standard(found), standard(truth)], 0);
        let mut total = Tensor::zeros([1], &device);
        for (i, block) in self.blocks.iter().enumerate() {
            if i > 0 {
                x = max_pool2d(x, MaxPoolOptions::new([2, 2]));
            }
            for (weight, bias) in block {
                let options = ConvOptions::new([1, 1], [1, 1], [1, 1], 1);
                x = relu(conv2d(x, weight.clone(), Some(bias.clone()), options));
            }
            let half = |first: usize| x.clone().narrow(0, first, pictures);
            total = total + (half(0) - half(pictures)).abs().mean();
        }
        total
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use naka_gs::enhance::weights::Tensor as Array;

    /// Weights of VGG-19's layout with few channels, the same for every call.
    fn narrow(channels: &[usize; 12]) -> Weights {
        let mut weights = Weights::default();
        let value = |i: usize, salt: usize| (((i * 7919 + salt * 104_729) % 1009) as f32 / 1009.0 - 0.45) * 0.4;
        let mut inputs = 3;
        for (&number, &outputs) in BLOCKS.iter().flat_map(|block| block.iter()).zip(channels) {
            let array = |shape: &[usize], salt| {
                let count = shape.iter().product();
                Array { shape: shape.to_vec(), values: (0..count).map(|i| value(i, salt)).collect() }
            };
            weights.tensors.insert(format!("features.{number}.weight"), array(&[outputs, inputs, 3, 3], number));
            weights.tensors.insert(format!("features.{number}.bias"), array(&[outputs], number + 50));
            inputs = outputs;
        }
        weights
    }

    const CHANNELS: [usize; 12] = [4, 4, 5, 5, 6, 6, 6, 6, 7, 7, 7, 7];

    fn written(weights: &Weights) -> (tempfile::TempDir, std::path::PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("vgg19.safetensors");
        weights.write(&path).unwrap();
        (dir, path)
    }

    fn picture(salt: usize) -> Vec<f32> {
        (0..3 * 11 * 9).map(|i| ((i * 31 + salt * 17) % 97) as f32 / 97.0).collect()
    }

    /// Loops over every pixel, in `f64`.
    fn by_definition(weights: &Weights, pictures: [&[f32]; 2]) -> f64 {
        let features = |values: &[f32]| {
            let (mut h, mut w, mut c) = (11usize, 9usize, 3usize);
            let mut x: Vec<f64> =
                (0..values.len()).map(|i| f64::from((values[i] - MEAN[i / 99]) / DEVIATION[i / 99])).collect();
            let mut all = Vec::new();
            for (number_of_block, block) in BLOCKS.iter().enumerate() {
                if number_of_block > 0 {
                    let at = |k: usize, y: usize, u: usize| x[(k * h + y) * w + u];
                    let pooled = |k: usize, y: usize, u: usize| {
                        at(k, 2 * y, 2 * u).max(at(k, 2 * y + 1, 2 * u)).max(at(k, 2 * y, 2 * u + 1)).max(at(
                            k,
                            2 * y + 1,
                            2 * u + 1,
                        ))
                    };
                    let (half_h, half_w) = (h / 2, w / 2);
                    let mut next = Vec::new();
                    (0..c).for_each(|k| (0..half_h).for_each(|y| next.extend((0..half_w).map(|u| pooled(k, y, u)))));
                    (x, h, w) = (next, half_h, half_w);
                }
                for number in *block {
                    let (weight, bias) = (
                        &weights.tensors[&format!("features.{number}.weight")],
                        &weights.tensors[&format!("features.{number}.bias")],
                    );
                    let outputs = weight.shape[0];
                    let mut next = vec![0.0; outputs * h * w];
                    for (o, y, u) in (0..outputs).flat_map(|o| (0..h).flat_map(move |y| (0..w).map(move |u| (o, y, u))))
                    {
                        let mut sum = f64::from(bias.values[o]);
                        for (k, i, j) in (0..c).flat_map(|k| (0..3).flat_map(move |i| (0..3).map(move |j| (k, i, j)))) {
                            let (v, t) = (y as i32 + i as i32 - 1, u as i32 + j as i32 - 1);
                            if v >= 0 && t >= 0 && v < h as i32 && t < w as i32 {
                                sum += f64::from(weight.values[((o * c + k) * 3 + i) * 3 + j])
                                    * x[(k * h + v as usize) * w + t as usize];
                            }
                        }
                        next[(o * h + y) * w + u] = sum.max(0.0);
                    }
                    (x, c) = (next, outputs);
                }
                all.push(x.clone());
            }
            all
        };
        let [a, b] = pictures.map(features);
        a.iter().zip(&b).map(|(a, b)| a.iter().zip(b).map(|(p, q)| (p - q).abs()).sum::<f64>() / a.len() as f64).sum()
    }

    #[test]
    fn differences_are_their_definition() {
        let weights = narrow(&CHANNELS);
        let (_dir, path) = written(&weights);
        let device = Device::flex();
        let features = Features::read(&path, &device).unwrap();
        let tensor = |values: &[f32]| Tensor::from_data(TensorData::new(values.to_vec(), [1, 3, 11, 9]), &device);
        let (a, b) = (picture(1), picture(2));
        let found = f64::from(features.difference(&tensor(&a), &tensor(&b)).into_scalar::<f32>());
        let expected = by_definition(&weights, [&a, &b]);
        assert!(expected > 1e-3 && (found - expected).abs() < 1e-4 * expected, "{found} {expected}");
        assert_eq!(features.difference(&tensor(&a), &tensor(&a)).into_scalar::<f32>(), 0.0);
    }

    #[test]
    fn other_files_are_refused_by_name() {
        let mut weights = narrow(&CHANNELS);
        weights.tensors.remove("features.14.bias");
        weights.tensors.get_mut("features.7.weight").unwrap().shape = vec![5, 9, 5, 1];
        let (_dir, path) = written(&weights);
        let error = Features::read(&path, &Device::flex()).err().unwrap().to_string();
        assert!(error.contains("features.7") && error.contains("1 more"), "{error}");
    }
}
