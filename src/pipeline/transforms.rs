//! The cameras and masks of enhanced pictures, as this program and others read them.

use super::output::names::MASKS;
use crate::capture::{Camera, Capture, View};
use crate::error::{Error, Result};
use crate::parallel::try_map;
use crate::storage;
use image::{GrayImage, ImageFormat};
use serde_json::json;
use std::io::{self, Cursor};
use std::path::Path;

/// Writes the pinhole cameras of the enhanced pictures of `capture`, which came with poses and is as it came, at
/// 1/`downscale` of the photographs' size. `folder` leads from that of the file to the pictures: nothing, or `images/`. The
/// file names the masks of [`write_masks`].
///
/// # Errors
/// A file that cannot be written.
pub fn write(path: &Path, capture: &Capture, downscale: u32, folder: &str) -> Result<()> {
    let mut views: Vec<&View> = capture.train.iter().chain(&capture.holdout).collect();
    // In this order programs hold out every N-th, whichever were held out here.
    views.sort_by(|a, b| a.name.cmp(&b.name));
    let frame = |view: &View| {
        let camera = view.camera.downscaled(downscale);
        let Camera { width, height, fx, fy, cx, cy, .. } = camera;
        let pose = camera.opengl_c2w().transpose().to_cols_array_2d();
        let mut frame = json!({
            "file_path": format!("{folder}{}", view.name),
            "w": width, "h": height, "fl_x": fx, "fl_y": fy, "cx": cx, "cy": cy,
            "transform_matrix": pose,
        });
        if view.mask.is_some() {
            frame["mask_path"] = json!(mask_file(view));
        }
        frame
    };
    let frames: Vec<_> = views.iter().copied().map(frame).collect();
    storage::write_json(path, &json!({ "camera_model": "PINHOLE", "frames": frames }))?;
    let undistorted = views.iter().filter(|view| view.lens.is_some()).count();
    if undistorted > 0 {
        tracing::info!(
            "{undistorted} pictures are undistorted: they fit the cameras in {}, not those of the scene",
            path.display()
        );
    }
    Ok(())
}

/// The files of [`write_masks`], below its folder.
pub fn mask_files(capture: &Capture) -> impl Iterator<Item = String> {
    masked(capture).map(mask_file)
}

/// Writes the masks of the enhanced pictures of `capture`, at 1/`downscale` of the photographs' size and undistorted as
/// the pictures are, into the folder `masks` of `out`: white counts, black is hidden.
///
/// # Errors
/// A mask that cannot be read, a file that cannot be written.
pub fn write_masks(out: &Path, capture: &Capture, downscale: u32) -> Result<()> {
    let views: Vec<&View> = masked(capture).collect();
    try_map(&views, |view| {
        let Camera { width, height, .. } = view.camera.downscaled(downscale);
        let shown = |weights: Vec<f32>| weights.iter().map(|weight| if *weight < 0.5 { 0 } else { 255 }).collect();
        let weights = view.read_weights(width, height)?;
        let all = || vec![255; width as usize * height as usize];
        let mask =
            GrayImage::from_raw(width, height, weights.map_or_else(all, shown)).expect("a weight for each pixel");
        let (path, mut bytes) = (out.join(mask_file(view)), Vec::new());
        let written = mask.write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png);
        written.map_err(|error| Error::io(&path)(io::Error::other(error)))?;
        storage::write_bytes(&path, &bytes)
    })?;
    Ok(())
}

fn masked(capture: &Capture) -> impl Iterator<Item = &View> {
    capture.train.iter().chain(&capture.holdout).filter(|view| view.mask.is_some())
}

fn mask_file(view: &View) -> String {
    format!("{MASKS}/{}.png", view.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture;
    use image::RgbImage;
    use serde_json::Value;
    use std::fs;

    #[test]
    fn undistorted_pictures_and_their_cameras_are_a_scene_of_pinholes() {
        let dir = tempfile::tempdir().unwrap();
        let (scene, out) = (dir.path().join("scene"), dir.path().join("out"));
        for (folder, (width, height)) in [(scene.join("images"), (48, 32)), (out.join("images"), (24, 16))] {
            fs::create_dir_all(&folder).unwrap();
            (0..4).for_each(|i| RgbImage::new(width, height).save(folder.join(format!("{i}.png"))).unwrap());
        }
        // Hides the right half of one photograph, of twice the size.
        let right = GrayImage::from_fn(96, 64, |x, _| image::Luma([if x < 48 { 255 } else { 0 }]));
        fs::create_dir_all(scene.join("masks")).unwrap();
        right.save(scene.join("masks/2.png")).unwrap();
        let frame = |i: usize| {
            let pose = [[1.0, 0.0, 0.0, 0.3 * i as f64], [0.0, 0.8, -0.6, 50.0], [0.0, 0.6, 0.8, 2.0]];
            json!({ "file_path": format!("images/{i}.png"), "transform_matrix": pose })
        };
        let frames: Vec<Value> = (0..4).map(frame).collect();
        let text = json!({ "fl_x": 40.0, "fl_y": 41.0, "cx": 25.0, "cy": 15.0, "k1": -0.15, "frames": frames });
        fs::write(scene.join("transforms.json"), text.to_string()).unwrap();

        let options = capture::Options { holdout: Some(4), ..capture::Options::default() };
        let bent = capture::load(&scene, &options).unwrap();
        write(&out.join("transforms.json"), &bent, 2, "images/").unwrap();
        write_masks(&out, &bent, 2).unwrap();
        assert_eq!(mask_files(&bent).collect::<Vec<_>>(), ["masks/2.png.png"]);
        let found = capture::load(&out, &capture::Options::default()).unwrap();
        let mut views: Vec<&View> = bent.train.iter().chain(&bent.holdout).collect();
        views.sort_by(|a, b| a.name.cmp(&b.name));
        assert_eq!((found.train.len(), views.len(), bent.holdout.len()), (4, 4, 1));
        for (view, given) in found.train.iter().zip(views) {
            assert!(given.lens.is_some() && view.lens.is_none() && view.name == given.name);
            let (camera, expected) = (&view.camera, given.camera.downscaled(2));
            assert_eq!((camera.width, camera.height), (expected.width, expected.height));
            let intrinsics = |camera: &Camera| [camera.fx, camera.fy, camera.cx, camera.cy];
            let off = |(a, b): (&f64, &f64)| (a - b).abs();
            assert!(intrinsics(camera).iter().zip(&intrinsics(&expected)).map(off).fold(0.0, f64::max) < 1e-9);
            assert!(camera.center().distance(expected.center()) < 1e-9);
            assert!(camera.forward().distance(expected.forward()) < 1e-9);
            let [weights, given] = [view, given].map(|view| view.read_weights(24, 16).unwrap());
            assert_eq!(weights.is_some(), view.name == "2.png");
            let alike = |(a, b): (&f32, &f32)| *a == b.round();
            assert!(weights.iter().flatten().zip(given.iter().flatten()).all(alike));
            assert!(weights.is_none_or(|weights| weights.contains(&0.0) && weights.contains(&1.0)));
        }
    }
}
