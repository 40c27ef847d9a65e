//! The cameras of enhanced pictures, as this program and others read them.

use crate::capture::{Camera, Capture, View};
use crate::error::Result;
use crate::storage;
use serde_json::json;
use std::path::Path;

/// Writes the pinhole cameras of the enhanced pictures of `capture`, which came with poses and is as it came, at
/// 1/`downscale` of the photographs' size. `folder` leads from that of the file to the pictures: nothing, or `images/`.
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
        json!({
            "file_path": format!("{folder}{}", view.name),
            "w": width, "h": height, "fl_x": fx, "fl_y": fy, "cx": cx, "cy": cy,
            "transform_matrix": pose,
        })
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
        }
    }
}
