//! The model COLMAP found, as text: chosen, and made to fit the lit photographs.

use crate::atomic_file;
use crate::capture::View;
use crate::error::{Error, Result};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

const AGAIN: &str = "delete the folder and run the same command again";

/// A model as text.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// Names of the photographs with a pose.
    pub registered: Vec<String>,
    pub points: usize,
    /// Mean reprojection error of the points in pixels; 0 without points.
    pub reprojection_error: f64,
    /// Names and contents.
    files: [(&'static str, String); 3],
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

/// Reads the text model in the folder `text`, with its cameras and key points at the sizes that `views` have.
///
/// # Errors
/// A model that is not as COLMAP writes it, an image that is not among `views`.
pub fn read(text: &Path, views: &[View]) -> Result<Model> {
    let read = |name: &str| std::fs::read_to_string(text.join(name)).map_err(Error::io(text.join(name)));
    let sizes: BTreeMap<&str, (u32, u32)> =
        views.iter().map(|view| (view.name.as_str(), (view.camera.width, view.camera.height))).collect();
    let damaged = |name: &str, line: &str| {
        let start: String = line.chars().take(60).collect();
        Error::input(text.join(name), format!("holds a line that COLMAP does not write (`{start}…`)"), AGAIN)
    };
    let cameras = read("cameras.txt")?;
    let mut originals = BTreeMap::new();
    for line in lines(&cameras) {
        let camera = Original::parse(line).ok_or_else(|| damaged("cameras.txt", line))?;
        originals.insert(camera.id, camera);
    }
    let images =
        Images::parse(&read("images.txt")?, &sizes, &originals).map_err(|line| damaged("images.txt", &line))?;
    let points = read("points3D.txt")?;
    let errors: Option<Vec<f64>> = lines(&points).map(|l| l.split_ascii_whitespace().nth(7)?.parse().ok()).collect();
    let errors = errors.ok_or_else(|| damaged("points3D.txt", "error of a point"))?;
    let cameras: String = images.sizes.iter().filter_map(|(id, size)| originals.get(id)?.resized(*size)).collect();
    let reprojection_error = errors.iter().sum::<f64>() / errors.len().max(1) as f64;
    let files = [("cameras.txt", cameras), ("points3D.txt", points), ("images.txt", images.text)];
    Ok(Model { registered: images.names, points: errors.len(), reprojection_error, files })
}

impl Model {
    /// Writes the three files to the folder `out`.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn write(&self, out: &Path) -> Result<()> {
        self.files.iter().try_for_each(|(name, content)| atomic_file::write_bytes(out.join(name), content.as_bytes()))
    }
}

/// Lines that are neither empty nor comments.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'))
}

/// A line of `cameras.txt`.
struct Original<'a> {
    id: u32,
    model: &'a str,
    size: (u32, u32),
    params: Vec<f64>,
}

impl<'a> Original<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let [id, model, width, height, params @ ..] = &words[..] else { return None };
        let params = params.iter().map(|word| word.parse().ok()).collect::<Option<Vec<f64>>>()?;
        let camera = Self { id: id.parse().ok()?, model, size: (width.parse().ok()?, height.parse().ok()?), params };
        (camera.size.0 > 0 && camera.size.1 > 0).then_some(camera)
    }

    fn scale(&self, (width, height): (u32, u32)) -> [f64; 2] {
        [f64::from(width) / f64::from(self.size.0), f64::from(height) / f64::from(self.size.1)]
    }

    /// The line for another image size. With one focal length the models cannot hold the half pixel by which the sides'
    /// factors may differ; it is then that of the width. Distortion has no unit.
    fn resized(&self, (width, height): (u32, u32)) -> Option<String> {
        let [sx, sy] = self.scale((width, height));
        let factors: &[f64] = match self.model.starts_with("SIMPLE") || self.model.starts_with("RADIAL") {
            true => &[sx, sx, sy],
            false => &[sx, sy, sx, sy],
        };
        let mut line = format!("{} {} {width} {height}", self.id, self.model);
        for (i, param) in self.params.iter().enumerate() {
            write!(line, " {}", param * factors.get(i).unwrap_or(&1.0)).ok()?;
        }
        line.push('\n');
        Some(line)
    }
}

/// `images.txt` at other sizes.
struct Images {
    text: String,
    names: Vec<String>,
    /// Of the cameras.
    sizes: BTreeMap<u32, (u32, u32)>,
}

impl Images {
    /// Two lines an image: its pose, and its key points (x y point …), which may be none.
    ///
    /// # Errors
    /// The line that is wrong.
    fn parse(
        text: &str,
        views: &BTreeMap<&str, (u32, u32)>,
        cameras: &BTreeMap<u32, Original<'_>>,
    ) -> Result<Self, String> {
        let mut images = Self { text: String::new(), names: Vec::new(), sizes: BTreeMap::new() };
        let mut rest = text.lines().filter(|line| !line.starts_with('#'));
        while let Some(pose) = rest.next() {
            if pose.trim().is_empty() {
                continue;
            }
            let wrong = || pose.to_string();
            let words: Vec<&str> = pose.splitn(10, ' ').collect();
            let [.., camera, name] = words[..] else { return Err(wrong()) };
            let camera = camera.parse().ok().and_then(|id| cameras.get(&id)).ok_or_else(wrong)?;
            let size = views.get(name).ok_or_else(wrong)?;
            images.sizes.insert(camera.id, *size);
            images.names.push(name.to_string());
            images.text.push_str(pose);
            images.text.push('\n');
            let points = rest.next().unwrap_or_default();
            key_points(points, camera.scale(*size), &mut images.text).ok_or_else(|| points.to_string())?;
        }
        Ok(images)
    }
}

/// Adds the line of key points at another size.
fn key_points(line: &str, scale: [f64; 2], out: &mut String) -> Option<()> {
    for (i, word) in line.split_ascii_whitespace().enumerate() {
        let separator = if i == 0 { "" } else { " " };
        match scale.get(i % 3) {
            Some(factor) => write!(out, "{separator}{}", word.parse::<f64>().ok()? * factor).ok()?,
            None => write!(out, "{separator}{word}").ok()?,
        }
    }
    out.push('\n');
    Some(())
}
