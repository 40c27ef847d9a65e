use super::changes::Change;
use super::*;
use crate::network;
use crate::parameters::{Metadata, Parameters};
use crate::train::tests::pictures;
use crate::validate::tests::subject;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::path::Path;

/// A batch of two random pictures, smooth enough that pooling leaves something.
fn batch(seed: u64) -> Tensors {
    let mut random = StdRng::seed_from_u64(seed);
    let phase: [f32; 6] = std::array::from_fn(|_| random.random_range(0.0..6.0));
    let mut value = |i: usize| {
        let (x, y, c) = (i % 48, i / 48 % 40, i / (48 * 40) % 3);
        0.5 + 0.2 * (x as f32 / 5.0 + phase[c]).sin() * (y as f32 / 7.0 + phase[3 + c]).cos()
            + random.random_range(-0.1..0.1)
    };
    let values: Vec<f32> = (0..2 * 3 * 40 * 48).map(&mut value).collect();
    let tensor = |scale: f32| {
        let values: Vec<f32> = values.iter().map(|v| v * scale).collect();
        Tensor::from_data(TensorData::new(values, [2, 3, 40, 48]), &Device::flex())
    };
    Tensors { dark: tensor(0.02), naka: tensor(1.0), lit: tensor(0.9) }
}

/// R² of each group for a map of a pixel's inputs and its number.
fn explained(map: impl Fn(&[f32; COUNT], usize) -> f32) -> [f64; 4] {
    let seen = inputs(&batch(1));
    let products = Sums::<COUNT, 1>::of(seen.iter().enumerate().map(|(i, seen)| (seen, [map(seen, i)]))).centered();
    GROUPS.each_ref().map(|group| {
        let [total, left] = products.squares(&products.fit(|i| group.inputs.contains(&i)), 0..1);
        1.0 - left / total
    })
}

#[test]
fn probes_find_what_a_map_is_made_of() {
    // The response's luma at a pixel is input 3.
    let [luma, position, hue, all] = explained(|seen, _| 1.0 + 0.3 * seen[3]);
    assert!(luma > 0.999 && all > 0.999 && position < 0.2 && hue < 0.5, "{luma} {position} {hue} {all}");
    let [luma, position, _, all] = explained(|seen, _| 0.2 * seen[18] - 0.1 * seen[21]);
    assert!(position > 0.9999 && all > 0.9999 && luma < 0.9, "{luma} {position} {all}");
    let [_, _, hue, all] = explained(|seen, _| seen[25] - 0.5 * seen[26]);
    assert!(hue > 0.999 && all > 0.999, "{hue} {all}");
    let noise: Vec<f32> = StdRng::seed_from_u64(2).random_iter().take(2 * 40 * 48).collect();
    assert!(explained(|_, i| noise[i]).iter().all(|found| (0.0..0.03).contains(found)));
}

#[test]
fn sums_of_parts_are_the_sums_of_all() {
    let seen = inputs(&batch(3));
    let target = |seen: &[f32; COUNT]| [2.0 * seen[3] + 1.0];
    let sums = |seen: &[[f32; COUNT]]| Sums::<COUNT, 1>::of(seen.iter().map(|seen| (seen, target(seen))));
    let model = sums(&seen[..999]).join(&sums(&seen[999..])).fit(|i| i < 10);
    assert!(seen.iter().all(|seen| (model.apply(seen)[0] - f64::from(target(seen)[0])).abs() < 1e-3));
    let whole = sums(&seen).fit(|i| i < 10);
    assert!((model.apply(&seen[7])[0] - whole.apply(&seen[7])[0]).abs() < 1e-9);
    assert!(model.factors[0][10..].iter().all(|factor| *factor == 0.0));
    // No input at all leaves the mean.
    let mean = seen.iter().map(|seen| f64::from(target(seen)[0])).sum::<f64>() / seen.len() as f64;
    assert!((sums(&seen).fit(|_| false).offsets[0] - mean).abs() < 1e-9);
}

#[test]
fn a_linear_model_gives_the_lit_picture_where_it_is_linear() {
    let batch = batch(4);
    let model = lacking(&batch).fit(|_| true);
    let found = pixels::<3>(&corrected(&model, &inputs(&batch), &batch.naka));
    let lit = pixels::<3>(&batch.lit);
    assert!(found.iter().flatten().zip(lit.iter().flatten()).all(|(a, b)| (a - b).abs() < 2e-3));
}

