//! How much longer one photograph was exposed than another, as its EXIF data says.

use super::extras::Extras;
use super::messages::some;
use super::{Capture, View};
use exif::{Exif, In, Reader, Tag, Value};
use std::path::Path;

/// Exposures that differ by less than this are one.
const SAME: f64 = 0.01;
/// Stops between the longest and the shortest exposure, at most: more is an error of the data.
const MOST_STOPS: f64 = 14.0;

/// Exposure of a file on a scale of its own camera, proportional to the light that was counted: seconds × ISO / aperture²
/// (ISO 12232; an aperture that is not given is the same in all). `None` where time or ISO are not given.
pub fn exposure(path: &Path) -> Option<f64> {
    exposure_of(&Extras::read(path).exif?)
}

fn exposure_of(block: &[u8]) -> Option<f64> {
    let exif = Reader::new().read_raw(block.to_vec()).ok()?;
    let seconds = rational(&exif, Tag::ExposureTime)?;
    let iso = exif.get_field(Tag::PhotographicSensitivity, In::PRIMARY)?.value.get_uint(0)?;
    let aperture = rational(&exif, Tag::FNumber).unwrap_or(1.0);
    Some(seconds * f64::from(iso) / (aperture * aperture)).filter(|exposure| exposure.is_normal())
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
    let exposures: Vec<_> = views.iter().map(|view| view.image.as_deref().and_then(exposure)).collect();
    let stops: Vec<f64> = exposures.iter().flatten().map(|exposure| exposure.log2()).collect();
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
        let (count, names) = (without.len(), some(&without));
        tracing::warn!(
            "{root}: EXIF exposures differ by {spread:.1} stops, but {count} photographs have none ({names}): they are \
             taken as if all were exposed alike"
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
    use exif::{Field, Rational};
    use glam::DMat4;
    use std::io::Cursor;

    fn block(seconds: (u32, u32), iso: u16, aperture: Option<(u32, u32)>) -> Vec<u8> {
        let field = |tag, value| Field { tag, ifd_num: In::PRIMARY, value };
        let quotient = |(num, denom): (u32, u32)| Value::Rational(vec![Rational { num, denom }]);
        let mut fields = vec![
            field(Tag::ExposureTime, quotient(seconds)),
            field(Tag::PhotographicSensitivity, Value::Short(vec![iso])),
        ];
        fields.extend(aperture.map(|aperture| field(Tag::FNumber, quotient(aperture))));
        let (mut writer, mut bytes) = (Writer::new(), Cursor::new(Vec::new()));
        fields.iter().for_each(|field| writer.push_field(field));
        writer.write(&mut bytes, false).unwrap();
        bytes.into_inner()
    }

    #[test]
    fn exposure_is_time_by_sensitivity_over_aperture_squared() {
        let base = exposure_of(&block((1, 100), 100, Some((4, 1)))).unwrap();
        assert!((exposure_of(&block((1, 25), 200, Some((8, 1)))).unwrap() / base - 2.0).abs() < 1e-9);
        assert!(exposure_of(&block((1, 50), 100, None)).is_some());
        for (seconds, iso) in [((0, 100), 100), ((1, 0), 100), ((1, 100), 0)] {
            assert_eq!(exposure_of(&block(seconds, iso, None)), None, "{seconds:?} {iso}");
        }
        assert_eq!(exposure_of(b"no EXIF"), None);
    }

    fn capture(folder: &Path, blocks: &[Option<Vec<u8>>]) -> Capture {
        let view = |(i, block): (usize, &Option<Vec<u8>>)| {
            let (name, mut bytes) = (format!("{i}.jpg"), Vec::new());
            let mut encoder = jpeg_encoder::Encoder::new(&mut bytes, 90);
            block.iter().for_each(|block| encoder.add_exif_metadata(block).unwrap());
            encoder.encode(&[9; 192], 8, 8, jpeg_encoder::ColorType::Rgb).unwrap();
            std::fs::write(folder.join(&name), bytes).unwrap();
            let camera = Camera { width: 8, height: 8, fx: 8.0, fy: 8.0, cx: 4.0, cy: 4.0, viewmat: DMat4::IDENTITY };
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
        for blocks in
            [vec![at(50), at(50), at(50)], vec![None, None], vec![at(50), at(100), None], vec![at(1), at(1 << 20)]]
        {
            assert!(gains(&blocks).iter().all(Option::is_none));
        }
    }
}
