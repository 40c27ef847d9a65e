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

/// A batch of two pictures whose lit versions are bright on the left and dark on the right.
fn half_dark(device: &Device) -> Tensors {
    let mut random = StdRng::seed_from_u64(4);
    let mut tensor = |scale: f32| {
        let value = |i: usize| if i % 24 < 12 { 0.7 } else { 0.05 };
        let values: Vec<f32> =
            (0..2 * 3 * 16 * 24).map(|i| scale * value(i) + random.random_range(0.0..0.05)).collect();
        Tensor::from_data(TensorData::new(values, [2, 3, 16, 24]), device)
    };
    Tensors { dark: tensor(0.05), naka: tensor(0.9), lit: tensor(1.0) }
}

#[test]
fn what_happens_elsewhere_does_not_count() {
    let device = Device::flex();
    let batch = half_dark(&device);
    let mask = masks::tensor(&[Concept::Dark], &validate::images(&batch.lit), &device);
    let columns: Vec<f32> = mask.clone().into_data().try_to_vec().unwrap();
    assert!(columns.iter().enumerate().all(|(i, v)| *v == f32::from(i % 24 >= 12)));
    let total = |shift_bright: f64, shift_dark: f64| {
        let shift = mask.clone() * shift_dark + (mask.clone().neg() + 1.0) * shift_bright;
        let maps = Maps { mul: shift.clone() + 1.0, add: shift.clone().repeat_dim(1, 3) };
        let (maps, found, naka) = only_at(&mask, &maps, batch.naka.clone() + shift, &batch);
        loss::total(&found, &batch.lit, &naka, &maps).into_scalar::<f32>()
    };
    assert_eq!(total(0.0, 0.02), total(0.1, 0.02));
    // Where all is of the concept, nothing changes.
    let (all, maps) = (mask.ones_like(), Maps { mul: mask.clone() + 1.0, add: mask.clone().repeat_dim(1, 3) });
    let (same, found, naka) = only_at(&all, &maps, batch.naka.clone(), &batch);
    let gap = |a: Tensor<4>, b: &Tensor<4>| (a - b.clone()).abs().max().into_scalar::<f32>();
    assert_eq!(
        [gap(same.mul, &maps.mul), gap(same.add, &maps.add), gap(found, &batch.naka), gap(naka, &batch.naka)],
        [0.0; 4]
    );
    assert!((total(0.0, 0.02) - total(0.0, 0.1)).abs() > 1e-3);
}

fn capture(lit: impl Fn(usize) -> f32) -> Capture {
    use naka_gs::capture::Image;
    let mut random = StdRng::seed_from_u64(6);
    let image = |value: &mut dyn FnMut(usize) -> f32| Image {
        width: 80,
        height: 72,
        pixels: (0..80 * 72).map(|i| [value(i); 3]).collect(),
    };
    let lit = image(&mut |i| lit(i));
    let dark = Image {
        pixels: lit.pixels.iter().map(|p| p.map(|v| 0.05 * v + random.random_range(0.0..0.01))).collect(),
        ..lit
    };
    let naka = naka_gs::enhance::Restoration::plain(naka_gs::enhance::Tone::Naka { n: 1.0, sigma: 0.05 });
    Capture { name: "c".into(), pairs: vec![pairs::Pair { dark, lit }], camera: None, quantiles: None, naka }
}

#[test]
fn concepts_that_are_nowhere_are_refused() {
    let weights = network(3);
    let units = units(&weights);
    let half = capture(|i| if i % 80 < 40 { 0.05 } else { 0.3 + 0.4 * (i * 7 % 11) as f32 / 11.0 });
    let scores = |concepts: &[Concept]| {
        scores(&weights, &units, std::slice::from_ref(&half), Sampling { batches: 2, seed: 1, concepts })
    };
    for concepts in [[].as_slice(), &[Concept::Dark], &[Concept::Dark, Concept::Lamps]] {
        let sum = scores(concepts).unwrap().iter().sum::<f64>();
        assert!((sum - 2.0).abs() < 1e-9, "{sum}");
    }
    let error = scores(&[Concept::Lamps]).unwrap_err();
    assert_eq!(error.exit_code(), 2);
    assert!(error.to_string().contains("no pixel of lamps in 2 batches"), "{error}");
}
