//! The installed COLMAP on pictures whose cameras are known: a textured corner of a room.

use super::*;
use crate::capture::{Camera, Capture, Distortion, posed};
use crate::progress::Silent;
use crate::random::hash;
use glam::{DMat3, DMat4, DVec3};

const SIZE: (u32, u32) = (400, 300);
const FOCAL: f64 = 380.0;

/// Cameras on an arc before a wall (z = 4) and a floor (y = 1).
fn cameras() -> Vec<Camera> {
    let camera = |i: u32| {
        let t = f64::from(i) / 6.0 - 0.5;
        let eye = DVec3::new(2.6 * t, -0.3 * (5.0 * t).sin(), 0.4 * t * t);
        let forward = (DVec3::new(0.0, 0.2, 4.0) - eye).normalize();
        let right = DVec3::Y.cross(forward).normalize();
        let rotation = DMat3::from_cols(right, forward.cross(right), forward).transpose();
        let viewmat = DMat4::from_mat3(rotation) * DMat4::from_translation(-eye);
        let (cx, cy) = (f64::from(SIZE.0) / 2.0, f64::from(SIZE.1) / 2.0);
        Camera { width: SIZE.0, height: SIZE.1, fx: FOCAL, fy: FOCAL, cx, cy, viewmat, reduction: 1.0 }
    };
    (0..7).map(camera).collect()
}

/// Patches of two sizes in random grays.
fn texture(plane: u64, u: f64, v: f64) -> f64 {
    let patch = |size: f64, weight: f64| {
        let cell = |x: f64| ((x / size).floor() + 1000.0) as u64;
        weight * (hash(plane, cell(u), cell(v)) % 256) as f64
    };
    patch(0.21, 0.6) + patch(0.06, 0.4)
}

/// What `camera` sees through a lens with `distortion`.
fn picture(camera: &Camera, distortion: Distortion) -> ::image::GrayImage {
    let eye = camera.center();
    let gray = |x: f64, y: f64| {
        let [u, v] = distortion.undistort([(x - camera.cx) / camera.fx, (y - camera.cy) / camera.fy]);
        let ray = camera.rotation().transpose() * DVec3::new(u, v, 1.0);
        let (wall, floor) = ((4.0 - eye.z) / ray.z, (1.0 - eye.y) / ray.y);
        if floor > 0.0 && floor < wall {
            let p = eye + ray * floor;
            return texture(1, p.x, p.z);
        }
        let p = eye + ray * wall;
        texture(2, p.x, p.y)
    };
    ::image::GrayImage::from_fn(camera.width, camera.height, |x, y| {
        let samples = [(0.25, 0.25), (0.75, 0.25), (0.25, 0.75), (0.75, 0.75)];
        let sum: f64 = samples.iter().map(|(dx, dy)| gray(f64::from(x) + dx, f64::from(y) + dy)).sum();
        ::image::Luma([(sum / 4.0) as u8])
    })
}

#[test]
fn the_installed_colmap_finds_known_cameras() {
    find(Lens::SimplePinhole, 0.0);
}

#[test]
fn the_installed_colmap_finds_known_cameras_and_their_lens() {
    find(Lens::SimpleRadial, -0.15);
}

/// Has the cameras found, with a lens of radial distortion `k`.
fn find(lens: Lens, k: f64) {
    let config = Config { max_features: 1500, lens, ..Config::default() };
    if Program::find(&config).is_err() {
        eprintln!("skipped: COLMAP is not installed");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let [images, work, model] = ["images", "work", "sparse/0"].map(|name| dir.path().join(name));
    std::fs::create_dir(&images).unwrap();
    let (cameras, distortion) = (cameras(), Distortion::colmap("SIMPLE_RADIAL", &[k]).unwrap());
    let view = |(i, camera): (usize, &Camera)| {
        let name = format!("{i}.png");
        picture(camera, distortion).save(images.join(picture_name(&name))).unwrap();
        // The model is wanted for pictures of half the size.
        View {
            name,
            image: None,
            camera: Camera { viewmat: DMat4::IDENTITY, ..camera.downscaled(2) },
            lens: None,
            mask: None,
            gain: None,
            shots: Vec::new(),
        }
    };
    let views: Vec<View> = cameras.iter().enumerate().map(view).collect();
    let log = dir.path().join("colmap.log");
    let folders = Folders { images: &images, work: &work, model: &model, log: &log };
    let report = estimate(&views, &folders, &config, &Silent::default()).unwrap();
    assert_eq!(report.registered, 7, "{report:?}");
    assert!(report.reprojection_error < 1.0 && report.points > 100, "{report:?}");

    let capture = posed(&Capture { train: views, ..Capture::default() }, &model, None).unwrap();
    let found: Vec<DVec3> = capture.train.iter().map(|view| view.camera.center()).collect();
    let truth: Vec<DVec3> = cameras.iter().map(Camera::center).collect();
    let View { camera, lens, .. } = &capture.train[0];
    let focal = camera.fx / lens.map_or(1.0, |lens| lens.zoom);
    assert!((focal / (FOCAL / 2.0) - 1.0).abs() < 0.03, "focal length {focal}");
    match lens.map(|lens| lens.distortion) {
        None => assert_eq!(k, 0.0),
        Some(Distortion::Brown { k: found, .. }) => assert!((found[0] - k).abs() < 0.03, "{found:?} instead of {k}"),
        Some(other) => panic!("{other:?}"),
    }
    // Distances do not depend on where the model lies; their unit is free.
    let unit = truth[0].distance(truth[6]) / found[0].distance(found[6]);
    for (a, b) in [(0, 3), (1, 5), (2, 6), (3, 4)] {
        let (expected, got) = (truth[a].distance(truth[b]), unit * found[a].distance(found[b]));
        assert!((got / expected - 1.0).abs() < 0.03, "{a} to {b}: {got} for {expected}");
    }
}
