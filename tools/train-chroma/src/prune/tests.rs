use super::*;
use crate::network::problems;
use burn::tensor::TensorData;

fn network(seed: u64) -> Parameters {
    let mut weights = Parameters::initial(8, seed);
    let mut random = StdRng::seed_from_u64(seed);
    for (name, array) in &mut weights.0 {
        if name.contains("head") || name.ends_with("bias") {
            array.values.iter_mut().for_each(|v| *v = random.random_range(-0.2..0.2));
        }
    }
    weights
}

fn outputs(weights: &Parameters) -> Vec<f32> {
    let device = Device::flex();
    let mut random = StdRng::seed_from_u64(9);
    let mut picture = || {
        let values: Vec<f32> = (0..3 * 16 * 24).map(|_| random.random_range(0.0..1.0)).collect();
        Tensor::<4>::from_data(TensorData::new(values, [1, 3, 16, 24]), &device)
    };
    let maps = Network::new(weights, &device).forward(&picture(), &picture());
    Tensor::cat(vec![maps.mul, maps.add], 1).into_data().try_to_vec().unwrap()
}

#[test]
fn channels_that_nobody_reads_can_go() {
    let mut weights = network(1);
    let unit = units(&weights).into_iter().find(|unit| unit.block == "up1.block.0" && unit.channels == (3..4)).unwrap();
    let name = "up1.block.0.conv2.block.0.weight";
    let array = weights.0.get_mut(name).unwrap();
    for (i, value) in array.values.iter_mut().enumerate() {
        *value = if i / 9 % 8 == 3 { 0.0 } else { *value };
    }
    let pruned = without(&weights, &[&unit]);
    assert_eq!(pruned.0[name].shape, [8, 7, 3, 3]);
    assert_eq!(pruned.0["up1.block.0.conv1.block.0.weight"].shape, [7, 8, 3, 3]);
    assert_eq!(pruned.0["up1.block.0.conv1.block.1.bias"].shape, [7]);
    assert_eq!(weights.count() - pruned.count(), 2 * 72 + 2);
    assert!(problems(&pruned).is_empty());
    let (before, after) = (outputs(&weights), outputs(&pruned));
    assert!(before.iter().zip(&after).all(|(a, b)| (a - b).abs() < 1e-5));
}

#[test]
fn the_least_per_cost_goes_first_and_no_block_loses_all() {
    let unit = |block: &str, c: usize, cost: f64| Unit { block: block.into(), channels: c..c + 1, cost };
    let units = [unit("a", 0, 1.0), unit("a", 1, 1.0), unit("b", 0, 4.0), unit("b", 1, 4.0)];
    // Half of the cost is 5: b0 at 0.5 a multiplication, then a0 at 1.
    let removed = least(&units, &[1.0, 9.0, 2.0, 8.0], 0.5);
    assert_eq!(removed, [&units[2], &units[0]]);
    assert_eq!(least(&units, &[1.0, 1.0, 1.0, 1.0], 0.01).len(), 2);
    assert!(least(&units, &[1.0, 9.0, 2.0, 8.0], 1.0).is_empty());
}

#[test]
fn units_are_whole_groups_and_their_change_is_a_derivative() {
    let weights = network(2);
    let units = units(&weights);
    let of = |block: &str| units.iter().filter(|unit| unit.block == block).count();
    assert_eq!([of("down1.block.1"), of("down2.block.1"), of("bottleneck.2")], [8, 8, 8]);
    // d/dt of f with the unit's weights scaled by t, at t = 1.
    let (unit, step) = (&units[5], 1e-2);
    let scaled = |t: f32| {
        let mut weights = weights.clone();
        let array = weights.0.get_mut(&format!("{}.conv2.block.0.weight", unit.block)).unwrap();
        let inner = array.shape[1];
        for (i, value) in array.values.iter_mut().enumerate() {
            *value *= if unit.channels.contains(&(i / 9 % inner)) { t } else { 1.0 };
        }
        outputs(&weights).iter().map(|v| f64::from(*v)).sum::<f64>()
    };
    let slope = (scaled(1.0 + step) - scaled(1.0 - step)) / (2.0 * f64::from(step));
    let device = Device::flex().autodiff();
    let mut random = StdRng::seed_from_u64(9);
    let mut picture = || {
        let values: Vec<f32> = (0..3 * 16 * 24).map(|_| random.random_range(0.0..1.0)).collect();
        Tensor::<4>::from_data(TensorData::new(values, [1, 3, 16, 24]), &device)
    };
    let network = Network::new(&weights, &device);
    let maps = network.forward(&picture(), &picture());
    let gradients = network.gradients(&(maps.mul.sum() + maps.add.sum()).backward());
    let found = change(&weights, &gradients, unit);
    assert!((found - slope).abs() < 0.02 * slope.abs() + 1e-3, "{found} {slope}");
}
