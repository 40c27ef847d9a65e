//! What a network costs: bytes of its weights and activations, and the time of a pass.

use crate::network::{INPUTS, Network};
use crate::parameters::Parameters;
use burn::tensor::{Device, Distribution, Tensor};
use std::time::Instant;

/// Maps of the heads.
const MAPS: usize = 4;
/// Bytes of an activation.
const ACTIVATION: u64 = 4;

/// Most bytes of activations that a pass over a picture of `side` × `side` pixels needs at one time: the inputs and outputs
/// of one layer, what a residual block adds, and the levels that wait to be joined again.
pub fn activations(weights: &Parameters, side: usize) -> u64 {
    let mut pass = Pass { weights, waiting: 0, most: 0 };
    let areas: Vec<usize> = std::iter::successors(Some(side), |side| Some(side.div_ceil(2))).take(4).collect();
    let areas: Vec<usize> = areas.into_iter().map(|side| side * side).collect();
    let mut width = pass.layer("stem", INPUTS * areas[0], areas[0]);
    let mut skips = Vec::new();
    for (level, area) in areas.windows(2).enumerate() {
        let name = format!("down{}", level + 1);
        let block = pass.layer(&format!("{name}.block.0"), width * area[0], area[0]);
        pass.body(&format!("{name}.block"), 1, block, area[0]);
        width = pass.layer(&format!("{name}.down"), block * area[0], area[1]);
        pass.waiting += block * area[0];
        skips.push(block);
    }
    width = pass.layer("bottleneck.0", width * areas[3], areas[3]);
    pass.body("bottleneck", 1, width, areas[3]);
    for (level, skip) in skips.into_iter().enumerate().rev() {
        let (name, area) = (format!("up{}", level + 1), areas[level]);
        pass.needs(width * (areas[level + 1] + area));
        pass.waiting -= skip * area;
        width = pass.layer(&format!("{name}.reduce"), (width + skip) * area, area);
        pass.body(&format!("{name}.block"), 0, width, area);
    }
    width = pass.layer("fuse.0", width * areas[0], areas[0]);
    pass.residual("fuse.1", width, areas[0]);
    pass.needs((width + MAPS) * areas[0]);
    pass.most as u64 * ACTIVATION
}

/// A pass through the layers, in numbers that are held.
struct Pass<'a> {
    weights: &'a Parameters,
    waiting: usize,
    most: usize,
}

impl Pass<'_> {
    fn needs(&mut self, values: usize) {
        self.most = self.most.max(self.waiting + values);
    }

    fn outputs(&self, name: &str) -> Option<usize> {
        Some(self.weights.0.get(&format!("{name}.block.0.weight"))?.shape[0])
    }

    /// Returns the output's channels.
    fn layer(&mut self, name: &str, inputs: usize, area: usize) -> usize {
        let outputs = self.outputs(name).unwrap_or_default();
        self.needs(inputs + outputs * area);
        outputs
    }

    fn body(&mut self, name: &str, first: usize, width: usize, area: usize) {
        let mut index = first;
        while self.residual(&format!("{name}.{index}"), width, area) {
            index += 1;
        }
        self.needs(2 * width * area);
    }

    /// Whether there is such a block.
    fn residual(&mut self, name: &str, width: usize, area: usize) -> bool {
        let Some(inner) = self.outputs(&format!("{name}.conv1")) else { return false };
        self.needs((2 * width + inner) * area);
        true
    }
}

/// Milliseconds of a pass over a picture of `side` × `side` pixels on this machine, for each network: the medians of `turns`
/// turns. In each turn all networks run, so that other work on the machine slows all of them.
pub fn milliseconds(networks: &[&Parameters], side: usize, turns: usize) -> Vec<f64> {
    let device = Device::flex();
    let networks: Vec<Network> = networks.iter().map(|weights| Network::new(weights, &device)).collect();
    let picture = || Tensor::<4>::random([1, 3, side, side], Distribution::Uniform(0.0, 1.0), &device);
    let (dark, naka) = (picture(), picture());
    let pass = |network: &Network| {
        let begun = Instant::now();
        let maps = network.forward(&dark, &naka);
        // The heads' values are what a caller waits for.
        let read = [maps.mul, maps.add].map(Tensor::into_data);
        let elapsed = begun.elapsed().as_secs_f64() * 1e3;
        drop(read);
        elapsed
    };
    networks.first().map(pass);
    let mut times = vec![Vec::new(); networks.len()];
    for _ in 0..turns {
        times.iter_mut().zip(&networks).for_each(|(times, network)| times.push(pass(network)));
    }
    times.into_iter().map(median).collect()
}

/// The middle one, or the mean of both middle ones.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    match values.len() {
        0 => 0.0,
        count if count % 2 == 1 => values[half],
        _ => (values[half - 1] + values[half]) / 2.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn activations_are_those_of_the_largest_layer() {
        // Base 2: the stem, 18 channels to 2 at 8 × 8. Base 32: up1 reduces 64 + 32 channels to 32 there.
        let of = |base| activations(&Parameters::initial(base, 0), 8);
        assert_eq!([of(2), of(32)], [(18 + 2) * 64 * 4, (64 + 32 + 32) * 64 * 4]);
        // A wide residual block on the coarsest level, with all skips waiting: 2 × 16 + 9000 channels at 1 × 1, and
        // 2 channels of 64, 4 of 16 and 8 of 4 pixels.
        let mut weights = Parameters::initial(2, 0);
        weights.insert("bottleneck.2.conv1.block.0.weight", &[9000, 16, 3, 3], vec![]);
        assert_eq!(activations(&weights, 8), 4 * (2 * 16 + 9000 + 2 * 64 + 4 * 16 + 8 * 4));
    }

    #[test]
    fn medians_are_in_the_middle() {
        assert_eq!([median(vec![3.0, 1.0, 2.0]), median(vec![4.0, 1.0]), median(vec![])], [2.0, 2.5, 0.0]);
        let weights = Parameters::initial(2, 0);
        let times = milliseconds(&[&weights, &weights], 16, 2);
        assert!(times.len() == 2 && times.iter().all(|time| *time > 0.0));
    }
}
