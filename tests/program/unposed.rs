//! A folder of photographs alone, through the binary, with a stand-in for COLMAP.

use super::support::{assert_refused, contents, naka_gs};
use glam::{DMat3, DMat4, DQuat};
use serde_json::Value;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Photographs of the tiny scene in a folder of their own, and a stand-in that knows their poses.
struct Bench {
    dir: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let bench = Self { dir: tempfile::tempdir().unwrap() };
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut demo = naka_gs();
        demo.args(["demo", "--photograph", "--scene"]).arg(root.join("scenes/tiny.toml"));
        assert!(demo.arg("-o").arg(bench.path("scene")).output().unwrap().status.success());
        std::fs::rename(bench.path("scene/capture/train"), bench.path("photos")).unwrap();
        std::os::unix::fs::symlink(root.join("tests/support/fake-colmap.sh"), bench.path("colmap")).unwrap();
        let json = json(&bench.path("scene/capture/transforms_train.json"));
        let number = |name: &str| json[name].as_f64().unwrap();
        let lens = ["w", "h", "fl_x", "fl_y", "cx", "cy"].map(number).map(|v| v.to_string()).join(" ");
        std::fs::write(bench.path("cameras"), format!("1 PINHOLE {lens}\n")).unwrap();
        let mut poses = String::new();
        // All but the last photograph.
        let frames = json["frames"].as_array().unwrap();
        for frame in &frames[..frames.len() - 1] {
            writeln!(poses, "{}", pose(frame)).unwrap();
        }
        std::fs::write(bench.path("poses"), poses).unwrap();
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn run(&self, more: &[&str]) -> Output {
        self.command(more).output().unwrap()
    }

    fn command(&self, more: &[&str]) -> Command {
        let mut command = naka_gs();
        command.arg("run").arg(self.path("photos")).arg("-o").arg(self.path("out"));
        command.args(["--adapter", "cpu", "--weights", "none", "--make-points", "500", "--steps", "3"]);
        command.arg("--colmap").arg(self.path("colmap")).args(more);
        command
    }

    fn finish(&self, more: &[&str]) -> String {
        let output = self.run(more);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{stderr}");
        stderr
    }

    fn statuses(&self) -> Vec<String> {
        let run = json(&self.path("out/run.json"));
        let stages = run["stages"].as_array().unwrap().clone();
        stages.iter().map(|s| format!("{} {}", s["stage"].as_str().unwrap(), s["status"].as_str().unwrap())).collect()
    }
}

