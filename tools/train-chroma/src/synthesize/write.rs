//! The files of a capture.

use super::camera::Body;
use super::jpeg::Jpeg;
use naka_gs::capture::Image;
use naka_gs::eval::{Sampling, write_jpeg_with};
use naka_gs::storage;
use naka_gs::{Error, Result};
use serde::Serialize;
use std::path::Path;

/// Quality of the lit pictures: they are what the network is trained toward.
pub const LIT_QUALITY: u8 = 98;

/// Knots of a camera's response, up to a lit level of 246.
const KNOTS: usize = 30;
const HIGHEST: f32 = 246.0;

#[derive(Serialize)]
struct CameraFile {
    name: String,
    kind: &'static str,
    ratio: f32,
    red: Vec<[f32; 2]>,
    green: Vec<[f32; 2]>,
    blue: Vec<[f32; 2]>,
}

/// Writes picture `index` of a capture into `folder`: `dark/` and `lit/`.
///
/// # Errors
/// Files that cannot be written.
pub fn pair(folder: &Path, index: usize, [dark, lit]: &[Image; 2], jpeg: Jpeg) -> Result<()> {
    let name = format!("{:04}.jpg", index + 1);
    for part in ["dark", "lit"].map(|part| folder.join(part)) {
        std::fs::create_dir_all(&part).map_err(Error::io(&part))?;
    }
    self::dark(&folder.join("dark").join(&name), dark, jpeg)?;
    write_jpeg_with(&folder.join("lit").join(&name), lit, LIT_QUALITY, Sampling::Full)
}

/// Writes a dark picture.
///
/// # Errors
/// A file that cannot be written.
pub fn dark(path: &Path, image: &Image, jpeg: Jpeg) -> Result<()> {
    storage::write_bytes(path, &jpeg.encode(image)?)
}

/// Writes the camera's exact response as `camera.toml`.
///
/// # Errors
/// A file that cannot be written.
pub fn camera(folder: &Path, name: &str, body: &Body) -> Result<()> {
    let path = folder.join("camera.toml");
    let text = toml::to_string(&response(name, body)).map_err(|e| Error::io(&path)(std::io::Error::other(e)))?;
    storage::write_bytes(&path, text.as_bytes())
}

fn response(name: &str, body: &Body) -> CameraFile {
    let knots = |c: usize| knots(body, c);
    let [red, green, blue] = [0, 1, 2].map(knots);
    CameraFile { name: name.to_owned(), kind: "curve", ratio: body.ratio, red, green, blue }
}

/// Dark and lit levels of one channel, at steps of `asinh` of the dark level (in which camera files are interpolated)
/// that are shorter near black, where the response bends most.
fn knots(body: &Body, channel: usize) -> Vec<[f32; 2]> {
    let brightest = body.tone.decode(HIGHEST / 255.0);
    let (low, high) = (body.response(0.0).1[channel], body.response(brightest).1[channel]);
    let error = body.tone.decode(low / 255.0);
    let level = |i: usize| {
        let share = (i as f32 / (KNOTS - 1) as f32).powf(1.5);
        (low.asinh() + (high.asinh() - low.asinh()) * share).sinh()
    };
    (0..KNOTS)
        .map(|i| {
            let light = body.ratio * (body.tone.decode(level(i) / 255.0) - error);
            let (lit, dark) = body.response(if i == 0 { 0.0 } else { light });
            [dark[channel], lit]
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use naka_gs::enhance::camera::Camera;
    use naka_gs::scenes::Random;

    /// A camera's file, read as the program reads it, gives the lit level of every dark level within half a level.
    #[test]
    fn camera_files_reproduce_the_response() {
        for i in 0..60 {
            let body = super::super::draw::body(&mut Random::new(&[3, i]));
            let text = toml::to_string(&response("test", &body)).unwrap();
            let read = Camera::parse(Path::new("camera.toml"), &text).unwrap();
            assert_eq!(read.ratio, Some(body.ratio));
            for step in 0..200 {
                let light = body.tone.decode(HIGHEST / 255.0) * (step as f32 / 199.0).powi(3);
                let (lit, dark) = body.response(light);
                for (c, value) in read.apply((dark / 255.0).to_array()).iter().enumerate() {
                    assert!((255.0 * value - lit).abs() < 0.5, "camera {i} channel {c}: {} for {lit}", 255.0 * value);
                }
            }
        }
    }
}
