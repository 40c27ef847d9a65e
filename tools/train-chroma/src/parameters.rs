//! Named arrays: weights, their moving average, gradients and the optimizer's moments, and their files.

use crate::network;
use naka_gs::enhance::weights::{Tensor as Array, Weights};
use naka_gs::error::Result;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::collections::BTreeMap;
use std::path::Path;

/// Arrays by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parameters(pub BTreeMap<String, Array>);

/// Notes in a file's header.
pub type Metadata = BTreeMap<String, String>;

impl Parameters {
    /// A network with `base` channels at full resolution that has learned nothing. Convolutions start as PyTorch's do
    /// (uniform within 1/√inputs); the heads start at zero, so that the first output is `naka` itself.
    pub fn initial(base: usize, seed: u64) -> Self {
        Self::drawn(network::tensors(base, &|_, width| width), seed)
    }

    /// A network of the same shapes that has learned nothing.
    pub fn untrained(&self, seed: u64) -> Self {
        Self::drawn(self.0.iter().map(|(name, array)| (name.clone(), array.shape.clone())), seed)
    }

    /// Tensors of these names and shapes as they are before training.
    fn drawn(tensors: impl IntoIterator<Item = (String, Vec<usize>)>, seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let mut parameters = Self::default();
        for (name, shape) in tensors {
            let count = shape.iter().product::<usize>();
            let inputs = shape.iter().skip(1).product::<usize>();
            let bound = (inputs as f32).sqrt().recip();
            let values = if name.contains("head") || (shape.len() == 1 && name.ends_with("bias")) {
                vec![0.0; count]
            } else if shape.len() == 1 {
                vec![1.0; count]
            } else {
                (0..count).map(|_| random.random_range(-bound..bound)).collect()
            };
            parameters.insert(&name, &shape, values);
        }
        parameters
    }

    /// Arrays of the same names and shapes, all zero.
    pub fn zeros_like(&self) -> Self {
        let zeros = |array: &Array| Array { shape: array.shape.clone(), values: vec![0.0; array.values.len()] };
        Self(self.0.iter().map(|(name, array)| (name.clone(), zeros(array))).collect())
    }

    /// Adds an array or replaces it.
    pub fn insert(&mut self, name: &str, shape: &[usize], values: Vec<f32>) {
        self.0.insert(name.to_string(), Array { shape: shape.to_vec(), values });
    }

    /// The arrays whose names begin with `prefix`, without it.
    pub fn under(&self, prefix: &str) -> Self {
        let rest = |(name, array): (&String, &Array)| Some((name.strip_prefix(prefix)?.to_string(), array.clone()));
        Self(self.0.iter().filter_map(rest).collect())
    }

    /// Adds all of `other` with `prefix` before their names.
    pub fn extend(&mut self, prefix: &str, other: &Self) {
        self.0.extend(other.0.iter().map(|(name, array)| (format!("{prefix}{name}"), array.clone())));
    }

    /// How many numbers there are.
    pub fn count(&self) -> usize {
        self.0.values().map(|array| array.values.len()).sum()
    }

    /// The euclidean norm of all numbers together.
    pub fn norm(&self) -> f64 {
        self.0.values().flat_map(|array| &array.values).map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt()
    }

    /// Reads weights (safetensors, or a PyTorch checkpoint) and their notes.
    ///
    /// # Errors
    /// Those of [`Weights::read`].
    pub fn read(path: &Path) -> Result<(Self, Metadata)> {
        let weights = Weights::read(path)?;
        Ok((Self(weights.tensors), weights.metadata))
    }

    /// Writes a safetensors file; it appears under its name only when it is complete.
    ///
    /// # Errors
    /// Those of [`Weights::write`].
    pub fn write(&self, path: &Path, notes: &Metadata) -> Result<()> {
        let weights = Weights { tensors: self.0.clone(), metadata: notes.clone(), ..Weights::default() };
        weights.write(path)
    }
}
