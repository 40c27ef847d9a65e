//! The network's weights on the device, in the order in which the kernels read them.

use super::LEVELS;
use super::parts::{self, Parts};
use crate::error::Result;
use crate::gpu::{Buffer, Gpu};

/// Output channels that an invocation of the convolution makes.
const BLOCK: usize = 8;
/// Channels that are standardized.
pub const STANDARDIZED: usize = 9;
/// Most groups of a GroupNorm.
const GROUPS: usize = 8;
/// Added to the variance by GroupNorm.
pub const EPSILON: f64 = 1e-5;

/// (mean, population variance).
pub type Moments = [f32; 2];

pub struct Conv {
    pub inputs: usize,
    pub outputs: usize,
    /// `[⌈outputs / 8⌉][inputs][column][row][8]`.
    pub weights: Buffer<f32>,
}

/// GroupNorm; its statistics are numbers `first` to `first + groups` of all statistics.
pub struct Norm {
    pub groups: usize,
    pub first: usize,
    /// (weight, bias) of every channel.
    pub affine: Buffer<[f32; 2]>,
    /// Place of the first channel in [`Layers::folded`].
    pub folded: usize,
}

/// What folding a GroupNorm takes.
struct Affine {
    first: usize,
    groups: usize,
    values: Vec<[f32; 2]>,
}

pub struct ConvNorm {
    pub conv: Conv,
    pub norm: Norm,
}

pub struct Residual {
    pub first: ConvNorm,
    pub second: ConvNorm,
}

pub struct Dense {
    pub inputs: usize,
    pub outputs: usize,
    pub weights: Buffer<f32>,
    pub bias: Buffer<f32>,
}

/// Squeeze and excitation; the channels' means are statistics from `first` on.
pub struct Squeeze {
    pub first: usize,
    pub hidden: Dense,
    pub gates: Dense,
}

pub struct Block {
    pub first: ConvNorm,
    pub residuals: Vec<Residual>,
    pub squeeze: Squeeze,
}

pub struct Layers {
    pub stem: ConvNorm,
    pub downs: Vec<(Block, ConvNorm)>,
    pub bottleneck: Block,
    pub ups: Vec<Block>,
    pub fuse: (ConvNorm, Residual),
    pub heads: Conv,
    pub heads_bias: [f32; 4],
    /// Number of statistics of a pass.
    pub statistics: usize,
    affine: Vec<Affine>,
}

impl Layers {
    pub fn new(gpu: &Gpu, parts: &Parts) -> Result<Self> {
        let mut upload = Upload { gpu, statistics: STANDARDIZED, affine: Vec::new(), folded: 0 };
        let stem = upload.conv_norm(&parts.stem)?;
        let mut downs = Vec::new();
        for (block, down) in &parts.downs {
            downs.push((upload.block(block)?, upload.conv_norm(down)?));
        }
        let bottleneck = upload.block(&parts.bottleneck)?;
        let ups = parts.ups.iter().map(|up| upload.block(up)).collect::<Result<_>>()?;
        let fuse = (upload.conv_norm(&parts.fuse.0)?, upload.residual(&parts.fuse.1)?);
        let heads = Conv::new(gpu, parts.fuse.0.outputs, 4, &parts.heads)?;
        let Upload { statistics, affine, .. } = upload;
        Ok(Self { stem, downs, bottleneck, ups, fuse, heads, heads_bias: parts.heads_bias, statistics, affine })
    }

    /// (scale, bias) of every channel of every GroupNorm under given statistics, for whole blocks of channels.
    pub fn folded(&self, statistics: &[Moments]) -> Vec<[f32; 2]> {
        let mut folded = Vec::new();
        for Affine { first, groups, values } in &self.affine {
            let group = values.len() / groups;
            folded.extend(values.iter().enumerate().map(|(channel, [weight, bias])| {
                let [mean, variance] = statistics[first + channel / group].map(f64::from);
                let scale = f64::from(*weight) / (variance + EPSILON).sqrt();
                [scale as f32, (f64::from(*bias) - mean * scale) as f32]
            }));
            folded.resize(folded.len().next_multiple_of(BLOCK), [0.0; 2]);
        }
        folded
    }

