//! What the fuzzers run, one function a target: bytes that somebody else made, through the reader that a user's file
//! takes. A target fails by a panic: of the reader, or of an assertion that what it accepted is finite.
//!
//! `tests/corpus.rs` includes this file and runs every committed input through it.

use naka_gs::batch::summary;
use naka_gs::capture::{self, Camera, View};
use naka_gs::enhance::camera::Camera as Response;
use naka_gs::enhance::weights::Weights;
use naka_gs::paths::{CameraPath, Tour, through};
use naka_gs::pipeline::record::Run;
use naka_gs::settings::Layers;
use naka_gs::submit::{Scene, Template};
use naka_gs::{Silent, prior, splat, submit};
use rawzip::ZipArchiveWriter;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

/// A target: the input, and a folder of its own to put files into.
pub type Target = fn(&[u8], &Path);

/// All targets by name, which is also that of their folder in `corpus/`.
pub const TARGETS: [(&str, Target); 19] = [
    ("ply_points", ply_points),
    ("ply_splats", ply_splats),
    ("ply_compressed", ply_compressed),
    ("spz_gzip", spz_gzip),
    ("spz_frames", spz_frames),
    ("colmap_bin", colmap_bin),
    ("colmap_txt", colmap_txt),
    ("transforms", transforms),
    ("arrays", arrays),
    ("pickle", pickle),
    ("checkpoint_zip", checkpoint_zip),
    ("weights", weights),
    ("jpeg", jpeg),
    ("image", image),
    ("camera_path", camera_path),
    ("camera_toml", camera_toml),
    ("settings", settings),
    ("zip_check", zip_check),
    ("run_json", run_json),
];

/// The files of a scene that a target's camera files may name: `0.png` to `3.png`, 16 × 12 pixels.
const PICTURES: [&str; 4] = ["0.png", "1.png", "2.png", "3.png"];
const SIZE: [u32; 2] = [16, 12];
/// Pictures of a path that is evaluated; a path may have a million.
const MOST_FRAMES: f64 = 1000.0;

fn file(folder: &Path, name: &str, data: &[u8]) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, data).expect("the scratch folder can be written");
    path
}

pub fn ply_points(data: &[u8], folder: &Path) {
    points(&file(folder, "points.ply", data));
}

/// A `.npy` or a `.npz`; the reader tells them apart.
pub fn arrays(data: &[u8], folder: &Path) {
    points(&file(folder, "points.npz", data));
}

fn points(path: &Path) {
    let options = prior::ReadOptions { min_confidence: 0.0, max_points: 10_000, ..Default::default() };
    if let Ok(found) = prior::read_with(path, &options) {
        let cloud = found.cloud;
        assert!(!cloud.is_empty() && cloud.len() == cloud.colors.len(), "{} points", cloud.len());
        assert!(cloud.positions.iter().chain(&cloud.normals).flatten().all(|v| v.is_finite()), "points");
    }
}

pub fn ply_splats(data: &[u8], folder: &Path) {
    splats(&file(folder, "splats.ply", data));
}

/// Bounds and words of a compressed PLY, after a byte each for its chunks, pairs of splats, pairs of rows of harmonics, and
/// their degree (plus 4 where chunks have no colors); the header is right.
pub fn ply_compressed(data: &[u8], folder: &Path) {
    let (counts, rest) = data.split_first_chunk().unwrap_or((&[0; 4], data));
    let [chunks, vertices, rows, degree] = counts.map(usize::from);
    let (vertices, rows) = (2 * vertices, 2 * rows);
    let floats = |names: &[&str]| names.iter().map(|name| format!("property float {name}\n")).collect::<String>();
    let axes = |prefix: &str| ["x", "y", "z"].map(|axis| format!("{prefix}_{axis}"));
    let bounds = [axes("min"), axes("max"), axes("min_scale"), axes("max_scale")].concat();
    let bounds: Vec<&str> = bounds.iter().map(String::as_str).collect();
    let colors =
        if degree & 4 == 0 { floats(&["min_r", "min_g", "min_b", "max_r", "max_g", "max_b"]) } else { String::new() };
    let words =
        ["position", "rotation", "scale", "color"].map(|name| format!("property uint packed_{name}\n")).concat();
    let harmonics = (0..[0, 9, 24, 45][degree & 3]).map(|i| format!("property uchar f_rest_{i}\n")).collect::<String>();
    let harmonics = if harmonics.is_empty() { harmonics } else { format!("element sh {rows}\n{harmonics}") };
    let header = format!(
        "ply\nformat binary_little_endian 1.0\nelement chunk {chunks}\n{}{colors}element vertex {vertices}\n{words}{harmonics}end_header\n",
        floats(&bounds)
    );
    splats(&file(folder, "splats.ply", &[header.as_bytes(), rest].concat()));
}

