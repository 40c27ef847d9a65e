//! Crops of one capture as tensors, and the random changes that training makes to them.

use crate::pairs::{Capture, Pair};
use burn::tensor::{Device, Tensor, TensorData};
use naka_gs::capture::{Image, resize_area};
use naka_gs::enhance::Restoration;
use rand::{Rng, RngExt};

/// How far crops are rescaled.
const RESCALE: std::ops::Range<f32> = 0.7..1.4;
/// How wrong the response of a step may be: gain of all channels, of each, and mixing between them.
const GAIN: f32 = 0.10;
const CHANNEL_GAIN: f32 = 0.02;
const MIXING: f32 = 0.06;
/// In these parts of the steps the response is the Naka–Rushton response estimated from the capture, as where its camera
/// is unknown, and the one that matches quantiles; else that of the calibrated camera.
const NAKA: f64 = 0.1;
const QUANTILES: f64 = 0.25;

/// Crops of one capture, planar: [N, 3, height, width].
pub struct Batch {
    shape: [usize; 4],
    dark: Vec<f32>,
    naka: Vec<f32>,
    lit: Vec<f32>,
}

/// A batch on a device.
pub struct Tensors {
    pub dark: Tensor<4>,
    pub naka: Tensor<4>,
    pub lit: Tensor<4>,
}

impl Batch {
    /// `count` random crops of `size` × `size` pixels (or as much as the smallest picture has), changed at random.
    pub fn random(capture: &Capture, count: usize, size: u32, random: &mut impl Rng) -> Self {
        let least = |pick: fn(&Image) -> u32| capture.pairs.iter().map(|pair| pick(&pair.dark)).min().unwrap_or(1);
        let side = size.min(least(|image| image.width)).min(least(|image| image.height));
        let response = Wrong::random(capture, random);
        let mut batch = Self::empty(side as usize, side as usize);
        for _ in 0..count {
            let pair = &capture.pairs[random.random_range(0..capture.pairs.len())];
            batch.push(&crop(pair, side, random), |dark| response.apply(dark));
        }
        batch
    }

    /// The middle of up to `count` whole pictures, evenly spread over the capture, under `response`.
    pub fn whole(capture: &Capture, response: impl Fn([f32; 3]) -> [f32; 3], count: usize) -> Self {
        let step = capture.pairs.len().div_ceil(count.max(1)).max(1);
        let chosen: Vec<&Pair> = capture.pairs.iter().step_by(step).collect();
        let width = chosen.iter().map(|pair| pair.dark.width).min().unwrap_or(1);
        let height = chosen.iter().map(|pair| pair.dark.height).min().unwrap_or(1);
        let mut batch = Self::empty(height as usize, width as usize);
        for pair in chosen {
            let (x, y) = ((pair.dark.width - width) / 2, (pair.dark.height - height) / 2);
            let part = |image: &Image| window(image, x, y, width, height);
            let pair = Pair { dark: part(&pair.dark), lit: part(&pair.lit) };
            batch.push(&pair, &response);
        }
        batch
    }

    /// As tensors on `device`.
    pub fn tensors(&self, device: &Device) -> Tensors {
        let tensor = |values: &Vec<f32>| Tensor::from_data(TensorData::new(values.clone(), self.shape), device);
        Tensors { dark: tensor(&self.dark), naka: tensor(&self.naka), lit: tensor(&self.lit) }
    }

    fn empty(height: usize, width: usize) -> Self {
        Self { shape: [0, 3, height, width], dark: Vec::new(), naka: Vec::new(), lit: Vec::new() }
    }

    fn push(&mut self, pair: &Pair, response: impl Fn([f32; 3]) -> [f32; 3]) {
        let naka: Vec<[f32; 3]> = pair.dark.pixels.iter().map(|dark| response(*dark)).collect();
        let planes = |to: &mut Vec<f32>, pixels: &[[f32; 3]]| {
            (0..3).for_each(|c| to.extend(pixels.iter().map(|pixel| pixel[c])));
        };
        planes(&mut self.dark, &pair.dark.pixels);
        planes(&mut self.naka, &naka);
        planes(&mut self.lit, &pair.lit.pixels);
        self.shape[0] += 1;
    }
}

