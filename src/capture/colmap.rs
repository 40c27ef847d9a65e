//! The cameras of a COLMAP model: `cameras.bin`/`images.bin` or `cameras.txt`/`images.txt`.

use super::frame::{Focal, Frame, Intrinsics};
use super::pose::NamedPose;
use super::resolve::file_in;
use super::{Distortion, pose};
use crate::error::{Error, Result};
use crate::limits;
use glam::{DMat3, DMat4, DQuat, DVec3};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// COLMAP's camera models by id (`src/colmap/sensor/models.h`): name, parameters, and how many of them come before those
/// of the distortion (f cx cy: 3, fx fy cx cy: 4).
const MODELS: [(&str, usize, usize); 17] = [
    ("SIMPLE_PINHOLE", 3, 3),
    ("PINHOLE", 4, 4),
    ("SIMPLE_RADIAL", 4, 3),
    ("RADIAL", 5, 3),
    ("OPENCV", 8, 4),
    ("OPENCV_FISHEYE", 8, 4),
    ("FULL_OPENCV", 12, 4),
    ("FOV", 5, 4),
    ("SIMPLE_RADIAL_FISHEYE", 4, 3),
    ("RADIAL_FISHEYE", 5, 3),
    ("THIN_PRISM_FISHEYE", 12, 4),
    ("RAD_TAN_THIN_PRISM_FISHEYE", 16, 4),
    ("SIMPLE_DIVISION", 4, 3),
    ("DIVISION", 5, 4),
    ("SIMPLE_FISHEYE", 3, 3),
    ("FISHEYE", 4, 4),
    ("EUCM", 6, 4),
];
const TRUNCATED: &str = "it is cut off or damaged: copy or export it again";
const OTHER_MODEL: &str = "convert the model to one of COLMAP's perspective or fisheye cameras";

/// A camera of the model: image size and intrinsics.
type ModelCamera = ((u32, u32), Intrinsics);
type Cameras = BTreeMap<u32, ModelCamera>;

/// One image of the model, before its camera is looked up.
struct Posed {
    name: String,
    camera: u32,
    rotation: DQuat,
    translation: DVec3,
}

/// The images of the model in `folder`, sorted by name (their order in the file means nothing).
///
/// # Errors
/// A damaged file, a camera model of another kind, a pose that is not rigid, no images.
pub fn read(folder: &Path) -> Result<Vec<Frame>> {
    Ok(read_with_cameras(folder)?.into_iter().map(|(_, frame)| frame).collect())
}

/// [`read`], each image with the id of its camera.
///
/// # Errors
/// As [`read`].
pub fn read_with_cameras(folder: &Path) -> Result<Vec<(u32, Frame)>> {
    let (image_file, images) = images(folder)?;
    let cameras = match is_binary(&image_file) {
        true => cameras_binary(&file_or_name(folder, "cameras.bin"))?,
        false => cameras_text(&file_or_name(folder, "cameras.txt"))?,
    };
    images.into_iter().map(|image| Ok((image.camera, frame(&image_file, image, &cameras)?))).collect()
}

/// The poses of the images of the model in `folder`, sorted by name, whatever their lenses are.
///
/// # Errors
/// A damaged file, a pose that is not rigid, no images.
pub fn poses(folder: &Path) -> Result<Vec<NamedPose>> {
    let (path, images) = images(folder)?;
    images.into_iter().map(|i| Ok(NamedPose { viewmat: i.viewmat(&path)?, image: i.name })).collect()
}

/// The file of images of the model in `folder`, and its images by name.
fn images(folder: &Path) -> Result<(PathBuf, Vec<Posed>)> {
    let path = image_file(folder).unwrap_or_else(|| folder.join("images.txt"));
    let mut images = if is_binary(&path) { images_binary(&path)? } else { images_text(&path)? };
    if images.is_empty() {
        return Err(Error::input(&path, "holds no images", "give a COLMAP model with registered images"));
    }
    images.sort_by(|a, b| a.name.cmp(&b.name));
    Ok((path, images))
}

/// Whether `folder` holds the cameras of a model.
pub fn is_model(folder: &Path) -> bool {
    image_file(folder).is_some()
}

/// The number of images of the model in `folder`.
///
/// # Errors
/// A file of images that cannot be read.
pub fn image_count(folder: &Path) -> Result<u64> {
    match image_file(folder) {
        Some(path) if is_binary(&path) => Binary::open(&path)?.u64(),
        Some(path) => Ok(images_text(&path)?.len() as u64),
        None => Ok(0),
    }
}

fn image_file(folder: &Path) -> Option<PathBuf> {
    ["images.bin", "images.txt"].iter().find_map(|name| file_in(folder, name))
}

