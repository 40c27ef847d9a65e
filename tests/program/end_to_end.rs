//! The whole pipeline through the binary, on a tiny procedural capture: results, resume, replacement, interruption.

use super::support::{assert_refused, contents, naka_gs};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

const STAGES: [&str; 6] = ["enhance", "prior", "ppm", "train", "render", "eval"];

fn demo(out: &Path, steps: u32) -> Command {
    let scene = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenes/tiny.toml");
    let mut command = naka_gs();
    command.arg("demo").arg("--scene").arg(scene).arg("-o").arg(out);
    command.args(["--adapter", "cpu", "--downscale", "1", "--make-points", "2000", "--steps", &steps.to_string()]);
    command
}

fn finish(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output
}

fn json(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Status of every stage in `run.json`.
fn statuses(out: &Path) -> Vec<(String, String)> {
    let run = json(&out.join("run.json"));
    let text = |value: &Value| value.as_str().unwrap().to_string();
    run["stages"].as_array().unwrap().iter().map(|s| (text(&s["stage"]), text(&s["status"]))).collect()
}

fn expect(out: &Path, expected: [&str; 6]) {
    let wanted: Vec<_> = STAGES.iter().zip(expected).map(|(s, e)| (s.to_string(), e.to_string())).collect();
    assert_eq!(statuses(out), wanted);
}

#[test]
fn a_run_is_complete_kept_and_replaced_only_on_request() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let output = finish(&mut demo(&out, 12));
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(stdout.contains("mean") && stdout.contains("sheet.jpg"), "{stdout}");
    assert!(!stdout.contains('\u{1b}') && !output.stderr.contains(&0x1b), "no color where there is no terminal");
    expect(&out, ["done"; 6]);

    for name in ["images/0001.JPG", "renders/0007.JPG", "points.ply", "splats.ply", "settings.toml", "sheet.jpg"] {
        assert!(out.join(name).is_file(), "{name} is missing");
    }
    let render = image::open(out.join("renders/0007.JPG")).unwrap();
    assert_eq!((render.width(), render.height()), (64, 48));
    let metrics = json(&out.join("metrics.json"));
    assert!(metrics["psnr"].as_f64().unwrap() > 8.0 && metrics["ssim"].is_f64(), "{metrics}");
    assert!(metrics["lpips"].is_null() && metrics["holdout"].is_null());
    assert_eq!(metrics["views"].as_array().unwrap().len(), 2);
    assert_eq!(metrics["views"][0]["name"], "0007.JPG");
    let run = json(&out.join("run.json"));
    assert_eq!(run["steps"], 12);
    assert!(run["splats"].as_u64().unwrap() > 100 && run["peak_device_bytes"].as_u64().unwrap() > 0);
    assert_eq!(run["settings"]["train"]["steps"], 12);

    // The same again makes nothing.
    let before = contents(&out.join("renders"));
    finish(&mut demo(&out, 12));
    expect(&out, ["kept"; 6]);
    assert_eq!(contents(&out.join("renders")), before);

    // The settings beside the result reproduce it: the same run again.
    let mut from_file = naka_gs();
    from_file.arg("run").arg(out.join("capture")).arg("-o").arg(&out).arg("--config").arg(out.join("settings.toml"));
    finish(&mut from_file);
    expect(&out, ["kept"; 6]);

    // Another run in the same folder is refused, and replaces only what differs when told to.
    let everything = contents(&out);
    assert_refused(&demo(&out, 13).output().unwrap(), 1, &["splats.ply", "--overwrite"]);
    assert_eq!(contents(&out), everything);
    finish(demo(&out, 13).arg("-w"));
    expect(&out, ["kept", "kept", "kept", "done", "done", "done"]);
}

