//! What must never happen, tried through the binary: a user's file is lost, a scene runs a program, something broken
//! passes for finished, two runs mix.

use super::support::{assert_refused, contents, naka_gs};
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// A tiny capture in a folder of its own.
struct Bench {
    dir: tempfile::TempDir,
}

const QUICK: [&str; 11] = [
    "--adapter",
    "cpu",
    "--weights",
    "none",
    "--downscale",
    "2",
    "--make",
    "frustum",
    "--make-points",
    "200",
    "--steps",
];

impl Bench {
    fn new() -> Self {
        let bench = Self { dir: tempfile::tempdir().unwrap() };
        let tiny = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenes/tiny.toml");
        let mut photograph = naka_gs();
        photograph.args(["demo", "--photograph", "--scene"]).arg(tiny).arg("-o").arg(bench.path("made"));
        assert!(photograph.output().unwrap().status.success());
        fs::rename(bench.path("made/capture"), bench.path("scene")).unwrap();
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn command(&self, scene: &str, out: &str, steps: u32) -> Command {
        let mut command = naka_gs();
        command.arg("run").arg(self.path(scene)).arg("-o").arg(self.path(out));
        command.args(QUICK).arg(steps.to_string());
        command
    }

    fn run(&self, scene: &str, out: &str, steps: u32, more: &[&str]) -> Output {
        self.command(scene, out, steps).args(more).output().unwrap()
    }

    fn finish(&self, scene: &str, out: &str, steps: u32, more: &[&str]) -> String {
        let output = self.run(scene, out, steps, more);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{stderr}");
        stderr
    }

    fn record(&self, out: &str) -> Value {
        serde_json::from_slice(&fs::read(self.path(out).join("run.json")).unwrap()).unwrap()
    }

    fn status(&self, out: &str, stage: &str) -> String {
        let record = self.record(out);
        let stages = record["stages"].as_array().unwrap();
        let found = stages.iter().find(|found| found["stage"] == stage);
        found.map_or("none", |found| found["status"].as_str().unwrap()).to_string()
    }

    /// Starts a long training, and waits until it is under way.
    fn training(&self, out: &str) -> Child {
        let mut child =
            self.command("scene", out, 100_000).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        assert!(lines.any(|line| line.starts_with("train: ")), "training never began");
        // Nobody reads on, so the pipe must not fill.
        std::thread::spawn(move || lines.for_each(drop));
        child
    }
}

fn signal(child: &Child, name: &str) {
    assert!(Command::new("kill").args([name, &child.id().to_string()]).status().unwrap().success());
}

/// The exit code of a run that was asked to end. Where the tests themselves ignore what it was asked with, it goes on.
fn code_of_ended(child: &mut Child) -> Option<i32> {
    let asked = Instant::now();
    while asked.elapsed() < Duration::from_secs(60) {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().unwrap();
    panic!("the run goes on; do these tests run under nohup?");
}

#[test]
fn a_scene_runs_no_program_and_names_no_file() {
    let bench = Bench::new();
    fs::create_dir_all(bench.path("scenes")).unwrap();
    fs::rename(bench.path("scene"), bench.path("scenes/a")).unwrap();
    let script = bench.path("scenes/a/.x");
    fs::write(&script, format!("#!/bin/sh\ntouch {}\necho COLMAP 3.8\n", bench.path("ran").display())).unwrap();
    assert!(Command::new("chmod").arg("+x").arg(&script).status().unwrap().success());
    // Without poses, so that COLMAP would be asked.
    fs::rename(bench.path("scenes/a/transforms_train.json"), bench.path("poses.json")).unwrap();
    let inside = script.display().to_string();
    for setting in [
        format!("[poses]\ncolmap = \"{inside}\""),
        format!("colmap = \"{inside}\""),
        "[poses]\nposes_from = \"../../poses.json\"".into(),
        "points = \"/etc/passwd\"".into(),
        "[prior]\ncolors = \"/etc/passwd\"".into(),
        "weights = \"/etc/passwd\"".into(),
        "[enhance]\ncamera = \"/etc/passwd\"".into(),
    ] {
        fs::write(bench.path("scenes/a/naka-gs.toml"), &setting).unwrap();
        let mut batch = naka_gs();
        batch.arg("batch").arg(bench.path("scenes")).arg("-o").arg(bench.path("out")).args(QUICK).arg("2");
        let output = batch.current_dir(bench.path("scenes/a")).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{setting}: {stderr}");
        assert!(stderr.contains("naka-gs.toml") && stderr.contains("may not set"), "{setting}: {stderr}");
        assert!(!bench.path("ran").exists(), "{setting}: executed");
    }
}

#[test]
fn photographs_are_never_among_the_results() {
    let bench = Bench::new();
    let originals = contents(&bench.path("scene"));
    fs::create_dir_all(bench.path("rig/images/cam0")).unwrap();
    let transforms = fs::read_to_string(bench.path("scene/transforms_train.json")).unwrap();
    fs::write(bench.path("rig/transforms.json"), transforms.replace("train/", "images/cam0/")).unwrap();
    for (path, bytes) in contents(&bench.path("scene/train")) {
        fs::write(bench.path("rig/images/cam0").join(path.file_name().unwrap()), bytes).unwrap();
    }
    let rig = contents(&bench.path("rig"));
    std::os::unix::fs::symlink(bench.path("rig/images"), bench.path("link")).unwrap();
    for out in ["rig", "rig/images", "rig/images/cam0", "rig/images/cam0/out", "link", "link/cam0"] {
        for more in [&[][..], &["-w"]] {
            assert_refused(&bench.run("rig", out, 2, more), 2, &["--out", "photographs"]);
            assert_eq!(contents(&bench.path("rig")), rig, "{out} {more:?}");
        }
    }
    // The scene's own points are no results either.
    fs::create_dir(bench.path("points")).unwrap();
    bench.finish("scene", "first", 2, &["--until", "ppm"]);
    fs::copy(bench.path("first/points.ply"), bench.path("points/points.ply")).unwrap();
    let cloud = bench.path("points/points.ply");
    let given = ["--points", cloud.to_str().unwrap(), "-w"];
    assert_refused(&bench.run("scene", "points", 2, &given), 2, &["points.ply", "input"]);
    assert_eq!(contents(&bench.path("points")).len(), 1);
    // Beside the photographs is fine, again and again.
    bench.finish("scene", "scene/out", 2, &[]);
    bench.finish("scene", "scene/out", 3, &["-w"]);
    fs::remove_dir_all(bench.path("scene/out")).unwrap();
    assert_eq!(contents(&bench.path("scene")), originals);
}

#[test]
fn files_of_somebody_else_stay() {
    let bench = Bench::new();
    let out = bench.path("out");
    let foreign = ["settings.toml", "points.ply", "images/0001.JPG", "run.json"];
    for name in foreign {
        fs::create_dir_all(out.join(name).parent().unwrap()).unwrap();
        fs::write(out.join(name), format!("my {name}")).unwrap();
        let before = contents(&out);
        assert_refused(&bench.run("scene", "out", 2, &[]), 1, &[name]);
        assert_eq!(contents(&out), before, "{name}");
        let stderr = bench.finish("scene", "out", 2, &["-w"]);
        let backup = format!("{name}.bak");
        assert!(stderr.contains(&backup), "{stderr}");
        assert_eq!(fs::read(out.join(&backup)).unwrap(), format!("my {name}").as_bytes());
        fs::remove_dir_all(&out).unwrap();
    }
    let mut enhance = naka_gs();
    fs::create_dir_all(&out).unwrap();
    fs::write(out.join("settings.toml"), "# mine\n").unwrap();
    enhance.arg("enhance").arg(bench.path("scene/train/0001.JPG")).arg("-o").arg(&out);
    let output = enhance.args(["--weights", "none", "--adapter", "cpu"]).output().unwrap();
    assert_refused(&output, 1, &["settings.toml"]);
    assert_eq!(fs::read(out.join("settings.toml")).unwrap(), b"# mine\n");
    // A report goes only where the batch is.
    bench.finish("scene", "victim", 2, &["--until", "train"]);
    let header =
        "scene,status,seconds,psnr,ssim,holdout_psnr,splats,steps,steps_per_second,peak_device_bytes,adapter,error";
    fs::write(out.join("summary.csv"), format!("{header}\n../victim,done,1,,,,,,,,,\n")).unwrap();
    let report = naka_gs().arg("report").arg(&out).output().unwrap();
    assert_refused(&report, 1, &["summary.csv", "../victim"]);
    std::os::unix::fs::symlink(bench.path("victim"), out.join("inside")).unwrap();
    fs::write(out.join("summary.csv"), format!("{header}\ninside,done,1,,,,,,,,,\n")).unwrap();
    assert_refused(&naka_gs().arg("report").arg(&out).output().unwrap(), 1, &["summary.csv", "inside"]);
    assert!(!bench.path("victim/report.html").exists());
}

#[test]
fn damaged_results_are_made_again_and_stale_ones_not_submitted() {
    let bench = Bench::new();
    bench.finish("scene", "out", 3, &[]);
    let model = fs::read(bench.path("out/splats.ply")).unwrap();
    fs::write(bench.path("out/splats.ply"), "").unwrap();
    bench.finish("scene", "out", 3, &[]);
    assert_eq!((bench.status("out", "enhance"), bench.status("out", "train")), ("kept".into(), "done".into()));
    // Another model has other pictures. (Sums of floats may or may not come out the same.)
    let same = fs::read(bench.path("out/splats.ply")).unwrap() == model;
    assert_eq!(bench.status("out", "render"), if same { "kept" } else { "done" });
    let lit = bench.path("out/images/0002.JPG");
    let whole = fs::read(&lit).unwrap();
    fs::write(&lit, &whole[..whole.len() / 2]).unwrap();
    bench.finish("scene", "out", 3, &[]);
    assert_eq!(fs::read(&lit).unwrap(), whole);
    // Lit again with the same result: what was made from it still stands.
    assert_eq!((bench.status("out", "enhance"), bench.status("out", "train")), ("done".into(), "kept".into()));

    let submit = |zip: &str| {
        let mut submit = naka_gs();
        submit.arg("submit").arg(bench.path("out")).arg("-o").arg(bench.path(zip)).output().unwrap()
    };
    assert!(submit("good.zip").status.success());
    // Replaced by another run that is killed while it trains.
    let mut child = bench.command("scene", "out", 100_000);
    let mut child = child.arg("-w").stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.starts_with("train: ")));
    signal(&child, "-KILL");
    child.wait().unwrap();
    assert_refused(&submit("bad.zip"), 1, &["run.json", "not finished"]);
    assert!(!bench.path("bad.zip").exists());