fn is_binary(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("bin"))
}

/// The file `name` of the model, or the path that it should have.
fn file_or_name(folder: &Path, name: &str) -> PathBuf {
    file_in(folder, name).unwrap_or_else(|| folder.join(name))
}

impl Posed {
    fn refuse(&self, path: &Path, found: &str) -> Error {
        Error::input(
            path,
            format!("image `{}`: {found}", self.name),
            "remove the image from the model or export it again",
        )
    }

    /// World to camera; `path` is the file it came from.
    fn viewmat(&self, path: &Path) -> Result<DMat4> {
        let norm = self.rotation.length();
        if !(norm.is_finite() && norm > 1e-6) {
            return Err(self.refuse(path, "its rotation is zero or not finite"));
        }
        let translation = pose::position(self.translation).map_err(|found| self.refuse(path, &found))?;
        Ok(pose::from_rotation_translation(DMat3::from_quat(self.rotation.normalize()), translation))
    }
}

fn frame(path: &Path, image: Posed, cameras: &Cameras) -> Result<Frame> {
    let camera = cameras.get(&image.camera);
    let (size, intrinsics) =
        camera.ok_or_else(|| image.refuse(path, &format!("camera {} does not exist", image.camera)))?;
    Ok(Frame {
        viewmat: image.viewmat(path)?,
        image: image.name,
        mask: None,
        size: Some(*size),
        intrinsics: *intrinsics,
    })
}

/// The intrinsics of camera `id`, or the refusal of a model that is none of [`MODELS`].
fn camera(path: &Path, id: u32, model: &str, size: (u64, u64), params: &[f64]) -> Result<ModelCamera> {
    let refuse = |found: String, remedy: &str| Error::input(path, format!("camera {id}: {found}"), remedy);
    let Some(&(_, count, focal)) = MODELS.iter().find(|m| m.0 == model) else {
        return Err(refuse(format!("the model {model} is not read here"), OTHER_MODEL));
    };
    let (Some(distortion), [fx, rest @ ..]) = (params.get(focal..).and_then(|p| Distortion::colmap(model, p)), params)
    else {
        return Err(refuse(format!("{model} has {count} parameters, not {}", params.len()), TRUNCATED));
    };
    let fy = if focal == 3 { *fx } else { rest[0] };
    let [cx, cy] = [params[focal - 2], params[focal - 1]];
    let whole = |v: u64| u32::try_from(v).ok().filter(|v| (1..=1_000_000).contains(v));
    let (Some(width), Some(height)) = (whole(size.0), whole(size.1)) else {
        return Err(refuse(format!("its image size is {} × {}", size.0, size.1), TRUNCATED));
    };
    let distortion = Some(distortion).filter(|distortion| !distortion.is_none());
    let (x, y) = (Focal::Pixels(*fx), Some(Focal::Pixels(fy)));
    Ok(((width, height), Intrinsics { x, y, cx: Some(cx), cy: Some(cy), distortion }))
}

/// A binary file being read; every failure to read is a file that ends early.
struct Binary<'a> {
    path: &'a Path,
    reader: BufReader<File>,
}

impl<'a> Binary<'a> {
    fn open(path: &'a Path) -> Result<Self> {
        Ok(Self { path, reader: BufReader::new(File::open(path).map_err(Error::io(path))?) })
    }

    fn bytes<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        self.reader.read_exact(&mut bytes).map_err(|_| self.ends_early())?;
        Ok(bytes)
    }

    fn u32(&mut self) -> Result<u32> {
        self.bytes().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64> {
        self.bytes().map(u64::from_le_bytes)
    }

    fn f64(&mut self) -> Result<f64> {
        self.bytes().map(f64::from_le_bytes)
    }

    fn name(&mut self) -> Result<String> {
        let mut bytes = Vec::new();
        // A name longer than any path is a damaged file.
        let read = self.reader.by_ref().take(4096).read_until(0, &mut bytes).map_err(Error::io(self.path))?;
        if read == 0 || bytes.pop() != Some(0) {
            return Err(self.ends_early());
        }
        // Names that are not UTF-8 mostly come from Western Windows.
        Ok(String::from_utf8(bytes).unwrap_or_else(|error| error.as_bytes().iter().map(|b| char::from(*b)).collect()))
    }

    fn skip(&mut self, bytes: u64) -> Result<()> {
        let skipped = std::io::copy(&mut self.reader.by_ref().take(bytes), &mut std::io::sink());
        if skipped.map_err(Error::io(self.path))? == bytes { Ok(()) } else { Err(self.ends_early()) }
    }

    fn ends_early(&self) -> Error {
        Error::input(self.path, "ends before its last entry", TRUNCATED)
    }
}