#[test]
fn stages_one_at_a_time_come_to_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let (whole, parts) = (dir.path().join("whole"), dir.path().join("parts"));
    finish(&mut demo(&whole, 5));
    let run = |until: &[&str]| {
        let mut command = naka_gs();
        command.arg("run").arg(whole.join("capture")).arg("-o").arg(&parts).args(until);
        command.arg("--config").arg(whole.join("settings.toml")).output().unwrap()
    };
    // The points of the prior live on only in what PPM makes of them.
    for stage in ["prior", "lunch"] {
        let output = run(&["--until", stage]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{said}");
        let values = said.split("possible values").nth(1).expect("the stages are listed");
        assert!(said.contains(stage) && values.contains("ppm, train") && !values.contains("prior"), "{said}");
    }
    assert!(!parts.exists());
    for (stage, made) in [("enhance", 1), ("ppm", 3), ("train", 4), ("render", 5), ("render", 5)] {
        let output = run(&["--until", stage]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(statuses(&parts).len(), made);
    }
    assert!(!parts.join("metrics.json").exists());
    assert!(run(&[]).status.success());
    expect(&parts, ["kept", "kept", "kept", "kept", "kept", "done"]);
    for name in ["images/0001.JPG", "images/0006.JPG", "points.ply"] {
        assert!(std::fs::read(parts.join(name)).unwrap() == std::fs::read(whole.join(name)).unwrap(), "{name} differs");
    }
    // Training adds in the order in which invocations arrive: two runs of it agree only to the last digits.
    let psnr = |out: &Path| json(&out.join("metrics.json"))["psnr"].as_f64().unwrap();
    assert!((psnr(&parts) - psnr(&whole)).abs() < 0.1, "{} and {}", psnr(&parts), psnr(&whole));
}

#[test]
fn holdout_and_preview_are_measured_at_the_training_resolution() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    finish(demo(&out, 3).args(["--downscale", "2", "--holdout", "3"]));
    let metrics = json(&out.join("metrics.json"));
    assert_eq!(metrics["holdout"]["views"].as_array().unwrap().len(), 2);
    assert_eq!(metrics["resolution"]["size"], serde_json::json!([32, 24]));
    let render = image::open(out.join("renders/0007.JPG")).unwrap();
    assert_eq!(render.width(), 64, "renders have the test frame's own size");
}

#[cfg(unix)]
#[test]
fn interrupted_training_continues() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let mut child = demo(&out, 120).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.starts_with("train: 120 steps")), "training never began");
    std::thread::sleep(Duration::from_millis(300));
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    let rest: Vec<String> = lines.collect();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{rest:?}");
    assert!(rest.iter().any(|line| line.contains("run the same command again")), "{rest:?}");
    expect_interrupted(&out);
    assert!(!out.join("splats.ply").exists());

    // The same folder, spelled otherwise.
    finish(demo(Path::new("./out"), 120).current_dir(dir.path()));
    expect(&out, ["kept", "kept", "kept", "done", "done", "done"]);
    let run = json(&out.join("run.json"));
    let train = run["stages"].as_array().unwrap().iter().find(|s| s["stage"] == "train").unwrap().clone();
    assert!(train["counts"]["resumed_at"].as_u64().unwrap() > 0, "{train}");
    assert_eq!(run["steps"], 120);
}

#[cfg(unix)]
fn expect_interrupted(out: &Path) {
    let statuses = statuses(out);
    assert_eq!(statuses.last().unwrap(), &("train".to_string(), "interrupted".to_string()));
    assert!(contents(&out.join("checkpoints")).iter().any(|(_, bytes)| !bytes.is_empty()));
}

#[test]
fn points_go_from_prior_through_ppm_to_train_as_files() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    finish(demo(&at("demo"), 1).args(["--downscale", "4"]));
    let capture = at("demo/capture");
    let step = |arguments: &[&std::ffi::OsStr]| finish(naka_gs().args(arguments));
    let word = |text: &'static str| std::ffi::OsStr::new(text);
    let (points, fewer, stats, out) = (at("points.ply"), at("fewer.ply"), at("stats.json"), at("trained"));
    let prior = ["prior", "--sheet", "--make-points", "2000", "-o"].map(word);
    step(&[&prior[..], &[points.as_os_str(), capture.as_os_str()]].concat());
    let ppm = ["ppm", "--sheet", "--floaters=true", "--min-points", "100", "--tau0", "0.05", "--scene"].map(word);
    let files = [capture.as_os_str(), points.as_os_str(), word("--stats"), stats.as_os_str(), word("-o")];
    step(&[&ppm[..], &files, &[fewer.as_os_str()]].concat());
    for picture in ["points.sheet.jpg", "fewer.sheet.jpg"] {
        let picture = image::open(at(picture)).unwrap();
        assert!(picture.width() > 1500 && picture.height() > 300);
    }
    let report = json(&stats);
    let count = |key: &str| report[key].as_u64().unwrap();
    // One point for every 16 of 6 × 64 × 48 pixels, but none where another view looks through.
    assert!(count("input") > 600 && count("output") < count("pooled") && count("pooled") <= count("input"));
    assert!(std::fs::read_to_string(at("stats.svg")).unwrap().contains("iteration"));
    let train = ["train", "--adapter", "cpu", "--downscale", "1", "--steps", "2", "--points"].map(word);
    step(&[&train[..], &[fewer.as_os_str(), capture.as_os_str(), word("-o"), out.as_os_str()]].concat());
    let run = json(&out.join("run.json"));
    let prior = run["stages"].as_array().unwrap().iter().find(|s| s["stage"] == "prior").unwrap().clone();
    assert!(out.join("splats.ply").is_file() && prior.to_string().contains("fewer.ply"), "{prior}");
}
