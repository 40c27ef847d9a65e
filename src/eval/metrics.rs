//! PSNR and SSIM as the field reports them: on 8-bit pictures, data range 1.
//!
//! Both functions round and clip their inputs to 8 bits first, because that is what a benchmark receives.
//! SSIM is the one of Wang et al. 2004: Gaussian window 11×11, σ 1.5, K₁ 0.01, K₂ 0.03, population (co)variances,
//! each color channel on its own, averaged. Only windows that lie fully inside the picture count, that is, a border
//! of 5 pixels is cropped; zero padding would reward pictures for their frame.

use crate::capture::Image;
use rayon::prelude::*;

/// PSNR of identical pictures, in dB: a finite stand-in for infinity, which JSON cannot hold and a mean cannot bear.
pub const PSNR_CAP: f64 = 100.0;

const WINDOW: usize = 11;
const SIGMA: f64 = 1.5;
const C1: f32 = 0.01 * 0.01;
const C2: f32 = 0.03 * 0.03;

/// Peak signal-to-noise ratio in dB over all pixels and channels, at most [`PSNR_CAP`].
/// `None` if the sizes differ, there is no pixel, or one is not finite.
pub fn psnr(render: &Image, reference: &Image) -> Option<f64> {
    if !comparable(render, reference) || render.pixels.is_empty() {
        return None;
    }
    // Integers: exact in any order, so the result does not depend on the number of threads.
    let squares: u64 = render
        .pixels
        .par_iter()
        .zip(&reference.pixels)
        .map(|(a, b)| (0..3).map(|c| u64::from(level(a[c]).abs_diff(level(b[c]))).pow(2)).sum::<u64>())
        .sum();
    let mse = squares as f64 / (render.pixels.len() * 3) as f64 / (255.0 * 255.0);
    Some((-10.0 * mse.log10()).min(PSNR_CAP))
}

/// Structural similarity, mean over the interior and the three channels; 1 for identical pictures.
/// `None` if the sizes differ, a side is shorter than the window of 11 pixels, or a pixel is not finite.
pub fn ssim(render: &Image, reference: &Image) -> Option<f64> {
    ssim_where(render, reference, &|_| true)
}

/// As [`ssim`], over the windows whose center (index of its pixel) `counts`; `None` if none does.
pub(super) fn ssim_where(render: &Image, reference: &Image, counts: &(dyn Fn(usize) -> bool + Sync)) -> Option<f64> {
    let (width, height) = (render.width as usize, render.height as usize);
    if !comparable(render, reference) || width < WINDOW || height < WINDOW {
        return None;
    }
    let margin = WINDOW / 2;
    let center = move |row: usize, column: usize| counts((row + margin) * width + column + margin);
    let columns = width - WINDOW + 1;
    let windows: usize =
        (0..height - WINDOW + 1).map(|row| (0..columns).filter(|column| center(row, *column)).count()).sum();
    let sum: f64 = (0..3).map(|channel| channel_ssim(render, reference, channel, &center)).sum();
    (windows > 0).then(|| sum / (3 * windows) as f64)
}

/// The sum of one channel's SSIM map over the windows (by row and column) that count.
fn channel_ssim(
    render: &Image,
    reference: &Image,
    channel: usize,
    counts: &(dyn Fn(usize, usize) -> bool + Sync),
) -> f64 {
    let width = render.width as usize;
    let (kernel, columns) = (gaussian(), width - WINDOW + 1);
    // The window is separable. Across first: the moments x, y, x², y², xy of each row.
    let rows: Vec<Vec<[f32; 5]>> = (render.pixels.par_chunks(width), reference.pixels.par_chunks(width))
        .into_par_iter()
        .map(|(a, b)| {
            let moments: Vec<[f32; 5]> = a
                .iter()
                .zip(b)
                .map(|(a, b)| (f32::from(level(a[channel])) / 255.0, f32::from(level(b[channel])) / 255.0))
                .map(|(x, y)| [x, y, x * x, y * y, x * y])
                .collect();
            moments.windows(WINDOW).map(|window| weighted(&kernel, window.iter())).collect()
        })
        .collect();
    let at = |rows: &[Vec<[f32; 5]>], x: usize| f64::from(similarity(weighted(&kernel, rows.iter().map(|r| &r[x]))));
    let sums: Vec<f64> = rows
        .par_windows(WINDOW)
        .enumerate()
        .map(|(y, rows)| (0..columns).filter(|x| counts(y, *x)).map(|x| at(rows, x)).sum())
        .collect();
    sums.iter().sum()
}

fn weighted<'a>(kernel: &[f32; WINDOW], moments: impl Iterator<Item = &'a [f32; 5]>) -> [f32; 5] {
    let mut sum = [0.0; 5];
    for (weight, moment) in kernel.iter().zip(moments) {
        for (s, m) in sum.iter_mut().zip(moment) {
            *s += weight * m;
        }
    }
    sum
}

/// SSIM of one window from its weighted moments.
fn similarity([x, y, xx, yy, xy]: [f32; 5]) -> f32 {
    let (var_x, var_y, cov) = (xx - x * x, yy - y * y, xy - x * y);
    ((2.0 * x * y + C1) * (2.0 * cov + C2)) / ((x * x + y * y + C1) * (var_x + var_y + C2))
}

fn gaussian() -> [f32; WINDOW] {
    let weight = |i: usize| (-(i as f64 - 5.0).powi(2) / (2.0 * SIGMA * SIGMA)).exp();
    let sum: f64 = (0..WINDOW).map(weight).sum();
    std::array::from_fn(|i| (weight(i) / sum) as f32)
}

/// The 8-bit level of a value, as [`Image::to_rgb8`] rounds it.
fn level(value: f32) -> u8 {
    (value.clamp(0.0, 1.0) * 255.0).round() as u8
}

