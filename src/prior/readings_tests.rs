//! Poses that mean something else than they say, of views whose true poses are known.

use super::config::{Config, PoseCheck};
use super::make::make;
use super::readings::*;
use crate::capture::{Camera, Capture, Image, View};
use crate::gpu::{Choice, Gpu, Mask};
use crate::progress::Silent;
use glam::{DMat3, DMat4, DVec3, DVec4};
use std::path::Path;

const COUNT: usize = 5;

fn gpu() -> Gpu {
    Gpu::open(&Choice::Best, Mask::ALL).unwrap()
}

/// On an arc around a slanted, textured plane, looking at it, each a little higher than the one before.
fn camera(i: usize) -> Camera {
    let angle = 0.12 * (i as f64 - 2.0);
    let center = DVec3::new(4.0 * angle.sin(), 0.15 * (i as f64 - 2.0), 4.0 - 4.0 * angle.cos());
    let viewmat = DMat4::from_mat3(DMat3::from_rotation_y(angle)) * DMat4::from_translation(-center);
    Camera { width: 64, height: 48, fx: 54.0, fy: 54.0, cx: 32.0, cy: 24.0, viewmat, reduction: 1.0 }
}

fn picture(camera: &Camera) -> Image {
    let mut image = Image::new(camera.width, camera.height);
    let origin = camera.center();
    for (index, pixel) in image.pixels.iter_mut().enumerate() {
        let (column, row) = (index as u32 % camera.width, index as u32 / camera.width);
        let direction = camera.unproject(f64::from(column) + 0.5, f64::from(row) + 0.5, 1.0) - origin;
        // z = 4 + 0.4 x
        let along = (4.0 + 0.4 * origin.x - origin.z) / (direction.z - 0.4 * direction.x);
        let p = origin + along * direction;
        let wave = |a: f64, b: f64, c: f64| (0.5 + 0.5 * (a * p.x + b * p.y + c * (p.x * p.y).sin()).sin()) as f32;
        *pixel = [wave(7.0, 3.0, 2.0), wave(-4.0, 9.0, 3.0), wave(15.0, -11.0, 1.0)];
    }
    image
}

fn capture(dir: &Path) -> Capture {
    let view = |i: usize| {
        let (name, camera) = (format!("{i}.png"), camera(i));
        picture(&camera).to_rgb8().save(dir.join(&name)).unwrap();
        View { image: Some(dir.join(&name)), name, camera, lens: None, mask: None, gain: None, shots: Vec::new() }
    };
    Capture { root: dir.into(), train: (0..COUNT).map(view).collect(), ..Capture::default() }
}

fn posed(capture: &Capture, change: impl Fn(DMat4) -> DMat4) -> Capture {
    let mut changed = capture.clone();
    changed.train.iter_mut().for_each(|view| view.camera.viewmat = change(view.camera.viewmat));
    changed
}

/// The same photographs, stored upside down with EXIF data that tell so.
fn upside_down(capture: &Capture) -> Capture {
    let folder = capture.root.join("turned");
    std::fs::create_dir(&folder).unwrap();
    let mut turned = capture.clone();
    for view in &mut turned.train {
        let upright = ::image::open(view.image.as_ref().unwrap()).unwrap();
        let mut bytes = Vec::new();
        let mut encoder = ::image::codecs::png::PngEncoder::new(&mut bytes);
        // An orientation of 3.
        let exif = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x03\0\0\0\0\0\0\0";
        ::image::ImageEncoder::set_exif_metadata(&mut encoder, exif.to_vec()).unwrap();
        upright.rotate180().write_with_encoder(encoder).unwrap();
        let path = folder.join(&view.name);
        std::fs::write(&path, bytes).unwrap();
        view.image = Some(path);
    }
    turned
}

fn config() -> Config {
    Config { make_points: 300, image_size: 64, ..Config::default() }
}

