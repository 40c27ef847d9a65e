//! `naka-gs prior` and `run` on a scene whose prior lies in another frame.

use super::support::{assert_refused, contents, naka_gs};
use super::tiny_scene::TinyScene;
use glam::{DMat4, DQuat, DVec3, DVec4};
use serde_json::Value;
use std::fmt::Write;
use std::path::Path;

const VIEWS: usize = 8;
const SCALE: f64 = 0.25;

/// A turn, a scale and a shift: the prior's own frame.
fn away(p: DVec3) -> DVec3 {
    SCALE * turn().mul_vec3(p) + DVec3::new(3.0, -2.0, 0.5)
}

fn turn() -> DQuat {
    DQuat::from_axis_angle(DVec3::new(0.6, 0.0, 0.8), 1.1)
}

/// A COLMAP model in `folder` of the scene's cameras and points around its middle, where `place` takes them.
fn model(scene: &TinyScene, folder: &Path, turn: DQuat, place: impl Fn(DVec3) -> DVec3) {
    std::fs::create_dir_all(folder).unwrap();
    let mut json = Value::Null;
    scene.edit(|scene| json = scene.clone());
    let (mut images, mut points) = (String::new(), String::new());
    for (i, frame) in json["frames"].as_array().unwrap().iter().enumerate() {
        let row = |r: usize| DVec4::from_array([0, 1, 2, 3].map(|c| frame["transform_matrix"][r][c].as_f64().unwrap()));
        let c2w = DMat4::from_cols(row(0), row(1), row(2), row(3)).transpose();
        let flip = DMat4::from_diagonal(DVec4::new(1.0, -1.0, -1.0, 1.0));
        let q = (turn * DQuat::from_mat4(&(c2w * flip))).inverse();
        let t = -(q * place(c2w.w_axis.truncate()));
        writeln!(images, "{i} {} {} {} {} {} {} {} 1 {i:04}_enhanced.png\n", q.w, q.x, q.y, q.z, t.x, t.y, t.z)
            .unwrap();
    }
    for i in 0..400 {
        let at = |k: usize| (i / k % 7) as f64 * 0.2 - 0.6;
        let p = place(DVec3::new(at(1), at(7), at(49)));
        writeln!(points, "{i} {} {} {} 10 20 30 0.5", p.x, p.y, p.z).unwrap();
    }
    std::fs::write(folder.join("images.txt"), images).unwrap();
    std::fs::write(folder.join("points3D.txt"), points).unwrap();
}

/// The positions in a PLY as this program writes it, and what it said on stdout.
fn prior(scene: &Path, out: &Path, more: &[&str]) -> (Vec<[f32; 3]>, String) {
    let output = naka_gs().arg("prior").arg(scene).arg("-w").arg("-o").arg(out).args(more).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    (positions(out), String::from_utf8(output.stdout).unwrap())
}

fn positions(ply: &Path) -> Vec<[f32; 3]> {
    let bytes = std::fs::read(ply).unwrap();
    let end = bytes.windows(11).position(|w| w == b"end_header\n").unwrap() + 11;
    let number = |row: &[u8], at: usize| f32::from_le_bytes(row[at..at + 4].try_into().unwrap());
    bytes[end..].chunks_exact(15).map(|row| [0, 4, 8].map(|at| number(row, at))).collect()
}

fn distance(a: &[[f32; 3]], b: &[[f32; 3]]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().flatten().zip(b.iter().flatten()).map(|(x, y)| (x - y).abs()).fold(0.0, f32::max)
}

#[test]
fn a_prior_in_another_frame_gives_the_same_points() {
    let (here, there) = (TinyScene::new(VIEWS), TinyScene::new(VIEWS));
    model(&here, &here.scene.join("sparse/0"), DQuat::IDENTITY, |p| p);
    model(&there, &there.scene.join("sparse/0"), turn(), away);
    let out = here.scene.parent().unwrap().join("points.ply");
    let few = ["--min-existing", "400"];
    let (expected, said) = prior(&here.scene, &out, &few);
    assert!(expected.len() == 400 && said.contains("scale    1 (identity)"), "{said}");
    // Reading points needs no adapter.
    let (found, said) = prior(&there.scene, &out, &[&few[..], &["--adapter", "there is none of this name"]].concat());
    assert!(distance(&found, &expected) < 1e-5, "{said}");
    let lines =
        ["the scene's own", "points   400 of 400", "8 of 8 matched (0 by name, 8 by stem, 0 by number)", "sim3"];
    assert!(lines.iter().all(|line| said.contains(line)) && !said.contains("left out"), "{said}");
    // By default 400 are too few.
    let (_, said) = prior(&here.scene, &out, &["--make-points", "500"]);
    assert!(said.contains("images") && said.contains("only 400"), "{said}");
    // The same by name, and without alignment.
    let elsewhere = there.scene.join("sparse").display().to_string();
    assert!(distance(&prior(&here.scene, &out, &["--points", &elsewhere]).0, &expected) < 1e-5);
    let (found, said) = prior(&here.scene, &out, &["--points", &elsewhere, "--align", "none"]);
    assert!(distance(&found, &expected) > 1.0 && said.contains("(none)"), "{said}");
    std::fs::remove_dir_all(here.scene.join("sparse")).unwrap();
    let mut command = naka_gs();
    command.arg("prior").arg(&here.scene).arg("-wo").arg(&out).args(["--poses", "align"]);
    assert_refused(&command.output().unwrap(), 2, &["--poses", "holds no cameras"]);
}

