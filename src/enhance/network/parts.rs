//! The tensors of the network in a file of weights: names, shapes, and what is wrong with them.

use super::LEVELS;
use crate::enhance::weights::{Tensor, Weights};
use crate::error::{Error, Result};
use std::collections::BTreeSet;

/// Channels of the input: dark, lit, their difference, and the same three standardized.
pub const INPUTS: usize = 18;
/// Residual blocks of the three down blocks.
const DOWN_RESIDUALS: [usize; LEVELS - 1] = [2, 2, 3];
/// Residual blocks of the bottleneck and of every up block.
const RESIDUALS: usize = 2;

/// conv3×3 and GroupNorm: `weight` [outputs, inputs, 3, 3], `affine` (weight, bias) of every output.
#[derive(Clone, Debug, Default)]
pub struct ConvNorm {
    pub inputs: usize,
    pub outputs: usize,
    pub weight: Vec<f32>,
    pub affine: Vec<[f32; 2]>,
}

#[derive(Clone, Debug)]
pub struct Residual {
    pub first: ConvNorm,
    pub second: ConvNorm,
}

/// `weight` [outputs, inputs].
#[derive(Clone, Debug)]
pub struct Dense {
    pub inputs: usize,
    pub weight: Vec<f32>,
    pub bias: Vec<f32>,
}

/// ConvAct, residual blocks, squeeze and excitation: what down blocks, the bottleneck and up blocks have in common.
#[derive(Clone, Debug)]
pub struct Block {
    pub first: ConvNorm,
    pub residuals: Vec<Residual>,
    pub squeeze: [Dense; 2],
}

/// The network, part by part.
#[derive(Clone, Debug)]
pub struct Parts {
    pub stem: ConvNorm,
    /// From full size down: the block and the ConvAct of stride 2.
    pub downs: Vec<(Block, ConvNorm)>,
    pub bottleneck: Block,
    /// From full size down, like `downs`.
    pub ups: Vec<Block>,
    pub fuse: (ConvNorm, Residual),
    /// Both heads as one convolution of 4 outputs: mul, then add in red, green and blue.
    pub heads: Vec<f32>,
    pub heads_bias: [f32; 4],
}

impl Parts {
    /// Reads the network off `weights`; channel widths are those of the tensors.
    ///
    /// # Errors
    /// [`Error::Input`] that names every tensor that is missing, has another shape, or belongs to no layer.
    pub fn read(weights: &Weights) -> Result<Self> {
        let mut reader = Reader { weights, used: BTreeSet::new(), problems: Vec::new() };
        let parts = reader.parts();
        let unknown = weights.tensors.keys().filter(|name| !reader.used.contains(*name));
        reader.problems.extend(unknown.map(|name| format!("{name} belongs to no layer")));
        if reader.problems.is_empty() {
            return Ok(parts);
        }
        let found = format!("these are not weights of the chroma network: {}", reader.problems.join("; "));
        Err(Error::input(&weights.name, found, "use a file that train-chroma or the published trainer wrote"))
    }
}

struct Reader<'w> {
    weights: &'w Weights,
    used: BTreeSet<String>,
    problems: Vec<String>,
}

