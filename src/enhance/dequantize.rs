//! Colors of 8-bit files between the whole levels that they are rounded to.
//!
//! A JPEG encoder rounds Cb and Cr to whole levels before it does anything else, and an 8-bit pixel was rounded before that.
//! In a photograph whose brightness is a few levels that is what remains of color: even surfaces lock to a whole level, the
//! same one in every view, and half a level of Cb is 20 levels of blue behind the curve. Averaging cannot help where noise is
//! too weak to cross a step. But light falls off over a surface, its color differences are proportional to its luma, and
//! where they cross a step the proportion shows. So Cb and Cr of each pixel are estimated as luma times the ratio of its
//! surroundings: weighted least squares through the origin, with weights that fall off with distance and with the misfit
//! (Geman–McClure, refitted), so that other surfaces are ignored. The estimate counts within the half level that rounding
//! left open; luma, which has the finest quantizer and the most noise, stays.
//!
//! Where luma is below one level the surroundings carry no information: every color from navy to brown was rounded to gray.
//! There the ratio of the capture as a whole stands in, for a part: rooms are lit by warm light more often than not.

use crate::capture::{Extras, Image, read_image, resize_area, ycbcr_to_rgb};
use crate::color::luma;
use crate::error::Result;
use rayon::prelude::*;
use std::path::Path;

/// Longest side at which ratios are estimated, in pixels: the rounded colors of larger pictures are coarser than a pixel.
const SIDE: u32 = 448;
/// The surroundings: every second pixel within this radius, with Gaussian weights of this deviation.
const RADIUS: usize = 12;
const STEP: usize = 2;
const DEVIATION: f32 = 8.0;
/// Misfit, in levels, at which a pixel's weight is a quarter.
const SCALE: f32 = 1.0;
const FITS: usize = 3;
/// What rounding leaves open, in levels.
const OPEN: f32 = 0.5;
/// Luma, in levels, of what the color of a whole capture is measured on: rounding is small against it, and no lamp is in it.
const MID_TONES: std::ops::Range<f32> = 2.0..10.0;
/// Fewest mid-tones that are a color, and the part of it that shadows are taken to have.
const LEAST_MID_TONES: usize = 100;
const SHARE: f32 = 0.4;
/// What this counts for, in the unit of the fit: as much as surroundings of 0.6 levels.
const HUE_WEIGHT: f32 = 25.0;
/// Least luma that ratios are taken of, in levels, and in the first guess.
const LEAST_LUMA: f32 = 0.05;
const GUESS_LUMA: f32 = 0.5;

/// Reads a dark picture, its colors estimated where they were rounded to 8 bits.
///
/// # Errors
/// As [`read_image`].
pub fn read_dark(path: &Path) -> Result<Image> {
    let image = read_image(path)?;
    Ok(if rounded(path) { dequantize(image) } else { image })
}

/// Whether the samples of an image file have 8 bits.
pub fn rounded(path: &Path) -> bool {
    !Extras::read(path).deep
}

/// The ratios of Cb and Cr to luma that shadows of a capture are taken to have, whose dark pixels `samples` represent;
/// `None` where they hold no mid-tones.
pub fn shadow_hue(samples: &[[f32; 3]]) -> Option<[f32; 2]> {
    let (mut count, mut sums) = (0, [0.0_f64; 3]);
    for p in samples.iter().map(|p| p.map(|v| 255.0 * v)).filter(|p| MID_TONES.contains(&luma(*p))) {
        count += 1;
        let [y, cb, cr] = ycbcr(p);
        sums.iter_mut().zip([y, cb, cr]).for_each(|(sum, value)| *sum += f64::from(value));
    }
    (count >= LEAST_MID_TONES).then(|| [1, 2].map(|c| SHARE * (sums[c] / sums[0]) as f32))
}

/// Luma, Cb and Cr around 0.
fn ycbcr(p: [f32; 3]) -> [f32; 3] {
    [luma(p), (p[2] - luma(p)) / 1.772, (p[0] - luma(p)) / 1.402]
}

/// [`dequantize_toward`] without a hue for shadows.
pub fn dequantize(image: Image) -> Image {
    dequantize_toward(image, None)
}

