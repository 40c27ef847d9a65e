//! Scenes as a whole: description to files.

use super::path::{photograph, test_cameras, train_cameras};
use super::world::World;
use super::*;
use crate::capture::{Camera, Image};
use crate::error::Error;
use crate::eval::psnr;
use crate::progress::Silent;
use glam::{DMat4, DVec3};
use std::path::Path;

fn tiny() -> Scene {
    Scene::load(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/scenes/tiny.toml"))).unwrap()
}

fn read(path: &Path) -> Image {
    Image::from_rgb8(&::image::open(path).unwrap().to_rgb8())
}

#[test]
fn the_embedded_scene_is_sound() {
    let scene = Scene::night().unwrap();
    assert!(scene.camera.train >= 24 && scene.camera.test >= 4);
    assert!(scene.camera.width >= 480 && scene.camera.height >= 320);
    let again: Scene = toml::from_str(&toml::to_string(&scene).unwrap()).unwrap();
    assert_eq!(again, scene);
}

#[test]
fn a_glowing_ball_lands_where_the_camera_projects_it() {
    let mut scene = tiny();
    scene.camera.antialias = 1;
    (scene.panels, scene.boxes, scene.spheres) = (vec![], vec![], vec![]);
    let (center, radius) = ([0.35, 0.6, 0.9], 0.05);
    scene.lamps = vec![Lamp { center, radius, color: String::from("#ffffff").try_into().unwrap(), intensity: 50.0 }];
    let world = World::new(&scene, &Silent::default()).unwrap();
    for camera in train_cameras(&scene.camera).iter().chain(&test_cameras(&scene.camera)) {
        // The pose goes through the file's form and back, as a reader of the capture sees it.
        let camera = Camera { viewmat: Camera::viewmat_from_opengl(camera.opengl_c2w()), ..camera.clone() };
        let picture = photograph(&world, &camera, 1);
        let bright: Vec<(f64, f64)> = (0..picture.pixels.len())
            .filter(|&i| picture.pixels[i][0] > 1.0)
            .map(|i| ((i as u32 % 64) as f64 + 0.5, (i as u32 / 64) as f64 + 0.5))
            .collect();
        assert!(!bright.is_empty());
        let mean = |f: fn(&(f64, f64)) -> f64| bright.iter().map(f).sum::<f64>() / bright.len() as f64;
        let expected = camera.project(DVec3::from(center.map(f64::from)));
        assert!((mean(|p| p.0) - expected.x).abs() < 0.5, "{} {expected}", mean(|p| p.0));
        assert!((mean(|p| p.1) - expected.y).abs() < 0.5, "{} {expected}", mean(|p| p.1));
    }
}

#[test]
fn cameras_stand_upright_and_look_at_the_target() {
    let path = tiny().camera;
    for camera in train_cameras(&path) {
        let center = camera.project(DVec3::from(path.target));
        assert!((center.x - 32.0).abs() < 1e-9 && (center.y - 24.0).abs() < 1e-9);
        assert!(camera.project(DVec3::from(path.target) + DVec3::Z * 0.1).y < 24.0);
        assert!((camera.opengl_c2w() * camera.viewmat * camera.c2w()).determinant().abs() - 1.0 < 1e-9);
    }
}

#[test]
fn a_capture_folder_is_complete_and_repeatable() {
    let (scene, dir) = (tiny(), tempfile::tempdir().unwrap());
    let out = dir.path().join("capture");
    // What an interrupted generation left is no capture, and does not disturb.
    std::fs::create_dir_all(dir.path().join("capture.part/train")).unwrap();
    std::fs::write(dir.path().join("capture.part/train/0001.JPG"), "half").unwrap();
    std::fs::write(dir.path().join("capture.part/mine.txt"), "mine").unwrap();
    assert!(!is_generated(&scene, &out));
    generate(&scene, &out, &Silent::default()).unwrap();
    assert!(is_generated(&scene, &out) && is_generated(&Scene { name: "other".into(), ..scene.clone() }, &out));
    assert_eq!((name_of(&out).as_str(), name_of(dir.path()).contains("tiny")), ("tiny", false));
    assert!(!dir.path().join("capture.part").exists());
    assert_eq!(std::fs::read(dir.path().join("capture.part.bak/mine.txt")).unwrap(), b"mine");
    // It goes for another scene, but for what is not as it was written.
    std::fs::write(out.join("notes.txt"), "mine").unwrap();
    std::fs::write(out.join("train/0002.JPG"), "edited").unwrap();
    let generated = std::fs::read(out.join("train/0003.JPG")).unwrap();
    super::remove(&out).unwrap();
    let left =
        ["notes.txt", "train/0002.JPG", "train/0003.JPG", "scene.toml", "truth"].map(|name| out.join(name).exists());
    assert_eq!(left, [true, true, false, false, false]);
    std::fs::remove_dir_all(&out).unwrap();
    generate(&scene, &out, &Silent::default()).unwrap();
    assert_eq!(std::fs::read(out.join("train/0003.JPG")).unwrap(), generated);
    let count = |name: &str| std::fs::read_dir(out.join(name)).unwrap().count();
    assert_eq!((count("train"), count("truth"), count("test")), (6, 6, 2));
    let camera: toml::Table = std::fs::read_to_string(out.join("camera.toml")).unwrap().parse().unwrap();
    assert_eq!((camera["kind"].as_str(), camera["ratio"].as_float()), (Some("srgb-exposure"), Some(40.0)));

    let json: serde_json::Value =
        serde_json::from_slice(&std::fs::read(out.join("transforms_train.json")).unwrap()).unwrap();
    for (frame, camera) in json["frames"].as_array().unwrap().iter().zip(train_cameras(&scene.camera)) {
        assert!(out.join(frame["file_path"].as_str().unwrap()).is_file());
        let rows: [[f64; 4]; 4] = serde_json::from_value(frame["transform_matrix"].clone()).unwrap();
        let viewmat = Camera::viewmat_from_opengl(DMat4::from_cols_array_2d(&rows).transpose());
        assert!(viewmat.abs_diff_eq(camera.viewmat, 1e-9));
    }
    let capture = crate::capture::load(&out, &crate::capture::Options::default()).unwrap();
    assert_eq!((capture.train.len(), capture.test.len(), capture.points), (6, 2, None));
    for (view, camera) in capture.test.iter().zip(test_cameras(&scene.camera)) {
        assert!(view.image.as_ref().unwrap().is_file() && view.camera.viewmat.abs_diff_eq(camera.viewmat, 1e-9));
        assert_eq!((view.camera.fx, view.camera.width), (camera.fx, 64));
    }
    let first = std::fs::read(out.join("train/0003.JPG")).unwrap();
    let again = dir.path().join("again");
    generate(&scene, &again, &Silent::default()).unwrap();
    assert_eq!(std::fs::read(again.join("train/0003.JPG")).unwrap(), first);
}

#[test]
fn dark_pictures_are_the_lit_ones_at_a_fortieth() {
    let (scene, dir) = (tiny(), tempfile::tempdir().unwrap());
    let out = dir.path().join("capture");
    generate(&scene, &out, &Silent::default()).unwrap();
    let linear = |image: &Image| {
        let values = image.pixels.iter().flatten().map(|&v| f64::from(crate::color::srgb_to_linear(v)));
        values.sum::<f64>() / (image.pixels.len() * 3) as f64
    };
    let (dark, lit) = (read(&out.join("train/0002.JPG")), read(&out.join("truth/0002.JPG")));
    let ratio = linear(&lit) / linear(&dark);
    assert!((ratio / 40.0 - 1.0).abs() < 0.1, "{ratio}");
    assert!(psnr(&dark, &lit).unwrap() < 15.0);
}

#[test]
fn nothing_foreign_is_overwritten() {
    let (mut scene, dir) = (tiny(), tempfile::tempdir().unwrap());
    let out = dir.path().join("mine");
    std::fs::create_dir(&out).unwrap();
    std::fs::write(out.join("thesis.txt"), "years of work").unwrap();
    assert!(matches!(generate(&scene, &out, &Silent::default()), Err(Error::Exists(_))));
    assert!(out.join("thesis.txt").is_file());

    // An empty folder is fine, the same scene again is a matter of nothing, another scene is refused.
    let out = dir.path().join("empty");
    std::fs::create_dir(&out).unwrap();
    generate(&scene, &out, &Silent::default()).unwrap();
    let written = |out: &Path| std::fs::metadata(out.join("camera.toml")).unwrap().modified().unwrap();
    let before = written(&out);
    generate(&scene, &out, &Silent::default()).unwrap();
    assert_eq!(written(&out), before);
    scene.seed += 1;
    assert!(matches!(generate(&scene, &out, &Silent::default()), Err(Error::Exists(_))));
}

#[test]
fn a_stop_leaves_no_capture() {
    let dir = tempfile::tempdir().unwrap();
    let silent = Silent::default();
    silent.0.request();
    let out = dir.path().join("capture");
    assert!(matches!(generate(&tiny(), &out, &silent), Err(Error::Interrupted(_))));
    assert!(!out.exists());
}

#[test]
fn mistakes_in_a_scene_file_are_named() {
    let text = include_str!("../../scenes/tiny.toml");
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("mine.toml");
    for (from, to, named) in [
        ("train = 6", "train = 2", "camera.train"),
        ("test = 2", "test = 6", "camera.test"),
        ("#8090b0", "#80x0b0", "#rrggbb"),
        ("material = \"ball\"", "material = \"bal\"", "\"bal\""),
        ("radius = 0.4", "radius = -0.4", "impossible size"),
        ("width = 0.12", "width = 0.0", "materials.ball"),
        ("ratio = 40.0", "ration = 40.0", "ration"),
        ("exposure = 1.0", "exposure = nan", "sensor.exposure"),
        ("pattern = \"checker\"", "pattern = \"chequer\"", "chequer"),
        ("facing = [0.0, -1.0, 0.0]", "facing = [0.0, 0.0, 0.0]", "impossible size"),
    ] {
        assert!(text.contains(from), "{from}");
        std::fs::write(&path, text.replacen(from, to, 1)).unwrap();
        let error = Scene::load(&path).unwrap_err().to_string();
        assert!(error.contains("mine.toml") && error.contains(named), "{to}: {error}");
    }
}

#[test]
fn pictures_of_16_bits_are_the_jpeg_files_before_they_are_rounded() {
    let dir = tempfile::tempdir().unwrap();
    let mut scene = tiny();
    let [jpeg, png] = [PictureFile::Jpeg, PictureFile::Png].map(|file| {
        scene.sensor.file = file;
        let out = dir.path().join(format!("{file:?}"));
        generate(&scene, &out, &Silent::default()).unwrap();
        let capture = crate::capture::load(&out, &crate::capture::Options::default()).unwrap();
        let bytes = std::fs::read(capture.train[1].image.as_ref().unwrap()).unwrap();
        (capture.train[1].read().unwrap(), image::guess_format(&bytes).unwrap())
    });
    assert_eq!([jpeg.1, png.1], [image::ImageFormat::Jpeg, image::ImageFormat::Png]);
    let levels = |image: &Image| image.pixels.iter().map(|p| f64::from(p[1]) * 255.0).collect::<Vec<_>>();
    let (jpeg, png) = (levels(&jpeg.0), levels(&png.0));
    let between = png.iter().filter(|level| (**level - level.round()).abs() > 0.1).count();
    assert!(between > png.len() / 2, "{between} of {} are between whole levels", png.len());
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    assert!((mean(&jpeg) / mean(&png) - 1.0).abs() < 0.05, "{} {}", mean(&jpeg), mean(&png));
}

#[cfg(feature = "raw")]
#[test]
fn raw_files_hold_the_light_of_the_scene() {
    let dir = tempfile::tempdir().unwrap();
    let mut scene = tiny();
    let mut pictures = Vec::new();
    for file in [PictureFile::Dng, PictureFile::DevelopedJpeg] {
        scene.sensor.file = file;
        let out = dir.path().join(format!("{file:?}"));
        generate(&scene, &out, &Silent::default()).unwrap();
        let capture = crate::capture::load(&out, &crate::capture::Options::default()).unwrap();
        assert_eq!(capture.train[1].name, "0002.JPG");
        pictures.push(capture.train[1].read().unwrap());
    }
    let truth = read(&dir.path().join("Dng/truth/0002.JPG"));
    let mean = |image: &Image, c: usize| {
        image.pixels.iter().map(|p| f64::from(crate::color::srgb_to_linear(p[c].abs()).copysign(p[c]))).sum::<f64>()
    };
    for c in 0..3 {
        let ratio = mean(&truth, c) / mean(&pictures[0], c);
        assert!((ratio / 40.0 - 1.0).abs() < 0.1, "{c}: {ratio}");
    }
    // The camera's own JPEG file is the same picture, rounded.
    let apart = pictures[0].pixels.iter().flatten().zip(pictures[1].pixels.iter().flatten());
    let mean_square = apart.map(|(a, b)| (a - b).powi(2)).sum::<f32>() / (3 * pictures[0].pixels.len()) as f32;
    assert!(mean_square > 0.0 && mean_square.sqrt() < 0.02, "{mean_square}");
}
