//! `train-chroma inspect`: figures by which synthesised dark pictures can be compared with photographs.

use naka_gs::capture::{Image, read_image};
use naka_gs::parallel::try_map;
use naka_gs::{Error, Result};
use std::path::{Path, PathBuf};

/// Figures of dark pictures: levels, negative values, color of shadows, grain
#[derive(clap::Args)]
pub struct Inspect {
    /// Folders of dark pictures, or captures with a folder `dark`
    #[arg(required = true)]
    folders: Vec<PathBuf>,
    /// Look at every n-th picture only
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    every: u32,
}

/// Of one folder's pictures, decoded in floating point.
struct Figures {
    /// Medians of red, green and blue, in levels.
    median: [f32; 3],
    /// Shares of values below 0.
    negative: [f32; 3],
    /// Among the pixels of luma 0.5–1.5, the share without any color.
    neutral: f32,
    /// Low quartile of the deviation of luma within blocks of 8 × 8 pixels of mean luma 1–4.
    grain: f32,
}

impl Inspect {
    /// # Errors
    /// Folders without pictures, pictures that cannot be read.
    pub fn run(&self) -> Result<()> {
        println!("{:24} median R G B         negative R G B     neutral  grain", "folder");
        for folder in &self.folders {
            let f = figures(&pictures(folder, self.every as usize)?)?;
            let ([r, g, b], [nr, ng, nb]) = (f.median, f.negative);
            let name = folder.display().to_string();
            println!(
                "{name:24} {r:5.2} {g:5.2} {b:5.2}    {nr:.3} {ng:.3} {nb:.3}    {:.3}    {:.3}",
                f.neutral, f.grain
            );
        }
        Ok(())
    }
}

fn pictures(folder: &Path, every: usize) -> Result<Vec<PathBuf>> {
    let inner = folder.join("dark");
    let folder = if inner.is_dir() { &inner } else { folder };
    let entries = std::fs::read_dir(folder).map_err(Error::io(folder))?;
    let mut files: Vec<PathBuf> = entries.filter_map(|e| Some(e.ok()?.path())).filter(|p| p.is_file()).collect();
    files.sort();
    let files: Vec<PathBuf> = files.into_iter().step_by(every).collect();
    if files.is_empty() { Err(Error::input(folder, "no pictures", "name a folder of JPEG files")) } else { Ok(files) }
}

fn figures(files: &[PathBuf]) -> Result<Figures> {
    let images = try_map(files, |file| read_image(file))?;
    let pixels = || images.iter().flat_map(|i| &i.pixels).map(|p| p.map(|v| 255.0 * v));
    let count = pixels().count().max(1) as f32;
    let share = |found: usize| found as f32 / count;
    let median = |c: usize| {
        let mut values: Vec<f32> = pixels().step_by(7).map(|p| p[c]).collect();
        let middle = values.len() / 2;
        *values.select_nth_unstable_by(middle, f32::total_cmp).1
    };
    let shadows: Vec<[f32; 3]> = pixels().filter(|p| (0.5..1.5).contains(&luma(p))).collect();
    let neutral = shadows.iter().filter(|p| (p[0] - p[1]).abs().max((p[2] - p[1]).abs()) < 0.02).count();
    Ok(Figures {
        median: [median(0), median(1), median(2)],
        negative: [0, 1, 2].map(|c| share(pixels().filter(|p| p[c] < -1e-3).count())),
        neutral: neutral as f32 / shadows.len().max(1) as f32,
        grain: grain(&images),
    })
}

fn luma(p: &[f32; 3]) -> f32 {
    0.299 * p[0] + 0.587 * p[1] + 0.114 * p[2]
}

fn grain(images: &[Image]) -> f32 {
    let mut deviations: Vec<f32> = images.iter().flat_map(block_deviations).collect();
    if deviations.is_empty() {
        return 0.0;
    }
    let quarter = deviations.len() / 4;
    *deviations.select_nth_unstable_by(quarter, f32::total_cmp).1
}

/// Deviations of luma, in levels, within the blocks whose mean is 1–4 levels.
fn block_deviations(image: &Image) -> Vec<f32> {
    let blocks = (0..image.height / 8).flat_map(|y| (0..image.width / 8).map(move |x| (8 * x, 8 * y)));
    let deviation = |(x, y): (u32, u32)| {
        let values = (0..64).map(|i| luma(&image.at(x + i % 8, y + i / 8).map(|v| 255.0 * v)));
        let (sum, squares) = values.fold((0.0, 0.0), |(s, q), v| (s + v, q + v * v));
        let mean: f32 = sum / 64.0;
        (1.0..4.0).contains(&mean).then(|| (squares / 64.0 - mean * mean).max(0.0).sqrt())
    };
    blocks.filter_map(deviation).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synthesize::jpeg::Jpeg;

    #[test]
    fn figures_of_a_known_picture() {
        let dir = tempfile::tempdir().unwrap();
        // The left half is neutral at level 1, the right half blue.
        let mut image = Image::new(64, 32);
        for (i, p) in image.pixels.iter_mut().enumerate() {
            *p = if i % 64 < 32 { [1.0, 1.0, 1.0] } else { [2.0, 3.0, 14.0] }.map(|v: f32| v / 255.0);
        }
        let jpeg = Jpeg { quality: 95, sampling: jpeg_encoder::SamplingFactor::F_1_1 };
        std::fs::write(dir.path().join("a.jpg"), jpeg.encode(&image).unwrap()).unwrap();
        let found = figures(&pictures(dir.path(), 1).unwrap()).unwrap();
        assert!(found.neutral > 0.9 && found.negative[1] < 0.01 && found.grain < 0.3);
        assert!(pictures(&dir.path().join("none"), 1).is_err());
    }
}
