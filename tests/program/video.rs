//! A video as a scene, through the binary, with the installed ffmpeg and a stand-in for COLMAP.

use super::support::{assert_refused, contents, naka_gs};
use glam::{DMat3, DMat4, DQuat, DVec4};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A video of the tiny scene's photographs, one a frame, and a stand-in that knows their poses.
struct Bench {
    dir: tempfile::TempDir,
    frames: usize,
}

impl Bench {
    /// Nothing where ffmpeg is not installed.
    fn new() -> Option<Self> {
        let mut bench = Self { dir: tempfile::tempdir().unwrap(), frames: 0 };
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut demo = naka_gs();
        demo.args(["demo", "--photograph", "--scene"]).arg(root.join("scenes/tiny.toml"));
        assert!(demo.arg("-o").arg(bench.path("scene")).output().unwrap().status.success());
        let capture = bench.path("scene/capture");
        let mut film = Command::new("ffmpeg");
        film.args(["-nostdin", "-loglevel", "error", "-framerate", "4", "-start_number", "1", "-i"]);
        film.arg(capture.join("train/%04d.JPG")).args(["-c:v", "ffv1"]).arg(bench.path("night.mkv"));
        let Ok(status) = film.status() else {
            eprintln!("skipped: ffmpeg is not installed");
            return None;
        };
        assert!(status.success());
        std::os::unix::fs::symlink(root.join("tests/support/fake-colmap.sh"), bench.path("colmap")).unwrap();
        let json = json(&capture.join("transforms_train.json"));
        let number = |name: &str| json[name].as_f64().unwrap();
        let lens = ["w", "h", "fl_x", "fl_y", "cx", "cy"].map(number).map(|v| v.to_string()).join(" ");
        std::fs::write(bench.path("cameras"), format!("1 PINHOLE {lens}\n")).unwrap();
        let frames = json["frames"].as_array().unwrap();
        std::fs::write(bench.path("poses"), frames.iter().map(pose).collect::<String>()).unwrap();
        bench.frames = frames.len();
        Some(bench)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn command(&self, command: &str, scene: &str) -> Command {
        let mut naka = naka_gs();
        naka.arg(command).arg(self.path(scene)).arg("-o").arg(self.path("out"));
        naka.args(["--adapter", "cpu", "--weights", "none", "--make-points", "300", "--steps", "2"]);
        naka.args(["--video-candidates", "1"]).arg("--colmap").arg(self.path("colmap"));
        naka
    }
}

fn json(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn finish(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A frame's pose as COLMAP writes it: `QW QX QY QZ TX TY TZ CAMERA NAME`.
fn pose(frame: &Value) -> String {
    let entry = |row: usize, column: usize| frame["transform_matrix"][row][column].as_f64().unwrap();
    let c2w = DMat4::from_cols_array(&std::array::from_fn(|i| entry(i % 4, i / 4)));
    let viewmat = (c2w * DMat4::from_diagonal(DVec4::new(1.0, -1.0, -1.0, 1.0))).inverse();
    let (q, t) = (DQuat::from_mat3(&DMat3::from_mat4(viewmat)), viewmat.w_axis);
    let stem = Path::new(frame["file_path"].as_str().unwrap()).file_stem().unwrap().to_str().unwrap();
    format!("{} {} {} {} {} {} {} 1 {stem}.png\n", q.w, q.x, q.y, q.z, t.x, t.y, t.z)
}

#[test]
fn a_video_is_run_kept_and_seen_afterward() {
    let Some(bench) = Bench::new() else { return };
    finish(&mut bench.command("run", "night.mkv"));
    let manifest = json(&bench.path("out.frames/frames.json"));
    assert_eq!(manifest["frames"].as_array().unwrap().len(), bench.frames);
    assert_eq!(manifest["frames"][2]["seconds"], 0.5);
    let run = json(&bench.path("out/run.json"));
    assert!(run["video"]["file"].as_str().unwrap().ends_with("/night.mkv"), "{}", run["video"]);
    assert_eq!(run["video"]["sha256"], manifest["video"]["sha256"]);
    assert_eq!(run["stages"][0]["counts"]["registered"], bench.frames);
    assert!(bench.path("out/images/0001.png").is_file() && bench.path("out/splats.ply").is_file());
    let page = std::fs::read_to_string(bench.path("out/report.html")).unwrap();
    assert!(page.contains("<h1>night</h1>") && page.contains("night.mkv"));

    let frames = contents(&bench.path("out.frames"));
    finish(&mut bench.command("run", "night.mkv"));
    let run = json(&bench.path("out/run.json"));
    assert!(run["stages"].as_array().unwrap().iter().all(|stage| stage["status"] == "kept"), "{}", run["stages"]);
    assert_eq!(contents(&bench.path("out.frames")), frames);
    // Another choice of frames is another run.
    let fewer = ["--video-frames", "4"];
    assert_refused(
        &bench.command("run", "night.mkv").args(fewer).output().unwrap(),
        1,
        &["frames.json", "--overwrite"],
    );
    assert_eq!(contents(&bench.path("out.frames")), frames);
}

#[test]
fn what_cannot_be_is_said_before_the_frames_are_made() {
    let Some(bench) = Bench::new() else { return };
    let output = bench.command("run", "night.mkv").args(["--colmap", "/nowhere/colmap"]).output().unwrap();
    assert_refused(&output, 2, &["/nowhere/colmap", "install"]);
    assert_refused(
        &bench.command("run", "night.mkv").env("PATH", "/bin/none").output().unwrap(),
        1,
        &["night.mkv", "no program `ffmpeg`", "apt install ffmpeg"],
    );
    std::fs::write(bench.path("sound.mp4"), "not a video").unwrap();
    assert_refused(&bench.command("run", "sound.mp4").output().unwrap(), 1, &["sound.mp4", "cannot read it"]);
    let few = bench.command("run", "night.mkv").args(["--video-frames", "2"]).output().unwrap();
    assert_refused(&few, 2, &["--video-frames", "use 3 to"]);
    assert!(!bench.path("out.frames").exists() && !bench.path("out").exists());
}

/// A second run in the folder of one under way, which reads the frames.
#[test]
fn frames_stay_as_they_are_while_a_run_reads_them() {
    let Some(bench) = Bench::new() else { return };
    finish(&mut bench.command("run", "night.mkv"));
    let frames = contents(&bench.path("out.frames"));
    let lock = std::fs::File::create(bench.path("out/.naka-gs.lock")).unwrap();
    lock.lock().unwrap();
    let other = bench.command("run", "night.mkv").args(["-w", "--video-frames", "4"]).output().unwrap();
    assert_refused(&other, 1, &["another naka-gs"]);
    assert_eq!(contents(&bench.path("out.frames")), frames);
}

/// Presets follow how many photographs there are and how noisy: of a video, its frames.
#[test]
fn a_batch_gives_a_video_the_settings_that_a_run_does() {
    let Some(bench) = Bench::new() else { return };
    std::fs::create_dir(bench.path("walks")).unwrap();
    let mut film = Command::new("ffmpeg");
    film.args(["-nostdin", "-loglevel", "error", "-f", "lavfi", "-i", "testsrc2=size=192x144:rate=10:duration=4.4"]);
    assert!(film.args(["-c:v", "ffv1"]).arg(bench.path("walks/long.mkv")).status().unwrap().success());
    // The stand-in for COLMAP finds no poses: settings are written before it is asked.
    std::fs::write(bench.path("nothing"), "").unwrap();
    let settings = |command: &str, scene: &str, out: &str| {
        let mut naka = naka_gs();
        naka.arg(command).arg(bench.path(scene)).arg("-o").arg(bench.path(out)).args(["--adapter", "cpu"]);
        naka.args(["--weights", "none", "--video-candidates", "1"]).arg("--colmap").arg(bench.path("colmap"));
        assert!(!naka.output().unwrap().status.success());
        std::fs::read_to_string(
            bench.path(out).join(if command == "run" { "" } else { "long.mkv" }).join("settings.toml"),
        )
    };
    let run = settings("run", "walks/long.mkv", "one").unwrap();
    assert!(run.contains("sh_degree = 3") && run.contains("strategy = \"default\""), "{run}");
    assert_eq!(settings("batch", "walks", "all").unwrap(), run);
}

#[test]
fn a_batch_takes_videos() {
    let Some(bench) = Bench::new() else { return };
    std::fs::create_dir(bench.path("walks")).unwrap();
    std::fs::rename(bench.path("night.mkv"), bench.path("walks/night.mkv")).unwrap();
    finish(&mut bench.command("batch", "walks"));
    let table = std::fs::read_to_string(bench.path("out/summary.csv")).unwrap();
    assert!(table.lines().any(|line| line.starts_with("night.mkv,done")), "{table}");
    assert!(bench.path("out/night.mkv/splats.ply").is_file() && bench.path("out/night.mkv.frames/0001.png").is_file());
}
