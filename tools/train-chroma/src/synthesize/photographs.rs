//! Photographs as scenes: several pictures of one camera are crops of one photograph.

use super::draw::between;
use image::RgbImage;
use image::imageops::FilterType;
use naka_gs::capture::Image;
use naka_gs::scenes::Random;
use naka_gs::{Error, Result};
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// A list of photographs in packages.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct List {
    pub package: Vec<Package>,
}

/// The photographs of one package, with what is known of their authors.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Package {
    pub name: String,
    pub license: String,
    pub author: String,
    /// Below the folder that the command is given.
    pub files: Vec<PathBuf>,
}

impl List {
    /// Reads a list.
    ///
    /// # Errors
    /// [`Error::Io`], or [`Error::Input`] for text that is no such list.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(Error::io(path))?;
        let bad = |found: String| {
            Error::input(path, found, "write [[package]] with name, license, author and files, none of them empty")
        };
        let list: Self = toml::from_str(&text).map_err(|e| bad(e.message().to_owned()))?;
        let unknown =
            |p: &&Package| [&p.name, &p.license, &p.author].iter().any(|s| s.is_empty()) || p.files.is_empty();
        match list.package.iter().find(unknown) {
            Some(package) => Err(bad(format!("package {:?} does not say all of itself", package.name))),
            None => Ok(list),
        }
    }

    /// All files below `folder`; those that are missing are left out and counted.
    pub fn files(&self, folder: &Path) -> (Vec<PathBuf>, usize) {
        let all: Vec<PathBuf> = self.package.iter().flat_map(|p| &p.files).map(|f| folder.join(f)).collect();
        let count = all.len();
        let found: Vec<PathBuf> = all.into_iter().filter(|f| f.is_file()).collect();
        let missing = count - found.len();
        (found, missing)
    }
}

/// `count` crops of the photograph at `path`, of `size` pixels, at a scale at which its longer side has 1000 to 2100.
///
/// # Errors
/// [`Error::Input`] for a file that is no image.
pub fn crops(path: &Path, count: usize, (width, height): (u32, u32), random: &mut Random) -> Result<Vec<Image>> {
    let photo = image::open(path).map_err(|e| Error::input(path, e.to_string(), "remove it from the list"))?.to_rgb8();
    let long = between(random, 1000.0, 2100.0);
    Ok((0..count).map(|_| crop(&photo, long, (width, height), random)).collect())
}

fn crop(photo: &RgbImage, long: f32, (width, height): (u32, u32), random: &mut Random) -> Image {
    let (w, h) = (photo.width() as f32, photo.height() as f32);
    // Pixels of the picture per pixel of the photograph, at least so many that the picture fits.
    let wanted = long * between(random, 0.8, 1.25) / w.max(h);
    let scale = wanted.max(width as f32 / w).max(height as f32 / h);
    let side = |length: u32, limit: u32| ((length as f32 / scale) as u32).clamp(1, limit);
    let (cw, ch) = (side(width, photo.width()), side(height, photo.height()));
    let place = |room: u32, random: &mut Random| (random.unit() * (room + 1) as f32) as u32;
    let (x, y) = (place(photo.width() - cw, random), place(photo.height() - ch, random));
    let part = image::imageops::crop_imm(photo, x, y, cw, ch).to_image();
    Image::from_rgb8(&image::imageops::resize(&part, width, height, FilterType::Triangle))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crops_have_the_size_that_is_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        for (name, w, h) in [("wide.png", 700, 90), ("tall.png", 50, 400), ("usual.png", 500, 330)] {
            let path = dir.path().join(name);
            RgbImage::from_fn(w, h, |x, _| image::Rgb([(x % 256) as u8, 128, 7])).save(&path).unwrap();
            for crop in crops(&path, 3, (96, 64), &mut Random::new(&[1])).unwrap() {
                assert_eq!((crop.width, crop.height), (96, 64));
                assert!(crop.pixels.iter().all(|p| (p[2] - 7.0 / 255.0).abs() < 1e-3));
            }
        }
        std::fs::write(dir.path().join("no.png"), "text").unwrap();
        assert!(crops(&dir.path().join("no.png"), 1, (8, 8), &mut Random::new(&[1])).is_err());
    }

    #[test]
    fn the_list_of_the_repository_names_licenses() {
        let list = List::read(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/photographs.toml"))).unwrap();
        assert!(list.package.len() >= 8);
        let (found, missing) = list.files(Path::new("/nowhere"));
        assert!(found.is_empty() && missing >= 60);
    }
}