/// What gzip holds in an SPZ file of version 1 to 3.
pub fn spz_gzip(data: &[u8], folder: &Path) {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(data).expect("memory");
    splats(&file(folder, "splats.spz", &encoder.finish().expect("memory")));
}

/// An SPZ file of version 4 after its first eight bytes.
pub fn spz_frames(data: &[u8], folder: &Path) {
    splats(&file(folder, "splats.spz", &[&b"NGSP\x04\0\0\0"[..], data].concat()));
}

fn splats(path: &Path) {
    if let Ok(splats) = splat::read(path) {
        let all = splats.means.as_flattened().iter().chain(splats.quats.as_flattened());
        let all = all.chain(splats.log_scales.as_flattened()).chain(&splats.logit_opacities).chain(&splats.sh);
        assert!(all.into_iter().all(|v| v.is_finite()), "splats");
    }
}

/// `images.bin`, `cameras.bin` and `points3D.bin`, each after its length as a u16 (the last without).
pub fn colmap_bin(data: &[u8], folder: &Path) {
    let mut rest = data;
    let mut part = || {
        let (length, after) = rest.split_first_chunk().unwrap_or((&[0; 2], rest));
        let (part, after) = after.split_at(usize::from(u16::from_le_bytes(*length)).min(after.len()));
        rest = after;
        part
    };
    let (images, cameras) = (part(), part());
    model(folder, "bin", [images, cameras, rest]);
}

/// The same three as text, with a NUL between them.
pub fn colmap_txt(data: &[u8], folder: &Path) {
    let mut parts = data.splitn(3, |byte| *byte == 0);
    let mut part = || parts.next().unwrap_or_default();
    model(folder, "txt", [part(), part(), part()]);
}

fn model(folder: &Path, ending: &str, [images, cameras, points3d]: [&[u8]; 3]) {
    let sparse = folder.join("sparse/0");
    fs::create_dir_all(&sparse).expect("the scratch folder can be written");
    file(&sparse, &format!("images.{ending}"), images);
    file(&sparse, &format!("cameras.{ending}"), cameras);
    points(&file(&sparse, &format!("points3D.{ending}"), points3d));
    scene(folder);
}

pub fn transforms(data: &[u8], folder: &Path) {
    file(folder, "transforms.json", data);
    scene(folder);
    let _ = capture::poses(folder.join("transforms.json")).map(|views| finite(&views));
}

/// Everything that is read of a scene's cameras.
fn scene(folder: &Path) {
    let images = folder.join("images");
    if !images.is_dir() {
        fs::create_dir(&images).expect("the scratch folder can be written");
        PICTURES.iter().for_each(|name| drop(file(&images, name, PICTURE)));
    }
    if let Ok(Some(named)) = capture::named_poses(folder) {
        assert!(named.poses.iter().all(|pose| pose.viewmat.is_finite() && pose.viewmat.inverse().is_finite()));
    }
    if let Ok(capture) = capture::load(folder, &capture::Options::default()) {
        finite(&capture.train);
        finite(&capture.test);
        let scale = capture.scene_scale();
        assert!(scale.is_finite(), "scene scale {scale}");
    }
}

/// A gray PNG of [`SIZE`].
const PICTURE: &[u8] = include_bytes!("picture.png");

/// Asserts that the cameras can be computed with, and that a path through them can be written.
fn finite(views: &[View]) {
    let cameras: Vec<Camera> = views.iter().map(|view| view.camera.clone()).collect();
    for camera in &cameras {
        let Camera { fx, fy, cx, cy, .. } = *camera;
        // Kernels compute in single precision.
        let narrow = [fx, fy, cx, cy, 1.0 / fx, 1.0 / fy].map(|v| v as f32);
        assert!(narrow.iter().all(|v| v.is_finite()), "intrinsics {camera:?}");
        assert!(camera.viewmat.as_mat4().is_finite() && camera.c2w().as_mat4().is_finite(), "pose {camera:?}");
        assert!(camera.center().length_squared().is_finite(), "center {camera:?}");
    }
    let normalization = capture::world_normalization(&cameras);
    assert!(normalization.is_finite(), "normalization {normalization}");
    if let Ok(path) = through(&cameras, &Tour { seconds: 2.0, fps: 3.0, closed: false, keyframes: 4 }) {
        follow(&path);
    }
}

fn follow(path: &CameraPath) {
    if path.seconds() * path.fps > MOST_FRAMES {
        return;
    }
    for camera in path.cameras().into_iter().flatten() {
        assert!(camera.viewmat.is_finite() && camera.fx.is_finite(), "frame {camera:?}");
    }
}

