//! `train-chroma room`: a random room as a whole capture with known truth, photographed by a random camera.

use super::camera::Body;
use super::{draw, rooms, write};
use naka_gs::capture::Image;
use naka_gs::eval::{Sampling, write_jpeg_with};
use naka_gs::scenes::{self, PictureFile, Random, Scene, World, photograph, test_cameras, train_cameras, write_deep};
use naka_gs::{Result, Silent};
use std::path::{Path, PathBuf};

/// A random room as a capture: dark train views, lit test views, truth of all, poses
#[derive(clap::Args)]
pub struct RoomCapture {
    /// Folder to write the capture to
    out: PathBuf,
    /// Names the room and its camera
    #[arg(long, default_value_t = 0)]
    seed: u32,
    /// Train and test views
    #[arg(long, num_args = 2, value_names = ["TRAIN", "TEST"], default_values_t = [28, 6])]
    views: Vec<u32>,
    /// Width and height of the pictures
    #[arg(long, num_args = 2, value_names = ["WIDTH", "HEIGHT"], default_values_t = [640, 424])]
    size: Vec<u32>,
    /// Dark pictures of a camera that rounds nothing, as PNG of 16 bits
    #[arg(long)]
    deep: bool,
}

impl RoomCapture {
    /// # Errors
    /// A folder that holds something else, files that cannot be written.
    pub fn run(&self) -> Result<()> {
        let mut scene = rooms::room(self.seed, [self.views[0], self.views[1]], [self.size[0], self.size[1]]);
        scene.light.texel = 0.06;
        scene.light.bounces = 2;
        let body = draw::body(&mut Random::new(&[0xCA3E, u64::from(self.seed)]));
        scene.sensor.ratio = f64::from(body.ratio);
        scene.sensor.file = if self.deep { PictureFile::Png } else { PictureFile::Jpeg };
        scenes::generate(&scene, &self.out, &Silent::default())?;
        photograph_again(&scene, &body, &self.out)
    }
}

/// Replaces the pictures by those of `body`, exposed like a capture of the training set.
fn photograph_again(scene: &Scene, body: &Body, out: &Path) -> Result<()> {
    let world = World::new(scene, &Silent::default())?;
    let (train, test) = (train_cameras(&scene.camera), test_cameras(&scene.camera));
    let mut views: Vec<Image> =
        train.iter().chain(&test).map(|c| photograph(&world, c, scene.camera.antialias)).collect();
    let mut random = Random::new(&[0xE8, u64::from(scene.seed)]);
    super::expose(&mut views, body, true, &mut random);
    for (i, light) in views.iter().enumerate() {
        let name = format!("{:04}.JPG", i + 1);
        let set = if i < train.len() { "truth" } else { "test" };
        write_jpeg_with(&out.join(set).join(&name), &body.lit(light), write::LIT_QUALITY, Sampling::Full)?;
        if i < train.len() {
            let keys = [u64::from(scene.seed), 1, i as u64];
            let path = out.join("train").join(&name);
            match scene.sensor.file {
                PictureFile::Png => write_deep(&path.with_extension("PNG"), &body.unrounded(light, keys))?,
                _ => write::dark(&path, &body.dark(light, keys)?, body.kept)?,
            }
        }
    }
    write::camera(out, "the room's camera", body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use naka_gs::capture;
    use naka_gs::enhance::camera::Camera;

    #[test]
    fn a_room_is_a_capture_with_truth_and_camera() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("room");
        RoomCapture { out: out.clone(), seed: 4, views: vec![3, 1], size: vec![48, 32], deep: false }.run().unwrap();
        let capture = capture::load(&out, &capture::Options::default()).unwrap();
        assert_eq!((capture.train.len(), capture.test.len()), (3, 1));
        let mean = |path: &Path| {
            let image = capture::read_image(path).unwrap();
            image.pixels.iter().map(|p| f64::from(p[1])).sum::<f64>() / image.pixels.len() as f64
        };
        let dark = capture.train[0].image.clone().unwrap();
        let truth = out.join("truth").join(&capture.train[0].name);
        assert!(mean(&dark) < 0.2 * mean(&truth));
        assert!(Camera::open(&out.join("camera.toml").to_string_lossy()).is_ok());
    }

    #[test]
    fn a_camera_that_rounds_nothing_keeps_what_jpeg_files_lose() {
        let dir = tempfile::tempdir().unwrap();
        let [jpeg, deep] = [false, true].map(|deep| {
            let out = dir.path().join(if deep { "deep" } else { "jpeg" });
            RoomCapture { out: out.clone(), seed: 4, views: vec![3, 1], size: vec![48, 32], deep }.run().unwrap();
            let capture = capture::load(&out, &capture::Options::default()).unwrap();
            capture::read_image(capture.train[1].image.as_ref().unwrap()).unwrap()
        });
        let levels = |image: &Image, c: usize| image.pixels.iter().map(|p| 255.0 * p[c]).collect::<Vec<f32>>();
        for c in 0..3 {
            let (jpeg, deep) = (levels(&jpeg, c), levels(&deep, c));
            let apart = jpeg.iter().zip(&deep).map(|(a, b)| (a - b).powi(2)).sum::<f32>() / jpeg.len() as f32;
            assert!((0.05..2.0).contains(&apart.sqrt()), "channel {c}: {} levels apart", apart.sqrt());
        }
    }
}
