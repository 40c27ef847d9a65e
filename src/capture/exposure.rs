//! Exposures of photographs, relative to each other and to their meter, from EXIF data.

use super::extras::Extras;
use super::messages::list_names;
use super::{Capture, View};
use exif::{Exif, In, Reader, Tag, Value};
use std::path::Path;

/// Exposures that differ by less than this count as equal.
const SAME: f64 = 0.01;
/// Most stops between the longest and the shortest exposure: more is an error in the data.
const MOST_STOPS: f64 = 14.0;
/// Stops that photographs of a dark capture lie below their meter's exposure, at least, and by which they differ, at most.
const LEAST_BELOW: f64 = 1.0;
const MOST_SPREAD: f64 = 2.0;
/// Speed value of an ISO number: `Sv = log2(ISO / 3.125)`, so that ISO 100 is 5.
const APEX_SPEED: f64 = 0.32;

/// What a file says of its exposure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Exposure {
    /// Seconds × ISO.
    pub light: f64,
    pub aperture: Option<f64>,
}

impl Exposure {
    /// Proportional to the recorded light, on the scale of its camera: seconds × ISO / aperture² (ISO 12232).
    fn counted(self) -> f64 {
        let aperture = self.aperture.unwrap_or(1.0);
        self.light / (aperture * aperture)
    }
}

/// Exposure of a file; `None` where time or ISO are not given.
pub fn exposure(path: &Path) -> Option<Exposure> {
    exposure_of(&Extras::read(path).exif?)
}

fn exposure_of(block: &[u8]) -> Option<Exposure> {
    exposure_in(&Reader::new().read_raw(block.to_vec()).ok()?)
}

fn exposure_in(exif: &Exif) -> Option<Exposure> {
    let light = rational(exif, Tag::ExposureTime)? * f64::from(sensitivity(exif)?);
    let found = Exposure { light, aperture: rational(exif, Tag::FNumber) };
    found.counted().is_normal().then_some(found)
}

/// The ISO number: 16 bits, or, where these overflow, another field (EXIF 2.3).
fn sensitivity(exif: &Exif) -> Option<u32> {
    let field = |tag| exif.get_field(tag, In::PRIMARY)?.value.get_uint(0).filter(|value| *value > 0);
    let iso = field(Tag::PhotographicSensitivity)?;
    let others = [Tag::RecommendedExposureIndex, Tag::StandardOutputSensitivity, Tag::ISOSpeed];
    if iso == u32::from(u16::MAX) { others.into_iter().find_map(field) } else { Some(iso) }
}

/// How many stops the photographs `views` lie below their meter's exposure on average, where each says so and they agree.
pub fn below_meter(views: &[&View]) -> Option<f64> {
    let of = |view: &&View| below_meter_of(&Extras::read(view.image.as_deref()?).exif?);
    let stops = views.iter().map(of).collect::<Option<Vec<f64>>>()?;
    let (least, most) = (stops.iter().copied().reduce(f64::min)?, stops.iter().copied().reduce(f64::max)?);
    let mean = stops.iter().sum::<f64>() / stops.len() as f64;
    ((LEAST_BELOW..=MOST_STOPS).contains(&mean) && most - least <= MOST_SPREAD).then_some(mean)
}

/// What the meter saw, APEX `Bv` (EXIF's BrightnessValue), against what was exposed for: `Tv + Av - Sv`. Without it the
/// compensation that was dialed in, if any was: manual exposures state 0, which means nothing.
fn below_meter_of(block: &[u8]) -> Option<f64> {
    let exif = Reader::new().read_raw(block.to_vec()).ok()?;
    let signed = |tag| match &exif.get_field(tag, In::PRIMARY)?.value {
        Value::SRational(values) => values.first().map(|value| value.to_f64()).filter(|value| value.is_finite()),
        _ => None,
    };
    let metered = || {
        let (brightness, exposure) = (signed(Tag::BrightnessValue)?, exposure_in(&exif)?);
        exposure.aperture?;
        Some(-(exposure.counted() * APEX_SPEED).log2() - brightness)
    };
    let dialed = || signed(Tag::ExposureBiasValue).map(|bias| -bias).filter(|below| *below >= LEAST_BELOW);
    metered().or_else(dialed)
}

/// A positive quotient.
fn rational(exif: &Exif, tag: Tag) -> Option<f64> {
    match &exif.get_field(tag, In::PRIMARY)?.value {
        Value::Rational(values) => values.first().map(|value| value.to_f64()),
        _ => None,
    }
    .filter(|value| value.is_normal() && *value > 0.0)
}

