//! The curve that a color profile (ICC) gives the samples of a deep picture, where it is not sRGB's: photographs developed to
//! linear light, and RGB spaces with a gamma of their own.

use crate::color::{srgb_to_linear, to_srgb};
use moxcms::{ColorProfile, ToneCurveEvaluator, ToneReprCurve};

/// Encoded values at which curves are compared, and by how much of 1 their light, encoded as sRGB, may differ. Gamma 2.2
/// differs by up to 0.03, variants of sRGB's curve by less than 0.002.
const PROBES: u32 = 64;
const SAME: f32 = 0.005;

/// A curve for each channel, none of which need be sRGB's.
pub struct Curve {
    channels: [Box<dyn ToneCurveEvaluator + Send + Sync>; 3],
    /// Whether samples are proportional to light.
    pub is_linear: bool,
}

impl Curve {
    /// The curve of the profile `icc`; `None` where it is sRGB's, or in an unsupported form.
    pub fn of(icc: &[u8]) -> Option<Self> {
        let profile = ColorProfile::new_from_slice(icc).ok()?;
        // Profiles that map colors by tables have no curves.
        let curves = [profile.red_trc, profile.green_trc, profile.blue_trc];
        let evaluator = |curve: Option<ToneReprCurve>| curve?.make_linear_evaluator().ok();
        let [red, green, blue] = curves.map(evaluator);
        let channels = [red?, green?, blue?];
        let probes = || (0..=PROBES).map(|i| i as f32 / PROBES as f32);
        let is = |light: &dyn Fn(f32) -> f32| {
            let off = |v: f32, curve: &dyn ToneCurveEvaluator| to_srgb(curve.evaluate_value(v)) - to_srgb(light(v));
            probes().all(|v| channels.iter().all(|curve| off(v, &**curve).abs() <= SAME))
        };
        if is(&srgb_to_linear) {
            return None;
        }
        let is_linear = is(&|v| v);
        Some(Self { channels, is_linear })
    }

    /// The light of a pixel of encoded values of 0–1, and beyond where the curve is linear.
    pub fn light(&self, pixel: [f32; 3]) -> [f32; 3] {
        if self.is_linear {
            return pixel;
        }
        std::array::from_fn(|i| self.channels[i].evaluate_value(pixel[i].clamp(0.0, 1.0)))
    }
}

/// The profile of the same primaries for values on sRGB's curve, where that of `icc` is another; `None` where it cannot be
/// written.
pub fn with_srgb_curve(icc: Vec<u8>) -> Option<Vec<u8>> {
    if Curve::of(&icc).is_none() {
        return Some(icc);
    }
    let (mut profile, srgb) = (ColorProfile::new_from_slice(&icc).ok()?, ColorProfile::new_srgb());
    (profile.red_trc, profile.green_trc, profile.blue_trc) = (srgb.red_trc, srgb.green_trc, srgb.blue_trc);
    // They would state the former curve.
    (profile.cicp, profile.description) = (None, None);
    profile.encode().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::{is_linear, read_image};
    use crate::color::linear_to_srgb;
    use ::image::codecs::png::PngEncoder;
    use ::image::{ImageBuffer, ImageEncoder, Rgb};
    use std::path::Path;

    /// A profile of sRGB's primaries with a curve.
    fn profile(curve: ToneReprCurve) -> Vec<u8> {
        let mut profile = ColorProfile::new_srgb();
        profile.cicp = None;
        (profile.red_trc, profile.green_trc) = (Some(curve.clone()), Some(curve.clone()));
        profile.blue_trc = Some(curve);
        profile.encode().unwrap()
    }

    /// A gamma in steps of 1/256.
    fn gamma(gamma: f32) -> ToneReprCurve {
        ToneReprCurve::Lut(vec![(256.0 * gamma).round() as u16])
    }

    fn write(path: &Path, icc: Vec<u8>, deep: bool) {
        let value = |x: u32| 3000 * x as u16 + 500;
        let mut bytes = Vec::new();
        let mut encoder = PngEncoder::new(&mut bytes);
        encoder.set_icc_profile(icc).unwrap();
        let deep_picture = ImageBuffer::from_fn(16, 2, |x, _| Rgb([value(x), value(x) / 2, 65_535]));
        let flat = ::image::RgbImage::from_fn(16, 2, |x, _| Rgb([(value(x) / 257) as u8, 9, 255]));
        match deep {
            true => deep_picture.write_with_encoder(encoder).unwrap(),
            false => flat.write_with_encoder(encoder).unwrap(),
        }
        std::fs::write(path, bytes).unwrap();
    }

    #[test]
    fn deep_pictures_are_read_by_the_curve_of_their_profile() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.png");
        let srgb = ColorProfile::new_srgb().encode().unwrap();
        for (icc, power) in [
            (profile(ToneReprCurve::Lut(Vec::new())), Some(1.0)),
            (profile(ToneReprCurve::Parametric(vec![1.0])), Some(1.0)),
            (profile(gamma(2.2)), Some(2.199)),
            (profile(gamma(1.8)), Some(1.801)),
            (srgb.clone(), None),
        ] {
            write(&path, icc.clone(), true);
            let image = read_image(&path).unwrap();
            assert_eq!(is_linear(&path), power == Some(1.0));
            for x in 0..16 {
                let value = (3000.0 * x as f32 + 500.0) / 65_535.0;
                let want = power.map_or(value, |power| linear_to_srgb(value.powf(power)));
                let [found, _, white] = image.at(x, 1);
                assert!((found - want).abs() < 2e-3 && (white - 1.0).abs() < 1e-4, "{power:?} {x}: {found} {want}");
            }
            // What is made of it has sRGB's curve.
            let made = with_srgb_curve(icc.clone()).unwrap();
            assert!(Curve::of(&made).is_none() && (made == icc) == power.is_none());
        }
        // Steps of 8 bits are those of the encoding.
        write(&path, profile(gamma(2.2)), false);
        let plain = read_image(&path).unwrap();
        assert!((plain.at(0, 0)[1] - 9.0 / 255.0).abs() < 1e-6 && !is_linear(&path));
        assert!(Curve::of(b"no profile").is_none());
    }
}