pub fn camera_path(data: &[u8], folder: &Path) {
    if let Ok(path) = CameraPath::read(&file(folder, "path.json", data)) {
        follow(&path);
    }
}

/// The instructions of a pickle after a length as u16, then the content of its one storage, in an archive that is right.
pub fn pickle(data: &[u8], _: &Path) {
    let (length, rest) = data.split_first_chunk().unwrap_or((&[0; 2], data));
    let (pickle, storage) = rest.split_at(usize::from(u16::from_le_bytes(*length)).min(rest.len()));
    let mut bytes = Vec::new();
    let mut zip = ZipArchiveWriter::new(&mut bytes);
    for (name, content) in [("a/data.pkl", pickle), ("a/data/0", storage)] {
        let (mut entry, config) = zip.new_file(name).start().expect("a name of an entry");
        let mut writer = config.wrap(&mut entry);
        writer.write_all(content).expect("memory");
        let (_, descriptor) = writer.finish().expect("memory");
        entry.finish(descriptor).expect("memory");
    }
    zip.finish().expect("memory");
    network(&bytes);
}

pub fn checkpoint_zip(data: &[u8], _: &Path) {
    network(data);
}

pub fn weights(data: &[u8], _: &Path) {
    network(data);
}

fn network(bytes: &[u8]) {
    if let Ok(weights) = Weights::from_bytes("weights", bytes) {
        for (name, tensor) in &weights.tensors {
            assert!(tensor.values.iter().all(|v| v.is_finite()), "{name}");
            assert_eq!(tensor.shape.iter().product::<usize>(), tensor.values.len(), "{name}");
        }
    }
}

pub fn jpeg(data: &[u8], folder: &Path) {
    picture(&[&[0xff, 0xd8], data].concat(), folder);
}

/// A PNG or a TIFF, or a JPEG as a whole.
pub fn image(data: &[u8], folder: &Path) {
    picture(data, folder);
}

fn picture(data: &[u8], folder: &Path) {
    let path = file(folder, "picture", data);
    let extras = capture::Extras::read(&path);
    let size = capture::image_size(&path);
    if let Ok(image) = capture::decode_image(&path, data) {
        // The header alone is read more strictly than the whole, but never otherwise.
        assert!(size.is_err() || size.is_ok_and(|size| size == (image.width, image.height)));
        assert_eq!(image.pixels.len(), image.width as usize * image.height as usize);
        assert!(image.pixels.iter().flatten().all(|v| v.is_finite()), "pixels");
        extras.upright(&image);
    }
}

pub fn camera_toml(data: &[u8], folder: &Path) {
    let path = file(folder, "camera.toml", data);
    if let Ok(camera) = Response::open(&path.to_string_lossy()) {
        for level in [-1.0, 0.0, 0.001, 0.02, 0.5, 1.0, 2.0] {
            let lit = camera.apply([level, 0.5 * level, level * level]);
            assert!(lit.iter().all(|v| !v.is_nan()), "{level}: {lit:?}");
        }
    }
}

pub fn settings(data: &[u8], folder: &Path) {
    let layers = Layers { file: Some(file(folder, "settings.toml", data)), ..Layers::default() };
    if let Ok(settings) = layers.resolve() {
        settings.to_toml().expect("settings can be written as TOML");
    }
}

/// A zip of the pictures `s_0001.JPG` to `s_0003.JPG`, 16 × 12 pixels.
pub fn zip_check(data: &[u8], folder: &Path) {
    let [width, height] = SIZE;
    let view = |name: &str| {
        let camera =
            Camera { width, height, fx: 16.0, fy: 16.0, cx: 8.0, cy: 6.0, viewmat: Default::default(), reduction: 1.0 };
        View { name: name.into(), image: None, camera, lens: None, mask: None, gain: None, shots: Vec::new() }
    };
    let scene =
        Scene { name: "s".into(), path: "s".into(), test: PICTURES[1..].iter().map(|name| view(name)).collect() };
    let _ = submit::check(&file(folder, "s.zip", data), &[scene], &Template::default(), &Silent::default());
}

/// `run.json`, and the summary of a batch.
pub fn run_json(data: &[u8], folder: &Path) {
    file(folder, "run.json", data);
    if let Ok(Some(run)) = Run::read(folder) {
        run.changes_under_way();
        let text = serde_json::to_string(&run).expect("a record can be written");
        assert!(serde_json::from_str::<Run>(&text).is_ok(), "a record is read back");
    }
    file(folder, summary::SUMMARY_FILE, data);
    let _ = summary::read(folder);
}
