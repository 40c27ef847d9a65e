//! The text model of COLMAP: chosen among several, and adapted to the lit photographs.

use super::PICTURE;
use super::camera::{Original, Pinhole};
use crate::capture::{LENSES, Lens, View};
use crate::error::{Error, Result};
use crate::storage;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt::Write as _;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

const AGAIN: &str = "delete the folder and run the same command again";
const OTHER_LENS: &str = "use another `poses.lens`, such as simple_pinhole, or more photographs";

/// A model as text.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// Names of the photographs with a pose.
    pub registered: Vec<String>,
    /// COLMAP's cameras of these: the name of the camera model, size and parameters.
    pub cameras: Vec<String>,
    pub points: usize,
    /// Mean reprojection error of the points in pixels; 0 without points.
    pub reprojection_error: f64,
    /// Names and contents.
    files: [(&'static str, String); 4],
}

/// The models below `folder` (each mapper makes subfolders of numbers), by name.
pub fn list(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut models = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(Error::io(folder))? {
        let path = entry.map_err(Error::io(folder))?.path();
        if path.join("images.bin").is_file() {
            models.push(path);
        }
    }
    models.sort();
    Ok(models)
}

/// The model with the most images; of equals the first.
pub fn largest(models: &[PathBuf]) -> Option<&PathBuf> {
    models.iter().rev().max_by_key(|model| images(model))
}

/// The number of images, which its file of images begins with.
fn images(model: &Path) -> u64 {
    let mut count = [0; 8];
    let read = File::open(model.join("images.bin")).and_then(|mut file| file.read_exact(&mut count));
    read.map_or(0, |()| u64::from_le_bytes(count))
}

/// Reads the text model in the folder `text`, with the pinholes that replace its cameras, and its key points, at
/// the sizes that `views` have.
///
/// # Errors
/// A model that is not as COLMAP writes it, an image that is not among `views`, a lens that cannot be inverted.
pub fn read(text: &Path, views: &[View]) -> Result<Model> {
    let read = |name: &str| std::fs::read_to_string(text.join(name)).map_err(Error::io(text.join(name)));
    let sizes: BTreeMap<&str, (u32, u32)> =
        views.iter().map(|view| (view.name.as_str(), (view.camera.width, view.camera.height))).collect();
    let damaged = |name: &str, line: &str| {
        let start: String = line.chars().take(60).collect();
        Error::input(text.join(name), format!("holds a line that COLMAP does not write (`{start}…`)"), AGAIN)
    };
    let (cameras, images, points) = (read("cameras.txt")?, read("images.txt")?, read("points3D.txt")?);
    let mut originals = BTreeMap::new();
    for (number, line) in lines(&cameras).enumerate() {
        let camera =
            Original::parse(&text.join("cameras.txt"), number, line).map_err(|_| damaged("cameras.txt", line))?;
        originals.insert(camera.id, camera);
    }
    let images = parse_images(&images).map_err(|line| damaged("images.txt", line))?;
    let mut pinholes: BTreeMap<u32, Pinhole> = BTreeMap::new();
    let mut placed = String::new();
    for image in &images {
        let known = originals.get(&image.camera).zip(sizes.get(image.name));
        let (original, size) = known.ok_or_else(|| damaged("images.txt", image.pose))?;
        let pinhole = match pinholes.entry(image.camera) {
            Entry::Occupied(pinhole) => pinhole.into_mut(),
            Entry::Vacant(free) => free.insert(original.pinhole(*size).map_err(|found| {
                let found = format!("the camera of {} ({}): {found}", image.name, original.words);
                Error::input(text.join("cameras.txt"), found, OTHER_LENS)
            })?),
        };
        placed.push_str(image.pose);
        placed.push('\n');
        key_points(image.key_points, pinhole, &mut placed).ok_or_else(|| damaged("images.txt", image.key_points))?;
    }
    let errors: Option<Vec<f64>> = lines(&points).map(|l| l.split_ascii_whitespace().nth(7)?.parse().ok()).collect();
    let errors = errors.ok_or_else(|| damaged("points3D.txt", "error of a point"))?;
    let lenses: BTreeMap<u32, Lens> = pinholes.iter().filter_map(|(id, pinhole)| Some((*id, pinhole.lens?))).collect();
    let lenses = serde_json::to_string_pretty(&lenses).map_err(|error| Error::io(LENSES)(error.into()))?;
    let cameras = pinholes.values().map(|pinhole| pinhole.line.as_str()).collect();
    Ok(Model {
        registered: images.iter().map(|image| image.name.to_string()).collect(),
        cameras: pinholes.keys().map(|id| originals[id].words.to_string()).collect(),
        points: errors.len(),
        reprojection_error: errors.iter().sum::<f64>() / errors.len().max(1) as f64,
        files: [("cameras.txt", cameras), ("points3D.txt", points), (LENSES, lenses), ("images.txt", placed)],
    })
}

impl Model {
    /// Writes the files to the folder `out`.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn write(&self, out: &Path) -> Result<()> {
        self.files.iter().try_for_each(|(name, content)| storage::write_bytes(out.join(name), content.as_bytes()))
    }
}

/// Lines that are neither empty nor comments.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'))
}

/// An image of `images.txt`.
struct Image<'a> {
    /// The first of its two lines, without the name's [`PICTURE`].
    pose: &'a str,
    camera: u32,
    name: &'a str,
    /// The second one: x y point …; may be blank.
    key_points: &'a str,
}

/// The images of `images.txt`.
///
/// # Errors
/// The line that is wrong.
fn parse_images(text: &str) -> Result<Vec<Image<'_>>, &str> {
    let mut images = Vec::new();
    let mut rest = text.lines().filter(|line| !line.starts_with('#'));
    while let Some(pose) = rest.next() {
        if pose.trim().is_empty() {
            continue;
        }
        let view = pose.strip_suffix(PICTURE).ok_or(pose)?;
        let words: Vec<&str> = view.splitn(10, ' ').collect();
        let [.., camera, name] = words[..] else { return Err(pose) };
        let camera = camera.parse().map_err(|_| pose)?;
        let pose = view;
        images.push(Image { pose, camera, name, key_points: rest.next().unwrap_or_default() });
    }
    Ok(images)
}

/// Adds the line of key points as `pinhole` sees them.
fn key_points(line: &str, pinhole: &Pinhole, out: &mut String) -> Option<()> {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    for (i, point) in words.chunks(3).enumerate() {
        let [x, y, id] = point else { return None };
        let [x, y] = pinhole.place([x.parse().ok()?, y.parse().ok()?]);
        let separator = if i == 0 { "" } else { " " };
        write!(out, "{separator}{x} {y} {id}").ok()?;
    }
    out.push('\n');
    Some(())
}
