//! A photographed scene as a capture folder.
//!
//! `train/` holds the dark pictures, `truth/` what the same views look like in good light, `test/` the lit pictures of
//! the test poses; `transforms_train.json` and `transforms_test.json` the poses; `camera.toml` what is known of the
//! camera's response; `scene.toml` the scene. Everything is written to `NAME.part` and renamed when it is complete.

use super::description::{PictureFile, Scene, Sensor};
use super::path::{photograph, test_cameras, train_cameras};
use super::sensor::{Taken, counted, dark, lit};
use super::world::World;
use crate::capture::{Camera, Image, decode_image};
use crate::error::{Error, Result};
use crate::eval::{Sampling, write_jpeg_with, write_jpeg_with_exif};
use crate::hash::sha256_of_file;
use crate::progress::Progress;
use crate::storage;
use exif::experimental::Writer;
use exif::{Field, In, Rational, Tag, Value};
use image::ImageFormat;
use serde::Serialize;
use std::io::Cursor;
use std::path::{Component, Path, PathBuf};

/// Quality of lit pictures: they are the truth that renders are measured against.
const LIT_QUALITY: u8 = 98;

#[derive(Serialize)]
struct Transforms {
    camera_angle_x: f64,
    camera_angle_y: f64,
    fl_x: f64,
    fl_y: f64,
    k1: f64,
    k2: f64,
    p1: f64,
    p2: f64,
    is_fisheye: bool,
    cx: f64,
    cy: f64,
    w: f64,
    h: f64,
    aabb_scale: u32,
    frames: Vec<Frame>,
}

#[derive(Serialize)]
struct Frame {
    file_path: String,
    transform_matrix: [[f64; 4]; 4],
}

#[derive(Serialize)]
struct CameraFile {
    kind: &'static str,
    ratio: f64,
}

/// The scene in a capture folder that was made from one.
const SCENE_FILE: &str = "scene.toml";
/// What is known of the camera's response.
const CAMERA_FILE: &str = "camera.toml";
/// The list of all other files with their hashes: what may be deleted for another scene.
const LIST: &str = "files.sha256";
const PICTURE_FOLDERS: [&str; 3] = ["train", "truth", "test"];
/// The folder that a demo's capture lies in, in the folder of its results.
pub const CAPTURE_FOLDER: &str = "capture";

/// Whether `out` holds a finished capture of exactly this scene, whatever it is called.
pub fn is_generated(scene: &Scene, out: &Path) -> bool {
    let file = out.join(SCENE_FILE);
    file.is_file() && Scene::load(&file).is_ok_and(|found| Scene { name: scene.name.clone(), ..found } == *scene)
}

/// What the scene in `folder` is called: as its folder; a generated one in a folder of the name that all demos have, by
/// its own name.
pub fn name_of(folder: &Path) -> String {
    let full = folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf());
    let name = full.file_name().unwrap_or_else(|| "scene".as_ref()).to_string_lossy().into_owned();
    let file = folder.join(SCENE_FILE);
    let generated = (name == CAPTURE_FOLDER && file.is_file()).then(|| Scene::load(&file));
    match generated {
        Some(Ok(scene)) if !scene.name.is_empty() => scene.name,
        _ => name,
    }
}

/// Photographs `scene` into the folder `out`. Nothing is done if the folder already holds this very scene; an
/// interrupted generation leaves only `NAME.part`, which the next one replaces.
///
/// # Errors
/// [`Error::Exists`] if `out` holds anything else; files that cannot be written; a stop that was asked for.
pub fn generate(scene: &Scene, out: &Path, progress: &dyn Progress) -> Result<()> {
    if is_generated(scene, out) {
        return Ok(());
    }
    // An empty folder may be taken over.
    if out.exists() && !storage::remove_empty_folder(out) {
        return Err(Error::Exists(out.to_path_buf()));
    }
    let part = part_name(out);
    remove_part(scene, &part)?;
    for folder in PICTURE_FOLDERS.map(|name| part.join(name)) {
        storage::create_folder(&folder)?;
    }
    let world = World::new(scene, progress)?;
    photograph_all(scene, &world, &part, progress)?;
    describe(scene, &part)?;
    list_files(&part)?;
    storage::rename(&part, out)
}

