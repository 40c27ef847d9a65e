//! A random camera, and what it makes of linear light: a lit JPEG, and a dark one at a fraction of the exposure.
//!
//! The dark picture is followed through the whole camera at twice the size at which it is kept: the sensor's own
//! primaries and black level, photons and read-out, raw clipping, white balance and matrix, noise reduction, tone
//! curve, integer YCbCr, a first JPEG file; then, as captures for reconstruction are prepared, that file's integer RGB
//! is averaged to the kept size. The rounding of the first file decides most of what is lost: color differences
//! below half a level become exactly 0, since noise reduction leaves little noise in color that would dither them.

use super::noise::Noise;
use super::reduce::reduce;
use super::tone::Tone;
use glam::{Mat3, Vec3};
use naka_gs::capture::{Image, resize_area};
use rayon::prelude::*;

/// Luma of encoded values (ITU-R BT.601).
pub const LUMA: Vec3 = Vec3::new(0.299, 0.587, 0.114);

/// Linear size of the camera's picture by that of the kept one.
const FINER: u32 = 2;

/// Everything that is fixed within a capture. Light is relative to white.
#[derive(Clone, Debug)]
pub struct Body {
    pub tone: Tone,
    /// How many times shorter the dark exposure is.
    pub ratio: f32,
    /// White-balanced sensor values to linear sRGB; rows sum to 1.
    pub matrix: Mat3,
    /// White-balance gains of the sensor's channels.
    pub gains: Vec3,
    /// Error of the black level in the sensor's channels, before the gains.
    pub black: Vec3,
    /// Electrons at white, of a pixel of the camera's picture.
    pub full_well: f32,
    /// In electrons.
    pub read_noise: f32,
    /// Step of the raw values.
    pub raw_step: f32,
    /// Whether raw values below black are cut off.
    pub clips_raw: bool,
    /// Share of the luma noise that noise reduction leaves.
    pub grain: f32,
    /// Radius of the noise reduction of color, in pixels of the camera's picture.
    pub chroma_radius: u32,
    /// Of encoded color differences.
    pub saturation: Saturation,
    /// The camera's own file.
    pub first: super::jpeg::Jpeg,
    /// The kept file.
    pub kept: super::jpeg::Jpeg,
}

/// Factors of the encoded differences of blue and of red to luma, in darkness and in the light.
///
/// Cameras render the colors of bright places in another way than those of shadows. On BlueHawaii, dark pictures have
/// 0.65–0.9 of the red that one tone curve predicts from the lit ones, and 1.05–1.25 of the yellow.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Saturation {
    pub dark: [f32; 2],
    pub lit: [f32; 2],
}

impl Saturation {
    /// Luma (0–1) that is rendered half as darkness, half as light.
    const MIDDLE: f32 = 0.08;
    #[cfg(test)]
    pub const NONE: Self = Self { dark: [1.0; 2], lit: [1.0; 2] };

    /// The factors of blue and red at a luma.
    fn at(&self, luma: f32) -> [f32; 2] {
        let luma = luma.max(0.0);
        let share = luma / (luma + Self::MIDDLE);
        std::array::from_fn(|c| self.dark[c] + (self.lit[c] - self.dark[c]) * share)
    }

    fn apply(&self, value: [f32; 3]) -> [f32; 3] {
        let luma = LUMA.dot(Vec3::from(value));
        scaled(value, luma, self.at(luma))
    }

    fn undo(&self, value: [f32; 3]) -> [f32; 3] {
        let luma = LUMA.dot(Vec3::from(value));
        scaled(value, luma, self.at(luma).map(f32::recip))
    }
}

/// `value` with its differences to `luma` times the factors of blue and red; luma stays.
fn scaled(value: [f32; 3], luma: f32, [of_blue, of_red]: [f32; 2]) -> [f32; 3] {
    let (red, blue) = ((value[0] - luma) * of_red, (value[2] - luma) * of_blue);
    [luma + red, luma - (LUMA.x * red + LUMA.z * blue) / LUMA.y, luma + blue]
}

impl Body {
    /// The lit value and the expected dark value of neutral light, in levels of 0–255, unclipped below.
    pub fn response(&self, light: f32) -> (f32, Vec3) {
        let error = self.matrix * (self.gains * self.black);
        let dark = error.to_array().map(|error| 255.0 * self.tone.encode(light / self.ratio + error));
        (255.0 * self.tone.encode(light), Vec3::from(dark))
    }

    /// The lit picture of linear light.
    pub fn lit(&self, light: &Image) -> Image {
        let develop = |p: &[f32; 3]| self.saturation.apply(p.map(|v| self.tone.encode(v.max(0.0))));
        Image { width: light.width, height: light.height, pixels: light.pixels.par_iter().map(develop).collect() }
    }

    /// Linear light that [`Self::lit`] makes `value` of.
    pub fn light(&self, value: [f32; 3]) -> [f32; 3] {
        self.saturation.undo(value).map(|v| self.tone.decode(v.clamp(0.0, 1.0)))
    }

    /// The dark picture of linear light before its own file is written, with noise of the streams that `keys` name.
    pub fn dark(&self, light: &Image, keys: [u64; 3]) -> naka_gs::Result<Image> {
        let developed = self.developed(light, keys);
        let camera = self.first.through(developed.width, developed.height, |i| developed.pixels[i])?;
        Ok(resize_area(&camera, light.width, light.height))
    }

    /// [`Self::dark`] of a camera that rounds nothing.
    pub fn unrounded(&self, light: &Image, keys: [u64; 3]) -> Image {
        resize_area(&self.developed(light, keys), light.width, light.height)
    }