/// Estimates the colors of a dark picture that was decoded from 8 bits, with the [`shadow_hue`] of its capture where
/// nothing is left of them. No Cb or Cr changes by more than half a level; the luma (BT.601) stays.
pub fn dequantize_toward(mut image: Image, hue: Option<[f32; 2]>) -> Image {
    let longest = image.width.max(image.height);
    if image.pixels.is_empty() {
        return image;
    }
    let scaled = |n: u32| if longest <= SIDE { n } else { (n * SIDE).div_ceil(longest) };
    let planes = Planes::new(&resize_area(&image, scaled(image.width), scaled(image.height)));
    let changes = planes.changes(hue);
    let columns = taps(image.width as usize, planes.width);
    let rows = taps(image.height as usize, planes.height);
    image.pixels.par_chunks_mut(columns.len()).zip(&rows).for_each(|(line, &(upper, lower, down))| {
        let [upper, lower] = [upper, lower].map(|y| &changes[y * planes.width..][..planes.width]);
        for (pixel, &(left, right, along)) in line.iter_mut().zip(&columns) {
            let [cb, cr] = std::array::from_fn(|c| {
                let at = |row: &[[f32; 2]]| row[left][c] + (row[right][c] - row[left][c]) * along;
                at(upper) + (at(lower) - at(upper)) * down
            });
            let change = ycbcr_to_rgb([0.0, cb, cr]);
            (0..3).for_each(|channel| pixel[channel] += change[channel] / 255.0);
        }
    });
    image
}

/// Linear interpolation: for every output position the two samples and the second one's weight.
fn taps(out: usize, samples: usize) -> Vec<(usize, usize, f32)> {
    let scale = samples as f32 / out as f32;
    let tap = |i: usize| {
        let position = ((i as f32 + 0.5) * scale - 0.5).clamp(0.0, (samples - 1) as f32);
        let first = position as usize;
        (first, (first + 1).min(samples - 1), position - first as f32)
    };
    (0..out).map(tap).collect()
}

/// Luma and color differences in levels, each row continued by its end values on both sides.
struct Planes {
    width: usize,
    height: usize,
    luma: Vec<f32>,
    cb: Vec<f32>,
    cr: Vec<f32>,
}

impl Planes {
    fn new(image: &Image) -> Self {
        let (width, height) = (image.width as usize, image.height as usize);
        let plane = |value: fn([f32; 3]) -> f32| {
            let row = |row: &[[f32; 3]]| {
                let at = |x: usize| value(row[x.clamp(RADIUS, RADIUS + width - 1) - RADIUS].map(|v| 255.0 * v));
                (0..width + 2 * RADIUS).map(at).collect::<Vec<_>>()
            };
            image.pixels.chunks_exact(width).flat_map(row).collect()
        };
        Self {
            width,
            height,
            luma: plane(|p| luma(p).max(LEAST_LUMA)),
            cb: plane(|p| (p[2] - luma(p)) / 1.772),
            cr: plane(|p| (p[0] - luma(p)) / 1.402),
        }
    }

    /// What Cb and Cr of each pixel change by.
    fn changes(&self, hue: Option<[f32; 2]>) -> Vec<[f32; 2]> {
        let surroundings = surroundings();
        let mut changes = vec![[0.0; 2]; self.width * self.height];
        let lines = changes.par_chunks_mut(self.width).enumerate();
        lines.for_each_init(|| Fit::new(self.width, hue), |fit, (y, line)| self.row(y, &surroundings, fit, line));
        changes
    }

    fn row(&self, y: usize, surroundings: &[(usize, usize, f32)], fit: &mut Fit, changes: &mut [[f32; 2]]) {
        let [luma, cb, cr] = self.at(RADIUS, y + RADIUS);
        fit.start(luma, cb, cr);
        for _ in 0..FITS {
            fit.clear();
            for &(x, down, weight) in surroundings {
                let [luma, cb, cr] = self.at(x, y + down);
                fit.add(luma, cb, cr, weight);
            }
            fit.solve();
        }
        for (x, change) in changes.iter_mut().enumerate() {
            let open = |ratio: f32, now: f32| (ratio * luma[x] - now).clamp(-OPEN, OPEN);
            *change = [open(fit.ratio[0][x], cb[x]), open(fit.ratio[1][x], cr[x])];
        }
    }

    /// Luma, Cb and Cr of the row `RADIUS` above `y`, from `RADIUS` left of `x` on.
    fn at(&self, x: usize, y: usize) -> [&[f32]; 3] {
        let y = y.clamp(RADIUS, RADIUS + self.height - 1) - RADIUS;
        let start = y * (self.width + 2 * RADIUS) + x;
        [&self.luma, &self.cb, &self.cr].map(|plane| &plane[start..start + self.width])
    }
}

