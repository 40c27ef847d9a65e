//! Facts about the photographs that presets depend on: how many there are, and how noisy.

use super::loose::images_in;
use super::{Image, Options, load, median, photo_folder, read_image};
use crate::color::luma;
use crate::parallel::try_map;
use std::path::{Path, PathBuf};
use tracing::subscriber::{NoSubscriber, with_default};

/// Photographs to sample, and about how many pixels of each.
const SAMPLED: usize = 5;
const PIXELS: usize = 1 << 18;
/// Standard deviation of rounding to 8 bits, on a scale of 0 to 1 (uniform: 1/√12 of a level).
const ROUNDING: f64 = 0.288_675 / 255.0;
/// Standard deviation of the response of [`response`] to noise of standard deviation 1, and the median of its amount.
const RESPONSE: f64 = 6.0 * 0.674_49;

/// What photographs are like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Facts {
    /// How many there are.
    pub views: usize,
    /// Standard deviation of a pixel's luma over the median luma, of the photograph in the middle.
    pub noise: f64,
}

impl Facts {
    /// Of the photographs of a scene folder, where there are `least` of them at least; `None` too where they cannot be read,
    /// which is for others to say.
    pub fn of(scene: &Path, least: usize) -> Option<Self> {
        let listed = photo_folder(scene).and_then(|folder| images_in(&folder).ok());
        // The actual reader of the scene gives the warnings.
        let named = || with_default(NoSubscriber::default(), || load(scene, &Options::default()).ok());
        let files: Vec<PathBuf> = match listed {
            Some(files) => files,
            None => named()?.train.into_iter().filter_map(|view| view.image).collect(),
        };
        if files.len() < least {
            return None;
        }
        let chosen: Vec<&PathBuf> = files.iter().step_by(files.len().div_ceil(SAMPLED).max(1)).collect();
        let noises = try_map(&chosen, |file| read_image(file).map(|image| noise(&image))).ok()?;
        Some(Self { views: files.len(), noise: median(noises) })
    }
}

/// Noise of one picture over its median luma: what is left of it after a filter that takes slopes and edges away
/// (Immerkær 1996), by the median since textures remain, and rounding.
fn noise(image: &Image) -> f64 {
    let (width, height) = (image.width as usize, image.height as usize);
    let lumas: Vec<f64> = image.pixels.iter().map(|pixel| f64::from(luma(*pixel))).collect();
    let rows = 1..height.saturating_sub(1);
    let inner = rows.flat_map(|y| (1..width.saturating_sub(1)).map(move |x| y * width + x));
    let inner = inner.step_by(lumas.len().div_ceil(PIXELS) | 1);
    let responses: Vec<f64> = inner.map(|at| response(&lumas, width, at).abs()).collect();
    let deviation = if responses.is_empty() { 0.0 } else { median(responses) / RESPONSE };
    let middle = median(lumas.iter().step_by(lumas.len().div_ceil(PIXELS) | 1).copied().collect());
    deviation.hypot(ROUNDING) / middle.max(ROUNDING)
}

/// The difference of two Laplacians at a pixel.
fn response(luma: &[f64], width: usize, at: usize) -> f64 {
    let row = |at: usize| luma[at - 1] - 2.0 * luma[at] + luma[at + 1];
    row(at - width) - 2.0 * row(at) + row(at + width)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::uniform;

    fn picture(level: f32, deviation: f64, seed: u64) -> Image {
        // Of a sum of twelve, whose variance is 1.
        let normal = |at: usize| (0..12).map(|i| uniform(seed, i, at as u64)).sum::<f64>() - 6.0;
        let mut image = Image::new(96, 64);
        for (at, pixel) in image.pixels.iter_mut().enumerate() {
            // A slope and an edge, which are no noise.
            let (x, y) = ((at % 96) as f32, (at / 96) as f32);
            let signal = level * (0.8 + 0.4 * x / 96.0) * if x + y > 70.0 { 1.1 } else { 1.0 };
            *pixel = [signal + (deviation * normal(at)) as f32; 3];
        }
        image
    }

    #[test]
    fn noise_is_told_from_slopes_and_edges() {
        for (level, deviation) in [(0.5, 0.01), (0.05, 0.01), (0.5, 0.05)] {
            let found = noise(&picture(level, deviation, 3));
            let want = deviation / f64::from(level);
            assert!((found / want - 1.0).abs() < 0.15, "{found} for {want}");
        }
        // What is even within a level is rounded to it.
        let rounded = noise(&picture(2.0 / 255.0, 0.0, 3));
        assert!((0.1..0.2).contains(&rounded), "{rounded}");
        assert!(noise(&Image::new(1, 1)).is_finite());
    }

    #[test]
    fn photographs_are_counted_wherever_they_lie() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Facts::of(dir.path(), 0), None);
        std::fs::create_dir(dir.path().join("images")).unwrap();
        for i in 0..7 {
            let path = dir.path().join(format!("images/{i}.png"));
            picture(0.5, 0.02, i).to_rgb8().save(path).unwrap();
        }
        let facts = Facts::of(dir.path(), 7).unwrap();
        assert_eq!(Facts::of(dir.path(), 8), None);
        assert!(facts.views == 7 && (0.03..0.05).contains(&facts.noise), "{facts:?}");
        std::fs::write(dir.path().join("images/3.png"), b"cut").unwrap();
        std::fs::write(dir.path().join("images/4.png"), b"cut").unwrap();
        assert_eq!(Facts::of(dir.path(), 0), None);
    }
}
