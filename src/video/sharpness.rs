//! How sharp a small gray picture is, and what it shows.

use super::ffmpeg::Gray;

/// Longer side of the pictures that are compared with each other.
const THUMBNAIL: usize = 48;
/// Pixels over which the blur metric blurs.
const WINDOW: usize = 9;

/// Gradient energy (Tenengrad: the mean squared Sobel gradient; Krotkov 1988, and among the best measures of Pertuz et al.
/// 2013) over the squared brightness, so that a lamp that flickers does not decide.
pub fn sharpness(picture: &Gray) -> f64 {
    let (width, height) = (picture.width, picture.height);
    if width < 3 || height < 3 {
        return 0.0;
    }
    let mut energy = 0.0;
    for y in 1..height - 1 {
        for x in 1..width - 1 {
            let at = |dx: usize, dy: usize| i32::from(picture.pixels[(y + dy - 1) * width + x + dx - 1]);
            let gx = at(2, 0) + 2 * at(2, 1) + at(2, 2) - at(0, 0) - 2 * at(0, 1) - at(0, 2);
            let gy = at(0, 2) + 2 * at(1, 2) + at(2, 2) - at(0, 0) - 2 * at(1, 0) - at(2, 0);
            energy += f64::from(gx * gx + gy * gy);
        }
    }
    let mean = mean(&picture.pixels);
    energy / ((width - 2) * (height - 2)) as f64 / (mean * mean + 1.0)
}

/// How blurred the picture is, from 0 to 1: the part of its differences between neighbors that another blur leaves (Crete
/// et al. 2007, "The blur effect"), in the direction that has lost more, as motion blurs one.
pub fn blur(picture: &Gray) -> f64 {
    let (width, height) = (picture.width, picture.height);
    let row = |y: usize, x: usize| f64::from(picture.pixels[y * width + x]);
    let across = blur_along(height, width, row);
    let down = blur_along(width, height, |x, y| row(y, x));
    across.max(down)
}

/// [`blur`] along `lines` of `length` pixels each.
fn blur_along(lines: usize, length: usize, at: impl Fn(usize, usize) -> f64) -> f64 {
    let (mut all, mut lost) = (0.0, 0.0);
    for line in 0..lines {
        let mean = |center: usize| {
            let (from, to) = (center.saturating_sub(WINDOW / 2), (center + WINDOW / 2 + 1).min(length));
            (from..to).map(|i| at(line, i)).sum::<f64>() / (to - from) as f64
        };
        let means: Vec<f64> = (0..length).map(mean).collect();
        for i in 1..length {
            let before = (at(line, i) - at(line, i - 1)).abs();
            all += before;
            lost += (before - (means[i] - means[i - 1]).abs()).max(0.0);
        }
    }
    if all > 0.0 { 1.0 - lost / all } else { 1.0 }
}

/// A picture of at most [`THUMBNAIL`] pixels, less its mean brightness.
pub struct Thumbnail(Vec<f64>);

impl Thumbnail {
    pub fn of(picture: &Gray) -> Self {
        let block = picture.width.max(picture.height).div_ceil(THUMBNAIL).max(1);
        let (columns, rows) = ((picture.width / block).max(1), (picture.height / block).max(1));
        let cell = |index: usize| {
            let (left, top) = (index % columns * block, index / columns * block);
            let (right, bottom) = ((left + block).min(picture.width), (top + block).min(picture.height));
            let rows = (top..bottom).map(|y| &picture.pixels[y * picture.width + left..y * picture.width + right]);
            rows.map(mean).sum::<f64>() / (bottom - top).max(1) as f64
        };
        let cells: Vec<f64> = (0..columns * rows).map(cell).collect();
        let mean = cells.iter().sum::<f64>() / cells.len() as f64;
        Self(cells.into_iter().map(|cell| cell - mean).collect())
    }

    /// Standard deviation of its brightness, in levels of 255.
    pub fn contrast(&self) -> f64 {
        (self.0.iter().map(|cell| cell * cell).sum::<f64>() / self.0.len() as f64).sqrt()
    }

    /// Correlation with another one of the same size, from -1 to 1.
    pub fn correlation(&self, other: &Self) -> f64 {
        let product: f64 = self.0.iter().zip(&other.0).map(|(a, b)| a * b).sum();
        let scale = self.contrast() * other.contrast() * self.0.len() as f64;
        if scale > 0.0 { product / scale } else { 0.0 }
    }
}

fn mean(pixels: &[u8]) -> f64 {
    pixels.iter().map(|pixel| f64::from(*pixel)).sum::<f64>() / pixels.len().max(1) as f64
}