    /// Channels of the widest tensor of every level.
    pub fn widest(&self) -> [usize; LEVELS] {
        let of_block = |block: &Block| {
            let inner = block.residuals.iter().map(|r| r.first.conv.outputs).max().unwrap_or(0);
            inner.max(block.first.conv.outputs)
        };
        let mut widest = [0; LEVELS];
        for (level, (down, next)) in self.downs.iter().enumerate() {
            let up = &self.ups[level];
            widest[level] = widest[level].max(of_block(down)).max(of_block(up)).max(up.first.conv.inputs);
            widest[level + 1] = next.conv.outputs;
        }
        widest[LEVELS - 1] = widest[LEVELS - 1].max(of_block(&self.bottleneck));
        let (fuse, residual) = &self.fuse;
        widest[0] = widest[0].max(parts::INPUTS).max(self.stem.conv.outputs);
        widest[0] = widest[0].max(fuse.conv.outputs).max(residual.first.conv.outputs);
        widest
    }
}

impl Conv {
    /// From PyTorch's order `[outputs][inputs][row][column]`; missing outputs of the last block are zero.
    pub fn new(gpu: &Gpu, inputs: usize, outputs: usize, weight: &[f32]) -> Result<Self> {
        let mut packed = vec![0.0; outputs.next_multiple_of(BLOCK) * inputs * 9];
        for (i, &value) in weight.iter().enumerate() {
            let (output, input, row, column) = (i / (inputs * 9), i / 9 % inputs, i / 3 % 3, i % 3);
            let tap = ((output / BLOCK * inputs + input) * 3 + column) * 3 + row;
            packed[tap * BLOCK + output % BLOCK] = value;
        }
        Ok(Self { inputs, outputs, weights: gpu.upload("network.weights", &packed)? })
    }
}

/// The number of groups of a GroupNorm: at most 8, and a divisor of the number of channels.
pub fn groups(channels: usize) -> usize {
    (1..=GROUPS.min(channels)).rev().find(|groups| channels.is_multiple_of(*groups)).unwrap_or(1)
}

struct Upload<'g> {
    gpu: &'g Gpu,
    statistics: usize,
    affine: Vec<Affine>,
    folded: usize,
}

impl Upload<'_> {
    fn statistics(&mut self, count: usize) -> usize {
        self.statistics += count;
        self.statistics - count
    }

    fn conv_norm(&mut self, part: &parts::ConvNorm) -> Result<ConvNorm> {
        let groups = groups(part.outputs);
        let (first, folded) = (self.statistics(groups), self.folded);
        self.folded += part.outputs.next_multiple_of(BLOCK);
        self.affine.push(Affine { first, groups, values: part.affine.clone() });
        let affine = self.gpu.upload("network.affine", &part.affine)?;
        Ok(ConvNorm {
            conv: Conv::new(self.gpu, part.inputs, part.outputs, &part.weight)?,
            norm: Norm { groups, first, affine, folded },
        })
    }

    fn residual(&mut self, part: &parts::Residual) -> Result<Residual> {
        Ok(Residual { first: self.conv_norm(&part.first)?, second: self.conv_norm(&part.second)? })
    }

    fn dense(&mut self, part: &parts::Dense) -> Result<Dense> {
        Ok(Dense {
            inputs: part.inputs,
            outputs: part.bias.len(),
            weights: self.gpu.upload("network.dense", &part.weight)?,
            bias: self.gpu.upload("network.bias", &part.bias)?,
        })
    }

    fn block(&mut self, part: &parts::Block) -> Result<Block> {
        let first = self.conv_norm(&part.first)?;
        let residuals = part.residuals.iter().map(|r| self.residual(r)).collect::<Result<_>>()?;
        let [hidden, gates] = &part.squeeze;
        let squeeze = Squeeze {
            first: self.statistics(part.first.outputs),
            hidden: self.dense(hidden)?,
            gates: self.dense(gates)?,
        };
        Ok(Block { first, residuals, squeeze })
    }
}
