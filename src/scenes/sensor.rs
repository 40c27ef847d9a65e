//! The camera: linear light to 8-bit pictures, one well exposed and one taken in the dark.

use super::description::Sensor;
use super::random::Random;
use crate::capture::Image;
use rayon::prelude::*;

/// The well-lit picture of a radiance image: exposure, sRGB curve.
pub fn lit(radiance: &Image, sensor: &Sensor) -> Image {
    let exposure = sensor.exposure as f32;
    map(radiance, |_, value| linear_to_srgb(value * exposure))
}

/// The same radiance at 1/ratio of the exposure, as electrons are counted (Poisson), read out (Gaussian) and passed
/// through the sRGB curve. `keys` name the random numbers.
pub fn dark(radiance: &Image, sensor: &Sensor, keys: [u64; 2]) -> Image {
    let electrons = sensor.exposure / sensor.ratio * sensor.full_well;
    map(radiance, |i, value| {
        let mut random = Random::new(&[keys[0], keys[1], i as u64]);
        let counted = random.poisson((f64::from(value) * electrons).max(0.0)) + sensor.read_noise * random.normal();
        linear_to_srgb((counted / sensor.full_well) as f32)
    })
}

/// Every channel value through `f`, which also gets the value's index.
fn map(image: &Image, f: impl Fn(usize, f32) -> f32 + Sync) -> Image {
    let pixels = image.pixels.par_iter().enumerate();
    let pixels = pixels.map(|(i, p)| std::array::from_fn(|c| f(3 * i + c, p[c]))).collect();
    Image { width: image.width, height: image.height, pixels }
}

/// IEC 61966-2-1, clipped to 0–1.
pub fn linear_to_srgb(value: f32) -> f32 {
    let v = value.clamp(0.0, 1.0);
    if v <= 0.003_130_8 { 12.92 * v } else { 1.055 * v.powf(1.0 / 2.4) - 0.055 }
}

/// The inverse of [`linear_to_srgb`] on 0–1.
pub fn srgb_to_linear(value: f32) -> f32 {
    if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
}

/// An encoded value as an exposure `gain` times as long would have it.
pub fn exposed(value: f32, gain: f32) -> f32 {
    linear_to_srgb(srgb_to_linear(value.max(0.0)) * gain)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENSOR: Sensor = Sensor { exposure: 2.0, ratio: 40.0, full_well: 20_000.0, read_noise: 3.0, quality: 95 };

    fn flat(value: f32) -> Image {
        Image { width: 100, height: 60, pixels: vec![[value; 3]; 6000] }
    }

    #[test]
    fn the_curve_and_its_inverse() {
        for i in 0..=1000 {
            let v = i as f32 / 1000.0;
            assert!((srgb_to_linear(linear_to_srgb(v)) - v).abs() < 1e-5);
        }
        assert!((linear_to_srgb(0.214_041) - 0.5).abs() < 1e-5);
        assert_eq!(linear_to_srgb(-1.0), 0.0);
        assert!((linear_to_srgb(7.0) - 1.0).abs() < 1e-6);
    }

    #[test]
    fn dark_is_lit_over_the_ratio_with_the_noise_of_photons() {
        let radiance = 0.1;
        let expected = 0.1 * 2.0 / 40.0;
        let values: Vec<f64> = dark(&flat(radiance), &SENSOR, [1, 2])
            .pixels
            .iter()
            .flatten()
            .map(|&v| f64::from(srgb_to_linear(v)))
            .collect();
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / count;
        // Photon transfer: variance = signal / full well + (read noise / full well)².
        let expected_variance = expected / 20_000.0 + (3.0_f64 / 20_000.0).powi(2);
        assert!((mean - expected).abs() < 5.0 * (expected_variance / count).sqrt(), "{mean} {expected}");
        assert!((variance / expected_variance - 1.0).abs() < 0.05, "{variance} {expected_variance}");
        assert!((lit(&flat(radiance), &SENSOR).at(3, 3)[0] - linear_to_srgb(0.2)).abs() < 1e-6);
    }

    #[test]
    fn the_same_keys_give_the_same_noise() {
        let picture = |view| dark(&flat(0.05), &SENSOR, [9, view]);
        assert_eq!(picture(1), picture(1));
        assert_ne!(picture(1), picture(2));
    }
}