#[test]
fn the_reading_that_fits_is_named() {
    let (gpu, dir, axes) =
        (gpu(), tempfile::tempdir().unwrap(), DMat4::from_diagonal(DVec4::new(1.0, -1.0, -1.0, 1.0)));
    let right = capture(dir.path());
    let message = |capture: &Capture, pose_check| {
        let made = make(&gpu, capture, &Config { pose_check, ..config() }, None, &Silent(Default::default()));
        made.map(|_| ()).map_err(|error| error.to_string())
    };
    assert_eq!(message(&right, PoseCheck::Refuse), Ok(()));
    for (wrong, words) in [
        (posed(&right, |viewmat| axes * viewmat), "camera to world in OpenCV axes"),
        (posed(&right, |viewmat| axes * viewmat.inverse()), "world to camera in OpenCV axes"),
        (posed(&right, |viewmat| axes * viewmat.inverse() * axes), "world to camera in OpenGL axes"),
    ] {
        let error = message(&wrong, PoseCheck::Refuse).unwrap_err();
        assert!(error.contains(words) && error.contains("axes and direction") && error.contains('%'), "{error}");
    }
    let mut cornered = right.clone();
    cornered.train.iter_mut().for_each(|view| (view.camera.cx, view.camera.cy) = (0.0, 0.0));
    let error = message(&cornered, PoseCheck::Refuse).unwrap_err();
    assert!(error.contains("with the principal point in the middle") && error.contains("intrinsics"), "{error}");
    let on_head = upside_down(&right);
    let error = message(&on_head, PoseCheck::Refuse).unwrap_err();
    assert!(error.contains("as viewers show them") && error.contains("save them upright"), "{error}");
    let wrong = posed(&right, |viewmat| axes * viewmat);
    for pose_check in [PoseCheck::Warn, PoseCheck::Off] {
        assert_eq!(message(&wrong, pose_check), Ok(()));
    }
    // A prior of its own is tested on a few small pictures.
    let quick = |capture: &Capture| quick_check(&gpu, capture, &config(), &Silent(Default::default()));
    quick(&right).unwrap();
    assert!(quick(&posed(&right, |viewmat| axes * viewmat)).unwrap_err().to_string().contains("OpenCV axes"));
}

#[test]
fn a_wrong_focal_length_is_noticed_though_some_pixels_agree() {
    let (gpu, dir) = (gpu(), tempfile::tempdir().unwrap());
    let right = capture(dir.path());
    let mut zoomed = right.clone();
    zoomed.train.iter_mut().for_each(|view| {
        view.camera.fx *= 2.0;
        view.camera.fy *= 2.0;
    });
    let best = |capture: &Capture, factors: [f64; 2]| {
        better(&gpu, capture, &factors.map(Reading::Focal), &Silent(Default::default())).unwrap()
    };
    assert!(best(&right, [0.5, 2.0]).is_none());
    assert_eq!(best(&zoomed, [2.0, 0.5]).unwrap().reading, Reading::Focal(0.5));
}

#[test]
fn without_anything_to_match_there_is_no_other_reading() {
    let dir = tempfile::tempdir().unwrap();
    let plain = capture(dir.path());
    plain.train.iter().for_each(|view| {
        ::image::RgbImage::from_pixel(64, 48, ::image::Rgb([90, 90, 90])).save(view.image.as_ref().unwrap()).unwrap();
    });
    make(&gpu(), &plain, &config(), None, &Silent(Default::default())).unwrap();
}

#[test]
fn photographs_can_be_in_another_order() {
    let view = |name: &str| View {
        name: name.into(),
        image: Some(name.into()),
        camera: camera(name.len()),
        lens: None,
        mask: None,
        gain: None,
        shots: Vec::new(),
    };
    let views = ["a10.png", "a2.png", "a9.png"].map(view);
    let pictures = |order: Order| {
        let read = Reading::Order(order).of(&views)?;
        assert!(read.iter().zip(&views).all(|(read, view)| read.camera == view.camera));
        Some(read.into_iter().map(|view| view.name).collect::<Vec<_>>())
    };
    assert_eq!(pictures(Order::Reversed).unwrap(), ["a9.png", "a2.png", "a10.png"]);
    assert_eq!(pictures(Order::Shifted(1)).unwrap(), ["a9.png", "a10.png", "a2.png"]);
    // The pose of 2 was made third, that of 10 first; in order of number the pictures are 2, 9, 10.
    assert_eq!(pictures(Order::ByNumber { poses: true }).unwrap(), ["a9.png", "a10.png", "a2.png"]);
    assert_eq!(pictures(Order::ByNumber { poses: false }).unwrap(), ["a2.png", "a9.png", "a10.png"]);
    let padded = ["a02.png", "a09.png", "a10.png"].map(view);
    assert!(Reading::Order(Order::ByNumber { poses: true }).of(&padded).is_none());
}

#[test]
fn views_that_nobody_agrees_with_stand_out_from_those_that_are_hard() {
    assert_eq!(lonely(&[0.37, 0.03, 0.44, 0.41, 0.39, 0.03]), [1, 5]);
    // A wall that shows little; a capture in which nothing can be matched.
    assert_eq!(lonely(&[0.5, 0.12, 0.45, 0.6]), [0; 0]);
    assert_eq!(lonely(&[0.05, 0.0, 0.04]), [0; 0]);
    assert_eq!(lonely(&[]), [0; 0]);
}
