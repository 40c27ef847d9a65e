//! Color noise of dark images, filtered before the curve makes it visible.
//!
//! In a dark JPEG color is coarser than brightness: half the resolution, and in steps of a quarter level that become
//! patches of green and purple 20 levels apart behind the curve. Under one light a surface has one ratio of color to
//! brightness, so color is predicted from luma by a linear fit in a window (the guided filter of He, Sun and Tang,
//! ECCV 2010). The residual of the prediction is kept where it rises above the noise (Wiener's weight, with the
//! noise estimated from the image itself), so that borders between colors of equal brightness stay.

use crate::capture::Image;
use crate::color::{LUMA, luma};
use rayon::prelude::*;

/// Half the window of the fit, in pixels of the full-size image.
const FIT_RADIUS: u32 = 32;
/// Half the window in which left-over energy is measured, in pixels of the image being filtered.
const RESIDUAL_RADIUS: usize = 1;
/// Regularization of the fit: variance of luma noise, in levels² of 255.
const LUMA_NOISE: f32 = 0.05;

/// Filters the two color planes of a dark image that was reduced by `downscale`; the luma (BT.601) stays exactly.
/// `strength` scales the noise estimate; 0 returns the image as it is.
pub fn denoise(mut image: Image, strength: f32, downscale: u32) -> Image {
    if strength <= 0.0 || image.pixels.is_empty() {
        return image;
    }
    let width = image.width as usize;
    let radius = (FIT_RADIUS / downscale.max(1)).max(4) as usize;
    let luma: Vec<f32> = image.pixels.par_iter().map(|p| 255.0 * luma(*p)).collect();
    let guide = Guide::new(luma, width, radius);
    let filtered = |channel: usize| {
        let plane: Vec<f32> = image.pixels.par_iter().zip(&guide.luma).map(|(p, y)| 255.0 * p[channel] - y).collect();
        guide.filter(&plane, strength)
    };
    let (red, blue) = (filtered(0), filtered(2));
    image.pixels.par_iter_mut().enumerate().for_each(|(i, pixel)| {
        let (y, r, b) = (guide.luma[i], red[i], blue[i]);
        // Green from the luma's own definition, so that the luma is unchanged.
        let g = -(LUMA[0] * r + LUMA[2] * b) / LUMA[1];
        *pixel = [y + r, y + g, y + b].map(|v| v / 255.0);
    });
    image
}

/// The luma and its local statistics, shared by both color planes.
struct Guide {
    width: usize,
    radius: usize,
    luma: Vec<f32>,
    mean: Vec<f32>,
    variance: Vec<f32>,
}

impl Guide {
    fn new(luma: Vec<f32>, width: usize, radius: usize) -> Self {
        let mean = box_mean(&luma, width, radius);
        let squares: Vec<f32> = luma.iter().map(|y| y * y).collect();
        let mut variance = box_mean(&squares, width, radius);
        variance.iter_mut().zip(&mean).for_each(|(v, m)| *v = (*v - m * m).max(0.0));
        Self { width, radius, luma, mean, variance }
    }

    /// One color plane (a difference to luma, in levels), filtered.
    fn filter(&self, plane: &[f32], strength: f32) -> Vec<f32> {
        let smooth = |values: &[f32]| box_mean(values, self.width, self.radius);
        let mean = smooth(plane);
        let products: Vec<f32> = plane.iter().zip(&self.luma).map(|(c, y)| c * y).collect();
        let mut slope = smooth(&products);
        let mut offset = vec![0.0; plane.len()];
        for i in 0..plane.len() {
            slope[i] = (slope[i] - mean[i] * self.mean[i]) / (self.variance[i] + LUMA_NOISE);
            offset[i] = mean[i] - slope[i] * self.mean[i];
        }
        let (slope, offset) = (smooth(&slope), smooth(&offset));
        let predicted: Vec<f32> = (0..plane.len()).map(|i| slope[i] * self.luma[i] + offset[i]).collect();
        let squares: Vec<f32> = plane.iter().zip(&predicted).map(|(c, p)| (c - p) * (c - p)).collect();
        let energy = box_mean(&squares, self.width, RESIDUAL_RADIUS);
        let noise = strength * 2.0 * median(energy.clone());
        let keep = |i: usize| (1.0 - noise / energy[i].max(f32::MIN_POSITIVE)).max(0.0);
        (0..plane.len()).map(|i| predicted[i] + keep(i) * (plane[i] - predicted[i])).collect()
    }
}

fn median(mut values: Vec<f32>) -> f32 {
    let middle = values.len() / 2;
    *values.select_nth_unstable_by(middle, f32::total_cmp).1
}