/// Offsets (plus `RADIUS`) of the pixels around one, and their weights.
fn surroundings() -> Vec<(usize, usize, f32)> {
    let offsets = || (0..=2 * RADIUS).step_by(STEP);
    let weight = |x: usize, y: usize| {
        let squared = (x.abs_diff(RADIUS).pow(2) + y.abs_diff(RADIUS).pow(2)) as f32;
        (squared <= (RADIUS * RADIUS) as f32).then(|| (-0.5 * squared / (DEVIATION * DEVIATION)).exp())
    };
    offsets().flat_map(|y| offsets().filter_map(move |x| Some((x, y, weight(x, y)?)))).collect()
}

/// The ratios of Cb and Cr to luma along a row, and the sums of the fit that finds them.
struct Fit {
    ratio: [Vec<f32>; 2],
    sums: [Vec<f32>; 2],
    squares: Vec<f32>,
    /// What the sums begin with: the hue of shadows and its weight.
    before: ([f32; 2], f32),
}

impl Fit {
    fn new(width: usize, hue: Option<[f32; 2]>) -> Self {
        let row = || vec![0.0; width];
        let before = hue.map_or_else(Default::default, |hue| (hue.map(|ratio| HUE_WEIGHT * ratio), HUE_WEIGHT));
        Self { ratio: [row(), row()], sums: [row(), row()], squares: row(), before }
    }

    /// Takes the pixels' own ratios as the first guess.
    fn start(&mut self, luma: &[f32], cb: &[f32], cr: &[f32]) {
        for (ratio, plane) in self.ratio.iter_mut().zip([cb, cr]) {
            for ((ratio, value), luma) in ratio.iter_mut().zip(plane).zip(luma) {
                *ratio = value / luma.max(GUESS_LUMA);
            }
        }
    }

    fn clear(&mut self) {
        self.sums.iter_mut().zip(self.before.0).for_each(|(sums, before)| sums.fill(before));
        self.squares.fill(self.before.1);
    }

    /// Adds a neighbor of every pixel.
    fn add(&mut self, luma: &[f32], cb: &[f32], cr: &[f32], weight: f32) {
        let width = self.squares.len();
        let [ratio_b, ratio_r] = self.ratio.each_ref().map(|row| &row[..width]);
        let [sum_b, sum_r] = self.sums.each_mut().map(|row| &mut row[..width]);
        let (luma, cb, cr) = (&luma[..width], &cb[..width], &cr[..width]);
        for x in 0..width {
            let (b, r) = (cb[x] - ratio_b[x] * luma[x], cr[x] - ratio_r[x] * luma[x]);
            let trust = 1.0 / (1.0 + (b * b + r * r) / (SCALE * SCALE));
            let weight = weight * trust * trust * luma[x];
            sum_b[x] += weight * cb[x];
            sum_r[x] += weight * cr[x];
            self.squares[x] += weight * luma[x];
        }
    }