/// Sets what the light of each photograph of `capture` is multiplied by to be exposed as their geometric mean, where
/// exposures differ.
pub fn assign_gains(capture: &mut Capture) {
    let mut views: Vec<&mut View> = capture.train.iter_mut().chain(&mut capture.holdout).collect();
    let mut exposures: Vec<_> = views.iter().map(|view| view.image.as_deref().and_then(exposure)).collect();
    // A missing value is the same for all, or unknown.
    if exposures.iter().flatten().any(|exposure| exposure.aperture.is_some()) {
        exposures.iter_mut().for_each(|found| *found = found.filter(|exposure| exposure.aperture.is_some()));
    }
    let stops: Vec<f64> = exposures.iter().flatten().map(|exposure| exposure.counted().log2()).collect();
    let (Some(least), Some(most)) = (stops.iter().copied().reduce(f64::min), stops.iter().copied().reduce(f64::max))
    else {
        return;
    };
    let spread = most - least;
    if spread < SAME.ln_1p() / std::f64::consts::LN_2 {
        return;
    }
    let root = capture.root.display();
    if stops.len() < views.len() {
        let without: Vec<&str> =
            views.iter().zip(&exposures).filter(|pair| pair.1.is_none()).map(|(view, _)| view.name.as_str()).collect();
        let (count, names) = (without.len(), list_names(&without));
        tracing::warn!(
            "{root}: EXIF exposures differ by {spread:.1} stops, but {count} photographs have none or no aperture \
             ({names}): they are taken as if all were exposed alike"
        );
        return;
    }
    if spread > MOST_STOPS {
        tracing::warn!("{root}: EXIF exposures differ by {spread:.1} stops, which cannot be: they are not used");
        return;
    }
    let mean = stops.iter().sum::<f64>() / stops.len() as f64;
    for (view, stops) in views.iter_mut().zip(&stops) {
        view.gain = Some([(mean - stops).exp2() as f32; 3]);
    }
    tracing::info!("EXIF exposures differ by {spread:.1} stops");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::Camera;
    use exif::experimental::Writer;
    use exif::{Field, Rational, SRational};
    use glam::DMat4;
    use std::io::Cursor;

    fn block(seconds: (u32, u32), iso: u16, aperture: Option<(u32, u32)>) -> Vec<u8> {
        block_with(seconds, iso, aperture, None)
    }

    fn block_with(
        seconds: (u32, u32),
        iso: u16,
        aperture: Option<(u32, u32)>,
        signed: Option<(Tag, (i32, i32))>,
    ) -> Vec<u8> {
        written(&fields(seconds, iso, aperture, signed))
    }

    fn fields(
        seconds: (u32, u32),
        iso: u16,
        aperture: Option<(u32, u32)>,
        signed: Option<(Tag, (i32, i32))>,
    ) -> Vec<Field> {
        let field = |tag, value| Field { tag, ifd_num: In::PRIMARY, value };
        let quotient = |(num, denom): (u32, u32)| Value::Rational(vec![Rational { num, denom }]);
        let mut fields = vec![
            field(Tag::ExposureTime, quotient(seconds)),
            field(Tag::PhotographicSensitivity, Value::Short(vec![iso])),
        ];
        fields.extend(aperture.map(|aperture| field(Tag::FNumber, quotient(aperture))));
        let difference = |(num, denom): (i32, i32)| Value::SRational(vec![SRational { num, denom }]);
        fields.extend(signed.map(|(tag, value)| field(tag, difference(value))));
        fields
    }

    fn written(fields: &[Field]) -> Vec<u8> {
        let (mut writer, mut bytes) = (Writer::new(), Cursor::new(Vec::new()));
        fields.iter().for_each(|field| writer.push_field(field));
        writer.write(&mut bytes, false).unwrap();
        bytes.into_inner()
    }

    #[test]
    fn exposure_is_time_by_sensitivity_over_aperture_squared() {
        let counted = |block: &[u8]| exposure_of(block).unwrap().counted();
        let base = counted(&block((1, 100), 100, Some((4, 1))));
        assert!((counted(&block((1, 25), 200, Some((8, 1)))) / base - 2.0).abs() < 1e-9);
        assert!(exposure_of(&block((1, 50), 100, None)).is_some());
        for (seconds, iso) in [((0, 100), 100), ((1, 0), 100), ((1, 100), 0)] {
            assert_eq!(exposure_of(&block(seconds, iso, None)), None, "{seconds:?} {iso}");
        }
        assert_eq!(exposure_of(b"no EXIF"), None);
    }

    #[test]
    fn sensitivities_of_more_than_16_bits_are_in_another_field() {
        let at = |iso: u16, more: &[(Tag, u32)]| {
            let mut fields = fields((1, 100), iso, None, None);
            let field =
                |(tag, value): &(Tag, u32)| Field { tag: *tag, ifd_num: In::PRIMARY, value: Value::Long(vec![*value]) };
            fields.extend(more.iter().map(field));
            exposure_of(&written(&fields)).map(|exposure| exposure.light.round())
        };
        assert_eq!(at(65535, &[(Tag::RecommendedExposureIndex, 102_400)]), Some(1024.0));
        assert_eq!(at(65535, &[(Tag::ISOSpeed, 204_800)]), Some(2048.0));
        assert_eq!(at(65535, &[]), None);
        assert_eq!(at(3200, &[(Tag::RecommendedExposureIndex, 102_400)]), Some(32.0));
    }

    #[test]
    fn the_meter_is_believed_where_it_says_how_dark_the_photograph_is() {
        let at = |denominator, tag, value| block_with((1, denominator), 100, Some((4, 1)), Some((tag, value)));
        // 1/8 s at f/4 and ISO 100: Tv 3, Av 4, Sv 5 are right for a brightness of 2; 1/256 s is five stops below.
        let found = below_meter_of(&at(256, Tag::BrightnessValue, (2, 1))).unwrap();
        assert!((found - 5.0).abs() < 1e-9, "{found}");
        let found = below_meter_of(&at(256, Tag::ExposureBiasValue, (-16, 3))).unwrap();
        assert!((found - 16.0 / 3.0).abs() < 1e-9, "{found}");
        // A compensation of 0 or above, a zero denominator and absent data do not count.
        for value in [(0, 1), (2, 1), (-5, 0)] {
            assert_eq!(below_meter_of(&at(256, Tag::ExposureBiasValue, value)), None, "{value:?}");
        }
        let blind = block_with((1, 256), 100, None, Some((Tag::BrightnessValue, (2, 1))));
        assert_eq!(below_meter_of(&blind), None);
        assert_eq!(below_meter_of(b"no EXIF"), None);
    }

    #[test]
    fn a_capture_lies_below_its_meter_where_all_views_say_so() {
        let dir = tempfile::tempdir().unwrap();
        let at = |bias: i32| Some(block_with((1, 50), 400, None, Some((Tag::ExposureBiasValue, (bias, 3)))));
        let found = |blocks: &[Option<Vec<u8>>]| {
            let capture = capture(dir.path(), blocks);
            below_meter(&capture.train.iter().collect::<Vec<_>>())
        };
        assert!((found(&[at(-15), at(-17)]).unwrap() - 16.0 / 3.0).abs() < 1e-9);
        for blocks in [vec![at(-15), None], vec![at(-3), at(-15)], vec![at(0), at(0)], vec![]] {
            assert_eq!(found(&blocks), None);
        }
    }

    fn capture(folder: &Path, blocks: &[Option<Vec<u8>>]) -> Capture {
        let view = |(i, block): (usize, &Option<Vec<u8>>)| {
            let (name, mut bytes) = (format!("{i}.jpg"), Vec::new());
            let mut encoder = jpeg_encoder::Encoder::new(&mut bytes, 90);
            block.iter().for_each(|block| encoder.add_exif_metadata(block).unwrap());
            encoder.encode(&[9; 192], 8, 8, jpeg_encoder::ColorType::Rgb).unwrap();
            std::fs::write(folder.join(&name), bytes).unwrap();
            let camera = Camera {
                width: 8,
                height: 8,
                fx: 8.0,
                fy: 8.0,
                cx: 4.0,
                cy: 4.0,
                viewmat: DMat4::IDENTITY,
                reduction: 1.0,
            };
            View {
                image: Some(folder.join(&name)),
                name,
                camera,
                lens: None,
                mask: None,
                gain: None,
                shots: Vec::new(),
            }
        };
        let mut capture = Capture { train: blocks.iter().enumerate().map(view).collect(), ..Capture::default() };
        assign_gains(&mut capture);
        capture
    }

    #[test]
    fn gains_bring_photographs_to_their_mean_and_are_off_where_nothing_differs() {
        let dir = tempfile::tempdir().unwrap();
        let gains = |blocks: &[Option<Vec<u8>>]| {
            capture(dir.path(), blocks).train.iter().map(|view| view.gain.map(|gain| gain[1])).collect::<Vec<_>>()
        };
        let at = |denominator: u32| Some(block((1, denominator), 400, Some((28, 10))));
        let found = gains(&[at(25), at(100), at(50)]);
        assert!(found.iter().zip([0.5, 2.0, 1.0]).all(|(gain, want)| (gain.unwrap() - want).abs() < 1e-5), "{found:?}");
        // f/1 is no guess for a lens that does not say.
        let unknown = |denominator: u32| Some(block((1, denominator), 400, None));
        assert!(gains(&[unknown(25), unknown(100)]).iter().all(Option::is_some));
        assert!(gains(&[at(50), at(50), unknown(50)]).iter().all(Option::is_none));
        for blocks in
            [vec![at(50), at(50), at(50)], vec![None, None], vec![at(50), at(100), None], vec![at(1), at(1 << 20)]]
        {
            assert!(gains(&blocks).iter().all(Option::is_none));
        }
    }
}