/// Mean over the square of `2 radius + 1` pixels around each pixel, clipped to the image.
fn box_mean(values: &[f32], width: usize, radius: usize) -> Vec<f32> {
    let height = values.len() / width;
    let along = transpose(&row_means(values, width, radius), width);
    transpose(&row_means(&along, height, radius), height)
}

/// Sliding means along rows; sums in `f64`, or a lamp would leave its rounding error on the dark side of its row.
fn row_means(values: &[f32], width: usize, radius: usize) -> Vec<f32> {
    let mut out = vec![0.0; values.len()];
    out.par_chunks_mut(width).zip(values.par_chunks(width)).for_each(|(out, row)| {
        let mut sum: f64 = row.iter().take(radius).map(|v| f64::from(*v)).sum();
        for x in 0..width {
            sum += row.get(x + radius).map_or(0.0, |v| f64::from(*v));
            if x > radius {
                sum -= f64::from(row[x - radius - 1]);
            }
            let count = (x + radius).min(width - 1) - x.saturating_sub(radius) + 1;
            out[x] = (sum / count as f64) as f32;
        }
    });
    out
}

fn transpose(values: &[f32], width: usize) -> Vec<f32> {
    let height = values.len() / width;
    let mut out = vec![0.0; values.len()];
    out.par_chunks_mut(height).enumerate().for_each(|(x, column)| {
        column.iter_mut().enumerate().for_each(|(y, v)| *v = values[y * width + x]);
    });
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn box_means_are_means_of_what_is_inside() {
        let (width, height, radius) = (7usize, 5usize, 2usize);
        let values: Vec<f32> = (0..width * height).map(|i| ((i * 37) % 11) as f32).collect();
        let fast = box_mean(&values, width, radius);
        for y in 0..height {
            for x in 0..width {
                let (mut sum, mut count) = (0.0, 0.0);
                for v in y.saturating_sub(radius)..(y + radius + 1).min(height) {
                    for u in x.saturating_sub(radius)..(x + radius + 1).min(width) {
                        sum += values[v * width + u];
                        count += 1.0;
                    }
                }
                assert!((fast[y * width + x] - sum / count).abs() < 1e-5);
            }
        }
        assert_eq!(box_mean(&[3.0], 1, 4), [3.0]);
    }

    fn noise(i: usize) -> f32 {
        ((i as u32).wrapping_mul(2_654_435_761) >> 8) as f32 / (1 << 24) as f32 - 0.5
    }

    /// Two surfaces of equal brightness and different color under a falling light, with color noise.
    fn scene(noisy: f32) -> Image {
        let mut image = Image::new(80, 60);
        for y in 0..60u32 {
            for x in 0..80u32 {
                let i = (y * 80 + x) as usize;
                let light = 3.0 + 0.05 * x as f32;
                let (r, b) = if y < 30 { (1.3, 0.4) } else { (0.8, 1.5) };
                let (r, b) = (light * r + noisy * noise(2 * i), light * b + noisy * noise(2 * i + 1));
                let g = (light - 0.299 * r - 0.114 * b) / 0.587;
                image.pixels[i] = [r, g, b].map(|v| v / 255.0);
            }
        }
        image
    }

    #[test]
    fn noise_goes_borders_and_luma_stay() {
        let (clean, noisy) = (scene(0.0), scene(1.0));
        let filtered = denoise(noisy.clone(), 1.0, 4);
        let error = |a: &Image| {
            // Away from the border, where the fit holds.
            let rows = |i: &usize| !(12..48).contains(&(i / 80));
            let squares = (0..80 * 60).filter(rows).map(|i| (255.0 * (a.pixels[i][2] - clean.pixels[i][2])).powi(2));
            (squares.sum::<f32>() / (80.0 * 24.0)).sqrt()
        };
        let (before, after) = (error(&noisy), error(&filtered));
        assert!(after < 0.4 * before, "{before} to {after}");
        let border = |a: &Image| 255.0 * (a.at(40, 31)[2] - a.at(40, 28)[2]);
        assert!(border(&filtered) > 0.75 * border(&clean), "{} {}", border(&filtered), border(&clean));
        for (a, b) in filtered.pixels.iter().zip(&noisy.pixels) {
            assert!((luma(*a) - luma(*b)).abs() < 1e-6);
        }
    }

    #[test]
    fn off_and_empty_change_nothing() {
        let image = scene(1.0);
        assert_eq!(denoise(image.clone(), 0.0, 4), image);
        assert_eq!(denoise(Image::default(), 1.0, 4), Image::default());
        let one = Image { width: 1, height: 1, pixels: vec![[0.1, 0.2, 0.3]] };
        assert!((denoise(one.clone(), 1.0, 1).pixels[0][2] - 0.3).abs() < 1e-6);
    }
}