/// Removes a generated capture: the files in its list that are as they were written. What else is in the folder stays.
///
/// # Errors
/// A file that cannot be removed.
pub fn remove(folder: &Path) -> Result<()> {
    let list = std::fs::read_to_string(folder.join(LIST)).unwrap_or_default();
    for (hash, name) in list.lines().filter_map(|line| line.split_once("  ")) {
        let path = folder.join(name);
        let plain = Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
        if plain && sha256_of_file(&path).is_ok_and(|(_, found)| found == hash) {
            storage::remove_file(&path)?;
        }
    }
    storage::remove_file(folder.join(LIST))?;
    remove_empty(folder);
    Ok(())
}

/// Removes what a generation of `scene` that was killed left; anything else there is moved aside.
fn remove_part(scene: &Scene, part: &Path) -> Result<()> {
    let views = train_cameras(&scene.camera).len() + test_cameras(&scene.camera).len();
    for folder in PICTURE_FOLDERS.map(|name| part.join(name)) {
        storage::remove_leftovers(&folder);
        let names = (0..views).flat_map(|i| [file_name(i), dark_name(&scene.sensor, i)]);
        names.into_iter().try_for_each(|name| storage::remove_file(folder.join(name)))?;
    }
    storage::remove_leftovers(part);
    for name in [LIST, SCENE_FILE, CAMERA_FILE, "transforms_train.json", "transforms_test.json"] {
        storage::remove_file(part.join(name))?;
    }
    remove_empty(part);
    if part.exists() {
        let backup = storage::set_aside(part)?;
        tracing::warn!("{} holds files of another origin: kept as {}", part.display(), backup.display());
    }
    Ok(())
}

fn remove_empty(folder: &Path) {
    PICTURE_FOLDERS.iter().for_each(|name| _ = storage::remove_empty_folder(folder.join(name)));
    storage::remove_empty_folder(folder);
}

/// Writes the list of all files below `folder` with their hashes, as `sha256sum` does.
fn list_files(folder: &Path) -> Result<()> {
    let mut lines = Vec::new();
    for inner in PICTURE_FOLDERS.iter().copied().chain([""]) {
        let path = folder.join(inner);
        for entry in std::fs::read_dir(&path).map_err(Error::io(&path))? {
            let file = entry.map_err(Error::io(&path))?.path();
            if file.is_file() {
                let (_, hash) = sha256_of_file(&file).map_err(Error::io(&file))?;
                let name = file.file_name().unwrap_or_default().to_string_lossy();
                lines.push(format!("{hash}  {inner}{}{name}\n", if inner.is_empty() { "" } else { "/" }));
            }
        }
    }
    lines.sort();
    storage::write_bytes(folder.join(LIST), lines.concat().as_bytes())
}

fn part_name(out: &Path) -> PathBuf {
    let mut name = out.as_os_str().to_owned();
    name.push(".part");
    PathBuf::from(name)
}

fn photograph_all(scene: &Scene, world: &World, folder: &Path, progress: &dyn Progress) -> Result<()> {
    let (train, test) = (train_cameras(&scene.camera), test_cameras(&scene.camera));
    progress.begin("photograph", "views", (train.len() + test.len()) as u64);
    for (i, camera) in train.iter().chain(&test).enumerate() {
        progress.check()?;
        let radiance = photograph(world, camera, scene.camera.antialias);
        let name = file_name(i);
        let truth = folder.join(if i < train.len() { "truth" } else { "test" }).join(&name);
        write_jpeg_with(&truth, &lit(&radiance, &scene.sensor), LIT_QUALITY, Sampling::Full)?;
        if i < train.len() {
            let (taken, keys) = (scene.sensor.taken(i, train.len()), [u64::from(scene.seed), i as u64]);
            write_dark(
                &folder.join("train").join(dark_name(&scene.sensor, i)),
                &radiance,
                &scene.sensor,
                &taken,
                keys,
            )?;
        }
        progress.set(i as u64 + 1, "");
    }
    progress.end();
    Ok(())
}

/// The dark picture of `radiance`.
fn write_dark(path: &Path, radiance: &Image, sensor: &Sensor, taken: &Taken, keys: [u64; 2]) -> Result<()> {
    let samples = || {
        let samples = counted(radiance, sensor, taken, keys).encode();
        samples.map_err(|e| Error::io(path)(std::io::Error::other(e)))
    };
    let picture = match sensor.file {
        PictureFile::Jpeg => dark(radiance, sensor, taken, keys),
        PictureFile::Png => return write_deep(path, &dark(radiance, sensor, taken, keys)),
        PictureFile::Dng => return storage::write_bytes(path, &samples()?),
        PictureFile::DevelopedJpeg => decode_image(&path.with_extension("DNG"), &samples()?)?,
    };
    match sensor.auto_exposure {
        0.0 => write_jpeg_with(path, &picture, sensor.quality, Sampling::Half),
        _ => write_jpeg_with_exif(path, &picture, sensor.quality, Sampling::Half, &exif(taken.exposure)?),
    }
}

