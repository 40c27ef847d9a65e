//! The camera: linear light to 8-bit pictures, one well exposed and one taken in the dark, or to the samples of a mosaic.

use super::description::Sensor;
use super::random::Random;
use crate::capture::Image;
use crate::capture::dng::Dng;
use crate::color::linear_to_srgb;
use glam::{DMat3, DVec3, Vec3};
use rayon::prelude::*;

/// The well-lit picture of a radiance image: exposure, sRGB curve.
pub fn lit(radiance: &Image, sensor: &Sensor) -> Image {
    let exposure = sensor.exposure as f32;
    map(radiance, |_, value| linear_to_srgb(value * exposure))
}

/// The same radiance at 1/ratio of the exposure, as electrons are counted (Poisson), read out (Gaussian), balanced and
/// passed through the sRGB curve. `keys` name the random numbers.
pub fn dark(radiance: &Image, sensor: &Sensor, taken: &Taken, keys: [u64; 2]) -> Image {
    let electrons = sensor.exposure / sensor.ratio * taken.exposure * sensor.full_well;
    map(radiance, |i, value| {
        let mut random = Random::new(&[keys[0], keys[1], i as u64]);
        let counted = random.poisson((f64::from(value) * electrons).max(0.0)) + sensor.read_noise * random.normal();
        linear_to_srgb((counted / sensor.full_well * taken.balance[i % 3]) as f32)
    })
}

/// The camera's red, green and blue of linear sRGB, as its filters mix them.
const FILTERS: DMat3 = DMat3::from_cols_array(&[0.80, 0.10, 0.05, 0.15, 0.80, 0.25, 0.05, 0.10, 0.70]);
/// What the filters let pass of white light: green is the most sensitive, as on most sensors.
const NEUTRAL: DVec3 = DVec3::new(0.5, 1.0, 0.625);
/// XYZ of linear sRGB (IEC 61966-2-1).
const XYZ_OF_RGB: DMat3 = DMat3::from_cols_array(&[
    0.412_456, 0.212_673, 0.019_334, 0.357_576, 0.715_152, 0.119_192, 0.180_438, 0.072_175, 0.950_304,
]);
/// Black and white of the samples, 14 bits.
const BLACK: u16 = 512;
const WHITE: u16 = 16_383;
/// Red, green, green, blue.
const MOSAIC: [u8; 4] = [0, 1, 1, 2];

/// The exposure of [`dark`] as a Bayer mosaic counts it: one color a pixel, through filters that lose and mix light.
pub fn counted(radiance: &Image, sensor: &Sensor, taken: &Taken, keys: [u64; 2]) -> Dng {
    let electrons = sensor.exposure / sensor.ratio * taken.exposure * sensor.full_well;
    let width = radiance.width as usize;
    let scale = f64::from(WHITE - BLACK) / sensor.full_well;
    let sample = |(i, light): (usize, &[f32; 3])| {
        let color = usize::from(MOSAIC[i / width % 2 * 2 + i % width % 2]);
        let seen = (FILTERS * Vec3::from(*light).as_dvec3() * NEUTRAL)[color];
        let mut random = Random::new(&[keys[0], keys[1], i as u64]);
        let counted = random.poisson((seen * electrons).max(0.0)) + sensor.read_noise * random.normal();
        (f64::from(BLACK) + scale * counted).round().clamp(0.0, f64::from(WHITE)) as u16
    };
    let matrix = DMat3::from_diagonal(NEUTRAL) * FILTERS * XYZ_OF_RGB.inverse();
    Dng {
        width: radiance.width,
        height: radiance.height,
        samples: radiance.pixels.par_iter().enumerate().map(sample).collect(),
        pattern: MOSAIC,
        black: BLACK,
        white: WHITE,
        neutral: (NEUTRAL / DVec3::from(taken.balance)).to_array(),
        color_matrix: matrix.transpose().to_cols_array(),
        margin: [0; 4],
        orientation: 1,
        exposure: 0.02 * taken.exposure,
        iso: 1600,
    }
}

