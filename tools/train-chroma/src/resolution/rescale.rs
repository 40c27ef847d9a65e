//! Maps of a pruned network as large as those of the whole one.

use super::sample;
use crate::network::{Network, REACH};
use crate::parameters::Parameters;
use crate::train::Captures;
use burn::tensor::{Device, Tensor};
use rand::{SeedableRng, rngs::StdRng};

/// Largest part of its reach that a map counts with: beyond, the inverse of tanh is rounding.
const SATURATED: f64 = 0.9999;

/// The factors of `mul_head` and `add_head` with which the heads of `pruned` are closest to those of `whole`, in least
/// squares before tanh: Σ whole·pruned / Σ pruned². Crops are of all sizes in turn.
pub fn factors(whole: &Parameters, pruned: &Parameters, captures: &Captures, batches: u64, seed: u64) -> [f64; 2] {
    let [whole, pruned] = [whole, pruned].map(|weights| Network::new(weights, &Device::flex()));
    let mut random = StdRng::seed_from_u64(seed);
    let mut sums = [[0.0; 2]; 2];
    for index in 0..batches {
        let batch = sample(captures, index, &mut random);
        let [wanted, found] = [&whole, &pruned].map(|network| heads(network.forward(&batch.dark, &batch.naka)));
        for ((sums, wanted), found) in sums.iter_mut().zip(&wanted).zip(&found) {
            sums[0] += wanted.iter().zip(found).map(|(a, b)| a * b).sum::<f64>();
            sums[1] += found.iter().map(|v| v * v).sum::<f64>();
        }
    }
    // Heads that are zero, as before training, stay so.
    sums.map(|[product, square]| if square > 0.0 { product / square } else { 1.0 })
}

/// What the heads give before tanh: of `mul`, and of `add`.
fn heads(maps: crate::network::Maps) -> [Vec<f64>; 2] {
    let inverse = |map: Tensor<4>, reach: f64| {
        let values = map.into_data().try_to_vec::<f32>().unwrap_or_default();
        values.into_iter().map(|v| (f64::from(v) / reach).clamp(-SATURATED, SATURATED).atanh()).collect()
    };
    [inverse(maps.mul - 1.0, REACH.0), inverse(maps.add, REACH.1)]
}

/// `weights` with the outputs of their heads multiplied.
pub fn rescaled(weights: &Parameters, factors: [f64; 2]) -> Parameters {
    let mut rescaled = weights.clone();
    for (name, array) in &mut rescaled.0 {
        for (head, factor) in ["mul_head.", "add_head."].into_iter().zip(factors) {
            if name.starts_with(head) {
                array.values.iter_mut().for_each(|value| *value = (f64::from(*value) * factor) as f32);
            }
        }
    }
    rescaled
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pairs;
    use crate::train::tests::pictures;
    use rand::RngExt;

    #[test]
    fn heads_that_were_scaled_are_scaled_back() {
        let folder = pictures();
        let captures = pairs::read(folder.path(), &[1, 2]).unwrap();
        let mut weights = Parameters::initial(4, 1);
        let mut random = StdRng::seed_from_u64(2);
        for (name, array) in &mut weights.0 {
            if name.contains("head") {
                array.values.iter_mut().for_each(|v| *v = random.random_range(-0.1..0.1));
            }
        }
        let changed = rescaled(&weights, [0.5, 1.25]);
        assert_ne!(changed, weights);
        let found = factors(&weights, &changed, &captures, 4, 0);
        assert!((found[0] - 2.0).abs() < 1e-3 && (found[1] - 0.8).abs() < 1e-3, "{found:?}");
        let back = rescaled(&changed, found);
        let near = |(name, array): (&String, &naka_gs::enhance::weights::Tensor)| {
            array.values.iter().zip(&back.0[name].values).all(|(a, b)| (a - b).abs() < 1e-3)
        };
        assert!(weights.0.iter().all(near));
        assert_eq!(factors(&Parameters::initial(4, 1), &Parameters::initial(4, 1), &captures, 1, 0), [1.0; 2]);
    }
}
