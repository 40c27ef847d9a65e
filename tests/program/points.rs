//! Files of points through `naka-gs ppm`, and that no command replaces what it reads.

use super::support::{assert_refused, contents, naka_gs};
use super::tiny_scene::TinyScene;
use glam::DVec3;
use naka_gs::prior;
use serde_json::Value;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Output;

fn ppm(points: &Path, out: &Path, more: &[&str]) -> Output {
    naka_gs().arg("ppm").arg(points).arg("-o").arg(out).args(more).output().unwrap()
}

/// What it says on stderr.
fn done(output: &Output) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{stderr}");
    stderr
}

/// Points as a PLY of doubles.
fn write_ply(path: &Path, points: &[DVec3]) {
    let mut text = format!("ply\nformat ascii 1.0\nelement vertex {}\n", points.len());
    ["x", "y", "z"].iter().for_each(|axis| _ = writeln!(text, "property double {axis}"));
    text += "end_header\n";
    points.iter().for_each(|p| _ = writeln!(text, "{} {} {}", p.x, p.y, p.z));
    fs::write(path, text).unwrap();
}

/// A square of points half a unit apart.
fn square(side: u32, corner: DVec3) -> Vec<DVec3> {
    let at = |i: u32| corner + 0.5 * DVec3::new(f64::from(i % side), f64::from(i / side), 0.0);
    (0..side * side).map(at).collect()
}

/// An archive of arrays of floats, by name and shape.
fn write_npz(path: &Path, arrays: &[(&str, &[usize], &[f32])]) {
    let mut archive = rawzip::ZipArchiveWriter::new(Vec::new());
    for (name, shape, values) in arrays {
        let shape: String = shape.iter().map(|n| format!("{n}, ")).collect();
        let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({shape}), }}\n");
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.as_bytes());
        values.iter().for_each(|v| bytes.extend(v.to_le_bytes()));
        let name = format!("{name}.npy");
        let new = archive.new_file(&name).compression_method(rawzip::CompressionMethod::STORE);
        let (mut entry, config) = new.start().unwrap();
        let mut writer = config.wrap(&mut entry);
        std::io::Write::write_all(&mut writer, &bytes).unwrap();
        let (_, descriptor) = writer.finish().unwrap();
        entry.finish(descriptor).unwrap();
    }
    fs::write(path, archive.finish().unwrap()).unwrap();
}

#[test]
fn points_far_from_the_origin_keep_their_places() {
    let dir = tempfile::tempdir().unwrap();
    let (folder, out) = (dir.path().join("cloud"), dir.path().join("out.ply"));
    fs::create_dir(&folder).unwrap();
    let points = square(20, DVec3::new(500_000.1, 4_500_000.2, 120.3));
    write_ply(&folder.join("points.ply"), &points);
    // The file, the folder that it is in, and the result, which states its origin.
    for (input, name) in
        [(folder.join("points.ply"), "a.ply"), (folder, "b.ply"), (out.with_file_name("a.ply"), "c.ply")]
    {
        let out = out.with_file_name(name);
        let stderr = done(&ppm(&input, &out, &["--voxel-size", "0", "--iters", "0"]));
        assert!(stderr.contains("relative to (") && stderr.contains(name), "{stderr}");
        let frame = prior::stated_frame(&out).unwrap().unwrap();
        assert!(frame.unit == 1.0 && frame.origin.distance(points[0]) < 100.0, "{frame:?}");
        let cloud = prior::read_in(&out, &frame).unwrap();
        assert_eq!(cloud.len(), points.len());
        for (found, point) in cloud.positions.iter().zip(&points) {
            let found = frame.leave(DVec3::from(found.map(f64::from)));
            assert!(found.distance(*point) < 1e-4, "{name}: {found} instead of {point}");
        }
    }
    // Lengths stay those of the file, in whatever unit that would be computed.
    let tiny: Vec<DVec3> = square(20, DVec3::ZERO).iter().map(|p| *p * 1e-4).collect();
    let input = dir.path().join("tiny.ply");
    write_ply(&input, &tiny);
    let stderr = done(&ppm(&input, &out, &["--voxel-size", "1e-4", "--iters", "0"]));
    assert!(!stderr.contains("relative to"), "{stderr}");
    let count = prior::read(&out).unwrap().len();
    assert!((90..=121).contains(&count), "{count} of 100 cells");
}

#[test]
fn points_that_are_left_out_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let (input, out, stats) = (at("conf.npz"), at("out.ply"), at("stats.json"));
    let mut places: Vec<f32> = (0..300u16).map(f32::from).collect();
    places[5] = f32::NAN;
    let conf: Vec<f32> = (0..100u16).map(|i| f32::from(i) / 100.0).collect();
    let images = [0.5; 12];
    write_npz(&input, &[("points", &[100, 3], &places), ("conf", &[100], &conf), ("images", &[1, 3, 2, 2], &images)]);
    let refused = ppm(&input, &out, &[]);
    assert_refused(&refused, 1, &["conf.npz", "99 of 100", "lower --min-confidence"]);
    let stats_of = ["--min-confidence", "0.25", "--iters", "0", "--stats", stats.to_str().unwrap()];
    let stderr = done(&ppm(&input, &out, &stats_of));
    assert!(stderr.contains("24 of 100 points are below"), "{stderr}");
    // Pictures of another size cannot be colors, and a message says so.
    assert!(stderr.contains("`images`") && stderr.contains("4 colors"), "{stderr}");
    let report: Value = serde_json::from_slice(&fs::read(&stats).unwrap()).unwrap();
    // The point that is nowhere is one of the first, and counted once.
    assert_eq!(report["input"], 100);
    assert_eq!(report["dropped"], 1, "{report}");
    assert_eq!(report["unsure"], 24, "{report}");
    assert_eq!(report["output"], 75);
}

