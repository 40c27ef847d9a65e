//! Brightness and color of a whole capture come from its one response; the network adds what is local.
//!
//! A network trained on many cameras pulls every capture toward the average of its training pictures. A gain and an
//! offset per channel, the same for all views, undo that.

use crate::capture::{Image, resize_area};

/// Gains outside of this range would be noise of a nearly uniform picture.
const GAIN: (f64, f64) = (0.5, 2.0);

/// Pixels a side of the areas whose means count: noise, of which the response has more than the corrected image, would
/// pass for contrast.
const AREA: u32 = 16;

/// A gain and an offset for red, green and blue, the same for all views of a capture.
#[derive(Clone, Debug, PartialEq)]
pub struct Balance {
    /// Factor of each channel.
    pub gain: [f32; 3],
    /// What is added to each channel after the factor, 0–1.
    pub offset: [f32; 3],
}

impl Balance {
    /// The balance that gives the corrected images the mean and the standard deviation of the responses, per channel and over
    /// areas of about 16 × 16 pixels of all `pairs` (response, corrected) together. Values are clipped to 0–1 first.
    pub fn between(pairs: &[(&Image, &Image)]) -> Self {
        let response = moments(pairs.iter().map(|pair| pair.0));
        let corrected = moments(pairs.iter().map(|pair| pair.1));
        let mut balance = Self { gain: [1.0; 3], offset: [0.0; 3] };
        for (channel, (to, from)) in response.into_iter().zip(corrected).enumerate() {
            let gain = if from.1 > 1e-3 { (to.1 / from.1).clamp(GAIN.0, GAIN.1) } else { 1.0 };
            balance.gain[channel] = gain as f32;
            balance.offset[channel] = (to.0 - gain * from.0) as f32;
        }
        balance
    }

    /// The image in the colors of the response, within 0–1.
    pub fn apply(&self, mut image: Image) -> Image {
        for pixel in &mut image.pixels {
            for (channel, value) in pixel.iter_mut().enumerate() {
                *value = (self.gain[channel] * *value + self.offset[channel]).clamp(0.0, 1.0);
            }
        }
        image
    }
}

/// Mean and standard deviation of each channel over areas; zeros where there is no pixel.
fn moments<'a>(images: impl Iterator<Item = &'a Image>) -> [(f64, f64); 3] {
    let (mut count, mut sums, mut squares) = (0_u64, [0.0; 3], [0.0; 3]);
    for pixel in images.flat_map(areas) {
        count += 1;
        for (channel, value) in pixel.into_iter().enumerate() {
            let value = f64::from(value);
            sums[channel] += value;
            squares[channel] += value * value;
        }
    }
    let count = count.max(1) as f64;
    std::array::from_fn(|channel| {
        let mean = sums[channel] / count;
        (mean, (squares[channel] / count - mean * mean).max(0.0).sqrt())
    })
}

/// The means of the areas of an image that is clipped to 0–1.
fn areas(image: &Image) -> Vec<[f32; 3]> {
    let pixels = image.pixels.iter().map(|pixel| pixel.map(|value| value.clamp(0.0, 1.0))).collect();
    let side = |length: u32| length.div_ceil(AREA);
    resize_area(&Image { pixels, ..*image }, side(image.width), side(image.height)).pixels
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(pixel: impl Fn(usize) -> [f32; 3]) -> Image {
        Image { width: 200, height: 100, pixels: (0..20_000).map(pixel).collect() }
    }

    #[test]
    fn a_cast_of_the_whole_capture_is_taken_back() {
        let response =
            [1.0, 0.8].map(|scale| image(|i| [0.2, 0.3, 0.5].map(|v| scale * (v + 0.001 * (i % 200) as f32))));
        let cast = |image: &Image| {
            let pixels = image.pixels.iter().map(|p| [0.9 * p[0] + 0.05, p[1], 1.2 * p[2] - 0.1]).collect();
            Image { pixels, ..*image }
        };
        let corrected = response.each_ref().map(cast);
        let balance = Balance::between(&[(&response[0], &corrected[0]), (&response[1], &corrected[1])]);
        for (found, expected) in balance.gain.iter().zip([1.0 / 0.9, 1.0, 1.0 / 1.2]) {
            assert!((found - expected).abs() < 1e-4, "{balance:?}");
        }
        for (response, corrected) in response.iter().zip(corrected) {
            let balanced = balance.apply(corrected);
            let pixels = response.pixels.iter().flatten().zip(balanced.pixels.iter().flatten());
            assert!(pixels.into_iter().all(|(a, b)| (a - b).abs() < 1e-4));
        }
    }

    #[test]
    fn noise_is_no_contrast() {
        let ramp = |i: usize| 0.3 + 0.002 * (i % 200) as f32;
        let noisy = image(|i| [ramp(i) + if (i + i / 200).is_multiple_of(2) { 0.2 } else { -0.2 }; 3]);
        let clean = image(|i| [ramp(i); 3]);
        let balance = Balance::between(&[(&noisy, &clean)]);
        assert!(balance.gain.iter().all(|gain| (gain - 1.0).abs() < 0.01), "{balance:?}");
    }

    #[test]
    fn plain_and_missing_pictures_keep_finite_numbers() {
        let (dark, bright) = (image(|_| [0.1; 3]), image(|_| [0.3; 3]));
        let balance = Balance::between(&[(&dark, &bright)]);
        assert_eq!(balance.gain, [1.0; 3]);
        assert!((balance.apply(bright).pixels[0][1] - 0.1).abs() < 1e-6);
        assert_eq!(Balance::between(&[]), Balance { gain: [1.0; 3], offset: [0.0; 3] });
    }
}