    // A record of a later version is not ours to change, whatever the flags.
    let record = bench.path("out/run.json");
    let mut later = bench.record("out");
    later["format"] = 99.into();
    fs::write(&record, later.to_string()).unwrap();
    for more in [&[][..], &["-w"]] {
        assert_refused(&bench.run("scene", "out", 3, more), 1, &["run.json", "later version"]);
    }
    assert_eq!(fs::read_to_string(&record).unwrap(), later.to_string());
}

#[test]
fn one_run_at_a_time_and_none_is_lost_to_a_hangup() {
    let bench = Bench::new();
    let mut child = bench.training("out");
    let started = Instant::now();
    assert_refused(&bench.run("scene", "out", 3, &["-w"]), 1, &["another naka-gs", &child.id().to_string(), "-o"]);
    assert!(started.elapsed() < Duration::from_secs(5));
    // A hangup is a request to stop …
    signal(&child, "-HUP");
    assert_eq!(code_of_ended(&mut child), Some(130));
    assert!(!bench.path("out/.naka-gs.lock").exists());
    // … unless it is ignored (`nohup`); a killed run leaves no lock.
    let mut script = Command::new("sh");
    script.args(["-c", "trap '' HUP; exec \"$0\" \"$@\""]).arg(env!("CARGO_BIN_EXE_naka-gs"));
    let run = bench.command("scene", "out", 100_000);
    script.args(run.get_args()).env_remove("NAKA_GS_MASK").stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = script.spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.starts_with("train: ")));
    let rest = std::thread::spawn(move || lines.collect::<Vec<_>>());
    signal(&child, "-HUP");
    std::thread::sleep(Duration::from_millis(700));
    let alive = child.try_wait().unwrap().is_none();
    child.kill().unwrap();
    child.wait().unwrap();
    let said = rest.join().unwrap();
    assert!(alive, "it ended with the terminal: {said:?}");
    bench.finish("scene", "out", 2, &["-w"]);
    let left = contents(&bench.path("out"));
    let hidden = left.iter().find(|(path, _)| path.file_name().unwrap().to_string_lossy().starts_with('.'));
    assert!(hidden.is_none(), "{hidden:?} is left");
}