impl Reader<'_> {
    fn parts(&mut self) -> Parts {
        let stem = self.conv("stem.block", INPUTS, None);
        let mut width = stem.outputs;
        let mut downs = Vec::new();
        for (level, residuals) in DOWN_RESIDUALS.into_iter().enumerate() {
            let name = format!("down{}", level + 1);
            let block = self.block(&format!("{name}.block"), None, width, residuals);
            let down = self.conv(&format!("{name}.down.block"), block.first.outputs, None);
            width = down.outputs;
            downs.push((block, down));
        }
        let bottleneck = self.block("bottleneck", None, width, RESIDUALS);
        width = bottleneck.first.outputs;
        let mut ups = Vec::new();
        for (level, (skip, _)) in downs.iter().enumerate().rev() {
            let name = format!("up{}", level + 1);
            let reduce = self.conv(&format!("{name}.reduce.block"), width + skip.first.outputs, None);
            width = reduce.outputs;
            ups.insert(0, self.block(&format!("{name}.block"), Some(reduce), width, RESIDUALS));
        }
        let fuse = self.conv("fuse.0.block", width, None);
        let residual = self.residual("fuse.1", fuse.outputs);
        let (heads, heads_bias) = self.heads(fuse.outputs);
        Parts { stem, downs, bottleneck, ups, fuse: (fuse, residual), heads, heads_bias }
    }

    /// A block whose parts are numbered from its first convolution on, or from the first residual block where the
    /// convolution has a name of its own.
    fn block(&mut self, name: &str, first: Option<ConvNorm>, inputs: usize, residuals: usize) -> Block {
        let start = usize::from(first.is_none());
        let first = first.unwrap_or_else(|| self.conv(&format!("{name}.0.block"), inputs, None));
        let width = first.outputs;
        let residuals: Vec<_> =
            (start..start + residuals).map(|i| self.residual(&format!("{name}.{i}"), width)).collect();
        let fc = format!("{name}.{}.fc", start + residuals.len());
        let squeeze = self.dense(&format!("{fc}.0"), width, None);
        let excite = self.dense(&format!("{fc}.2"), squeeze.bias.len(), Some(width));
        Block { first, residuals, squeeze: [squeeze, excite] }
    }

    fn residual(&mut self, name: &str, width: usize) -> Residual {
        let first = self.conv(&format!("{name}.conv1.block"), width, None);
        let second = self.conv(&format!("{name}.conv2.block"), first.outputs, Some(width));
        Residual { first, second }
    }

    fn conv(&mut self, name: &str, inputs: usize, outputs: Option<usize>) -> ConvNorm {
        let (weight, shape) = self.take(&format!("{name}.0.weight"), &[outputs, Some(inputs), Some(3), Some(3)]);
        let outputs = shape[0];
        let (scale, _) = self.take(&format!("{name}.1.weight"), &[Some(outputs)]);
        let (bias, _) = self.take(&format!("{name}.1.bias"), &[Some(outputs)]);
        let affine = scale.into_iter().zip(bias).map(|(scale, bias)| [scale, bias]).collect();
        ConvNorm { inputs, outputs, weight, affine }
    }

    fn dense(&mut self, name: &str, inputs: usize, outputs: Option<usize>) -> Dense {
        let (weight, shape) = self.take(&format!("{name}.weight"), &[outputs, Some(inputs), Some(1), Some(1)]);
        let (bias, _) = self.take(&format!("{name}.bias"), &[Some(shape[0])]);
        Dense { inputs, weight, bias }
    }

    /// Both heads. Old files have a `mul_head` of three filters: their average is the one.
    fn heads(&mut self, inputs: usize) -> (Vec<f32>, [f32; 4]) {
        let old = self.weights.tensors.get("mul_head.weight").is_some_and(|t| t.shape.first() == Some(&3));
        let count = if old { 3 } else { 1 };
        let (mul, _) = self.take("mul_head.weight", &[Some(count), Some(inputs), Some(3), Some(3)]);
        let (mul_bias, _) = self.take("mul_head.bias", &[Some(count)]);
        let (add, _) = self.take("add_head.weight", &[Some(3), Some(inputs), Some(3), Some(3)]);
        let (add_bias, _) = self.take("add_head.bias", &[Some(3)]);
        let mean = |values: &[f32], at: usize, step: usize| -> f32 {
            (0..count).map(|i| values.get(i * step + at).copied().unwrap_or_default()).sum::<f32>() / count as f32
        };
        let filter = inputs * 9;
        let mut heads: Vec<f32> = (0..filter).map(|at| mean(&mul, at, filter)).collect();
        heads.extend(add);
        let add_bias = |i: usize| add_bias.get(i).copied().unwrap_or_default();
        (heads, [mean(&mul_bias, 0, 1), add_bias(0), add_bias(1), add_bias(2)])
    }

    /// The values and the shape of a tensor whose extents must be those of `expected` that are known. A tensor that is missing
    /// or has another shape is recorded as an error, and empty; unknown extents are then 1.
    fn take(&mut self, name: &str, expected: &[Option<usize>]) -> (Vec<f32>, Vec<usize>) {
        self.used.insert(name.to_string());
        let assumed = || expected.iter().map(|e| e.unwrap_or(1)).collect();
        let Some(Tensor { shape, values }) = self.weights.tensors.get(name) else {
            self.problems.push(format!("{name} is missing"));
            return (Vec::new(), assumed());
        };
        let fits = shape.len() == expected.len()
            && shape.iter().zip(expected).all(|(&s, e)| s > 0 && e.is_none_or(|e| e == s))
            && values.len() == shape.iter().product::<usize>();
        if fits {
            return (values.clone(), shape.clone());
        }
        let wanted: Vec<_> = expected.iter().map(|e| e.map_or("n".to_string(), |e| e.to_string())).collect();
        self.problems.push(format!("{name} has the shape {shape:?} instead of [{}]", wanted.join(", ")));
        // Later layers are compared with the output of this one as expected, so that one error is not reported many times.
        let unknown = |(i, e): (usize, &Option<usize>)| e.or(shape.get(i).copied().filter(|s| *s > 0)).unwrap_or(1);
        (Vec::new(), expected.iter().enumerate().map(unknown).collect())
    }
}
