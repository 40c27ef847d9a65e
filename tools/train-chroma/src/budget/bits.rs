//! Weights in fewer bits.

use crate::parameters::Parameters;
use burn::tensor::f16;
use naka_gs::enhance::weights::Tensor as Array;

/// The largest whole number of 8 bits with a sign; −128 is not used, so that the range is symmetric.
const LARGEST: f32 = 127.0;

/// How many bits a weight has in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bits {
    /// Floats of 32 bits.
    Single,
    /// Floats of 16 bits (5 of exponent).
    Half,
    /// Weights of convolutions and dense layers as whole numbers of 8 bits times a factor for each output channel; norms
    /// and biases stay in 32 bits.
    Whole,
}

impl Bits {
    /// Their number.
    pub fn count(self) -> u32 {
        match self {
            Self::Single => 32,
            Self::Half => 16,
            Self::Whole => 8,
        }
    }

    /// Whether naka-gs reads weights that are stored so.
    pub fn is_read(self) -> bool {
        self != Self::Whole
    }

    /// What the weights become when they are stored and read again.
    pub fn rounded(self, weights: &Parameters) -> Parameters {
        let array = |array: &Array| Array { shape: array.shape.clone(), values: self.values(array) };
        Parameters(weights.0.iter().map(|(name, a)| (name.clone(), array(a))).collect())
    }

    fn values(self, array: &Array) -> Vec<f32> {
        match self {
            Self::Half => array.values.iter().map(|v| f16::from_f32(*v).to_f32()).collect(),
            Self::Whole if array.shape.len() > 1 => {
                let length = array.values.len() / array.shape[0].max(1);
                array.values.chunks(length.max(1)).flat_map(whole).collect()
            }
            Self::Single | Self::Whole => array.values.clone(),
        }
    }

    /// Bytes of all numbers in a file, without its header.
    pub fn bytes(self, weights: &Parameters) -> u64 {
        let of = |array: &Array| match self {
            Self::Single => 4 * array.values.len(),
            Self::Half => 2 * array.values.len(),
            Self::Whole if array.shape.len() > 1 => array.values.len() + 4 * array.shape[0],
            Self::Whole => 4 * array.values.len(),
        };
        weights.0.values().map(|array| of(array) as u64).sum()
    }
}

/// An output channel's weights as whole numbers times one factor.
fn whole(channel: &[f32]) -> Vec<f32> {
    let step = channel.iter().fold(0.0f32, |most, v| most.max(v.abs())) / LARGEST;
    let round = |v: &f32| if step > 0.0 { (v / step).round() * step } else { 0.0 };
    channel.iter().map(round).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_the_nearest_that_fit() {
        let mut weights = Parameters::default();
        weights.insert("conv", &[2, 3], vec![1.27, -0.301, 0.004, -2.0, 1.0, 0.0]);
        weights.insert("bias", &[2], vec![0.1, 1.0 / 3.0]);
        let of = |bits: Bits, name: &str| bits.rounded(&weights).0[name].values.clone();
        // Steps of 0.01, and of 2/127: 1.0 is 63.5 of these, away from zero 64.
        let near = |found: &[f32], expected: &[f32]| found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6);
        assert!(near(&of(Bits::Whole, "conv"), &[1.27, -0.30, 0.0, -2.0, 128.0 / 127.0, 0.0]));
        assert_eq!(of(Bits::Whole, "bias"), [0.1, 1.0 / 3.0]);
        // 0.1 has the exponent 2⁻⁴ and ten bits behind it: 1638 / 2¹⁴.
        assert!(near(&of(Bits::Half, "bias"), &[1638.0 / 16384.0, 1365.0 / 4096.0]));
        assert_eq!(Bits::Single.rounded(&weights), weights);
        assert_eq!([Bits::Single, Bits::Half, Bits::Whole].map(|b| b.bytes(&weights)), [32, 16, 6 + 8 + 8]);
        assert_eq!(whole(&[0.0; 3]), [0.0; 3]);
    }
}
