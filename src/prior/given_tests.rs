//! Priors that came with a capture, in its frame and in others, as other programs write them.

use super::*;
use crate::capture::{Camera, Capture, View};
use crate::gpu::{Choice, Gpu, Mask};
use crate::progress::Silent;
use glam::{DMat3, DMat4, DQuat, DVec3};
use std::cell::Cell;
use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;

/// Eight cameras in two rows, a little turned, that look at a cloud at z = 4.
fn capture(root: &Path) -> Capture {
    let view = |i: usize| {
        let center = DVec3::new((i % 4) as f64 * 0.4 - 0.6, (i / 4) as f64 * 0.3, 0.1 * (i % 3) as f64);
        let rotation = DMat3::from_rotation_y(0.05 * i as f64 - 0.2);
        let mut viewmat = DMat4::from_mat3(rotation);
        viewmat.w_axis = (-(rotation * center)).extend(1.0);
        let camera = Camera { width: 120, height: 90, fx: 60.0, fy: 60.0, cx: 60.0, cy: 45.0, viewmat, reduction: 1.0 };
        View { name: format!("{i:04}.JPG"), image: None, camera, lens: None, mask: None, gain: None, shots: Vec::new() }
    };
    let mut train: Vec<View> = (0..8).map(view).collect();
    let holdout = train.split_off(7);
    let test = vec![View { name: "test.JPG".into(), ..view(9) }];
    Capture { root: root.into(), train, holdout, test, ..Capture::default() }
}

fn cloud(z: f32) -> PointCloud {
    let positions = (0..500).map(|i| [(i % 20) as f32 * 0.05, (i / 20) as f32 * 0.05, z]).collect();
    PointCloud { positions, colors: vec![[1, 2, 3]; 500], ..PointCloud::default() }
}

/// From the capture's frame to another one.
fn away() -> Similarity {
    let rotation = DMat3::from_axis_angle(DVec3::new(1.0, 1.0, -0.4).normalize(), 1.9);
    Similarity { scale: 0.1, rotation, translation: DVec3::new(3.0, -1.0, 7.0) }
}

/// The text model of COLMAP with the capture's cameras and `points`, all moved by `frame`; poses of a distorted lens.
fn colmap(folder: &Path, capture: &Capture, points: &PointCloud, frame: &Similarity) {
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(folder.join("cameras.txt"), "1 OPENCV_FISHEYE 120 90 60 60 60 45 0.1 0 0 0\n").unwrap();
    let mut images = String::new();
    for (i, view) in capture.train.iter().chain(&capture.holdout).enumerate() {
        let viewmat = frame.viewmat(view.camera.viewmat);
        let q = DQuat::from_mat4(&viewmat);
        let (t, name) = (viewmat.w_axis, view.name.replace(".JPG", "_enhanced.png"));
        writeln!(images, "{i} {} {} {} {} {} {} {} 1 {name}\n", q.w, q.x, q.y, q.z, t.x, t.y, t.z).unwrap();
    }
    std::fs::write(folder.join("images.txt"), images).unwrap();
    let mut moved = points.clone();
    frame.move_cloud(&mut moved);
    let row = |(i, p): (usize, &[f32; 3])| format!("{i} {} {} {} 1 2 3 0.1\n", p[0], p[1], p[2]);
    let text: String = moved.positions.iter().enumerate().map(row).collect();
    std::fs::write(folder.join("points3D.txt"), text).unwrap();
}

fn solve(capture: &Capture, config: &Config) -> crate::Result<(Capture, PointCloud, Report)> {
    let (posed, origin) = locate(capture, config)?;
    let opened = Cell::new(false);
    let gpu = || {
        opened.set(true);
        Gpu::open(&Choice::Best, Mask::ALL).map(Arc::new)
    };
    let (points, report) = prior(gpu, &posed, &origin, config, None, &Silent::default())?;
    assert_ne!(opened.get(), Path::new(&report.source).exists(), "a device is for making points, not for reading them");
    Ok((posed, points, report))
}

/// Takes the capture's own points, few as they are in these tests.
fn few_will_do() -> Config {
    Config { min_existing: 100, ..Config::default() }
}

fn asked(path: &Path) -> Config {
    Config { points: Some(path.into()), ..Config::default() }
}