    fn solve(&mut self) {
        for (ratio, sums) in self.ratio.iter_mut().zip(&self.sums) {
            for ((ratio, sum), squares) in ratio.iter_mut().zip(sums).zip(&self.squares) {
                *ratio = sum / squares.max(f32::MIN_POSITIVE);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn colors(p: [f32; 3]) -> [f32; 3] {
        ycbcr(p.map(|v| 255.0 * v))
    }

    /// Half the distance of lights that show several steps within reach, and of one whose steps are too far apart.
    const NEAR: f32 = 0.1;
    const FAR: f32 = 1.0;

    /// Two surfaces under a row of lights, `fall` of the width from bright to dark; Cb and Cr as they are, or in whole levels.
    fn scene(size: u32, fall: f32, whole: bool) -> Image {
        let mut image = Image::new(size, size / 2);
        for (i, pixel) in image.pixels.iter_mut().enumerate() {
            let (x, y) = (i as u32 % size, i as u32 / size);
            let light = 2.0 + 5.0 * (x as f32 / (fall * size as f32) % 2.0 - 1.0).abs();
            let (cb, cr) = if y < size / 4 { (-0.42, 0.31) } else { (0.27, -0.18) };
            let step = |v: f32| if whole { v.round() } else { v };
            *pixel = ycbcr_to_rgb([light, step(cb * light), step(cr * light)]).map(|v| v / 255.0);
        }
        image
    }

    /// Root mean square of Cb and Cr, in levels, between two pictures.
    fn apart(a: &Image, b: &Image) -> f32 {
        let squares = |(a, b): (&[f32; 3], &[f32; 3])| {
            let (a, b) = (colors(*a), colors(*b));
            (1..3).map(|c| (a[c] - b[c]).powi(2)).sum::<f32>()
        };
        (a.pixels.iter().zip(&b.pixels).map(squares).sum::<f32>() / (2 * a.pixels.len()) as f32).sqrt()
    }

    #[test]
    fn steps_of_color_become_the_slope_they_were() {
        let (true_colors, whole) = (scene(160, NEAR, false), scene(160, NEAR, true));
        let restored = dequantize(whole.clone());
        let (before, after) = (apart(&whole, &true_colors), apart(&restored, &true_colors));
        assert!(before > 0.25 && after < 0.4 * before, "{before} to {after}");
        // The border between the surfaces is where it was, and as sharp.
        for x in [20, 80, 140] {
            let step = |image: &Image| colors(image.at(x, 41))[1] - colors(image.at(x, 38))[1];
            assert!(step(&restored) > 0.7 * step(&true_colors), "{} {}", step(&restored), step(&true_colors));
        }
    }

    #[test]
    fn steps_out_of_reach_do_no_harm() {
        let (true_colors, whole) = (scene(160, FAR, false), scene(160, FAR, true));
        let (before, after) = (apart(&whole, &true_colors), apart(&dequantize(whole), &true_colors));
        assert!(after < before, "{before} to {after}");
    }

    #[test]
    fn luma_stays_and_colors_change_by_half_a_level_at_most() {
        let mut image = scene(64, NEAR, true);
        // A lamp, a saturated spot and a hole: nothing like their surroundings.
        (image.pixels[700], image.pixels[900], image.pixels[1100]) = ([0.9; 3], [0.0, 0.0, 0.3], [-0.01; 3]);
        let restored = dequantize(image.clone());
        for (before, after) in image.pixels.iter().zip(&restored.pixels) {
            let (before, after) = (colors(*before), colors(*after));
            assert!((before[0] - after[0]).abs() < 1e-4);
            (1..3).for_each(|c| assert!((before[c] - after[c]).abs() < OPEN + 1e-4));
        }
    }

    #[test]
    fn large_pictures_get_the_colors_of_their_small_ones() {
        let (large, small) = (dequantize(scene(1792, NEAR, true)), dequantize(scene(448, NEAR, true)));
        let apart = apart(&resize_area(&large, 448, 224), &small);
        assert!(apart < 0.1, "{apart}");
    }

    #[test]
    fn shadows_take_a_part_of_the_captures_hue_and_mid_tones_keep_their_own() {
        let colored = |y: f32| ycbcr_to_rgb([y, -0.3 * y, 0.2 * y]).map(|v| v / 255.0);
        // Samples that are too dark or too bright are ignored.
        let mut samples: Vec<[f32; 3]> = (20..=90).flat_map(|i| [colored(0.1 * i as f32); 2]).collect();
        samples.extend([[0.4 / 255.0; 3], [0.1, 0.1, 0.9]].repeat(50));
        let hue = shadow_hue(&samples).unwrap();
        assert!((hue[0] + SHARE * 0.3).abs() < 1e-4 && (hue[1] - SHARE * 0.2).abs() < 1e-4, "{hue:?}");
        assert_eq!(shadow_hue(&samples[..LEAST_MID_TONES - 1]), None);
        let gray = |level: f32| Image { width: 40, height: 30, pixels: vec![[level / 255.0; 3]; 1200] };
        let ratio = |image: &Image| {
            let [y, cb, cr] = colors(image.at(20, 15));
            [cb / y, cr / y]
        };
        let [deep, mid] = [0.2, 4.0].map(|level| ratio(&dequantize_toward(gray(level), Some(hue))));
        for c in 0..2 {
            assert!((deep[c] / hue[c] - 1.0).abs() < 0.25, "{deep:?}, of {hue:?}");
            assert!((mid[c] / hue[c]).abs() < 0.06, "{mid:?}");
        }
        assert_eq!(dequantize_toward(scene(64, NEAR, true), None), dequantize(scene(64, NEAR, true)));
    }

    #[test]
    fn grays_stay_and_odd_sizes_work() {
        for (width, height) in [(1, 1), (1, 700), (701, 1), (3, 2)] {
            let mut image = Image::new(width, height);
            assert_eq!(dequantize(image.clone()), image);
            image.pixels.iter_mut().enumerate().for_each(|(i, p)| *p = [(i % 7) as f32 / 255.0; 3]);
            let restored = dequantize(image.clone());
            for (a, b) in image.pixels.iter().zip(&restored.pixels) {
                (0..3).for_each(|c| assert!((a[c] - b[c]).abs() < 1e-6));
            }
        }
        assert_eq!(dequantize(Image::default()), Image::default());
    }
}