/// The pixels of `C` planes [N, C, H, W], picture by picture.
pub fn pixels<const C: usize>(planes: &Tensor<4>) -> Vec<[f32; C]> {
    let [_, channels, height, width] = planes.dims();
    let area = height * width;
    let values = planes.to_data().try_to_vec::<f32>().unwrap_or_default();
    let picture = |planes: &[f32]| (0..area).map(|i| std::array::from_fn(|c| planes[c * area + i])).collect::<Vec<_>>();
    values.chunks_exact(channels * area).flat_map(picture).collect()
}

/// A response that is off by a random matrix.
struct Wrong<'a> {
    response: &'a Restoration,
    matrix: [[f32; 3]; 3],
}

impl<'a> Wrong<'a> {
    fn random(capture: &'a Capture, random: &mut impl Rng) -> Self {
        let (choice, own) = (random.random::<f64>(), capture.response());
        let response = match choice {
            choice if choice < NAKA => &capture.naka,
            choice if choice < NAKA + QUANTILES => capture.quantiles.as_ref().unwrap_or(own),
            _ => own,
        };
        let gain = 1.0 + random.random_range(-GAIN..GAIN);
        let mut matrix = [[0.0; 3]; 3];
        for (i, row) in matrix.iter_mut().enumerate() {
            for (j, value) in row.iter_mut().enumerate() {
                *value = if i == j { 0.0 } else { random.random_range(-MIXING..MIXING) };
            }
            // Mixing keeps grays gray; the gains do not.
            row[i] = 1.0 - row.iter().sum::<f32>();
            let gain = gain * (1.0 + random.random_range(-CHANNEL_GAIN..CHANNEL_GAIN));
            row.iter_mut().for_each(|value| *value *= gain);
        }
        Self { response, matrix }
    }

    fn apply(&self, dark: [f32; 3]) -> [f32; 3] {
        self.response.apply(self.matrix.map(|row| row[0] * dark[0] + row[1] * dark[1] + row[2] * dark[2]))
    }
}

/// A random square of the pair, rescaled, mirrored and turned.
fn crop(pair: &Pair, side: u32, random: &mut impl Rng) -> Pair {
    let (width, height) = (pair.dark.width, pair.dark.height);
    let source = ((side as f32 * random.random_range(RESCALE)).round() as u32).clamp(1, width.min(height));
    let (x, y) = (random.random_range(0..=width - source), random.random_range(0..=height - source));
    let (mirror, turns) = (random.random_bool(0.5), random.random_range(0..4));
    let part = |image: &Image| {
        let square = window(image, x, y, source, source);
        turned(&resized(&square, side), mirror, turns)
    };
    Pair { dark: part(&pair.dark), lit: part(&pair.lit) }
}

fn window(image: &Image, x: u32, y: u32, width: u32, height: u32) -> Image {
    let start = |row: u32| (row * image.width + x) as usize;
    let pixels = (y..y + height).flat_map(|row| &image.pixels[start(row)..start(row) + width as usize]).copied();
    Image { width, height, pixels: pixels.collect() }
}

/// Averaged by area where smaller, bilinear where larger.
fn resized(square: &Image, side: u32) -> Image {
    if side <= square.width {
        return resize_area(square, side, side);
    }
    let scale = square.width as f32 / side as f32;
    let place = |i: u32| {
        let position = ((i as f32 + 0.5) * scale - 0.5).max(0.0);
        let first = (position as u32).min(square.width - 1);
        (first, (first + 1).min(square.width - 1), position - first as f32)
    };
    let mix = |a: [f32; 3], b: [f32; 3], t: f32| std::array::from_fn(|c| a[c] + (b[c] - a[c]) * t);
    let mut out = Image::new(side, side);
    for y in 0..side {
        let (top, bottom, v) = place(y);
        for x in 0..side {
            let (left, right, u) = place(x);
            let row = |y: u32| mix(square.at(left, y), square.at(right, y), u);
            out.pixels[(y * side + x) as usize] = mix(row(top), row(bottom), v);
        }
    }
    out
}