fn distance(a: &PointCloud, b: &PointCloud) -> f32 {
    assert_eq!(a.len(), b.len());
    let largest = |(p, q): (&[f32; 3], &[f32; 3])| (0..3).map(|k| (p[k] - q[k]).abs()).fold(0.0, f32::max);
    a.positions.iter().zip(&b.positions).map(largest).fold(0.0, f32::max)
}

#[test]
fn points_in_the_frame_of_the_capture_are_used_as_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("points.ply");
    write_ply(&path, &cloud(4.0)).unwrap();
    let own = Capture { points: Some(path.clone()), ..capture(dir.path()) };
    let (posed, points, report) = solve(&own, &few_will_do()).unwrap();
    assert_eq!((posed, points, report.source.as_str()), (own.clone(), cloud(4.0), path.display().to_string().as_str()));
    assert!(report.reason.contains("own") && report.alignment.is_none());
    let (_, points, report) = solve(&own, &Config { max_points: 120, ..few_will_do() }).unwrap();
    assert_eq!((points.len(), report.dropped), (120, 380));
    std::fs::write(&path, b"<html>").unwrap();
    assert!(solve(&own, &few_will_do()).unwrap_err().to_string().contains("points.ply"));
}

#[test]
fn points_that_no_camera_sees_are_refused_if_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("points.ply");
    write_ply(&path, &cloud(-4.0)).unwrap();
    let message = solve(&capture(dir.path()), &asked(&path)).unwrap_err().to_string();
    assert!(message.contains("only 0 %") && message.contains("another frame"), "{message}");
    let missing = solve(&capture(dir.path()), &asked(&dir.path().join("none.ply"))).unwrap_err();
    assert!(missing.to_string().contains("none.ply"));
    // A few that are asked for are enough.
    let few =
        PointCloud { positions: cloud(4.0).positions[..9].to_vec(), colors: vec![[0; 3]; 9], ..PointCloud::default() };
    write_ply(&path, &few).unwrap();
    assert_eq!(solve(&capture(dir.path()), &asked(&path)).unwrap().1, few);
}

#[test]
fn a_prior_in_another_frame_gives_the_same_points_by_its_cameras() {
    let dir = tempfile::tempdir().unwrap();
    let own = capture(dir.path());
    // COLMAP's own folder, and a network's output: a model, and points.ply beside `sparse`.
    let [model, network] = ["colmap/sparse/0", "network/sparse"].map(|name| dir.path().join(name));
    colmap(&model, &own, &cloud(4.0), &away());
    colmap(&network, &own, &cloud(9.0), &away());
    let mut moved = cloud(4.0);
    away().move_cloud(&mut moved);
    write_ply(dir.path().join("network/points.ply"), &moved).unwrap();
    let folders = [dir.path().join("colmap"), model.clone(), model.join("points3D.txt"), dir.path().join("network")];
    for folder in &folders {
        let (posed, points, report) = solve(&own, &asked(folder)).unwrap();
        assert!(distance(&points, &cloud(4.0)) < 1e-5 && posed == own, "{report:?}");
        let fit = report.alignment.unwrap();
        assert!((fit.scale - 10.0).abs() < 1e-6 && fit.matched == [0, 8, 0] && fit.rmse < 1e-6, "{fit:?}");
    }
    // As the scene's own prior, without being asked for.
    let with = Capture { points: Some(model.clone()), ..own.clone() };
    assert!(distance(&solve(&with, &few_will_do()).unwrap().1, &cloud(4.0)) < 1e-5);
    // The same frame: not a bit changes.
    colmap(&model, &own, &cloud(4.0), &Similarity::IDENTITY);
    let (_, points, report) = solve(&own, &asked(&model)).unwrap();
    assert_eq!((points, report.alignment.unwrap().method.as_str()), (cloud(4.0), "identity"));
}

