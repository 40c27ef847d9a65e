use super::*;
use crate::network::problems;
use crate::train::tests::pictures;
use crate::validate::tests::subject;

fn unit(block: &str, c: usize, cost: f64) -> Unit {
    Unit { block: block.into(), channels: c..c + 1, cost }
}

#[test]
fn the_least_important_blocks_keep_their_best_unit() {
    let units = [unit("a", 0, 1.0), unit("a", 1, 1.0), unit("b", 0, 4.0), unit("b", 1, 4.0), unit("c", 0, 1.0)];
    // c has one unit only; of the others a counts for less.
    let scores = [0.3, 0.2, 0.5, 0.9, 0.01];
    let (removed, blocks) = narrow(&units, &scores, 1);
    assert_eq!((removed, blocks), (vec![&units[1]], vec!["a"]));
    let (removed, blocks) = narrow(&units, &scores, 9);
    assert_eq!((removed, blocks), (vec![&units[1], &units[2]], vec!["a", "b"]));
    assert!(narrow(&units, &scores, 0).0.is_empty());
}

#[test]
fn shapes_begin_with_the_given_one_and_keep_what_they_should() {
    let weights = Parameters::initial(8, 1);
    let units = prune::units(&weights);
    let scores: Vec<f64> = (0..units.len()).map(|i| (i * 37 % 101) as f64 + 1.0).collect();
    let shapes = shapes(&weights, &units, &scores);
    assert_eq!(shapes[0], (Shape { kept: 1.0, narrowed: 0 }, weights.clone()));
    let largest = units.iter().map(|unit| unit.cost).fold(0.0, f64::max) / cost(&units);
    for (shape, network) in &shapes {
        assert!(problems(network).is_empty());
        let left = prune::units(network);
        // Multiplications by hand: every block keeps 18 for each channel inside, outside and pixel.
        let work = |weights: &Parameters| {
            let of = |(name, array): (&String, &naka_gs::enhance::weights::Tensor)| {
                let block = name.strip_suffix(".conv1.block.0.weight")?;
                let level = match block.chars().find(char::is_ascii_digit).filter(|_| !block.starts_with('b')) {
                    Some(digit) if !block.starts_with('f') => digit as i32 - '1' as i32,
                    Some(_) => 0,
                    None => 3,
                };
                Some((18 * array.shape[0] * array.shape[1]) as f64 / 4f64.powi(level))
            };
            weights.0.iter().filter_map(of).sum::<f64>()
        };
        let kept = work(network) / work(&weights);
        assert!((kept - shape.kept).abs() < 1e-9, "{kept} {shape:?}");
        let wanted = KEEP.iter().any(|keep| (shape.kept - keep).abs() <= largest);
        assert!(wanted || shape.narrowed > 0, "{shape:?}");
        let blocks: std::collections::BTreeSet<&str> = left.iter().map(|unit| unit.block.as_str()).collect();
        let single = blocks.iter().filter(|block| {
            let shape = &network.0[&format!("{block}.conv1.block.0.weight")].shape;
            let before = units.iter().find(|unit| unit.block == **block).unwrap();
            shape[0] == before.channels.len()
        });
        assert!(single.count() >= shape.narrowed);
    }
    let narrowed = |count| shapes.iter().filter(|(shape, _)| shape.narrowed == count).count();
    assert_eq!(NARROWED.map(narrowed).iter().sum::<usize>(), shapes.len());
    assert_eq!(narrowed(0), KEEP.len());
}

fn candidate(bits: Bits, psnr: f64, bytes: u64, milliseconds: f64) -> Candidate {
    let shape = Shape { kept: 1.0, narrowed: 0 };
    Candidate { shape, bits, weights: Parameters::default(), psnr, bytes, memory: bytes as f64, milliseconds }
}

#[test]
fn the_smallest_of_those_that_fit_is_chosen() {
    let candidates = [
        candidate(Bits::Single, 32.0, 9, 10.0),
        candidate(Bits::Half, 31.99, 5, 10.0),
        candidate(Bits::Half, 31.90, 4, 8.0),
        candidate(Bits::Half, 31.97, 5, 9.0),
        candidate(Bits::Whole, 31.99, 3, 10.0),
    ];
    let bounds = |memory, milliseconds, psnr| Bounds { memory, milliseconds, psnr };
    let bytes = |bounds, may: fn(Bits) -> bool| smallest(&candidates, bounds, may).map(|c| (c.bytes, c.psnr));
    assert_eq!(bytes(bounds(9.0, 10.0, 31.95), Bits::is_read), Some((5, 31.99)));
    assert_eq!(bytes(bounds(9.0, 9.5, 31.95), Bits::is_read), Some((5, 31.97)));
    assert_eq!(bytes(bounds(9.0, 10.0, 31.95), |_| true), Some((3, 31.99)));
    assert_eq!(bytes(bounds(4.5, 10.0, 31.95), Bits::is_read), None);
    // 0.05 dB more is a smaller step than from 4.5 to 5.
    let error = nothing_fits(&candidates, bounds(4.5, 9.5, 31.95));
    assert_eq!(error.exit_code(), 2);
    let text = error.to_string();
    assert!(text.starts_with("within: no network fits; closest is") && text.contains("31.90 dB"), "{text}");
    let text = nothing_fits(&candidates, bounds(4.9, 1.0, 31.5)).to_string();
    assert!(text.starts_with("milliseconds") && text.ends_with("raise --milliseconds to 8.00"), "{text}");
}

fn settings(folder: &std::path::Path, pairs: &std::path::Path) -> Settings {
    Settings {
        subject: subject(&folder.join("chroma.safetensors"), pairs),
        memory: 1e3,
        milliseconds: 1e6,
        within: 20.0,
        output: folder.join("out.safetensors"),
        batches: 2,
        seed: 0,
    }
}

#[test]
fn a_whole_search_writes_the_smallest_in_16_bits() {
    let (folder, pairs) = (tempfile::tempdir().unwrap(), pictures());
    let settings = settings(folder.path(), pairs.path());
    let weights = Parameters::initial(8, 0);
    weights.write(&settings.subject.weights, &Metadata::new()).unwrap();
    search(&settings, (16, 1)).unwrap();
    let (found, notes) = Parameters::read(&settings.output).unwrap();
    assert!(problems(&found).is_empty() && found.count() < weights.count());
    assert_eq!(notes["bits"], "16");
    let size = std::fs::metadata(&settings.output).unwrap().len();
    assert!(size < 2 * found.count() as u64 + 20_000, "{size}");
    // What was measured is what is read.
    assert_eq!(Bits::Half.rounded(&found), found);
    let error = search(&Settings { memory: 0.01, ..settings.clone() }, (16, 1)).unwrap_err();
    assert_eq!(error.exit_code(), 2);
    assert!(error.to_string().contains("memory: no network fits; closest is"), "{error}");
    for (broken, name) in [
        (Settings { memory: 0.0, ..settings.clone() }, "memory"),
        (Settings { milliseconds: f64::NAN, ..settings.clone() }, "milliseconds"),
        (Settings { within: -0.1, ..settings.clone() }, "within"),
    ] {
        let error = search(&broken, (16, 1)).unwrap_err();
        assert!(error.exit_code() == 2 && error.to_string().starts_with(name), "{error}");
    }
}
