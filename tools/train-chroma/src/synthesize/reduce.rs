//! A camera's noise reduction: color is averaged over a square, fine luma is weakened.

use naka_gs::capture::Image;
use rayon::prelude::*;

/// Radius over which luma is compared with its surroundings.
const LUMA_RADIUS: usize = 1;

/// Averages the color differences of `image` twice over squares of side `2 radius + 1` and leaves the share `grain`
/// of what luma differs from its mean over 3 × 3 pixels. Color is averaged relative to luma (plus `floor`), so that
/// bright places do not spill over dark ones.
pub fn reduce(image: &mut Image, radius: u32, grain: f32, floor: f32) {
    let size = (image.width as usize, image.height as usize);
    let luma: Vec<f32> = image.pixels.par_iter().map(luma).collect();
    let relative = |c: usize| image.pixels.iter().zip(&luma).map(|(p, y)| (p[c] - y) / (y.max(0.0) + floor)).collect();
    let mut planes: [Vec<f32>; 2] = [0, 2].map(relative);
    for plane in &mut planes {
        if radius > 0 {
            *plane = box_mean(&box_mean(plane, size, radius as usize), size, radius as usize);
        }
    }
    let calm = if grain < 1.0 { box_mean(&luma, size, LUMA_RADIUS) } else { luma.clone() };
    image.pixels.par_iter_mut().enumerate().for_each(|(i, p)| {
        let strength = luma[i].max(0.0) + floor;
        let (red, blue) = (planes[0][i] * strength, planes[1][i] * strength);
        let y = calm[i] + (luma[i] - calm[i]) * grain;
        // 0.25 (r + b) + 0.5 g = 0 for the differences.
        *p = [y + red, y - 0.5 * (red + blue), y + blue];
    });
}

fn luma(p: &[f32; 3]) -> f32 {
    0.25 * p[0] + 0.5 * p[1] + 0.25 * p[2]
}

/// Means over squares; at the edges over what is there.
fn box_mean(plane: &[f32], (width, height): (usize, usize), radius: usize) -> Vec<f32> {
    let mut rows = vec![0.0; plane.len()];
    rows.par_chunks_mut(width).zip(plane.par_chunks(width)).for_each(|(out, row)| {
        let mut sum: f32 = row.iter().take(radius).sum();
        for x in 0..width {
            sum += row.get(x + radius).unwrap_or(&0.0);
            sum -= if x > radius { row[x - radius - 1] } else { 0.0 };
            out[x] = sum / ((x + radius).min(width - 1) - x.saturating_sub(radius) + 1) as f32;
        }
    });
    let mut out = vec![0.0; plane.len()];
    let line = |y: usize| &rows[y * width..(y + 1) * width];
    let mut sums = vec![0.0f32; width];
    let add = |sums: &mut [f32], y: usize, sign: f32| {
        sums.iter_mut().zip(line(y)).for_each(|(sum, value)| *sum += sign * value);
    };
    (0..radius.min(height)).for_each(|y| add(&mut sums, y, 1.0));
    for y in 0..height {
        if y + radius < height {
            add(&mut sums, y + radius, 1.0);
        }
        if y > radius {
            add(&mut sums, y - radius - 1, -1.0);
        }
        let count = ((y + radius).min(height - 1) - y.saturating_sub(radius) + 1) as f32;
        out[y * width..(y + 1) * width].iter_mut().zip(&sums).for_each(|(out, sum)| *out = sum / count);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn luma_stays_and_color_spreads() {
        let mut image = Image::new(9, 7);
        image.pixels[3 * 9 + 4] = [4.0, 0.0, 0.0];
        let before = image.clone();
        reduce(&mut image, 1, 1.0, 1e6);
        for (a, b) in image.pixels.iter().zip(&before.pixels) {
            assert!((luma(a) - luma(b)).abs() < 1e-5);
        }
        // Two boxes of three make a tent of 1 2 3 2 1 in both directions: 9/81 of the difference of 3 stays.
        assert!((image.at(4, 3)[0] - (1.0 + 3.0 / 9.0)).abs() < 1e-5);
        assert!((image.at(3, 3)[0] - 3.0 * 2.0 / 27.0).abs() < 1e-5);
    }

    #[test]
    fn a_bright_place_keeps_its_color_to_itself() {
        let mut image = Image { width: 20, height: 4, pixels: vec![[0.01; 3]; 80] };
        (0..80).filter(|i| i % 20 < 10).for_each(|i| image.pixels[i] = [10.0, 5.0, 1.0]);
        reduce(&mut image, 4, 1.0, 0.005);
        let beside = image.at(10, 2);
        assert!((beside[0] - 0.01).abs() < 0.01 && (beside[2] - 0.01).abs() < 0.01, "{beside:?}");
    }

    #[test]
    fn flat_pictures_stay_and_grain_is_weakened() {
        let mut flat = Image { width: 5, height: 4, pixels: vec![[0.3, 0.2, 0.1]; 20] };
        reduce(&mut flat, 3, 0.2, 0.1);
        assert!(flat.pixels.iter().all(|p| (p[0] - 0.3).abs() < 1e-6 && (p[2] - 0.1).abs() < 1e-6));
        let mut spot = Image::new(9, 7);
        spot.pixels[3 * 9 + 4] = [1.0; 3];
        reduce(&mut spot, 0, 0.0, 0.1);
        assert!((spot.at(4, 3)[1] - 1.0 / 9.0).abs() < 1e-6 && (spot.at(5, 2)[1] - 1.0 / 9.0).abs() < 1e-6);
    }
}
