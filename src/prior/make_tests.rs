//! Priors made from pictures whose depths are known.

use super::*;
use crate::capture::{Camera, Capture, Image, View};
use crate::gpu::{Choice, Gpu, Mask};
use crate::progress::Silent;
use glam::{DMat4, DVec3};
use std::path::Path;

const DEPTH: f64 = 4.0;

/// A texture with detail at several scales.
fn texture(x: f64, y: f64) -> [f32; 3] {
    let wave = |a: f64, b: f64, c: f64| (0.5 + 0.5 * (a * x + b * y + c * (x * y).sin()).sin()) as f32;
    [wave(7.0, 3.0, 2.0), wave(-4.0, 9.0, 3.0), wave(15.0, -11.0, 1.0)]
}

fn camera(x: f64, y: f64) -> Camera {
    let viewmat = DMat4::from_translation(DVec3::new(-x, -y, 0.0));
    Camera { width: 120, height: 90, fx: 100.0, fy: 100.0, cx: 60.0, cy: 45.0, viewmat, reduction: 1.0 }
}

/// Six views of the plane z = [`DEPTH`], colored by `color`, all looking along z.
fn plane(dir: &Path, color: impl Fn(f64, f64) -> [f32; 3]) -> Capture {
    let centers = [(0.0, 0.0), (0.4, 0.1), (-0.3, 0.3), (0.1, -0.4), (0.5, 0.5), (-0.5, -0.2)];
    let views = centers.iter().enumerate().map(|(i, &(x, y))| {
        let camera = camera(x, y);
        let mut image = Image::new(camera.width, camera.height);
        for (index, pixel) in image.pixels.iter_mut().enumerate() {
            let (column, row) = (index as u32 % camera.width, index as u32 / camera.width);
            let p = camera.unproject(f64::from(column) + 0.5, f64::from(row) + 0.5, DEPTH);
            *pixel = color(p.x, p.y);
        }
        let name = format!("{i}.png");
        image.to_rgb8().save(dir.join(&name)).unwrap();
        View { image: Some(dir.join(&name)), name, camera, lens: None, mask: None, gain: None, shots: Vec::new() }
    });
    Capture { root: dir.into(), train: views.collect(), ..Capture::default() }
}

fn gpu() -> Gpu {
    Gpu::open(&Choice::Best, Mask::ALL).unwrap()
}

fn config() -> Config {
    Config { make_points: 600, ..Config::default() }
}

#[test]
fn points_lie_on_the_plane_and_have_its_colors() {
    let dir = tempfile::tempdir().unwrap();
    let (cloud, report) = make(&gpu(), &plane(dir.path(), texture), &config(), None, &Silent::default()).unwrap();
    assert_eq!((cloud.len(), report.output), (600, 600));
    assert!(report.matched > 450, "{report:?}");
    let mut errors: Vec<f32> = cloud.positions.iter().map(|p| (p[2] - DEPTH as f32).abs()).collect();
    errors.sort_by(f32::total_cmp);
    assert!(errors[300] < 0.03 && errors[540] < 0.1, "median {}, 90 % {}", errors[300], errors[540]);
    // The cameras look along z; filled points have no normal.
    assert_eq!((cloud.normals.len(), report.filled), (600, cloud.normals.iter().filter(|n| **n == [0.0; 3]).count()));
    let facing = cloud.normals.iter().filter(|n| n[2] < -0.9).count();
    assert!(facing * 10 > report.matched * 9, "{facing} of {}", report.matched);
    for (p, rgb) in cloud.positions.iter().zip(&cloud.colors) {
        if (p[2] - DEPTH as f32).abs() < 0.01 {
            let expected = texture(f64::from(p[0]), f64::from(p[1]));
            let difference = (0..3).map(|c| (expected[c] * 255.0 - f32::from(rgb[c])).abs()).fold(0.0, f32::max);
            assert!(difference < 25.0, "{rgb:?} instead of {expected:?}");
        }
    }
}

#[test]
fn as_many_as_there_are_pixels_for() {
    let dir = tempfile::tempdir().unwrap();
    let capture = plane(dir.path(), texture);
    let (cloud, _) = make(&gpu(), &capture, &Config::default(), None, &Silent::default()).unwrap();
    let most = 6 * 120 * 90 / 100;
    assert!(cloud.len() <= most && cloud.len() > most * 9 / 10, "{} of {most}", cloud.len());
}

#[test]
fn the_same_on_any_number_of_threads() {
    let dir = tempfile::tempdir().unwrap();
    let capture = plane(dir.path(), texture);
    let with_threads = |n| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap();
        pool.install(|| {
            make(&gpu(), &capture, &Config { make_points: 100, ..config() }, None, &Silent::default()).unwrap()
        })
    };
    assert_eq!(with_threads(1), with_threads(3));
}

#[test]
fn without_texture_or_baseline_points_are_random_but_seen() {
    let dir = tempfile::tempdir().unwrap();
    let mut capture = plane(dir.path(), |_, _| [0.25; 3]);
    for turning in [false, true] {
        if turning {
            capture.train.iter_mut().for_each(|view| view.camera = camera(0.0, 0.0));
        }
        let (cloud, report) = make(&gpu(), &capture, &config(), None, &Silent::default()).unwrap();
        assert_eq!((report.random, cloud.len(), cloud.normals.len()), (600, 600, 0));
        assert!(cloud.colors.iter().all(|rgb| *rgb == [64; 3]));
        for p in &cloud.positions {
            let p = DVec3::from(p.map(f64::from));
            let seen = |view: &View| {
                let [x, y, z] = view.camera.project(p).to_array();
                z > 0.0 && (0.0..120.0).contains(&x) && (0.0..90.0).contains(&y)
            };
            assert!(p.is_finite() && capture.train.iter().any(seen));
        }
    }
}

#[test]
fn a_stop_is_obeyed_and_bad_settings_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let capture = plane(dir.path(), texture);
    let silent = Silent::default();
    silent.0.request();
    assert_eq!(make(&gpu(), &capture, &config(), None, &silent).unwrap_err().exit_code(), 130);
    let nothing = Capture::default();
    assert!(make(&gpu(), &nothing, &config(), None, &Silent::default()).unwrap_err().to_string().contains("no points"));
    let blind = Config { image_size: 0, ..config() };
    assert_eq!(make(&gpu(), &capture, &blind, None, &Silent::default()).unwrap_err().exit_code(), 2);
}