/// Of one size and finite: NaN would round to a level of 0 and pass for black.
fn comparable(a: &Image, b: &Image) -> bool {
    (a.width, a.height) == (b.width, b.height) && broken_pixels(a) + broken_pixels(b) == 0
}

/// Pixels with a channel that is NaN or infinite.
pub(super) fn broken_pixels(image: &Image) -> usize {
    image.pixels.par_iter().filter(|pixel| !pixel.iter().all(|value| value.is_finite())).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(width: u32, height: u32, value: impl Fn(usize, usize) -> f32) -> Image {
        let mut image = Image::new(width, height);
        for (i, pixel) in image.pixels.iter_mut().enumerate() {
            *pixel = std::array::from_fn(|c| value(i, c));
        }
        image
    }

    fn noise(i: usize, c: usize) -> f32 {
        ((i * 3 + c) as u32).wrapping_mul(2_654_435_761).rotate_left(13) as f32 / u32::MAX as f32
    }

    /// SSIM by its definition: a 2-D window at every place, centered moments, f64.
    fn direct_ssim(a: &Image, b: &Image) -> f64 {
        let (w, h) = (a.width as usize, a.height as usize);
        let planes: Vec<Vec<f64>> =
            [a, b].iter().map(|im| im.to_rgb8().iter().map(|&v| f64::from(v) / 255.0).collect()).collect();
        let mut window = [[0.0; 11]; 11];
        let mut total = 0.0;
        for (j, row) in window.iter_mut().enumerate() {
            for (i, weight) in row.iter_mut().enumerate() {
                *weight = (-((i as f64 - 5.0).powi(2) + (j as f64 - 5.0).powi(2)) / 4.5).exp();
                total += *weight;
            }
        }
        let (mut sum, mut count) = (0.0, 0);
        for c in 0..3 {
            for y0 in 0..=h - 11 {
                for x0 in 0..=w - 11 {
                    let mean = |p: &[f64]| each(&window, |i, j| p[((y0 + j) * w + x0 + i) * 3 + c]) / total;
                    let (mx, my) = (mean(&planes[0]), mean(&planes[1]));
                    let co = |p: &[f64], mp: f64, q: &[f64], mq: f64| {
                        each(&window, |i, j| {
                            let at = ((y0 + j) * w + x0 + i) * 3 + c;
                            (p[at] - mp) * (q[at] - mq)
                        }) / total
                    };
                    let (vx, vy) = (co(&planes[0], mx, &planes[0], mx), co(&planes[1], my, &planes[1], my));
                    let cov = co(&planes[0], mx, &planes[1], my);
                    sum +=
                        ((2.0 * mx * my + 1e-4) * (2.0 * cov + 9e-4)) / ((mx * mx + my * my + 1e-4) * (vx + vy + 9e-4));
                    count += 1;
                }
            }
        }
        sum / f64::from(count)
    }

    fn each(window: &[[f64; 11]; 11], value: impl Fn(usize, usize) -> f64) -> f64 {
        (0..11).flat_map(|j| (0..11).map(move |i| (i, j))).map(|(i, j)| window[j][i] * value(i, j)).sum()
    }

    #[test]
    fn identical_pictures() {
        let a = picture(13, 12, noise);
        assert_eq!(psnr(&a, &a), Some(PSNR_CAP));
        assert!((ssim(&a, &a).unwrap() - 1.0).abs() < 1e-6);
    }

    #[test]
    fn psnr_of_a_known_difference() {
        // A difference of 51 levels everywhere: MSE 0.04, 13.979 dB. Values beyond 0–1 clip first.
        let (a, b) = (picture(5, 3, |_, _| -0.3), picture(5, 3, |_, _| 0.2));
        assert!((psnr(&a, &b).unwrap() - 13.979_400_086_720_376).abs() < 1e-9);
        // Differences below half a level vanish.
        assert_eq!(psnr(&a, &picture(5, 3, |_, _| 0.0019)), Some(PSNR_CAP));
    }

    #[test]
    fn ssim_of_constants_is_the_luminance_term() {
        let (a, b) = (picture(20, 11, |_, _| 0.2), picture(20, 11, |_, _| 0.6));
        let expected = (2.0 * 0.12 + 1e-4) / (0.04 + 0.36 + 1e-4);
        assert!((ssim(&a, &b).unwrap() - expected).abs() < 1e-4);
    }

    #[test]
    fn ssim_agrees_with_its_definition() {
        let a = picture(23, 17, noise);
        let b = picture(23, 17, |i, c| 0.6 * noise(i, c) + 0.4 * noise(i + 7, c) * (i as f32 / 391.0));
        let (fast, slow) = (ssim(&a, &b).unwrap(), direct_ssim(&a, &b));
        assert!((fast - slow).abs() < 1e-5, "{fast} {slow}");
        assert!(slow < 0.95, "the case must not be trivial: {slow}");
    }

    #[test]
    fn what_cannot_be_compared() {
        let (a, b) = (Image::new(12, 12), Image::new(12, 11));
        assert_eq!((psnr(&a, &b), ssim(&a, &b)), (None, None));
        assert_eq!(psnr(&Image::new(0, 0), &Image::new(0, 0)), None);
        for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut broken = Image::new(12, 12);
            broken.pixels[77][2] = value;
            for (x, y) in [(&a, &broken), (&broken, &a), (&broken, &broken)] {
                assert_eq!((psnr(x, y), ssim(x, y)), (None, None), "{value}");
            }
        }
        let small = Image::new(10, 30);
        assert_eq!((psnr(&small, &small), ssim(&small, &small)), (Some(PSNR_CAP), None));
    }
}
