//! A training step of the network's blocks in their own kernels, in burn's single operations on the same processor, and in
//! burn's wgpu backend. Turns alternate; medians of the turns.
//!
//!     cargo bench -p train-chroma --features wgpu --bench blocks

use burn::tensor::activation::gelu;
use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, DeviceKind, Tensor, TensorData};
use network::{EPSILON, blocks, groups};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::time::Instant;

/// The parts of the program that are measured, with what they take from the network.
#[path = "."]
mod network {
    pub const EPSILON: (f64, f64) = (1e-5, 1e-4);

    /// As the network has them where channels are a multiple of eight.
    pub fn groups(_: usize) -> usize {
        8
    }

    #[path = "../src/network/blocks.rs"]
    pub mod blocks;
    #[path = "../src/network/kernels/mod.rs"]
    mod kernels;
}

/// Crops of a step, their side, and the channels of the first level.
const STEP: (usize, usize, usize) = (8, 64, 8);
/// Levels, each of half the side and twice the channels.
const LEVELS: usize = 4;
const TURNS: usize = 7;

#[derive(Clone, Copy)]
enum Way {
    Blocks,
    SingleOperations,
}

/// The parameters of one block, with gradients.
struct Block(Tensor<4>, Tensor<1>, Tensor<1>);

impl Block {
    fn new(random: &mut StdRng, channels: usize, device: &Device) -> Self {
        let width = 1.0 / (9.0 * channels as f32).sqrt();
        let weight = values(random, [channels, channels, 3, 3], -width..width, device).require_grad();
        let ones = Tensor::ones([channels], device).require_grad();
        Self(weight, ones, Tensor::zeros([channels], device).require_grad())
    }

    fn forward(&self, x: Tensor<4>, addend: Option<Tensor<4>>, way: Way) -> Tensor<4> {
        let Self(weight, scale, shift) = self;
        let (weight, scale, shift) = (weight.clone(), scale.clone(), shift.clone());
        match way {
            Way::Blocks => blocks::block(x, blocks::Parts { weight, scale, shift }, 1, addend),
            Way::SingleOperations => {
                let x = norm(conv2d(x, weight, None, ConvOptions::new([1, 1], [1, 1], [1, 1], 1)), scale, shift);
                gelu(match addend {
                    Some(addend) => x + addend,
                    None => x,
                })
            }
        }
    }
}

/// GroupNorm with the batch's statistics, as the network's.
fn norm(x: Tensor<4>, scale: Tensor<1>, shift: Tensor<1>) -> Tensor<4> {
    let channels = x.dims()[1];
    let of_groups = |x: Tensor<4>| {
        let groups = groups(channels);
        let of_channels: Tensor<4> = x.mean_dims(&[0, 2, 3]).reshape([groups, channels / groups, 1, 1]);
        of_channels.mean_dim(1).repeat_dim(1, channels / groups).reshape([1, channels, 1, 1])
    };
    let centered = x.clone() - of_groups(x);
    let variance = of_groups(centered.clone() * centered.clone());
    let scale = scale.reshape([1, channels, 1, 1]) / (variance + EPSILON.0).sqrt();
    centered * scale + shift.reshape([1, channels, 1, 1])
}

fn values(random: &mut StdRng, shape: [usize; 4], range: std::ops::Range<f32>, device: &Device) -> Tensor<4> {
    let values: Vec<f32> = (0..shape.iter().product()).map(|_| random.random_range(range.clone())).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// Two residual pairs of blocks on every level: pictures and parameters.
fn levels(device: &Device) -> Vec<(Tensor<4>, Vec<Block>)> {
    let mut random = StdRng::seed_from_u64(1);
    let (pictures, side, channels) = STEP;
    let level = |level: usize| {
        let (side, channels) = (side >> level, channels << level);
        let x = values(&mut random, [pictures, channels, side, side], 0.0..1.0, device);
        let blocks = (0..4).map(|_| Block::new(&mut random, channels, device)).collect();
        (x, blocks)
    };
    (0..LEVELS).map(level).collect()
}

/// Forwards and backwards through all levels; the gradient of the first weight of each comes home.
fn step(levels: &[(Tensor<4>, Vec<Block>)], way: Way) -> Vec<f32> {
    let through = |(x, blocks): &(Tensor<4>, Vec<Block>)| {
        let pairs = blocks.chunks(2);
        let out = pairs.fold(x.clone(), |x, pair| {
            let inner = pair[0].forward(x.clone(), None, way);
            pair[1].forward(inner, Some(x), way)
        });
        (out.clone() * out).mean()
    };
    let losses: Vec<Tensor<1>> = levels.iter().map(through).collect();
    let gradients = Tensor::cat(losses, 0).sum().backward();
    let of_level = |(_, blocks): &(Tensor<4>, Vec<Block>)| {
        let gradient = blocks[0].0.grad(&gradients).map(|gradient| gradient.into_data());
        gradient.and_then(|data| data.try_to_vec::<f32>().ok()).unwrap_or_default()
    };
    levels.iter().flat_map(of_level).collect()
}

fn main() {
    let processor = Device::flex().autodiff();
    let graphics = Device::wgpu(DeviceKind::DefaultDevice).autodiff();
    let ways = [
        ("own blocks, processor", &processor, Way::Blocks),
        ("single operations, processor (flex)", &processor, Way::SingleOperations),
        ("single operations, wgpu", &graphics, Way::SingleOperations),
    ];
    let models = ways.map(|(_, device, _)| levels(device));
    let found: Vec<Vec<f32>> = ways.iter().zip(&models).map(|((_, _, way), model)| step(model, *way)).collect();
    let largest = found[1].iter().fold(0.0f32, |most, v| most.max(v.abs()));
    let apart = |a: &[f32]| a.iter().zip(&found[1]).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max) / largest;
    println!("largest difference of gradients: {:.1e} own blocks, {:.1e} wgpu", apart(&found[0]), apart(&found[2]));
    let mut times = ways.map(|_| Vec::new());
    for _ in 0..TURNS {
        for (((_, _, way), model), times) in ways.iter().zip(&models).zip(&mut times) {
            let begin = Instant::now();
            step(model, *way);
            times.push(begin.elapsed().as_secs_f64());
        }
    }
    for ((name, _, _), times) in ways.iter().zip(&mut times) {
        times.sort_by(f64::total_cmp);
        println!("{name:38} {:6.3} s", times[TURNS / 2]);
    }
}
