//! Demosaicing: three colors for every pixel of a sensor whose pixels have one each.
//!
//! Each color of a pixel is the weighted mean of its neighbors of that color (on a Bayer mosaic this is bilinear
//! interpolation); its own color stays. Sharper methods choose directions by differences, which in the dark are noise, and
//! so make its mean depend on the noise; a linear method leaves black centered at black.

use rayon::prelude::*;

/// Longest side of the repeating pattern.
pub const LONGEST: usize = 8;

/// Normalized samples of a sensor, row by row, and the repeating pattern of their colors.
pub struct Mosaic<'a> {
    pub width: usize,
    pub values: &'a [f32],
    /// Width and height of the pattern.
    pub period: (usize, usize),
    /// The pattern's colors row by row: 0 red, 1 green, 2 blue. It starts at the first sample.
    pub colors: &'a [usize],
}

/// A neighbor: how far right and down, and its weight.
type Tap = (isize, isize, f32);

impl Mosaic<'_> {
    /// Red, green and blue of the pixels of a window of the sensor.
    pub fn develop(&self, left: usize, top: usize, width: usize, height: usize) -> Vec<[f32; 3]> {
        let taps = self.taps();
        let mut pixels = vec![[0.0; 3]; width * height];
        pixels.par_chunks_exact_mut(width.max(1)).enumerate().for_each(|(row, line)| {
            let y = top + row;
            for (column, pixel) in line.iter_mut().enumerate() {
                let x = left + column;
                let phase = y % self.period.1 * self.period.0 + x % self.period.0;
                *pixel = std::array::from_fn(|color| self.mean(x, y, &taps[phase][color]));
            }
        });
        pixels
    }

    /// For every place in the pattern, the neighbors that each color is taken from.
    fn taps(&self) -> Vec<[Vec<Tap>; 3]> {
        let (wide, high) = self.period;
        // Patterns larger than Bayer's have pixels without an adjacent neighbor of some color.
        let radius = if wide.max(high) <= 2 { 1 } else { 2 };
        let binomial = |distance: isize| {
            if radius == 1 { [2.0, 1.0][distance.unsigned_abs()] } else { [6.0, 4.0, 1.0][distance.unsigned_abs()] }
        };
        let color_at = |x: usize, y: usize| self.colors[y % high * wide + x % wide];
        let of = |x: usize, y: usize, color: usize| -> Vec<Tap> {
            if color_at(x, y) == color {
                return vec![(0, 0, 1.0)];
            }
            let offsets = || -radius..=radius;
            let all = offsets().flat_map(|down| offsets().map(move |right| (right, down)));
            let is_color = |(right, down): &(isize, isize)| {
                let wrapped =
                    |at: usize, by: isize, period: usize| (at as isize + by).rem_euclid(period as isize) as usize;
                color_at(wrapped(x, *right, wide), wrapped(y, *down, high)) == color
            };
            all.filter(is_color).map(|(right, down)| (right, down, binomial(right) * binomial(down))).collect()
        };
        let places = (0..high).flat_map(|y| (0..wide).map(move |x| (x, y)));
        places.map(|(x, y)| std::array::from_fn(|color| of(x, y, color))).collect()
    }

    fn mean(&self, x: usize, y: usize, taps: &[Tap]) -> f32 {
        let (mut sum, mut weights) = (0.0, 0.0);
        for &(right, down, weight) in taps {
            let (Some(x), Some(y)) = (x.checked_add_signed(right), y.checked_add_signed(down)) else { continue };
            if let Some(value) = self.values.get(y * self.width + x).filter(|_| x < self.width) {
                sum += weight * value;
                weights += weight;
            }
        }
        // In a corner there may be no neighbor of a color.
        if weights > 0.0 { sum / weights } else { self.values[y * self.width + x] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RGGB: [usize; 4] = [0, 1, 1, 2];
    const XTRANS: [usize; 36] =
        [1, 2, 1, 1, 0, 1, 0, 1, 0, 2, 1, 2, 1, 2, 1, 1, 0, 1, 1, 0, 1, 1, 2, 1, 2, 1, 2, 0, 1, 0, 1, 0, 1, 1, 2, 1];

    #[test]
    fn even_colors_stay_to_the_borders() {
        for (colors, side) in [(&RGGB[..], 2), (&XTRANS, 6)] {
            let light = [0.2, -0.1, 0.7];
            let values: Vec<f32> = (0..13 * 11).map(|i| light[colors[i / 13 % side * side + i % 13 % side]]).collect();
            let mosaic = Mosaic { width: 13, values: &values, period: (side, side), colors };
            for pixel in mosaic.develop(1, 1, 11, 9) {
                (0..3).for_each(|c| assert!((pixel[c] - light[c]).abs() < 1e-6, "{pixel:?}"));
            }
        }
    }

    #[test]
    fn slopes_are_followed() {
        let slope = |x: usize, y: usize| 0.03 * x as f32 - 0.02 * y as f32;
        let values: Vec<f32> = (0..12 * 10).map(|i| slope(i % 12, i / 12)).collect();
        let mosaic = Mosaic { width: 12, values: &values, period: (2, 2), colors: &RGGB };
        let pixels = mosaic.develop(2, 3, 8, 5);
        for (i, pixel) in pixels.iter().enumerate() {
            (0..3).for_each(|c| assert!((pixel[c] - slope(2 + i % 8, 3 + i / 8)).abs() < 1e-6));
        }
    }
}
