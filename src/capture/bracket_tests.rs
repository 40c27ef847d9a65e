//! Brackets of exposures as photographs of a lamp and what it lights.

use super::super::tests::transforms;
use super::super::{Capture, Options, View, load};
use crate::color::{linear_to_srgb, srgb_to_linear};
use ::image::{Rgb, RgbImage};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

const SIZE: (u32, u32) = (48, 32);

/// Linear light at one pixel: a lamp of 8 times white in the dark, which itself has a texture.
fn light(x: u32, y: u32) -> f32 {
    if (x as i32 - 30).pow(2) + (y as i32 - 12).pow(2) < 40 { 8.0 } else { 0.02 + 0.01 * ((x / 6 + y / 4) % 5) as f32 }
}

fn photograph(path: &Path, exposure: f32, light: impl Fn(u32, u32) -> f32) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let level = |x, y| (255.0 * linear_to_srgb(exposure * light(x, y))).round() as u8;
    RgbImage::from_fn(SIZE.0, SIZE.1, |x, y| Rgb([level(x, y); 3])).save(path).unwrap();
}

fn frame(name: &str, at: f64) -> Value {
    json!({ "file_path": format!("images/{name}"),
            "transform_matrix": [[1, 0, 0, at], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]] })
}

/// A scene with these photographs: name, place, exposure.
fn scene(root: &Path, photographs: &[(&str, f64, f32)]) {
    for (name, _, exposure) in photographs {
        photograph(&root.join("images").join(name), *exposure, light);
    }
    let frames = photographs.iter().map(|(name, at, _)| frame(name, *at)).collect();
    fs::write(root.join("transforms.json"), transforms(frames).to_string()).unwrap();
}

fn open(root: &Path, holdout: Option<u32>) -> Capture {
    load(root, &Options { holdout, ..Options::default() }).unwrap()
}

fn names(views: &[View]) -> Vec<&str> {
    views.iter().map(|view| view.name.as_str()).collect()
}

const BRACKETS: [(&str, f64, f32); 9] = [
    ("0a.png", 0.0, 1.0),
    ("0b.png", 0.0, 0.1),
    ("0c.png", 0.0, 6.0),
    ("1a.png", 1.0, 0.1),
    ("1b.png", 1.0, 1.0),
    ("1c.png", 1.0, 6.0),
    ("2a.png", 2.0, 1.0),
    ("3a.png", 3.0, 1.0),
    ("3b.png", 3.00001, 1.0),
];

#[test]
fn a_bracket_is_one_view_as_its_middle_shot_is_exposed() {
    let dir = tempfile::tempdir().unwrap();
    scene(dir.path(), &BRACKETS);
    let capture = open(dir.path(), None);
    assert_eq!(names(&capture.train), ["0a.png", "1b.png", "2a.png", "3a.png", "3b.png"]);
    for view in &capture.train[..2] {
        let exposures: Vec<f32> = view.shots.iter().map(|shot| shot.exposure).collect();
        assert!((exposures[0] / 0.1 - 1.0).abs() < 0.05 && (exposures[1] / 6.0 - 1.0).abs() < 0.05, "{exposures:?}");
        let image = view.read().unwrap();
        for (x, y) in [(0, 0), (30, 12), (47, 31), (13, 9), (28, 12)] {
            let (found, want) = (srgb_to_linear(image.at(x, y)[1]), light(x, y));
            assert!((found / want - 1.0).abs() < 0.06, "{x} {y}: {found} for {want}");
        }
    }
    assert!(capture.train[2].shots.is_empty() && capture.train[2].read().unwrap().at(30, 12)[0] == 1.0);
    // No shot of a bracket is held out where another is trained on.
    let capture = open(dir.path(), Some(4));
    assert_eq!(
        (names(&capture.holdout), names(&capture.train)),
        (vec!["0a.png", "3b.png"], vec!["1b.png", "2a.png", "3a.png"])
    );
}

/// The error of the light in the dark part, of the merged picture and of the middle shot alone.
#[test]
fn merging_takes_rounding_away() {
    let dir = tempfile::tempdir().unwrap();
    scene(dir.path(), &BRACKETS);
    let capture = open(dir.path(), None);
    let error = |view: &View| {
        let image = view.read().unwrap();
        let dark = (0..SIZE.0 * SIZE.1).map(|at| (at % SIZE.0, at / SIZE.0)).filter(|(x, y)| light(*x, *y) < 1.0);
        dark.map(|(x, y)| (srgb_to_linear(image.at(x, y)[0]) - light(x, y)).abs()).sum::<f32>()
    };
    let single = View { shots: Vec::new(), ..capture.train[0].clone() };
    let (merged, single) = (error(&capture.train[0]), error(&single));
    assert!(merged < 0.8 * single, "{merged} {single} {:?}", capture.train[0].shots);
}

#[test]
fn what_is_no_bracket_stays_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    scene(dir.path(), &BRACKETS);
    // Another scene at the pose of 0a.
    photograph(&dir.path().join("images/0b.png"), 4.0, |x, y| light(y, x % 32));
    let capture = open(dir.path(), None);
    assert_eq!(names(&capture.train)[..4], ["0a.png", "0b.png", "0c.png", "1b.png"]);
    assert!(capture.train[..3].iter().all(|view| view.shots.is_empty()));
    // A shot that cannot be read is named.
    fs::write(dir.path().join("images/1a.png"), &fs::read(dir.path().join("images/1a.png")).unwrap()[..60]).unwrap();
    let error = load(dir.path(), &Options::default()).unwrap_err().to_string();
    assert!(error.contains("1a.png"), "{error}");
}

#[test]
fn a_slow_move_with_changing_exposure_is_no_bracket() {
    let dir = tempfile::tempdir().unwrap();
    let slow = (0..12).map(|i| (format!("s{i:02}.png"), 0.09 * f64::from(i), 0.1 * 1.4f32.powi(i)));
    let far = (0..13).map(|i| (format!("t{i:02}.png"), (5.0 + f64::from(i)) * f64::from(i % 2 * 2 - 1), 1.0));
    let all: Vec<_> = slow.chain(far).collect();
    scene(dir.path(), &all.iter().map(|(name, at, exposure)| (name.as_str(), *at, *exposure)).collect::<Vec<_>>());
    let most = open(dir.path(), None).train.iter().map(|view| view.shots.len()).max().unwrap();
    assert!(most <= 2, "{most} shots beside one: the pose moved by more than a pixel");
}

/// A tripod's photographs by the thousand, which once took the cube of their number.
#[test]
fn thousands_of_photographs_have_one_pose() {
    let dir = tempfile::tempdir().unwrap();
    scene(dir.path(), &BRACKETS);
    let view = open(dir.path(), None).train[0].clone();
    let named = |i: usize| View { image: Some(format!("{i}.png").into()), ..view.clone() };
    let views: Vec<View> = (0..4000).map(named).collect();
    let started = std::time::Instant::now();
    let groups = super::same_pose(&views);
    assert_eq!((groups.len(), groups[0].len()), (1, 4000));
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
}