/// Every channel value through `f`, which also gets the value's index.
fn map(image: &Image, f: impl Fn(usize, f32) -> f32 + Sync) -> Image {
    let pixels = image.pixels.par_iter().enumerate();
    let pixels = pixels.map(|(i, p)| std::array::from_fn(|c| f(3 * i + c, p[c]))).collect();
    Image { width: image.width, height: image.height, pixels }
}

/// How one dark photograph was taken: an automatic camera changes exposure and white balance from view to view.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Taken {
    /// Exposure over that of the sensor's description.
    pub exposure: f64,
    /// What the camera multiplies red, green and blue by.
    pub balance: [f64; 3],
}

impl Sensor {
    /// How view `index` of `count` is taken. Logarithms have zero mean over the views.
    pub fn taken(&self, index: usize, count: usize) -> Taken {
        use std::f64::consts::TAU;
        let wave = |cycles: f64, phase: f64| {
            let at = |i: usize| (TAU * (cycles * i as f64 / count as f64 + phase)).sin();
            at(index) - (0..count).map(at).sum::<f64>() / count as f64
        };
        // Slow changes with a faster one on top, at most 1 together.
        let stops = self.auto_exposure * (0.7 * wave(1.3, 0.1) + 0.3 * wave(4.7, 0.4));
        let [red, blue] = [wave(0.9, 0.2), wave(1.1, 0.65)].map(|drift| (self.balance_drift * drift).exp());
        Taken { exposure: stops.exp2(), balance: [red, 1.0, blue] }
    }
}

#[cfg(test)]
mod tests {
    use super::super::description::PictureFile;
    use super::*;

    use crate::color::srgb_to_linear;

    const SENSOR: Sensor = Sensor {
        exposure: 2.0,
        ratio: 40.0,
        full_well: 20_000.0,
        read_noise: 3.0,
        quality: 95,
        auto_exposure: 0.0,
        balance_drift: 0.0,
        file: PictureFile::Jpeg,
    };
    const PLAIN: Taken = Taken { exposure: 1.0, balance: [1.0; 3] };

    fn flat(value: f32) -> Image {
        Image { width: 100, height: 60, pixels: vec![[value; 3]; 6000] }
    }

    #[test]
    fn an_automatic_camera_has_the_mean_of_a_fixed_one() {
        assert!((0..9).all(|i| SENSOR.taken(i, 9) == PLAIN));
        let automatic = Sensor { auto_exposure: 1.5, balance_drift: 0.1, ..SENSOR };
        let taken: Vec<Taken> = (0..24).map(|i| automatic.taken(i, 24)).collect();
        let logs: Vec<[f64; 3]> =
            taken.iter().map(|t| [t.exposure, t.balance[0], t.balance[2]].map(f64::log2)).collect();
        for channel in 0..3 {
            let of = || logs.iter().map(|log| log[channel]);
            assert!(of().sum::<f64>().abs() < 1e-9);
            let most = of().fold(0.0f64, |most, log| most.max(log.abs()));
            let allowed = if channel == 0 { 0.9..2.0 } else { 0.08..0.3 };
            assert!(allowed.contains(&most), "{channel}: {most}");
        }
        // Twice the exposure counts twice the light; balance follows the count.
        let twice = Taken { exposure: 2.0, balance: [1.5, 1.0, 1.0] };
        let mean = |taken: &Taken, channel: usize| {
            let picture = dark(&flat(0.1), &SENSOR, taken, [1, 2]);
            picture.pixels.iter().map(|p| f64::from(srgb_to_linear(p[channel]))).sum::<f64>() / 6000.0
        };
        assert!((mean(&twice, 1) / mean(&PLAIN, 1) - 2.0).abs() < 0.01);
        assert!((mean(&twice, 0) / mean(&PLAIN, 0) - 3.0).abs() < 0.02);
    }

    #[test]
    fn dark_is_lit_over_the_ratio_with_the_noise_of_photons() {
        let radiance = 0.1;
        let expected = 0.1 * 2.0 / 40.0;
        let values: Vec<f64> = dark(&flat(radiance), &SENSOR, &PLAIN, [1, 2])
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
        let picture = |view| dark(&flat(0.05), &SENSOR, &PLAIN, [9, view]);
        assert_eq!(picture(1), picture(1));
        assert_ne!(picture(1), picture(2));
    }
}