#[test]
fn pooling_that_leaves_little_is_warned_of() {
    let dir = tempfile::tempdir().unwrap();
    let (input, out) = (dir.path().join("in.ply"), dir.path().join("out.ply"));
    write_ply(&input, &square(80, DVec3::ZERO));
    let stderr = done(&ppm(&input, &out, &["--voxel-size", "10"]));
    assert!(
        stderr.contains("--voxel-size 10 left 16 of 6400 points") && stderr.contains("--min-points 5000"),
        "{stderr}"
    );
    for more in [["--voxel-size", "0.1"], ["--min-points", "10"]] {
        let stderr = done(&ppm(&input, &out, &[&more[..], &["-w"]].concat()));
        assert!(!stderr.contains("warn") && !stderr.contains("WARN"), "{stderr}");
    }
}

#[test]
fn what_is_read_is_never_replaced() {
    let tiny = TinyScene::new(4);
    let cloud = tiny.scene.join("points.ply");
    write_ply(&cloud, &square(20, DVec3::ZERO));
    let scene = tiny.scene.to_str().unwrap();
    let at = |name: &str| tiny.scene.join(name).to_str().unwrap().to_string();
    let (points, poses, photo, other) =
        (at("points.ply"), at("transforms_train.json"), at("train/0001.JPG"), at("../other.ply"));
    let before = contents(&tiny.scene);
    let few =
        ["--make", "frustum", "--make-points", "50", "--weights", "none", "--adapter", "cpu", "--pose-check", "off"];
    let commands: [(&[&str], &str); 10] = [
        (&["ppm", &points, "-o", &points], &points),
        (&["ppm", scene, "-o", &points], &points),
        (&["ppm", &points, "-o", &other, "--stats", &points], &points),
        (&["ppm", &points, "-o", &poses, "--scene", scene], &poses),
        (&["ppm", &points, "-o", &photo, "--scene", scene], &photo),
        (&["prior", scene, "-o", &points, "--points", &points], &points),
        (&["prior", scene, "-o", &points, "--min-existing", "1"], &points),
        (&["prior", scene, "-o", &points, "--ignore-existing", "--colors", &points], &points),
        (&["path", scene, "-o", &poses], &poses),
        (&["path", &poses, "-o", &poses], &poses),
    ];
    for (command, out) in commands {
        let name = Path::new(out).file_name().unwrap().to_str().unwrap();
        let output = naka_gs().args(command).arg("-w").output().unwrap();
        assert_refused(&output, 1, &[name, "never replaced", "--out"]);
        assert!(contents(&tiny.scene) == before, "{command:?}");
    }
    // Two results in one file are refused, too.
    let output = naka_gs().args(["ppm", &points, "-o", &other, "--stats", &other]).output().unwrap();
    assert_refused(&output, 2, &["--stats", "other.ply"]);
    assert!(!Path::new(&other).exists());
    // What is not read may be replaced: points that are ignored.
    let output = naka_gs().args(["prior", scene, "-o", &points, "--ignore-existing", "-w"]).args(few).output().unwrap();
    done(&output);
    assert!(prior::read(&points).unwrap().len() <= 50);
}

/// Records and settings files are read in other folders, and a path has many spellings.
#[test]
fn files_that_settings_name_are_found_from_other_folders() {
    let tiny = TinyScene::new(8);
    let (work, elsewhere) = (tiny.scene.parent().unwrap(), tempfile::tempdir().unwrap());
    write_ply(&work.join("p.ply"), &square(20, DVec3::ZERO));
    fs::write(work.join("c.toml"), "kind = 'srgb-exposure'\nratio = 40.0\n").unwrap();
    let run = |folder: &Path, more: &[&str]| {
        let mut command = naka_gs();
        command.arg("run").arg(&tiny.scene).arg("-o").arg(&tiny.out).args(more);
        done(&command.current_dir(folder).output().unwrap());
        let record: Value = serde_json::from_slice(&fs::read(tiny.out.join("run.json")).unwrap()).unwrap();
        let stages = record["stages"].as_array().unwrap().clone();
        stages.iter().map(|stage| stage["status"].as_str().unwrap().to_string()).collect::<Vec<_>>()
    };
    let named = |points: &str, camera: &str| {
        let quick = ["--adapter", "cpu", "--weights", "none", "--steps", "3", "--sh-degree", "0", "--voxel-size", "0"];
        run(work, &[&quick[..], &["--holdout", "4", "--points", points, "--camera", camera]].concat())
    };
    assert_eq!(named("p.ply", "c.toml"), ["done"; 6]);
    let full = work.join("p.ply").to_str().unwrap().to_string();
    for (points, camera) in [("./p.ply", "./scene/../c.toml"), (full.as_str(), "c.toml")] {
        assert_eq!(named(points, camera), ["kept"; 6], "{points} {camera}");
    }
    let settings = tiny.out.join("settings.toml");
    assert_eq!(run(elsewhere.path(), &["--config", settings.to_str().unwrap()]), ["kept"; 6]);
    let mut report = naka_gs();
    let output = report.arg("report").arg(&tiny.out).current_dir(elsewhere.path()).output().unwrap();
    assert!(!done(&output).contains("no pictures"));
    assert!(fs::read_to_string(tiny.out.join("report.html")).unwrap().contains("<img"));
}