#[test]
fn points_beside_a_model_lie_in_the_frame_in_which_they_are_seen() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("points.ply");
    let behind = Similarity { translation: DVec3::new(3.0, -1.0, -7.0), ..away() };
    let own = Capture { points: Some(path.clone()), ..capture(dir.path()) };
    colmap(&dir.path().join("sparse"), &own, &cloud(4.0), &behind);
    write_ply(&path, &cloud(4.0)).unwrap();
    let (_, points, report) = solve(&own, &few_will_do()).unwrap();
    assert!(points == cloud(4.0) && report.alignment.is_none());
    let mut moved = cloud(4.0);
    behind.move_cloud(&mut moved);
    write_ply(&path, &moved).unwrap();
    let (_, points, report) = solve(&own, &few_will_do()).unwrap();
    assert!(distance(&points, &cloud(4.0)) < 1e-5 && report.alignment.is_some());
}

#[test]
fn poses_of_the_prior_in_either_frame() {
    let dir = tempfile::tempdir().unwrap();
    let own = capture(dir.path());
    // The prior knows better where camera 3 stands, and nothing of camera 5.
    let mut better = own.clone();
    better.train[3].camera.viewmat.w_axis.x += 0.003;
    better.train.remove(5);
    colmap(dir.path(), &better, &cloud(4.0), &away());
    let config = |poses| Config { poses, ..asked(dir.path()) };
    let (posed, points, _) = solve(&own, &config(Poses::Align)).unwrap();
    let shift = |a: &View, b: &View| a.camera.center().distance(b.camera.center());
    let moved = [3, 4].map(|i| shift(&posed.train[i], &own.train[i]));
    assert!(moved[0] > 5e-4 && moved[1] < 3e-3, "{moved:?}");
    assert_eq!((&posed.train[5], &posed.test), (&own.train[5], &own.test));
    assert!(distance(&points, &cloud(4.0)) < 0.02);
    // All of it seen from the prior's frame: pictures are the same.
    let (there, moved, report) = solve(&own, &config(Poses::Prior)).unwrap();
    let mut expected = cloud(4.0);
    away().move_cloud(&mut expected);
    assert!(distance(&moved, &expected) < 1e-5 && (report.alignment.unwrap().scale - 10.0).abs() < 0.1);
    let views = |c: &Capture| [c.train.clone(), c.holdout.clone(), c.test.clone()].concat();
    for (a, b) in views(&posed).iter().zip(views(&there)) {
        for (p, q) in points.positions.iter().zip(&moved.positions).step_by(50) {
            let pixel = |view: &View, p: &[f32; 3]| view.camera.project(DVec3::from(p.map(f64::from))).truncate();
            assert!(pixel(a, p).distance(pixel(&b, q)) < 1e-3, "{}", a.name);
        }
    }
    let none = Config { poses: Poses::Align, ..Config::default() };
    assert!(solve(&own, &none).unwrap_err().to_string().contains("prior.poses"));
}

#[test]
fn a_transforms_file_with_its_points() {
    let dir = tempfile::tempdir().unwrap();
    let own = capture(dir.path());
    let frames = own.train.iter().map(|view| {
        let moved = Camera { viewmat: away().viewmat(view.camera.viewmat), ..view.camera.clone() };
        let rows = moved.opengl_c2w().transpose().to_cols_array_2d();
        serde_json::json!({ "file_path": format!("images/{}", view.name), "transform_matrix": rows })
    });
    let frames: Vec<_> = frames.collect();
    let text = |points: &str| {
        serde_json::json!({ "fl_x": 60, "w": 120, "h": 90, "ply_file_path": points, "frames": frames }).to_string()
    };
    let mut moved = cloud(4.0);
    away().move_cloud(&mut moved);
    write_ply(dir.path().join("sparse.ply"), &moved).unwrap();
    std::fs::write(dir.path().join("transforms.json"), text("sparse.ply")).unwrap();
    let (_, points, report) = solve(&own, &asked(dir.path())).unwrap();
    assert!(distance(&points, &cloud(4.0)) < 1e-5);
    assert_eq!(report.alignment.unwrap().matched, [7, 0, 0]);
    let inner = dir.path().join("inner");
    std::fs::create_dir(&inner).unwrap();
    std::fs::write(inner.join("transforms.json"), text("../sparse.ply")).unwrap();
    assert!(solve(&own, &asked(&inner)).unwrap_err().to_string().contains("outside"));
    std::fs::write(inner.join("transforms.json"), text("none.ply")).unwrap();
    assert!(solve(&own, &asked(&inner)).unwrap_err().to_string().contains("no points"));
}
