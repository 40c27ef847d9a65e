use super::*;
use crate::parameters::Metadata;
use crate::train::tests::pictures;
use crate::validate::tests::subject;
use burn::tensor::TensorData;

/// A capture of two pictures of 8 × 4 pixels, dark on the left half of the first alone.
fn seen() -> Seen {
    let lit = [0, 1].map(|picture| {
        let pixel = |i: usize| [if picture == 0 && i % 8 < 4 { 0.05 } else { 0.5 }; 3];
        Image { width: 8, height: 4, pixels: (0..32).map(pixel).collect() }
    });
    let dark = lit.each_ref().map(|lit| Image {
        pixels: Concept::Dark.mask(lit).into_iter().map(|is| [f32::from(is); 3]).collect(),
        ..*lit
    });
    let mut masks: [Vec<Image>; CONCEPTS.len()] = Default::default();
    masks[2] = dark.to_vec();
    let inputs = [(); 2].map(|()| Tensor::zeros([2, 3, 4, 8], &Device::flex()));
    Seen { name: "test".into(), inputs, lit: lit.to_vec(), masks }
}

fn unit(channels: std::ops::Range<usize>) -> Unit {
    Unit { block: "test".into(), channels, cost: 1.0 }
}

#[test]
fn a_unit_that_is_the_concept_tells_it() {
    let seen = seen();
    let parts = seen.parts([2, 4]);
    assert_eq!(parts[2], [1.0, 1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    // The mean of channels 0 and 1 is half the mask, channel 2 is its negative, channel 3 is constant.
    let mask = |i: usize| if i < 8 && i % 4 < 2 { 1.0 } else { 0.0 };
    let noise = |i: usize| (i * 5 % 7) as f32;
    let mut values = Vec::new();
    for picture in 0..2 {
        let all = |value: &dyn Fn(usize) -> f32| (0..8).map(|i| value(8 * picture + i)).collect::<Vec<f32>>();
        values.extend([all(&|i| mask(i) + noise(i)), all(&|i| -noise(i)), all(&|i| -mask(i)), all(&|_| 0.3)].concat());
    }
    let inner = Tensor::from_data(TensorData::new(values, [2, 4, 2, 4]), &Device::flex());
    let area = |channels| of_unit(&inner, &unit(channels), &parts);
    assert_eq!(area(0..2), [None, None, Some(1.0), None, None]);
    assert_eq!([area(2..3)[2], area(3..4)[2]], [Some(0.0), Some(0.5)]);
}

#[test]
fn names_are_of_the_concept_that_is_told_best_in_either_direction() {
    assert_eq!(name(&[Some(0.85), None, Some(0.12), Some(0.5), None]), Some(2));
    assert_eq!(name(&[Some(0.79), None, Some(0.21), Some(0.5), None]), None);
    assert_eq!(name(&[None; 5]), None);
    let found = [[Some(0.6), None, None, None, None], [None; 5], [Some(0.1), None, None, None, None]];
    assert_eq!(ranking(&found, 0), [2, 0]);
    assert!(ranking(&found, 1).is_empty());
}

#[test]
fn every_block_is_watched() {
    let mut weights = Parameters::initial(4, 1);
    // A norm that gives 0.7 everywhere: GELU of it is 0.5306.
    for (part, value) in [("weight", 0.0), ("bias", 0.7)] {
        weights.0.get_mut(&format!("up2.block.1.conv1.block.1.{part}")).unwrap().values.fill(value);
    }
    let picture = Tensor::ones([2, 3, 16, 24], &Device::flex()) * 0.3;
    let mut found = BTreeMap::new();
    Network::new(&weights, &Device::flex()).forward_watched(&picture, &picture, &mut |block, inner| {
        found.insert(block.to_string(), inner.clone());
    });
    let blocks: std::collections::BTreeSet<String> =
        prune::units(&weights).into_iter().map(|unit| unit.block).collect();
    assert!(found.keys().eq(&blocks), "{:?}", found.keys());
    let inner = &found["up2.block.1"];
    assert_eq!(inner.dims(), [2, 8, 8, 12]);
    assert!(inner.to_data().try_to_vec::<f32>().unwrap().iter().all(|v| (v - 0.5306).abs() < 1e-4));
}

#[test]
fn a_whole_run_writes_maps_once() {
    let (folder, pairs) = (tempfile::tempdir().unwrap(), pictures());
    let weights = Parameters::initial(2, 0);
    let subject = subject(&folder.path().join("chroma.safetensors"), pairs.path());
    let settings = Settings { subject, maps: Some(folder.path().join("maps")) };
    weights.write(&settings.subject.weights, &Metadata::new()).unwrap();
    run(&settings).unwrap();
    let names = std::fs::read_dir(folder.path().join("maps")).unwrap().map(|e| e.unwrap().file_name());
    let names: Vec<String> = names.map(|name| name.to_string_lossy().into_owned()).collect();
    // The pictures have edges and colors; nothing in them is clipped.
    let count = |concept: &str| names.iter().filter(|name| name.starts_with(&format!("b.{concept}."))).count();
    assert_eq!([count("edges"), count("lamps")], [maps::UNITS, 0], "{names:?}");
    let map = naka_gs::capture::read_image(&folder.path().join("maps").join(&names[0])).unwrap();
    assert_eq!([map.width, map.height], [72, 20]);
    let error = run(&settings).unwrap_err();
    assert_eq!(error.exit_code(), 2);
    assert!(error.to_string().contains("maps") && error.to_string().contains("is there already"), "{error}");
}

#[test]
fn tables_count_every_unit_once() {
    let units = [unit(0..1), unit(1..2), Unit { block: "other".into(), channels: 0..4, cost: 1.0 }];
    let areas = |dark: f64| [None, None, Some(dark), None, None];
    let text = report(&units, &[areas(0.9), areas(0.6), areas(0.05)], &[areas(0.5); 3], &[seen()]);
    assert!(text.contains("| test | 0 | 0 | 1 | 0 | 0 | 1 | 2 |"), "{text}");
    assert!(text.contains("| all blocks | 0 | 0 | 2 | 0 | 0 | 1 | 3 |"), "{text}");
    assert!(text.contains("| all blocks, untrained | 0 | 0 | 0 | 0 | 0 | 3 | 3 |"), "{text}");
    assert!(text.contains("| dark | 1 | 25.0 % | other, channels 0–3 | 0.05 | 0.50 |"), "{text}");
    assert!(text.contains("| skin | 0 | | | | |"), "{text}");
}