fn json(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// A frame's pose as COLMAP writes it: `QW QX QY QZ TX TY TZ CAMERA NAME`.
fn pose(frame: &Value) -> String {
    let rows = frame["transform_matrix"].as_array().unwrap();
    let entry = |row: usize, column: usize| rows[row][column].as_f64().unwrap();
    let c2w = DMat4::from_cols_array(&std::array::from_fn(|i| entry(i % 4, i / 4)));
    let viewmat = (c2w * DMat4::from_diagonal(glam::DVec4::new(1.0, -1.0, -1.0, 1.0))).inverse();
    let (q, t) = (DQuat::from_mat3(&DMat3::from_mat4(viewmat)), viewmat.w_axis);
    let name = Path::new(frame["file_path"].as_str().unwrap()).file_name().unwrap().to_str().unwrap();
    format!("{} {} {} {} {} {} {} 1 {name}", q.w, q.x, q.y, q.z, t.x, t.y, t.z)
}

#[test]
fn photographs_alone_become_a_scene_that_other_tools_can_open() {
    let bench = Bench::new();
    std::fs::write(bench.path("photos/broken.JPG"), [0xff, 0xd8, 0xff]).unwrap();
    let count = contents(&bench.path("photos")).len() - 1;
    let stderr = bench.finish(&["--holdout", "3"]);
    assert!(stderr.contains("left out") && stderr.contains("broken.JPG"), "{stderr}");
    let unregistered = format!("no pose for 1 of {count} photographs");
    assert!(stderr.contains(&unregistered), "{stderr}");
    let done = ["poses", "enhance", "prior", "ppm", "train", "render", "eval"].map(|stage| format!("{stage} done"));
    assert_eq!(bench.statuses(), done);
    let record = json(&bench.path("out/run.json"));
    assert_eq!(record["stages"][0]["counts"]["registered"], count - 1);
    assert_eq!(contents(&bench.path("out/images")).len(), count - 1, "without a pose there is nothing to light for");
    assert!(!bench.path("out/transforms.json").exists(), "the model has the poses");
    for name in ["images/0001.JPG", "sparse/0/cameras.txt", "colmap.log", "splats.ply", "renders/0001.JPG"] {
        assert!(bench.path("out").join(name).is_file(), "{name} is missing");
    }
    assert!(!bench.path("out/poses").exists(), "the database is gone when all is done");
    let metrics = json(&bench.path("out/metrics.json"));
    assert_eq!(metrics["holdout"]["views"][0]["name"], "0001.JPG");

    // Nothing is made again, and the photographs' scene can be read as any other.
    let calls = std::fs::read(bench.path("calls")).unwrap();
    bench.finish(&["--holdout", "3"]);
    assert!(bench.statuses().iter().all(|status| status.ends_with("kept")), "{:?}", bench.statuses());
    assert_eq!(std::fs::read(bench.path("calls")).unwrap(), calls, "COLMAP was not asked again");
    assert_refused(&bench.run(&["--max-features", "999"]), 1, &["exists", "--overwrite"]);
    let mut again = naka_gs();
    again.arg("run").arg(bench.path("out")).arg("-o").arg(bench.path("second"));
    again.args(["--adapter", "cpu", "--weights", "none", "--steps", "1", "--make-points", "500"]);
    let output = again.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn features_are_looked_for_in_larger_photographs_than_those_trained_on() {
    let bench = Bench::new();
    std::fs::write(bench.path("crash"), "mapper").unwrap();
    assert_refused(&bench.run(&["--downscale", "2"]), 1, &["colmap.log", "mapper", "about to crash"]);
    assert_eq!(bench.statuses(), ["poses failed"]);
    let picture = bench.path("out/poses/images/0001.JPG.jpg");
    let large = image::open(&picture).unwrap();
    let lit_at = std::fs::metadata(&picture).unwrap().modified().unwrap();
    std::fs::write(bench.path("fail"), "mapper").unwrap();
    std::fs::remove_file(bench.path("crash")).unwrap();
    assert_refused(&bench.run(&["--downscale", "2"]), 1, &["out of ideas"]);
    assert_eq!(std::fs::metadata(&picture).unwrap().modified().unwrap(), lit_at, "lit once");
    std::fs::remove_file(bench.path("fail")).unwrap();
    bench.finish(&["--downscale", "2"]);
    let small = image::open(bench.path("out/images/0001.JPG")).unwrap();
    assert_eq!((large.width(), small.width()), (64, 32));
    let extracted = std::fs::read_to_string(bench.path("calls")).unwrap().matches("feature_extractor").count();
    assert_eq!(extracted, 1, "what was finished before the crash is kept");
    let cameras = std::fs::read_to_string(bench.path("out/sparse/0/cameras.txt")).unwrap();
    assert!(cameras.starts_with("1 PINHOLE 32 24 "), "{cameras}");
    // No poses are to be rendered but those of the photographs.
    let renders = contents(&bench.path("out/renders"));
    assert!(renders.len() >= 3);
    assert_eq!(image::open(&renders[0].0).unwrap().width(), 64);
}

#[test]
fn a_distorted_lens_is_undistorted() {
    let bench = Bench::new();
    let pinhole = std::fs::read_to_string(bench.path("cameras")).unwrap();
    let numbers: Vec<f64> = pinhole.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [_, width, height, f, _, cx, cy] = numbers[..] else { panic!("{pinhole}") };
    bench.finish(&["--until", "poses", "--lens", "simple_pinhole"]);
    assert_eq!(bench.statuses(), ["poses done"]);
    bench.finish(&["--until", "enhance", "--lens", "simple_pinhole"]);
    let straight = std::fs::read(bench.path("out/images/0001.JPG")).unwrap();

    std::fs::write(bench.path("cameras"), format!("1 SIMPLE_RADIAL {width} {height} {f} {cx} {cy} -0.3\n")).unwrap();
    assert_refused(&bench.run(&[]), 1, &["exists", "--overwrite"]);
    bench.finish(&["-w", "--downscale", "2"]);
    assert!(bench.statuses().iter().all(|status| status.ends_with("done")), "{:?}", bench.statuses());
    assert!(std::fs::read_to_string(bench.path("calls")).unwrap().contains("camera_model SIMPLE_RADIAL"));
    let lens = json(&bench.path("out/sparse/0/lenses.json"))["1"].clone();
    let zoom = lens["zoom"].as_f64().unwrap();
    assert!((lens["fx"].as_f64().unwrap() - f).abs() < 1e-9 && (0.5..0.99).contains(&zoom), "{lens}");
    let cameras = std::fs::read_to_string(bench.path("out/sparse/0/cameras.txt")).unwrap();
    let words: Vec<f64> = cameras.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    assert!(cameras.starts_with("1 PINHOLE "), "{cameras}");
    assert_eq!(words[1..3], [width / 2.0, height / 2.0]);
    assert!((words[3] - 0.5 * f * zoom).abs() < 1e-9, "{cameras}");
    bench.finish(&["-w", "--downscale", "2"]);
    assert!(bench.statuses().iter().all(|status| status.ends_with("kept")), "{:?}", bench.statuses());

    // The middle of the photograph, with the bend taken out of it.
    bench.finish(&["-w"]);
    let undistorted = image::open(bench.path("out/images/0001.JPG")).unwrap().into_rgb32f();
    let straight = image::load_from_memory(&straight).unwrap().into_rgb32f();
    let (mut off, mut still) = (0.0, 0.0);
    for (x, y, pixel) in undistorted.enumerate_pixels() {
        let ray = [(f64::from(x) + 0.5 - cx) / (f * zoom), (f64::from(y) + 0.5 - cy) / (f * zoom)];
        let factor = f * (1.0 - 0.3 * (ray[0] * ray[0] + ray[1] * ray[1]));
        let [u, v] = [(ray[0] * factor + cx) / width, (ray[1] * factor + cy) / height].map(|v| v as f32);
        let there = image::imageops::sample_bilinear(&straight, u, v).unwrap();
        off += (pixel[1] - there[1]).abs();
        still += (pixel[1] - straight.get_pixel(x, y)[1]).abs();
    }
    assert!(off < 0.3 * still, "difference {off} to what the lens saw there, {still} to the photograph as it is");
}

#[test]
fn photographs_of_any_format_are_posed_and_keep_it() {
    let bench = Bench::new();
    for (i, (path, _)) in contents(&bench.path("photos")).iter().enumerate() {
        let picture = image::open(path).unwrap().into_rgb16();
        picture.save(path.with_extension(if i % 2 == 0 { "png" } else { "tif" })).unwrap();
        std::fs::remove_file(path).unwrap();
    }
    let poses = std::fs::read_to_string(bench.path("poses")).unwrap();
    let names = contents(&bench.path("photos"));
    let named = poses.lines().zip(&names).map(|(line, (path, _))| {
        let pose = line.rsplit_once(' ').unwrap().0;
        format!("{pose} {}\n", path.file_name().unwrap().to_str().unwrap())
    });
    std::fs::write(bench.path("poses"), named.collect::<String>()).unwrap();
    bench.finish(&["--until", "enhance"]);
    let lit = image::open(bench.path("out/images/0001.png")).unwrap();
    assert_eq!(lit.color(), image::ColorType::Rgb16);
    assert!(bench.path("out/images/0002.tif").is_file());
    // COLMAP 3.8 reads neither of these formats with 16 bits.
    let images = std::fs::read_to_string(bench.path("out/sparse/0/images.txt")).unwrap();
    assert!(images.contains(" 0001.png\n"), "{images}");
}

#[test]
fn a_prior_of_photographs_alone() {
    let bench = Bench::new();
    let mut prior = naka_gs();
    prior.arg("prior").arg(bench.path("photos")).arg("-o").arg(bench.path("points.ply"));
    prior.args(["--adapter", "cpu", "--weights", "none", "--make-points", "300"]);
    let output = prior.arg("--colmap").arg(bench.path("colmap")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for name in ["points.ply", "points.scene/images/0001.JPG", "points.scene/sparse/0/images.txt"] {
        assert!(bench.path(name).is_file(), "{name} is missing");
    }
}

#[test]
fn a_batch_takes_photographs_alone() {
    let bench = Bench::new();
    std::fs::create_dir(bench.path("night")).unwrap();
    std::fs::rename(bench.path("photos"), bench.path("night/photos")).unwrap();
    let mut batch = naka_gs();
    batch.arg("batch").arg(bench.path("night")).arg("-o").arg(bench.path("out"));
    batch.args(["--adapter", "cpu", "--weights", "none", "--make-points", "300", "--steps", "2"]);
    let output = batch.arg("--colmap").arg(bench.path("colmap")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let table = std::fs::read_to_string(bench.path("out/summary.csv")).unwrap();
    assert!(table.lines().any(|line| line.starts_with("photos,done")), "{table}");
    assert!(bench.path("out/photos/splats.ply").is_file());
}

#[test]
fn colmap_ends_with_a_killed_run_which_then_continues() {
    let bench = Bench::new();
    std::fs::write(bench.path("hang"), "mapper").unwrap();
    let mut run = bench.command(&[]).stderr(std::process::Stdio::null()).spawn().unwrap();
    let pid = wait_for(|| std::fs::read_to_string(bench.path("pid")).ok().filter(|pid| pid.ends_with('\n')));
    let alive = || Command::new("kill").args(["-0", pid.trim()]).stderr(std::process::Stdio::null()).status().unwrap();
    assert!(alive().success());
    run.kill().unwrap();
    run.wait().unwrap();
    wait_for(|| (!alive().success()).then_some(()));
    std::fs::remove_file(bench.path("hang")).unwrap();
    bench.finish(&[]);
    let extracted = std::fs::read_to_string(bench.path("calls")).unwrap().matches("feature_extractor").count();
    assert_eq!(extracted, 1, "what was finished before is kept");
    assert!(!bench.path("out/poses").exists());
}

fn wait_for<T>(mut found: impl FnMut() -> Option<T>) -> T {
    let started = std::time::Instant::now();
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(started.elapsed().as_secs() < 60, "it takes too long");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

#[test]
fn a_folder_of_the_users_is_no_work_folder() {
    let bench = Bench::new();
    std::fs::create_dir_all(bench.path("out/poses")).unwrap();
    std::fs::write(bench.path("out/poses/thesis.tex"), "mine").unwrap();
    assert_refused(&bench.run(&[]), 1, &["out/poses"]);
    assert_eq!(std::fs::read(bench.path("out/poses/thesis.tex")).unwrap(), b"mine");
    bench.finish(&["-w"]);
    assert_eq!(std::fs::read(bench.path("out/poses.bak/thesis.tex")).unwrap(), b"mine");
}

#[test]
fn two_photographs_are_too_few() {
    let bench = Bench::new();
    for (path, _) in contents(&bench.path("photos")).iter().skip(2) {
        std::fs::remove_file(path).unwrap();
    }
    assert_refused(&bench.run(&[]), 1, &["photos", "2 readable", "at least 3"]);
    assert!(!bench.path("out").exists());
}

#[test]
fn poses_from_elsewhere() {
    let bench = Bench::new();
    let transforms = bench.path("scene/capture/transforms_train.json");
    bench.finish(&["--poses-from", transforms.to_str().unwrap()]);
    assert_eq!(bench.statuses()[0], "enhance done");
    assert!(!bench.path("calls").exists() && !bench.path("out/sparse").exists());
    // A model next to the folder is found automatically.
    std::fs::remove_dir_all(bench.path("out")).unwrap();
    std::fs::create_dir_all(bench.path("sparse/0")).unwrap();
    std::fs::copy(bench.path("cameras"), bench.path("sparse/0/cameras.txt")).unwrap();
    let images: String = std::fs::read_to_string(bench.path("poses"))
        .unwrap()
        .lines()
        .fold(String::new(), |all, line| all + &format!("1 {line}\n\n"));
    std::fs::write(bench.path("sparse/0/images.txt"), images).unwrap();
    bench.finish(&[]);
    assert!(!bench.path("calls").exists());
}