    /// The dark picture at the camera's size, before its first file.
    fn developed(&self, light: &Image, keys: [u64; 3]) -> Image {
        let mut picture = self.expose(light, keys);
        // Three levels of the dark picture.
        let floor = 3.0 / 255.0 / self.tone.toe();
        reduce(&mut picture, self.chroma_radius, self.grain, floor);
        let develop = |p: &mut [f32; 3]| *p = self.saturation.apply(p.map(|v| self.tone.encode(v.max(0.0))));
        picture.pixels.par_iter_mut().for_each(develop);
        picture
    }

    /// Linear sRGB light of the short exposure as the sensor has it, at the camera's size.
    fn expose(&self, light: &Image, keys: [u64; 3]) -> Image {
        let (width, height) = (light.width * FINER, light.height * FINER);
        let to_raw = self.matrix.inverse();
        let mut out = Image::new(width, height);
        out.pixels.par_chunks_mut(width as usize).enumerate().for_each(|(y, row)| {
            let mut noise = Noise::new([keys[0], keys[1], keys[2], y as u64]);
            let from = &light.pixels[(y as u32 / FINER * light.width) as usize..];
            for (x, pixel) in row.iter_mut().enumerate() {
                let raw = to_raw * (Vec3::from(from[x / FINER as usize]) / self.ratio) / self.gains;
                let read = Vec3::from(raw.to_array().map(|v| self.read_out(v, &mut noise))) + self.black;
                let read = if self.clips_raw { read.max(Vec3::ZERO) } else { read };
                // What one channel cannot hold is white.
                *pixel = (self.matrix * (self.gains * read).min(Vec3::ONE)).to_array();
            }
        });
        out
    }

    /// A raw value with noise of photons, of the read-out and of the converter's steps.
    fn read_out(&self, value: f32, noise: &mut Noise) -> f32 {
        let electrons = value.max(0.0) * self.full_well + self.read_noise * self.read_noise;
        let variance = electrons / (self.full_well * self.full_well) + self.raw_step * self.raw_step / 12.0;
        value + noise.next() * variance.sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use naka_gs::scenes::Random;

    fn flat(light: [f32; 3]) -> Image {
        Image { width: 64, height: 48, pixels: vec![light; 64 * 48] }
    }

    fn body() -> Body {
        let mut body = super::super::draw::body(&mut Random::new(&[1, 1]));
        (body.clips_raw, body.black, body.read_noise, body.raw_step) = (false, Vec3::ZERO, 3.0, 0.0);
        (body.gains, body.matrix, body.full_well, body.ratio) = (Vec3::ONE, Mat3::IDENTITY, 1e4, 40.0);
        body
    }

    #[test]
    fn the_sensor_follows_photon_transfer() {
        let body = body();
        for light in [0.0, 0.02, 0.8] {
            let values: Vec<f64> =
                body.expose(&flat([light; 3]), [1, 2, 3]).pixels.iter().flatten().map(|v| f64::from(*v)).collect();
            let count = values.len() as f64;
            let mean = values.iter().sum::<f64>() / count;
            let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / count;
            let expected = f64::from(light) / 40.0;
            let expected_variance = expected / 1e4 + 9e-8;
            assert!((mean - expected).abs() < 5.0 * (expected_variance / count).sqrt(), "{mean} {expected}");
            assert!((variance / expected_variance - 1.0).abs() < 0.05, "{variance} {expected_variance}");
        }
    }

    #[test]
    fn light_and_lit_are_inverse() {
        let body = body();
        for value in [[0.2, 0.3, 0.1], [0.8, 0.75, 0.6], [0.02, 0.03, 0.03]] {
            let lit = body.lit(&flat(body.light(value))).at(3, 3);
            (0..3).for_each(|c| assert!((lit[c] - value[c]).abs() < 2e-3, "{lit:?} {value:?}"));
        }
    }

    #[test]
    fn shadows_and_lights_have_colors_of_their_own() {
        let saturation = Saturation { dark: [1.2, 0.7], lit: [1.0, 1.3] };
        for value in [[0.02, 0.01, 0.005], [0.5, 0.4, 0.1], [0.0, 0.0, 0.0], [0.9, 0.9, 0.9]] {
            let found = saturation.apply(value);
            let luma = |v: [f32; 3]| LUMA.dot(Vec3::from(v));
            assert!((luma(found) - luma(value)).abs() < 1e-6);
            let back = saturation.undo(found);
            assert!((0..3).all(|c| (back[c] - value[c]).abs() < 1e-6), "{back:?} {value:?}");
        }
        let red = |value: [f32; 3]| {
            let luma = LUMA.dot(Vec3::from(value));
            (saturation.apply(value)[0] - luma) / (value[0] - luma)
        };
        assert!(red([0.003, 0.002, 0.002]) < 0.75 && red([0.9, 0.8, 0.8]) > 1.2);
    }

    /// What captures show: hues of the deepest shadows are gone without a trace, those of brighter places are there.
    #[test]
    fn deep_shadows_lose_their_hue() {
        let mut body = body();
        (body.chroma_radius, body.saturation, body.full_well) = (8, Saturation::NONE, 6e4);
        let dark = |level: f32| {
            let light = body.tone.decode(level / 255.0) * body.ratio;
            body.dark(&flat([light, light, 1.3 * light]), [4, 5, 6]).unwrap()
        };
        let hue = |image: &Image| {
            image.pixels.iter().map(|p| f64::from(p[2] - p[1])).sum::<f64>() / image.pixels.len() as f64 * 255.0
        };
        assert!(hue(&dark(1.0)).abs() < 0.02, "{}", hue(&dark(1.0)));
        assert!(hue(&dark(12.0)) > 1.5, "{}", hue(&dark(12.0)));
    }
}
