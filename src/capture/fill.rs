//! Fills hidden pixels with the colors around them, so that what they show leaks into no neighbor when pictures are later
//! blurred, scaled or matched by patches.

use super::Image;
use rayon::prelude::*;

/// One size of the pyramid: colors times the number of pixels that count, and that number, for each pixel.
struct Level {
    width: usize,
    height: usize,
    sums: Vec<[f32; 4]>,
}

impl Level {
    fn finest(image: &Image, counts: impl Fn(usize) -> bool) -> Self {
        let sum = |(at, [r, g, b]): (usize, &[f32; 3])| if counts(at) { [*r, *g, *b, 1.0] } else { [0.0; 4] };
        let sums = image.pixels.iter().enumerate().map(sum).collect();
        Self { width: image.width as usize, height: image.height as usize, sums }
    }

    /// Half as large. Counts are capped, so that near pixels outweigh many distant ones.
    fn halved(&self) -> Self {
        let (width, height) = (self.width.div_ceil(2), self.height.div_ceil(2));
        let sum = |at: usize| {
            let (x, y) = (2 * (at % width), 2 * (at / width));
            let mut sum = [0.0f32; 4];
            for (x, y) in [(x, y), (x + 1, y), (x, y + 1), (x + 1, y + 1)] {
                if x < self.width && y < self.height {
                    sum.iter_mut().zip(self.sums[y * self.width + x]).for_each(|(sum, part)| *sum += part);
                }
            }
            if sum[3] > 1.0 { sum.map(|value| value / sum[3]) } else { sum }
        };
        Self { width, height, sums: (0..width * height).into_par_iter().map(sum).collect() }
    }

    /// Completes unknown and partly known pixels from the coarser level, which is complete.
    fn complete(&mut self, coarser: &Self) {
        let width = self.width;
        self.sums.par_iter_mut().enumerate().filter(|(_, sum)| sum[3] < 1.0).for_each(|(at, sum)| {
            let around = coarser.between((at % width) as f32 / 2.0 - 0.25, (at / width) as f32 / 2.0 - 0.25);
            let missing = 1.0 - sum[3];
            sum.iter_mut().zip(around).for_each(|(sum, around)| *sum += missing * around);
        });
    }

    /// Bilinear, from pixel centers.
    fn between(&self, x: f32, y: f32) -> [f32; 4] {
        let split = |at: f32, extent: usize| {
            let at = at.clamp(0.0, (extent - 1) as f32);
            (at as usize, (at as usize + 1).min(extent - 1), at.fract())
        };
        let ((x0, x1, tx), (y0, y1, ty)) = (split(x, self.width), split(y, self.height));
        let at = |x: usize, y: usize| self.sums[y * self.width + x];
        let mix = |a: [f32; 4], b: [f32; 4], t: f32| std::array::from_fn(|c| a[c] + (b[c] - a[c]) * t);
        mix(mix(at(x0, y0), at(x1, y0), tx), mix(at(x0, y1), at(x1, y1), tx), ty)
    }
}

/// Replaces the pixels of `image` that do not count by a smooth continuation of those that do (pull-push: Gortler et al.
/// 1996, §4.2). Nothing changes where none counts.
pub fn fill_hidden(image: &mut Image, counts: impl Fn(usize) -> bool + Sync) {
    let hidden = (0..image.pixels.len()).filter(|at| !counts(*at)).count();
    if hidden == 0 || hidden == image.pixels.len() {
        return;
    }
    let mut levels = vec![Level::finest(image, &counts)];
    while let Some(last) = levels.last().filter(|level| level.width > 1 || level.height > 1) {
        let next = last.halved();
        levels.push(next);
    }
    // The coarsest pixel is the mean of all known pixels.
    if let Some([sum]) = levels.last_mut().map(|level| &mut level.sums[..]) {
        *sum = sum.map(|value| value / sum[3]);
    }
    for finer in (0..levels.len() - 1).rev() {
        let (fine, coarse) = levels.split_at_mut(finer + 1);
        fine[finer].complete(&coarse[0]);
    }
    let filled = &levels[0].sums;
    image.pixels.par_iter_mut().enumerate().filter(|(at, _)| !counts(*at)).for_each(|(at, pixel)| {
        pixel.copy_from_slice(&filled[at][..3]);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_pixels_continue_what_is_around_them() {
        for (width, height) in [(1, 7), (13, 9), (32, 20)] {
            let ramp = |at: usize| 0.2 + 0.01 * (at % width as usize) as f32;
            let mut image = Image::new(width, height);
            image.pixels.iter_mut().enumerate().for_each(|(at, pixel)| *pixel = [ramp(at), 0.5, 0.1]);
            let truth = image.clone();
            let counts = |at: usize| !(at % 5 == 1 || at / width as usize == 3);
            image.pixels.iter_mut().enumerate().filter(|(at, _)| !counts(*at)).for_each(|(_, p)| *p = [f32::NAN; 3]);
            fill_hidden(&mut image, counts);
            for (at, (found, want)) in image.pixels.iter().zip(&truth.pixels).enumerate() {
                let allowed = if counts(at) { 0.0 } else { 0.03 };
                assert!((0..3).all(|c| (found[c] - want[c]).abs() <= allowed), "{at}: {found:?} instead of {want:?}");
            }
        }
        let mut none = Image::new(4, 4);
        none.pixels[3] = [0.7; 3];
        let before = none.clone();
        fill_hidden(&mut none, |_| false);
        assert_eq!(none.pixels, before.pixels);
    }
}