#[test]
fn frames_that_would_share_a_picture_are_refused() {
    let bench = Bench::new();
    let path = bench.path("scene/transforms_test.json");
    let transforms = fs::read_to_string(&path).unwrap();
    fs::remove_dir_all(bench.path("scene/test")).unwrap();
    fs::write(&path, transforms.replace("0007.JPG", "a.png").replace("0008.JPG", "a.tif")).unwrap();
    assert_refused(&bench.run("scene", "out", 2, &[]), 1, &["a.png", "a.tif"]);
    assert!(!bench.path("out").exists());
}

/// A page shows only files that the run has read, whatever a received record says.
#[test]
fn a_report_shows_no_files_that_the_run_did_not_read() {
    let bench = Bench::new();
    bench.finish("scene", "out", 2, &[]);
    let page = |out: &str| {
        let output = naka_gs().arg("report").arg(bench.path(out)).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        (fs::read_to_string(bench.path(out).join("report.html")).unwrap().matches("<img").count(), stderr)
    };
    let (pictures, _) = page("out");
    // The same names elsewhere, with other content.
    Command::new("cp").arg("-r").arg(bench.path("scene")).arg(bench.path("private")).status().unwrap();
    for folder in ["train", "test"] {
        for (path, _) in contents(&bench.path("private").join(folder)) {
            image::RgbImage::from_pixel(64, 48, image::Rgb([9, 8, 7])).save(path).unwrap();
        }
    }
    let mut record = bench.record("out");
    record["scene"] = bench.path("private").to_str().unwrap().into();
    fs::write(bench.path("out/run.json"), record.to_string()).unwrap();
    let (fewer, stderr) = page("out");
    assert!(fewer < pictures && stderr.contains("not the file that the run read"), "{pictures}, {fewer}: {stderr}");
}

