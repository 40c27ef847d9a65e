//! Scene folders: what is read, what is refused, and that the refusal names the file and the remedy.

use super::*;
use crate::Result;
use glam::{DMat4, DVec3};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::{fs, io};

pub(super) const SIZE: (u32, u32) = (6, 4);

pub(super) fn write_image(path: &Path, (width, height): (u32, u32)) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    ::image::RgbImage::new(width, height).save(path).unwrap();
}

pub(super) fn frame(name: &str, x: f64) -> Value {
    json!({"file_path": name, "transform_matrix": [[1, 0, 0, x], [0, 1, 0, 0], [0, 0, 1, 2], [0, 0, 0, 1]]})
}

pub(super) fn transforms(frames: Vec<Value>) -> Value {
    json!({"fl_x": 5.0, "fl_y": 5.5, "cx": 3.25, "cy": 2.0, "w": 6.0, "h": 4, "k1": 0, "p2": 0.0, "frames": frames})
}

/// The warnings of `work`.
pub(super) fn said(work: impl FnOnce()) -> String {
    #[derive(Clone, Default)]
    struct Said(Arc<Mutex<Vec<u8>>>);
    impl io::Write for Said {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let said = Said::default();
    let writer = said.clone();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::WARN).with_writer(move || writer.clone());
    tracing::subscriber::with_default(subscriber.finish(), work);
    let bytes = said.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

/// A scene of four views in `train/`.
pub(super) fn scene() -> (tempfile::TempDir, Value) {
    let dir = tempfile::tempdir().unwrap();
    let names: Vec<String> = (0..4).map(|i| format!("train/{i}.png")).collect();
    names.iter().for_each(|name| write_image(&dir.path().join(name), SIZE));
    let json = transforms(names.iter().zip(0..).map(|(name, i)| frame(name, f64::from(i))).collect());
    fs::write(dir.path().join("transforms_train.json"), json.to_string()).unwrap();
    (dir, json)
}

pub(super) fn reload(dir: &Path, json: &Value) -> Result<Capture> {
    fs::write(dir.join("transforms_train.json"), json.to_string()).unwrap();
    load(dir, &Options::default())
}

/// The message of a scene changed by `change`; it names the JSON file.
pub(super) fn refusal(change: impl FnOnce(&Path, &mut Value)) -> String {
    let (dir, mut json) = scene();
    change(dir.path(), &mut json);
    let error = reload(dir.path(), &json).unwrap_err();
    assert_eq!(error.exit_code(), 1);
    error.to_string()
}

#[test]
fn transforms_train_and_test() {
    let (dir, _) = scene();
    let test = transforms(vec![frame("test/8.JPG", 8.0), frame("test/9.png", 9.0)]);
    fs::write(dir.path().join("transforms_test.json"), test.to_string()).unwrap();
    write_image(&dir.path().join("test/9.png"), SIZE);
    let capture = load(dir.path(), &Options::default()).unwrap();
    let names: Vec<&str> = capture.train.iter().map(|v| v.name.as_str()).collect();
    assert_eq!(names, ["0.png", "1.png", "2.png", "3.png"]);
    let camera = &capture.train[3].camera;
    assert_eq!((camera.fx, camera.fy, camera.cx, camera.width, camera.height), (5.0, 5.5, 3.25, 6, 4));
    assert!(camera.center().abs_diff_eq(DVec3::new(3.0, 0.0, 2.0), 1e-12));
    assert!(camera.forward().abs_diff_eq(DVec3::NEG_Z, 1e-12));
    assert_eq!(capture.test[0].image, None);
    assert_eq!(capture.test[0].name, "8.JPG");
    assert_eq!(capture.test[1].image, Some(dir.path().join("test/9.png")));
    assert_eq!(capture.points, None);
    assert!((capture.scene_scale() - 1.65).abs() < 1e-12);
}

#[test]
fn holdout_takes_every_nth_from_0() {
    let (dir, mut json) = scene();
    for i in 4..9 {
        write_image(&dir.path().join(format!("train/{i}.png")), SIZE);
        json["frames"].as_array_mut().unwrap().push(frame(&format!("train/{i}.png"), 1.0));
    }
    reload(dir.path(), &json).unwrap();
    let with = |n| load(dir.path(), &Options { holdout: Some(n), ..Options::default() });
    let names: Vec<String> = with(4).unwrap().holdout.into_iter().map(|v| v.name).collect();
    assert_eq!(names, ["0.png", "4.png", "8.png"]);
    assert_eq!(with(4).unwrap().train.len(), 6);
    assert!(with(1).unwrap_err().to_string().contains("0 views to train on (9 held out)"));
    assert_eq!(with(0).unwrap_err().exit_code(), 2);
}

#[test]
fn own_intrinsics_angles_and_missing_sizes() {
    let (dir, mut json) = scene();
    json["frames"][1]["fl_x"] = json!(9.0);
    json["frames"][2]["camera_angle_x"] = json!(std::f64::consts::FRAC_PI_2);
    let top = json.as_object_mut().unwrap();
    ["w", "h", "cx", "cy"].iter().for_each(|key| drop(top.remove(*key)));
    json["frames"][3]["file_path"] = json!("./train/3");
    let capture = reload(dir.path(), &json).unwrap();
    let focal = |i: usize| (capture.train[i].camera.fx, capture.train[i].camera.fy);
    assert_eq!((focal(0), focal(1)), ((5.0, 5.5), (9.0, 9.0)));
    assert!((focal(2).0 - 3.0).abs() < 1e-12);
    assert_eq!((capture.train[0].camera.cx, capture.train[0].camera.cy), (3.0, 2.0));
    assert_eq!(capture.train[3].name, "3.png");
}

#[test]
fn broken_json_names_its_line() {
    let (dir, json) = scene();
    let path = dir.path().join("transforms_train.json");
    let text = serde_json::to_string_pretty(&json).unwrap();
    let message = |text: &str| {
        fs::write(&path, text).unwrap();
        let message = load(dir.path(), &Options::default()).unwrap_err().to_string();
        assert!(message.contains("transforms_train.json"), "{message}");
        message
    };
    assert!(message(&text[..text.len() / 2]).contains("cut off"));
    let nan = message(&text.replacen("2.0", "NaN", 1));
    assert!(nan.contains("no NaN") && nan.contains("line "), "{nan}");
    assert!(message(&text.replacen("file_path", "filepath", 1)).contains("file_path"));
    assert!(message("[1").contains("line 1"));
    assert!(message(r#"{"frames": []}"#).contains("no frames"));
}

#[test]
fn frames_that_cannot_be_used() {
    let pose = |i: usize, row: usize, column: usize, value: f64| {
        refusal(move |_, json| json["frames"][i]["transform_matrix"][row][column] = json!(value))
    };
    assert!(pose(2, 2, 2, 0.0).contains("frame 2 (`train/2.png`): its pose is singular"));
    assert!(pose(1, 0, 0, 1.1).contains("not rigid"));
    assert!(refusal(|_, json| json["frames"][0]["transform_matrix"] = json!([[1, 2]])).contains("4 × 4"));
    let missing = refusal(|dir, _| (1..3).for_each(|i| fs::remove_file(dir.join(format!("train/{i}.png"))).unwrap()));
    assert!(missing.contains("2 of its 4 poses") && missing.contains("train/1.png, train/2.png"), "{missing}");
    let size = refusal(|dir, _| write_image(&dir.join("train/1.png"), (7, 4)));
    assert!(size.contains("1.png: is 7 × 4 pixels") && size.contains("says 6 × 4"), "{size}");
    let empty = refusal(|dir, _| fs::write(dir.join("train/1.png"), b"").unwrap());
    assert!(empty.contains("1.png"), "{empty}");
    let few = refusal(|_, json| json["frames"].as_array_mut().unwrap().truncate(2));
    assert!(few.contains("2 views") && few.contains("at least 3"));
    let twice = refusal(|_, json| json["frames"][3] = frame("1.png", 0.0));
    assert!(twice.contains("frames 1 and 3 (`train/1.png`, `1.png`) are both called `1.png`"), "{twice}");
}

#[test]
fn lenses_that_cannot_be_read() {
    assert!(refusal(|_, json| json["k4"] = json!(0.01)).contains("k4 is 0.01"));
    assert!(
        refusal(|_, json| json["frames"][1]["k1"] = json!(-9.0)).contains("frame 1 (`train/1.png`): its distortion")
    );
    assert!(refusal(|_, json| json["camera_model"] = json!("EQUIRECTANGULAR")).contains("EQUIRECTANGULAR"));
    assert!(refusal(|_, json| json["fl_x"] = json!(-5)).contains("focal lengths are -5"));
    assert!(refusal(|_, json| json["w"] = json!(6.5)).contains("6.5"));
    assert!(refusal(|_, json| json["h"] = Value::Null).contains("only one of"));
    let tangential = refusal(|_, json| {
        json["camera_model"] = json!("OPENCV_FISHEYE");
        json["p1"] = json!(0.1);
    });
    assert!(tangential.contains("p1 and p2"), "{tangential}");
}

#[test]
fn distorted_lenses_become_pinholes() {
    let lens = |change: &dyn Fn(&mut Value)| {
        let (dir, mut json) = scene();
        change(&mut json);
        let view = reload(dir.path(), &json).unwrap().train.swap_remove(1);
        assert_eq!(view.read().unwrap().pixels.len(), 24);
        let zoom = view.lens.map_or(1.0, |lens| lens.zoom);
        assert!((view.camera.fx - 5.0 * zoom).abs() < 1e-12 && (view.camera.cx - 3.25).abs() < 1e-12);
        view.lens.map(|lens| lens.distortion)
    };
    assert_eq!(lens(&|json| json["k1"] = json!(0.0)), None);
    let brown = |k1, p2| Some(Distortion::Brown { k: [k1, 0.0, 0.0, 0.0, 0.0, 0.0], p: [0.0, p2] });
    assert_eq!(lens(&|json| json["k1"] = json!(-0.1)), brown(-0.1, 0.0));
    assert_eq!(lens(&|json| json["frames"][1]["p2"] = json!(0.01)), brown(0.0, 0.01));
    let fisheye = |k4| Some(Distortion::Fisheye { k: [0.1, 0.0, 0.0, k4], p: [0.0; 2], s: [0.0; 2] });
    for fisheye_key in ["camera_model", "is_fisheye"] {
        let found = lens(&|json| {
            json[fisheye_key] = if fisheye_key == "is_fisheye" { json!(true) } else { json!("OPENCV_FISHEYE") };
            (json["k1"], json["k4"]) = (json!(0.1), json!(0.02));
        });
        assert_eq!(found, fisheye(0.02));
    }
}

#[test]
fn paths_stay_inside_the_scene_unless_allowed() {
    let outside = tempfile::tempdir().unwrap();
    let target = outside.path().join("far.png");
    write_image(&target, SIZE);
    let (dir, json) = scene();
    let up = format!("../{}/far.png", outside.path().file_name().unwrap().to_str().unwrap());
    let mut names = vec![up, target.to_str().unwrap().to_string()];
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(&target, dir.path().join("train/link.png")).unwrap();
        names.push("train/link.png".into());
    }
    for name in names {
        let mut json = json.clone();
        json["frames"][1]["file_path"] = json!(name);
        let message = reload(dir.path(), &json).unwrap_err().to_string();
        assert!(message.contains("outside") && message.contains("allow_outside"), "{message}");
        let capture = load(dir.path(), &Options { allow_outside: true, ..Options::default() }).unwrap();
        assert!(capture.train[1].image.is_some());
    }
    let mut json = json;
    // What is missing there is no picture of the scene that has its name.
    for name in ["../1.png".to_string(), outside.path().join("1.png").to_str().unwrap().to_string()] {
        json["frames"][1]["file_path"] = json!(name);
        fs::write(dir.path().join("transforms_train.json"), json.to_string()).unwrap();
        let capture = load(dir.path(), &Options { allow_outside: true, ..Options::default() }).unwrap();
        assert_eq!(capture.train.len(), 3, "{name}");
    }
    // Points are optional.
    json["ply_file_path"] = json!("/etc/hostname");
    assert_eq!(reload(dir.path(), &json).unwrap().points, None);
}

#[test]
fn folders_without_a_scene() {
    let dir = tempfile::tempdir().unwrap();
    let message = load(dir.path(), &Options::default()).unwrap_err().to_string();
    assert!(message.contains("no cameras") && message.contains("transforms.json"));
    assert!(load(dir.path().join("nowhere"), &Options::default()).unwrap_err().to_string().contains("nowhere"));
    fs::write(dir.path().join("file"), b"x").unwrap();
    assert!(load(dir.path().join("file"), &Options::default()).unwrap_err().to_string().contains("not a scene"));
}

pub(super) fn colmap_scene(model: &str, cameras: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join(model);
    fs::create_dir_all(&folder).unwrap();
    let mut images = String::from("# images\n");
    for (name, keypoints) in [("b 2.png", "1 2 -1"), ("c.png", ""), ("a.png", "3 4 5 6 7 8")] {
        write_image(&dir.path().join("images").join(name), SIZE);
        images += &format!("7 0.5 0 0.5 0 1 2 3 4 {name}\n{keypoints}\n");
    }
    fs::write(folder.join("cameras.txt"), cameras).unwrap();
    fs::write(folder.join("images.txt"), images).unwrap();
    dir
}

#[test]
fn colmap_text_model() {
    let dir = colmap_scene("sparse", "# cameras\n4 PINHOLE 6 4 5 5.5 3 2\n");
    let capture = load(dir.path(), &Options::default()).unwrap();
    let names: Vec<&str> = capture.train.iter().map(|v| v.name.as_str()).collect();
    assert_eq!(names, ["a.png", "b 2.png", "c.png"]);
    let camera = &capture.train[0].camera;
    assert_eq!((camera.fx, camera.fy), (5.0, 5.5));
    // The quaternion is a quarter turn about y.
    let expected = DMat4::from_rotation_y(std::f64::consts::FRAC_PI_2);
    assert!(camera.viewmat.transform_vector3(DVec3::Z).abs_diff_eq(expected.transform_vector3(DVec3::Z), 1e-12));
    assert!(camera.viewmat.w_axis.truncate().abs_diff_eq(DVec3::new(1.0, 2.0, 3.0), 1e-12));
    let undistorted = colmap_scene("sparse/0", "4 SIMPLE_RADIAL 6 4 5 3 2 0\n");
    let view = load(undistorted.path(), &Options::default()).unwrap().train.swap_remove(1);
    assert_eq!((view.camera.fy, view.lens), (5.0, None));
    let distorted = colmap_scene("sparse/0", "4 SIMPLE_RADIAL 6 4 5 3 2 0.1\n");
    let view = load(distorted.path(), &Options::default()).unwrap().train.swap_remove(1);
    let lens = view.lens.unwrap();
    assert_eq!((lens.fx, lens.fy, lens.cy, view.camera.fy), (5.0, 5.0, 2.0, 5.0 * lens.zoom));
    assert!(lens.zoom > 1.0);
}

#[test]
fn colmap_models_that_are_refused() {
    let message = |cameras: &str| {
        let dir = colmap_scene("sparse/0", cameras);
        load(dir.path(), &Options::default()).unwrap_err().to_string()
    };
    let folded = message("4 OPENCV 6 4 5 5 3 2 -9 0 0 0\n");
    assert!(folded.contains("`a.png`") && folded.contains("cannot be inverted"), "{folded}");
    assert!(message("4 OPENCV 6 4 5 5 3 2 0 0 0\n").contains("OPENCV has 8 parameters, not 7"));
    assert!(message("4 EQUIRECTANGULAR 6 4 6 4\n").contains("EQUIRECTANGULAR"));
    assert!(message("4 PINHOLE 6\n").contains("line 1"));
    assert!(message("5 PINHOLE 6 4 5 5 3 2\n").contains("camera 4 does not exist"));
    assert!(message("4 PINHOLE 6 5 5 5 3 2\n").contains("6 × 5"));
}

#[test]
fn colmap_binary_model_agrees_with_text_and_may_not_be_cut_off() {
    let dir = colmap_scene("sparse/0", "4 PINHOLE 6 4 5 5.5 3 2\n");
    let text = load(dir.path(), &Options::default()).unwrap();
    let folder = dir.path().join("sparse/0");
    let mut cameras = 1u64.to_le_bytes().to_vec();
    cameras.extend([4u32, 1].iter().flat_map(|v| v.to_le_bytes()));
    cameras.extend([6u64, 4].iter().flat_map(|v| v.to_le_bytes()));
    cameras.extend([5.0f64, 5.5, 3.0, 2.0].iter().flat_map(|v| v.to_le_bytes()));
    let mut images = 3u64.to_le_bytes().to_vec();
    for (name, keypoints) in [("b 2.png", 1u64), ("c.png", 0), ("a.png", 2)] {
        images.extend(7u32.to_le_bytes());
        images.extend([0.5f64, 0.0, 0.5, 0.0, 1.0, 2.0, 3.0].iter().flat_map(|v| v.to_le_bytes()));
        images.extend(4u32.to_le_bytes());
        images.extend(name.bytes().chain([0]));
        images.extend(keypoints.to_le_bytes());
        images.extend(vec![1; keypoints as usize * 24]);
    }
    for length in 0..images.len() {
        fs::write(folder.join("cameras.bin"), &cameras).unwrap();
        fs::write(folder.join("images.bin"), &images[..length]).unwrap();
        assert!(load(dir.path(), &Options::default()).unwrap_err().to_string().contains("images.bin"));
    }
    fs::write(folder.join("images.bin"), &images).unwrap();
    assert_eq!(load(dir.path(), &Options::default()).unwrap(), text);
    fs::write(folder.join("cameras.bin"), &cameras[..20]).unwrap();
    assert!(load(dir.path(), &Options::default()).unwrap_err().to_string().contains("cameras.bin"));
}

#[test]
fn points_that_come_with_a_capture() {
    let (dir, mut json) = scene();
    fs::create_dir_all(dir.path().join("sparse/0")).unwrap();
    fs::write(dir.path().join("sparse/0/points3D.bin"), b"").unwrap();
    let points = |json: &Value| reload(dir.path(), json).unwrap().points.unwrap();
    assert_eq!(points(&json), dir.path().join("sparse/0"));
    fs::write(dir.path().join("points.ply"), b"").unwrap();
    assert_eq!(points(&json), dir.path().join("points.ply"));
    json["ply_file_path"] = json!("sparse_pc.ply");
    assert_eq!(points(&json), dir.path().join("points.ply"));
    fs::write(dir.path().join("sparse_pc.ply"), b"").unwrap();
    assert_eq!(points(&json), dir.path().join("sparse_pc.ply"));
}

/// The tensor `name` of a golden file as f64.
fn golden(file: &safetensors::SafeTensors, name: &str) -> Vec<f64> {
    let tensor = file.tensor(name).unwrap();
    tensor.data().chunks_exact(8).map(|b| f64::from_le_bytes(b.try_into().unwrap())).collect()
}

#[test]
fn golden_world_normalization() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/golden");
    let mut checked = 0;
    for index in 0..10 {
        let Ok(bytes) = fs::read(folder.join(format!("points_{index:02}.safetensors"))) else { continue };
        let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let matrix = |v: &[f64]| DMat4::from_cols_slice(v).transpose();
        let cameras: Vec<Camera> = golden(&file, "cameras_c2w_opencv")
            .chunks_exact(16)
            .map(|c2w| Camera {
                width: 1,
                height: 1,
                fx: 1.0,
                fy: 1.0,
                cx: 0.5,
                cy: 0.5,
                viewmat: matrix(c2w).inverse(),
                reduction: 1.0,
            })
            .collect();
        let expected = matrix(&golden(&file, "normalize_transform"));
        let found = world_normalization_about(&cameras, DVec3::ZERO);
        assert!(found.abs_diff_eq(expected, 1e-6), "{found} instead of {expected}");
        checked += 1;
    }
    if checked == 0 {
        println!("skipped: no points_*.safetensors in {}", folder.display());
    }
}

#[test]
fn principal_axes_of_a_stretched_cloud() {
    let turn = DMat4::from_axis_angle(DVec3::new(1.0, -2.0, 0.5).normalize(), 1.1);
    let points: Vec<DVec3> = (0..1000)
        .map(|i| {
            let unit = |step: f64| (f64::from(i) * step).fract() - 0.5;
            let p = DVec3::new(unit(0.618) * 2.0, unit(0.414) * 8.0, unit(0.732) * 4.0);
            turn.transform_point3(p) + DVec3::splat(5.0)
        })
        .collect();
    let transform = principal_axes(&points);
    assert!((transform.determinant() - 1.0).abs() < 1e-9);
    let moved: Vec<DVec3> = points.iter().map(|&p| transform.transform_point3(p)).collect();
    let extent = moved.iter().fold(DVec3::ZERO, |m, p| m.max(p.abs()));
    assert!(extent.abs_diff_eq(DVec3::new(4.0, 2.0, 1.0), 0.3), "{extent}");
}

#[test]
fn normalization_of_degenerate_cameras_is_finite() {
    let camera =
        Camera { width: 1, height: 1, fx: 1.0, fy: 1.0, cx: 0.5, cy: 0.5, viewmat: DMat4::IDENTITY, reduction: 1.0 };
    assert!(world_normalization(&[]).is_finite());
    assert!(world_normalization(&[camera.clone(), camera.clone()]).is_finite());
    let upside_down = Camera { viewmat: DMat4::from_rotation_z(std::f64::consts::PI), ..camera };
    assert!(world_normalization(&[upside_down]).is_finite());
    assert_eq!(principal_axes(&[DVec3::ONE; 5]).determinant(), 1.0);
}

#[test]
fn the_real_captures_load() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    let (bench, dark) = (data.join("bench/bluehawaii_naka_quarter"), data.join("realx3d/BlueHawaii"));
    if !(bench.exists() && dark.exists()) {
        println!("skipped: no captures in {}", data.display());
        return;
    }
    let capture = load(&bench, &Options { holdout: Some(8), ..Options::default() }).unwrap();
    assert_eq!((capture.train.len(), capture.holdout.len()), (26, 4));
    assert_eq!(capture.points, Some(bench.join("sparse/0")));
    let capture = load(&dark, &Options::default()).unwrap();
    assert_eq!((capture.train.len(), capture.test.len()), (30, 6));
    assert!(capture.test.iter().all(|view| view.image.is_some()) && capture.points.is_none());
}
