//! Pictures as areas: means over blocks of pixels, and which of them a curve can be fitted to.

use super::fit::Sample;
use crate::capture::{Image, resize_area};

/// Blocks of a pair have this many pixels along a side at most, and about 1/64 of the picture's longer side.
const SIDE: [u32; 2] = [4, 16];
/// Where there are no pairs, pictures are averaged to this many areas along the longer side: fewer would narrow the
/// quantiles, more would widen them by noise.
const AREAS: u32 = 441;
/// Lit pixels above this level count as clipped.
const CLIPPED: f32 = 250.0;
/// The mean of a bent curve over an uneven area is not the curve at the mean. With standard deviation / (mean + 4) of
/// the lit pixels up to this value the difference stays below a hundredth.
const EVEN: f32 = 0.12;
/// Where few areas are even, the most even part of all may do instead, up to this contrast.
const MOST_EVEN: (f64, f32) = (0.25, 0.3);
/// More areas than this add nothing to the fit.
const MOST_SAMPLES: usize = 40_000;
/// Quantiles that are matched, evenly spaced.
const QUANTILES: usize = 400;

/// The same area in both pictures, in levels of 255.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Block {
    pub dark: [f32; 3],
    pub lit: [f32; 3],
    /// Standard deviation of the lit pixels over their mean + 4 levels.
    pub contrast: [f32; 3],
    /// Whether a pixel of the channel is clipped in the lit picture, or one of any channel in the dark one.
    pub clipped: [bool; 3],
    /// Half the difference between the means of two interleaved halves of the dark block: noise of the same spread as
    /// that of its mean, but independent of it.
    pub noise: [f32; 3],
}

/// The blocks of two pictures of one size; those that would stick out at the right and lower edge are left out.
pub fn paired(dark: &Image, lit: &Image) -> Vec<Block> {
    let side = (dark.width.max(dark.height) / 64).clamp(SIDE[0], SIDE[1]);
    let places = (0..dark.height / side).flat_map(|y| (0..dark.width / side).map(move |x| (x * side, y * side)));
    places.map(|corner| block(dark, lit, corner, side)).collect()
}

fn block(dark: &Image, lit: &Image, (x0, y0): (u32, u32), side: u32) -> Block {
    let (mut sums, mut squares, mut highest) = ([[0.0f64; 3]; 2], [0.0f64; 3], [[0.0f32; 3]; 2]);
    let (mut halves, mut counts) = ([[0.0f64; 3]; 2], [0.0f64; 2]);
    for (x, y) in (y0..y0 + side).flat_map(|y| (x0..x0 + side).map(move |x| (x, y))) {
        // Squares of 2 × 2 pixels in turn: JPEG files share colors within them.
        let half = ((x - x0) / 2 + (y - y0) / 2) as usize % 2;
        counts[half] += 1.0;
        (0..3).for_each(|c| halves[half][c] += f64::from(dark.at(x, y)[c] * 255.0));
        for (i, pixel) in [dark.at(x, y), lit.at(x, y)].into_iter().enumerate() {
            for c in 0..3 {
                let level = pixel[c] * 255.0;
                sums[i][c] += f64::from(level);
                highest[i][c] = highest[i][c].max(level);
                squares[c] += if i == 1 { f64::from(level).powi(2) } else { 0.0 };
            }
        }
    }
    let count = f64::from(side * side);
    let means = sums.map(|sum| sum.map(|v| v / count));
    let dark_clipped = highest[0].iter().any(|v| *v > CLIPPED);
    Block {
        dark: means[0].map(|v| v as f32),
        lit: means[1].map(|v| v as f32),
        contrast: std::array::from_fn(|c| {
            let variance = (squares[c] / count - means[1][c].powi(2)).max(0.0);
            (variance.sqrt() / (means[1][c].max(0.0) + 4.0)) as f32
        }),
        clipped: highest[1].map(|v| dark_clipped || v > CLIPPED),
        noise: std::array::from_fn(|c| (0.5 * (halves[0][c] / counts[0] - halves[1][c] / counts[1])) as f32),
    }
}

/// The areas of one picture, in levels.
pub fn single(image: &Image) -> Vec<[f32; 3]> {
    let factor = (image.width.max(image.height) as f32 / AREAS as f32).max(SIDE[0] as f32);
    let size = [image.width, image.height].map(|n| (n as f32 / factor).round() as u32);
    resize_area(image, size[0], size[1]).pixels.iter().map(|p| p.map(|v| v * 255.0)).collect()
}

/// What the curve of channel `c` is fitted to: even areas that are not clipped.
pub fn samples(blocks: &[Block], c: usize) -> Vec<Sample> {
    let clear: Vec<&Block> = blocks.iter().filter(|b| !b.clipped[c]).collect();
    let mut contrasts: Vec<f32> = clear.iter().map(|b| b.contrast[c]).collect();
    contrasts.sort_by(f32::total_cmp);
    let few = contrasts.get((contrasts.len() as f64 * MOST_EVEN.0) as usize).copied().unwrap_or(0.0);
    let limit = few.clamp(EVEN, MOST_EVEN.1);
    let even: Vec<&Block> = clear.into_iter().filter(|b| b.contrast[c] <= limit).collect();
    let step = even.len().div_ceil(MOST_SAMPLES).max(1);
    let sample =
        |b: &Block| Sample { dark: b.dark.map(f64::from), lit: f64::from(b.lit[c]), noise: b.noise.map(f64::from) };
    even.into_iter().step_by(step).map(sample).collect()
}

/// Equal ranks of channel `c` in dark and lit areas, without those that are clipped.
pub fn quantiles(dark: &[[f32; 3]], lit: &[[f32; 3]], c: usize) -> Vec<Sample> {
    let [dark, lit] = [dark, lit].map(|areas| at_ranks(areas.iter().map(|area| area[c]).collect()));
    let pairs = dark.into_iter().zip(lit).filter(|(_, lit)| *lit <= CLIPPED);
    pairs.map(|(dark, lit)| Sample { dark: [f64::from(dark); 3], lit: f64::from(lit), noise: [0.0; 3] }).collect()
}

/// Equal ranks of every channel as if they were areas of a pair, for the checks.
pub fn ranked(dark: &[[f32; 3]], lit: &[[f32; 3]]) -> Vec<Block> {
    let sorted = |areas: &[[f32; 3]]| [0, 1, 2].map(|c| at_ranks(areas.iter().map(|area| area[c]).collect()));
    let (dark, lit) = (sorted(dark), sorted(lit));
    let count = dark[0].len().min(lit[0].len());
    let block = |i: usize| {
        let lit: [f32; 3] = std::array::from_fn(|c| lit[c][i]);
        let dark = std::array::from_fn(|c| dark[c][i]);
        Block { dark, lit, contrast: [0.0; 3], clipped: lit.map(|v| v > CLIPPED), noise: [0.0; 3] }
    };
    (0..count).map(block).collect()
}

/// Values at evenly spaced ranks, rising.
fn at_ranks(mut values: Vec<f32>) -> Vec<f32> {
    values.sort_by(f32::total_cmp);
    let at = |k: usize| values.get(((k as f64 + 0.5) / QUANTILES as f64 * values.len() as f64) as usize).copied();
    (0..QUANTILES).filter_map(at).collect()
}