/// Checksums of a scene and of a folder full of somebody else's files, around every command that writes.
#[test]
fn no_command_touches_what_it_did_not_make() {
    let bench = Bench::new();
    fs::create_dir_all(bench.path("scenes")).unwrap();
    fs::rename(bench.path("scene"), bench.path("scenes/a")).unwrap();
    bench.finish("scenes/a", "done", 2, &[]);
    let (scene, done) = (bench.path("scenes/a"), bench.path("done"));
    let (splats, points) = (done.join("splats.ply"), done.join("points.ply"));
    let (test, tiny) =
        (scene.join("transforms_test.json"), Path::new(env!("CARGO_MANIFEST_DIR")).join("scenes/tiny.toml"));
    let text = |path: &Path| path.to_str().unwrap().to_string();
    let out = bench.path("out");
    let file = |name: &str| text(&out.join(name));
    let quick: Vec<String> = QUICK.iter().map(|word| (*word).to_string()).chain(["2".into()]).collect();
    let trains = |words: &[&str]| [words.iter().map(|word| (*word).to_string()).collect(), quick.clone()].concat();
    let plain = |words: &[&str]| words.iter().map(|word| (*word).to_string()).collect::<Vec<_>>();
    let cpu = ["--adapter", "cpu"];
    let commands: Vec<Vec<String>> = vec![
        trains(&["run", &text(&scene), "-o", &text(&out)]),
        trains(&["demo", "--scene", &text(&tiny), "-o", &text(&out)]),
        trains(&["batch", &text(&bench.path("scenes")), "-o", &text(&out)]),
        plain(&["train", &text(&scene), "-o", &text(&out), "--steps", "2", "--make", "frustum", cpu[0], cpu[1]]),
        plain(&["enhance", &text(&scene), "-o", &text(&out), "--weights", "none", "--sheet", cpu[0], cpu[1]]),
        plain(&[
            "prior",
            &text(&scene),
            "-o",
            &file("p.ply"),
            "--make",
            "frustum",
            "--make-points",
            "99",
            "--weights",
            "none",
        ]),
        plain(&["ppm", &text(&points), "-o", &file("q.ply"), "--min-points", "10", "--stats", &file("stats.json")]),
        plain(&["render", &text(&splats), "--cameras", &text(&test), "-o", &text(&out), cpu[0], cpu[1]]),
        plain(&["path", &text(&scene), "-o", &file("path.json")]),
        plain(&["submit", &text(&done), "-o", &file("entry.zip")]),
        plain(&["calibrate", &text(&scene.join("train")), &text(&scene.join("truth")), "-o", &file("camera.toml")]),
    ];
    let foreign = [
        "notes.txt",
        "images/mine.jpg",
        "renders/mine.png",
        "checkpoints/mine.bin",
        "poses/a/b.tex",
        "a/mine",
        ".x.part",
    ];
    for command in &commands {
        let _ = fs::remove_dir_all(&out);
        for name in foreign {
            fs::create_dir_all(out.join(name).parent().unwrap()).unwrap();
            fs::write(out.join(name), name).unwrap();
        }
        let (scenes, runs) = (contents(&bench.path("scenes")), contents(&done));
        // Twice: the second time, results are there to be replaced.
        for _ in 0..2 {
            let output = naka_gs().args(command).arg("-w").output().unwrap();
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{command:?}: {stderr}");
            for name in foreign {
                assert_eq!(fs::read(out.join(name)).unwrap_or_default(), name.as_bytes(), "{command:?}: {name}");
            }
            assert!(contents(&bench.path("scenes")) == scenes, "{command:?} changed the scene");
            assert!(contents(&done) == runs, "{command:?} changed another run");
        }
        let left = contents(&out).into_iter().map(|(path, _)| path.file_name().unwrap().to_string_lossy().into_owned());
        let hidden: Vec<String> = left.filter(|name| name.starts_with('.') && name != ".x.part").collect();
        assert!(hidden.is_empty(), "{command:?} left {hidden:?}");
    }
}