#[test]
fn changes_taken_back_leave_a_capture() {
    let folder = pictures();
    let folder = &folder.path().join("a");
    let mut capture = pairs::read(folder, &[1]).unwrap().remove(0).remove(0);
    // The dark ones are gray.
    capture.pairs.iter_mut().for_each(|pair| pair.dark = pair.lit.clone());
    let apply = |change: Change, capture: &Capture| change.apply(capture, folder, 1).unwrap();
    for (first, second) in [
        (Change::Channels([1, 2, 0]), Change::Channels([2, 0, 1])),
        (Change::Mirrored([true, false]), Change::Mirrored([true, false])),
        (Change::Mirrored([false, true]), Change::Mirrored([false, true])),
    ] {
        let changed = apply(first, &capture);
        let dark = |capture: &Capture| capture.pairs[1].dark.clone();
        assert!(dark(&changed.capture) != dark(&capture) && changed.capture.pairs[1].lit == dark(&changed.capture));
        assert_eq!(dark(&apply(second, &changed.capture).capture), dark(&capture));
    }
    // The response of changed pixels is the changed response.
    let changed = apply(Change::Channels([1, 2, 0]), &capture);
    for (dark, original) in changed.capture.pairs[0].dark.pixels.iter().zip(&capture.pairs[0].dark.pixels) {
        let [r, g, b] = capture.naka.apply(*original);
        assert_eq!(changed.light(&capture.naka, *dark), [g, b, r]);
    }
}

#[test]
fn another_exposure_has_the_same_response() {
    let folder = pictures();
    let folder = &folder.path().join("a");
    let capture = pairs::read(folder, &[1]).unwrap().remove(0).remove(0);
    let shares = [20.0, 40.0, 80.0].map(|ratio| {
        let changed = Change::Exposure(ratio).apply(&capture, folder, 1).unwrap();
        let pixels = changed.capture.pairs[0].dark.pixels.iter().zip(&capture.pairs[0].dark.pixels);
        let errors = pixels.clone().map(|(dark, original)| {
            let [a, b] = [changed.light(&capture.naka, *dark), capture.naka.apply(*original)];
            a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
        });
        let error = errors.fold(0.0, f32::max);
        assert!(error < if ratio > USUAL_RATIO { 0.2 } else { 1e-4 }, "{ratio} {error}");
        pixels.map(|(dark, original)| dark[1] / original[1]).sum::<f32>() / capture.pairs[0].dark.pixels.len() as f32
    });
    assert!(shares[0] > 1.3 && (shares[1] - 1.0).abs() < 1e-4 && shares[2] < 0.8, "{shares:?}");
}

#[test]
fn a_whole_audit() {
    let (folder, pairs) = (tempfile::tempdir().unwrap(), pictures());
    let settings = |weights: &Path| Settings { subject: subject(weights, pairs.path()) };
    let path = folder.path().join("chroma.safetensors");
    let mut weights = Parameters::initial(2, 0);
    weights.write(&path, &Metadata::new()).unwrap();
    let text = report(&settings(&path)).unwrap();
    assert!(text.starts_with("1 captures held out, 1 others") && text.contains("1 captures do not say"), "{text}");
    let tables: Vec<&str> = text.lines().filter(|line| line.starts_with('|')).collect();
    assert_eq!(tables.len(), 2 + CHANGES.len() + 2 + 4 + 2 + 5, "{text}");
    let cells = |line: &str| line.matches('|').count();
    assert!(tables[..10].iter().chain(&tables[16..]).all(|line| cells(line) == 10), "{text}");
    // A network that has learned nothing gains nothing, whatever the change, and its maps are flat.
    let network = tables[tables.len() - 1];
    assert!(network.starts_with("| the network |"));
    assert!(tables[12].contains("0.00 | 0.00 | 0.00 | 0.00"), "{text}");
    // Weights of something else are refused.
    weights.0.remove("stem.block.0.weight");
    assert!(!network::problems(&weights).is_empty());
    weights.write(&path, &Metadata::new()).unwrap();
    assert!(report(&settings(&path)).is_err());
}