/// Writes a picture as PNG of 16 bits.
///
/// # Errors
/// The file cannot be written.
pub fn write_deep(path: &Path, picture: &Image) -> Result<()> {
    let mut bytes = Cursor::new(Vec::new());
    let encoded = picture.to_rgb16().write_to(&mut bytes, ImageFormat::Png);
    encoded.map_err(|e| Error::io(path)(std::io::Error::other(e)))?;
    storage::write_bytes(path, bytes.get_ref())
}

/// What a camera says of an exposure so many times as long as 1/50 s.
fn exif(exposure: f64) -> Result<Vec<u8>> {
    let micros = Rational { num: (2e4 * exposure).round() as u32, denom: 1_000_000 };
    let field = |tag, value| Field { tag, ifd_num: In::PRIMARY, value };
    let fields = [
        field(Tag::ExposureTime, Value::Rational(vec![micros])),
        field(Tag::PhotographicSensitivity, Value::Short(vec![1600])),
    ];
    let (mut writer, mut bytes) = (Writer::new(), Cursor::new(Vec::new()));
    fields.iter().for_each(|field| writer.push_field(field));
    writer.write(&mut bytes, false).map_err(|e| Error::io("EXIF")(std::io::Error::other(e)))?;
    Ok(bytes.into_inner())
}

/// Train views come first, from 0001; test views count on.
pub fn file_name(index: usize) -> String {
    format!("{:04}.JPG", index + 1)
}

/// As [`file_name`], of a dark picture.
fn dark_name(sensor: &Sensor, index: usize) -> String {
    match sensor.file {
        PictureFile::Dng => format!("{:04}.DNG", index + 1),
        PictureFile::Png => format!("{:04}.PNG", index + 1),
        PictureFile::Jpeg | PictureFile::DevelopedJpeg => file_name(index),
    }
}

fn describe(scene: &Scene, folder: &Path) -> Result<()> {
    let (train, test) = (train_cameras(&scene.camera), test_cameras(&scene.camera));
    let sets = [("train", &train, 0), ("test", &test, train.len())];
    for (set, cameras, first) in sets {
        let path = folder.join(format!("transforms_{set}.json"));
        let name = |i| if first == 0 { dark_name(&scene.sensor, i) } else { file_name(i) };
        if let Some(transforms) = transforms(set, cameras, |i| name(first + i)) {
            let json = serde_json::to_vec_pretty(&transforms).map_err(|e| Error::io(&path)(e.into()))?;
            storage::write_bytes(&path, &json)?;
        }
    }
    let camera = CameraFile { kind: "srgb-exposure", ratio: scene.sensor.ratio };
    write_toml(&folder.join(CAMERA_FILE), &camera)?;
    write_toml(&folder.join(SCENE_FILE), scene)
}

fn write_toml(path: &Path, value: &impl Serialize) -> Result<()> {
    let text = toml::to_string(value).map_err(|e| Error::io(path)(std::io::Error::other(e)))?;
    storage::write_bytes(path, text.as_bytes())
}

/// The poses of one set of views; `None` for no view.
fn transforms(set: &str, cameras: &[Camera], name: impl Fn(usize) -> String) -> Option<Transforms> {
    let camera = cameras.first()?;
    let (w, h) = (f64::from(camera.width), f64::from(camera.height));
    let frame = |(i, camera): (usize, &Camera)| Frame {
        file_path: format!("{set}/{}", name(i)),
        transform_matrix: camera.opengl_c2w().transpose().to_cols_array_2d(),
    };
    Some(Transforms {
        camera_angle_x: 2.0 * (0.5 * w / camera.fx).atan(),
        camera_angle_y: 2.0 * (0.5 * h / camera.fy).atan(),
        fl_x: camera.fx,
        fl_y: camera.fy,
        k1: 0.0,
        k2: 0.0,
        p1: 0.0,
        p2: 0.0,
        is_fisheye: false,
        cx: camera.cx,
        cy: camera.cy,
        w,
        h,
        aabb_scale: 2,
        frames: cameras.iter().enumerate().map(frame).collect(),
    })
}
