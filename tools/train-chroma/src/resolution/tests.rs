use super::*;
use crate::parameters::Metadata;
use crate::train::tests::pictures;
use clap::Parser;

fn image(width: u32, pixel: impl Fn(u32) -> [f32; 3]) -> Image {
    Image { width, height: 2, pixels: (0..2 * width).map(pixel).collect() }
}

#[test]
fn differences_are_in_levels() {
    let (a, b) = (image(4, |_| [0.5; 3]), image(4, |_| [0.52; 3]));
    let found = Difference::between(std::slice::from_ref(&a), &[b]);
    assert!((found.luma - 5.1).abs() < 1e-3 && found.color < 1e-3, "{found:?}");
    // Blue 0.1 more: luma 0.0114 more, blue from it 0.0886, red from it −0.0114.
    let blue = image(4, |_| [0.5, 0.5, 0.6]);
    let found = Difference::between(&[a], &[blue]);
    assert!((found.luma - 2.907).abs() < 1e-3 && (found.color - 255.0 * 0.05).abs() < 1e-3, "{found:?}");
}

#[test]
fn results_are_compared_at_the_smallest_size() {
    let fine = image(8, |i| [if i % 2 == 0 { 0.2 } else { 0.6 }; 3]);
    let coarse = image(4, |_| [0.4; 3]);
    let small = smallest(&[[vec![fine.clone()], vec![fine]], [vec![coarse.clone()], vec![coarse]]]);
    assert!(small.iter().flatten().flatten().all(|image| (image.width, image.height) == (4, 2)));
    assert!(Difference::between(&small[0][0], &small[1][0]).luma < 1e-3);
}

#[test]
fn what_matters_at_one_size_only_counts_least() {
    assert_eq!(worst(&[vec![0.9, 0.1, 0.4], vec![0.0, 0.2, 0.3]]), [0.0, 0.1, 0.3]);
}

fn settings(more: &[&str]) -> Settings {
    let words = ["train-chroma", "resolution", "weights", "pairs", "--holdout", "1", "--batches", "2"];
    match crate::Arguments::try_parse_from(words.iter().chain(more)).unwrap().command {
        crate::Command::Resolution(settings) => settings,
        _ => panic!("not the command asked for"),
    }
}

#[test]
fn an_untrained_network_differs_as_its_response_does() {
    let pairs = pictures();
    // Patches have 4 pixels, which averaging by 3 mixes.
    let captures = pairs::read(pairs.path(), &[1, 3]).unwrap();
    let found = Measured::new(&Parameters::initial(2, 0), &captures);
    assert_eq!(found.differences.len(), 1);
    let (pair, [network, response]) = found.differences[0];
    assert_eq!(pair, [0, 1]);
    // The balance rounds a little.
    assert!((network.luma - response.luma).abs() < 0.05 && (network.color - response.color).abs() < 0.05);
    assert!(response.luma > 0.1, "{response:?}");
    assert!(found.rows.iter().all(|rows| rows.iter().all(|row| (row.balanced - row.naka).abs() < 0.01)));
}

#[test]
fn a_whole_run_prunes_and_writes() {
    let (folder, pairs) = (tempfile::tempdir().unwrap(), pictures());
    let [weights, output] = ["chroma", "out"].map(|name| folder.path().join(format!("{name}.safetensors")));
    let whole = Parameters::initial(8, 0);
    whole.write(&weights, &Metadata::new()).unwrap();
    let settings = settings(&["--downscale", "2,1", "--prune", "0.6", "-o", &output.to_string_lossy()]);
    let settings = Settings { weights, pairs: pairs.path().to_path_buf(), ..settings };
    let text = report(&settings).unwrap();
    let tables: Vec<&str> = text.lines().filter(|line| line.starts_with('|')).collect();
    assert_eq!(tables.len(), (2 + 2) + (2 + 1) + (2 + 4), "{text}");
    assert!(tables[6].starts_with("| 2 and 1 |"), "{text}");
    assert!(tables[9].starts_with(&format!("| given | {} | ", whole.count())), "{text}");
    assert!(text.ends_with("heads rescaled: mul by 1.000, add by 1.000\n"), "{text}");
    let pruned = Parameters::read(&output).unwrap().0;
    assert!(crate::network::problems(&pruned).is_empty() && pruned.count() < whole.count());
}

#[test]
fn settings_that_are_none_are_named() {
    for (more, name) in [
        (["--downscale", "4"].as_slice(), "downscale: 4;"),
        (&["--downscale", "4,2,4"], "downscale: 4,2,4;"),
        (&["--prune", "0"], "prune: 0;"),
        (&["--prune", "1.5"], "prune: 1.5;"),
    ] {
        let error = report(&settings(more)).unwrap_err();
        assert!(error.exit_code() == 2 && error.to_string().starts_with(name), "{error}");
    }
    let words = ["train-chroma", "resolution", "weights", "pairs", "-o", "out"];
    assert!(crate::Arguments::try_parse_from(words).is_err(), "an output without anything to write");
}