/// Mirrored left to right, then turned by quarters.
fn turned(square: &Image, mirror: bool, turns: u32) -> Image {
    let (side, last) = (square.width, square.width - 1);
    let mut out = square.clone();
    for y in 0..side {
        for x in 0..side {
            let (mut u, mut v) = (x, y);
            for _ in 0..turns {
                (u, v) = (v, last - u);
            }
            if mirror {
                u = last - u;
            }
            out.pixels[(y * side + x) as usize] = square.at(u, v);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use naka_gs::enhance::Tone;
    use rand::{SeedableRng, rngs::StdRng};

    fn picture(width: u32, height: u32) -> Image {
        let value = |i: u32| (i.wrapping_mul(2_654_435_761) >> 8) as f32 / (1 << 24) as f32;
        let pixels = (0..width * height).map(|i| [0, 1, 2].map(|c| value(3 * i + c))).collect();
        Image { width, height, pixels }
    }

    fn capture() -> Capture {
        let pair = |width, height| {
            let dark = picture(width, height);
            let lit = Image { pixels: dark.pixels.iter().map(|p| p.map(|v| 0.5 * v + 0.1)).collect(), ..dark.clone() };
            Pair { dark, lit }
        };
        let naka = Restoration::plain(Tone::Naka { n: 1.0, sigma: 0.05 });
        Capture { name: "test".into(), pairs: vec![pair(40, 30), pair(25, 33)], camera: None, quantiles: None, naka }
    }

    #[test]
    fn dark_and_lit_stay_together() {
        let batch = Batch::random(&capture(), 5, 16, &mut StdRng::seed_from_u64(1));
        assert_eq!(batch.shape, [5, 3, 16, 16]);
        assert_eq!([batch.dark.len(), batch.naka.len(), batch.lit.len()], [5 * 3 * 256; 3]);
        assert!(batch.dark.iter().zip(&batch.lit).all(|(dark, lit)| (0.5 * dark + 0.1 - lit).abs() < 1e-6));
        assert!(batch.naka.iter().all(|v| (0.0..=1.0).contains(v)));
        assert_eq!(Batch::random(&capture(), 1, 64, &mut StdRng::seed_from_u64(1)).shape, [1, 3, 25, 25]);
    }

    #[test]
    fn whole_pictures_are_the_common_middle() {
        let (capture, batch) = (capture(), Batch::whole(&capture(), |dark| capture().naka.apply(dark), 4));
        assert_eq!(batch.shape, [2, 3, 30, 25]);
        let first = capture.pairs[0].dark.at(7, 0);
        assert_eq!([batch.dark[0], batch.naka[0]], [first[0], capture.naka.apply(first)[0]]);
        assert_eq!(Batch::whole(&capture, |dark| dark, 1).shape[0], 1);
    }

    #[test]
    fn wrong_responses_keep_gray_nearly_gray() {
        let capture = capture();
        for seed in 0..50 {
            let wrong = Wrong::random(&capture, &mut StdRng::seed_from_u64(seed));
            let sums = wrong.matrix.map(|row| row.iter().sum::<f32>());
            assert!(sums.iter().all(|sum| (sum - 1.0).abs() < 0.145));
            assert!(sums.iter().all(|sum| (sum / sums[0] - 1.0).abs() < 0.09));
        }
    }

    #[test]
    fn turns_and_mirrors_are_permutations() {
        let square = picture(5, 5);
        let quarter = turned(&square, false, 1);
        assert_eq!(quarter.at(0, 0), square.at(0, 4));
        assert_eq!(turned(&turned(&quarter, false, 2), false, 1), square);
        let mirrored = turned(&square, true, 0);
        assert_eq!(mirrored.at(0, 2), square.at(4, 2));
        assert_eq!(turned(&mirrored, true, 0), square);
    }

    #[test]
    fn enlarging_a_ramp_keeps_it_straight() {
        let mut ramp = Image::new(10, 10);
        (0..100).for_each(|i| ramp.pixels[i] = [(i % 10) as f32, (i / 10) as f32, 1.0]);
        let large = resized(&ramp, 14);
        for (x, y) in (2..12).flat_map(|x| (2..12).map(move |y| (x, y))) {
            let place = |i: u32| (i as f32 + 0.5) * 10.0 / 14.0 - 0.5;
            let found = large.at(x, y);
            assert!((found[0] - place(x)).abs() < 1e-5 && (found[1] - place(y)).abs() < 1e-5 && found[2] == 1.0);
        }
    }
}
