use super::*;
use crate::{Arguments, Command};
use clap::Parser;
use naka_gs::capture::Image;
use naka_gs::enhance::weights::Weights;

/// Settings for small, quick steps.
fn settings(more: &[&str]) -> Settings {
    let small = ["train-chroma", "train", "pairs", "--base-ch", "2", "--crop", "16", "--batch", "2", "--steps", "40"];
    match Arguments::try_parse_from(small.iter().chain(more)).unwrap().command {
        Command::Train(settings) => *settings,
        _ => panic!("not the command asked for"),
    }
}

/// A folder with two captures of pictures whose lit versions are what no response gives: what is dark is blue, what is
/// bright is red, and blue falls where the one turns into the other.
pub fn pictures() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for capture in ["a", "b"] {
        for (part, shadows, lights) in [("dark", [0.05; 3], [0.05; 3]), ("lit", [0.2, 0.5, 0.9], [0.9, 0.6, 0.2])] {
            let path = folder.path().join(capture).join(part);
            std::fs::create_dir_all(&path).unwrap();
            for name in ["1.png", "2.png"] {
                let value = |x: u32, y: u32| ((x / 4 + 2 * (y / 4) + name.len() as u32) % 7) as f32 / 7.0 + 0.1;
                let gain = |value: f32| if value < 0.5 { shadows } else { lights };
                let color = |value: f32| gain(value).map(|g: f32| g * value);
                let pixels = (0..24 * 20).map(|i| color(value(i % 24, i / 24))).collect();
                Image { width: 24, height: 20, pixels }.to_rgb8().save(path.join(name)).unwrap();
            }
        }
    }
    folder
}

fn trained(steps: usize, settings: &Settings, mut optimizer: Optimizer) -> (Optimizer, Vec<f64>) {
    let folder = pictures();
    let mut captures = pairs::read(folder.path(), &[1, 2]).unwrap();
    // Under the estimated response alone, which leaves most to learn.
    captures.iter_mut().flatten().for_each(|capture| (capture.camera, capture.quantiles) = (None, None));
    let device = Device::flex().autodiff();
    let mut rates = learning_rates(settings, optimizer.steps).unwrap();
    let step = |_| step(&mut optimizer, rates.step().base(), &captures, settings, None, &device).unwrap();
    let losses = (0..steps).map(step).collect();
    (optimizer, losses)
}

#[test]
fn same_seed_same_weights() {
    let run = |seed: &str| {
        let settings = settings(&["--seed", seed]);
        trained(3, &settings, start(&settings).unwrap())
    };
    assert_eq!(run("1"), run("1"));
    assert_ne!(run("1").0.weights, run("2").0.weights);
}

#[test]
fn resumed_training_is_the_same_training() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("out.safetensors");
    let settings = settings(&["-o", &output.to_string_lossy()]);
    let (whole, _) = trained(5, &settings, start(&settings).unwrap());
    let (part, _) = trained(3, &settings, start(&settings).unwrap());
    save(&part, &settings, &[]).unwrap();
    let resumed = start(&Settings { resume: true, ..settings.clone() }).unwrap();
    assert_eq!(trained(2, &settings, resumed).0, whole);
    // Weights of a run are no state, and nothing of the wrong kind starts one.
    std::fs::copy(&output, state_path(&settings)).unwrap();
    assert!(start(&Settings { resume: true, ..settings.clone() }).is_err());
}

#[test]
fn learns() {
    let settings = Settings { learning_rate: 5e-3, steps: 100, ..settings(&[]) };
    let (mut optimizer, losses) = trained(100, &settings, start(&settings).unwrap());
    // The same draws of crops and responses again: how hard they are differs more than what is learned.
    optimizer.steps = 0;
    let (_, again) = trained(10, &settings, optimizer);
    let mean = |losses: &[f64]| losses.iter().sum::<f64>() / losses.len() as f64;
    assert!(mean(&again) < 0.8 * mean(&losses[..10]), "{:?} {again:?}", &losses[..10]);
}

#[test]
fn a_whole_run_writes_weights_that_the_program_reads() {
    let (folder, pairs) = (tempfile::tempdir().unwrap(), pictures());
    let output = folder.path().join("out.safetensors");
    let settings = settings(&["--downscale", "1", "--holdout", "1", "-o", &output.to_string_lossy()]);
    let settings = Settings { pairs: pairs.path().to_path_buf(), steps: 2, ..settings };
    run(&settings).unwrap();
    let weights = Weights::read(&output).unwrap();
    assert_eq!(weights.metadata["working"], "448");
    assert_eq!(weights.metadata["base_ch"], "2");
    assert_eq!(weights.metadata["steps"], "2");
    assert!(weights.metadata["psnr_camera_enhanced"].parse::<f64>().unwrap().is_finite());
    assert!(network::problems(&Parameters(weights.tensors)).is_empty());
    // And from them another run can start.
    let init = Settings { init: Some(output), ..settings.clone() };
    assert_eq!(start(&init).unwrap().weights.count(), start(&settings).unwrap().weights.count());
}

#[test]
fn before_training_nothing_changes() {
    let folder = pictures();
    let rows = validate::measure(&Parameters::initial(2, 0), &pairs::read(folder.path(), &[1]).unwrap());
    assert_eq!(rows.len(), 4);
    assert!(rows.iter().all(|row| (row.naka - row.enhanced).abs() < 1e-4 && row.naka.is_finite()));
    let gap = |row: &validate::Row| (row.balanced - row.enhanced).abs();
    assert!(rows.iter().all(|row| gap(row) < 0.01), "{:?}", rows.iter().map(gap).collect::<Vec<_>>());
    let means = validate::means(&rows);
    assert!(means.iter().map(|row| row.response).eq(["camera", "quantiles"]));
    assert!(means[0].naka > means[1].naka, "pairs say more than quantiles");
    assert_eq!(validate::table(&rows).matches("mean ").count(), 2);
}

#[test]
fn refuses_what_is_no_pair() {
    let folder = pictures();
    assert!(pairs::read(&folder.path().join("a"), &[1]).is_ok_and(|captures| captures.len() == 1));
    assert!(pairs::read(&folder.path().join("a/lit"), &[1]).is_err());
    Image::new(3, 3).to_rgb8().save(folder.path().join("b/lit/2.png")).unwrap();
    let error = pairs::read(folder.path(), &[1]).unwrap_err().to_string();
    assert!(error.contains("2.png") && error.contains("size"), "{error}");
    let all = pairs::read(&folder.path().join("a"), &[1]).unwrap();
    assert!(split(all, 1).is_err());
}