fn cameras_binary(path: &Path) -> Result<Cameras> {
    let mut file = Binary::open(path)?;
    let mut cameras = Cameras::new();
    for _ in 0..file.u64()? {
        let id = file.u32()?;
        let model = file.u32()?;
        let size = (file.u64()?, file.u64()?);
        let Some(&(name, count, _)) = MODELS.get(model as usize) else {
            return Err(Error::input(path, format!("camera {id}: unknown camera model {model}"), OTHER_MODEL));
        };
        let params = (0..count).map(|_| file.f64()).collect::<Result<Vec<_>>>()?;
        cameras.insert(id, camera(path, id, name, size, &params)?);
    }
    Ok(cameras)
}

fn images_binary(path: &Path) -> Result<Vec<Posed>> {
    let mut file = Binary::open(path)?;
    let mut images = Vec::new();
    for _ in 0..file.u64()? {
        file.u32()?;
        let [w, x, y, z] = [file.f64()?, file.f64()?, file.f64()?, file.f64()?];
        let translation = DVec3::new(file.f64()?, file.f64()?, file.f64()?);
        let camera = file.u32()?;
        let name = file.name()?;
        let keypoints = file.u64()?;
        file.skip(keypoints.saturating_mul(24))?;
        images.push(Posed { name, camera, rotation: DQuat::from_xyzw(x, y, z, w), translation });
    }
    Ok(images)
}

fn text_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(i, line)| (i + 1, line.trim())).filter(|(_, line)| !line.starts_with('#'))
}

fn bad_line(path: &Path, number: usize, expected: &str) -> Error {
    Error::input(path, format!("line {number} is not `{expected}`"), TRUNCATED)
}

fn cameras_text(path: &Path) -> Result<Cameras> {
    let mut cameras = Cameras::new();
    let text = limits::read_text(path)?;
    for (number, line) in text_lines(&text).filter(|(_, line)| !line.is_empty()) {
        let (id, camera) = camera_line(path, number, line)?;
        cameras.insert(id, camera);
    }
    Ok(cameras)
}

/// The id, image size and intrinsics in line `number` of the `cameras.txt` at `path`.
///
/// # Errors
/// A line of another kind, a camera model that is not read here.
pub fn camera_line(path: &Path, number: usize, line: &str) -> Result<(u32, ModelCamera)> {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let parsed = || -> Option<_> {
        let params = words.get(4..)?.iter().map(|w| w.parse().ok()).collect::<Option<Vec<f64>>>()?;
        Some((words[0].parse().ok()?, words[1], (words[2].parse().ok()?, words[3].parse().ok()?), params))
    };
    let (id, model, size, params) = parsed().ok_or_else(|| bad_line(path, number, "ID MODEL WIDTH HEIGHT PARAMS"))?;
    Ok((id, camera(path, id, model, size, &params)?))
}

/// Two lines an image: the pose, then its key points (a line that may be blank, and that scripts leave away).
fn images_text(path: &Path) -> Result<Vec<Posed>> {
    let mut images = Vec::new();
    let text = limits::read_text(path)?;
    let mut lines = text_lines(&text).peekable();
    while let Some((number, line)) = lines.next() {
        if line.is_empty() {
            continue;
        }
        images.push(posed_line(line).ok_or_else(|| bad_line(path, number, "ID QW QX QY QZ TX TY TZ CAMERA NAME"))?);
        lines.next_if(|(_, next)| are_keypoints(next) || posed_line(next).is_none());
    }
    Ok(images)
}

/// Whether a line holds numbers in threes (x, y, point), or nothing.
fn are_keypoints(line: &str) -> bool {
    let words = line.split_ascii_whitespace();
    words.clone().count().is_multiple_of(3) && words.into_iter().all(|word| word.parse::<f64>().is_ok())
}

fn posed_line(line: &str) -> Option<Posed> {
    let mut rest = line;
    let mut word = || {
        let (word, others) = rest.trim_start().split_once(|c: char| c.is_ascii_whitespace())?;
        rest = others;
        Some(word)
    };
    word()?.parse::<u32>().ok()?;
    let mut number = || word()?.parse::<f64>().ok();
    let [w, x, y, z] = [number()?, number()?, number()?, number()?];
    let translation = DVec3::new(number()?, number()?, number()?);
    let camera = word()?.parse().ok()?;
    let name = Some(rest.trim()).filter(|name| !name.is_empty())?.to_string();
    Some(Posed { name, camera, rotation: DQuat::from_xyzw(x, y, z, w), translation })
}