#[test]
fn a_run_in_the_frame_of_the_prior_is_resumed_with_its_cameras() {
    let tiny = TinyScene::new(VIEWS);
    let folder = tiny.scene.parent().unwrap().join("colmap");
    model(&tiny, &folder, turn(), away);
    let points = folder.display().to_string();
    let more = ["--points", &points, "--poses", "prior", "--holdout", "4", "--sh-degree", "0", "--voxel-size", "0"];
    let json =
        |name: &str| -> Value { serde_json::from_str(&std::fs::read_to_string(tiny.out.join(name)).unwrap()).unwrap() };
    let stage = |name: &str| {
        let stages = json("run.json")["stages"].as_array().unwrap().clone();
        stages.into_iter().find(|stage| stage["stage"] == name).unwrap()
    };
    let run = |more: &[&str]| {
        let output = tiny.run(more);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    run(&more);
    let counts = stage("prior")["counts"].clone();
    assert_eq!((&counts["reason"], &counts["alignment"]["matched"][1]), (&"asked for".into(), &8.into()), "{counts}");
    assert!((counts["alignment"]["scale"].as_f64().unwrap() - 1.0 / SCALE).abs() < 1e-9);
    // Points and cameras are where the prior has them, so that held-out views see the splats.
    let center = away(DVec3::ZERO).as_vec3().to_array();
    for p in positions(&tiny.out.join("points.ply")) {
        assert!((0..3).all(|k| (p[k] - center[k]).abs() < 1.2 * SCALE as f32));
    }
    let psnr = |metrics: &Value| metrics["holdout"]["psnr"].as_f64().unwrap();
    let before = psnr(&json("metrics.json"));
    std::fs::remove_file(tiny.out.join("splats.ply")).unwrap();
    run(&more);
    assert_eq!(["prior", "ppm", "train"].map(|name| stage(name)["status"].clone()), ["kept", "kept", "done"]);
    assert!((psnr(&json("metrics.json")) - before).abs() < 0.5, "{before} then {}", psnr(&json("metrics.json")));
    // A camera of the prior that moved is another run.
    let file = folder.join("images.txt");
    let text = std::fs::read_to_string(&file).unwrap();
    let line = text.lines().find(|line| line.ends_with("0003_enhanced.png")).unwrap();
    let words: Vec<&str> = line.split(' ').collect();
    let depth = words[7].parse::<f64>().unwrap() + 0.002;
    let moved = text.replace(line, &[&words[..7], &[&depth.to_string()], &words[8..]].concat().join(" "));
    std::fs::write(&file, moved).unwrap();
    let results = contents(&tiny.out);
    assert_refused(&tiny.run(&more), 1, &["--overwrite"]);
    assert!(contents(&tiny.out) == results, "nothing is touched");
}

/// What an automatic camera did is in its EXIF data, or seen by points that views share.
#[test]
fn exposures_that_differ_are_matched_and_others_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let tiny = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("scenes/tiny.toml")).unwrap();
    let found = |name: &str, automatic: &str, exif: &str| {
        let (scene, out) = (dir.path().join(format!("{name}.toml")), dir.path().join(name));
        let larger =
            tiny.replace("width = 64\nheight = 48", "width = 96\nheight = 72").replace("train = 6", "train = 9");
        std::fs::write(&scene, larger.replace("quality = 96", &format!("quality = 96\n{automatic}"))).unwrap();
        let photographed = naka_gs().args(["demo", "--photograph", "--scene"]).arg(&scene).arg("-o").arg(&out).output();
        assert!(photographed.unwrap().status.success());
        let mut run = naka_gs();
        run.arg("run").arg(out.join("capture")).arg("-o").arg(out.join("run")).args(["--until", "ppm"]);
        let output = run.args(["--weights", "none", "--adapter", "cpu", exif]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let record: Value = serde_json::from_slice(&std::fs::read(out.join("run/run.json")).unwrap()).unwrap();
        let prior = record["stages"].as_array().unwrap().iter().find(|stage| stage["stage"] == "prior").unwrap();
        let exposures = prior["counts"]["exposures"].as_object().cloned().unwrap_or_default();
        let gains = exposures.values().map(|gain| [0, 1, 2].map(|c| gain[c].as_f64().unwrap())).collect::<Vec<_>>();
        (gains, String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let automatic = "auto_exposure = 1.5\nbalance_drift = 0.15";
    let (fixed, stderr) = found("fixed", "", "--exif-exposure=true");
    assert!(fixed.is_empty() && !stderr.contains("EXIF"), "{fixed:?}");
    let (by_eye, stderr) = found("by_eye", automatic, "--exif-exposure=false");
    assert!(by_eye.len() == 9 && stderr.contains("EXIF exposures differ by"), "{by_eye:?} {stderr}");
    let (known, _) = found("known", automatic, "--exif-exposure=true");
    // Twice the light of green needs half the gain. With EXIF data only the white balance is left.
    let spread = |gains: &[[f64; 3]], channel: usize| {
        let logs = gains.iter().map(|gain| gain[channel].log2());
        logs.clone().fold(f64::MIN, f64::max) - logs.fold(f64::MAX, f64::min)
    };
    assert!(spread(&by_eye, 1) > 1.5, "{by_eye:?}");
    assert!(known.is_empty() || spread(&known, 1) < 0.4, "{known:?}");
}
