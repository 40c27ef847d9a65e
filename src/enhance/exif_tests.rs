//! Photographs whose EXIF data say how they were exposed.

use super::tests::gpu;
use super::*;
use crate::capture::{Extras, assign_gains, photos};
use crate::progress::Silent;
use exif::experimental::Writer;
use exif::{Exif, Field, In, Rational, Reader, Tag, Value};
use std::io::Cursor;

/// An EXIF block of an exposure for 1/`denominator` s.
fn block(denominator: u32, little_endian: bool) -> Vec<u8> {
    let field = |tag, value| Field { tag, ifd_num: In::PRIMARY, value };
    let quotient = |num, denom| Value::Rational(vec![Rational { num, denom }]);
    let fields = [
        field(Tag::Make, Value::Ascii(vec![b"A camera".to_vec()])),
        field(Tag::ExposureTime, quotient(1, denominator)),
        field(Tag::FNumber, quotient(28, 10)),
        field(Tag::PhotographicSensitivity, Value::Short(vec![400])),
        field(Tag::FocalLength, quotient(35, 1)),
    ];
    let (mut writer, mut bytes) = (Writer::new(), Cursor::new(Vec::new()));
    fields.iter().for_each(|field| writer.push_field(field));
    writer.write(&mut bytes, little_endian).unwrap();
    bytes.into_inner()
}

fn parsed(block: Vec<u8>) -> Exif {
    Reader::new().read_raw(block).unwrap()
}

#[test]
fn an_exposure_is_taken_out_of_exif_data_and_nothing_else() {
    for little_endian in [true, false] {
        let exif = Some(block(50, little_endian));
        let block = Extras { exif, ..Extras::default() }.without_exposure().exif.unwrap();
        let exif = parsed(block.clone());
        let has = |tag| exif.get_field(tag, In::PRIMARY).map(|field| field.display_value().to_string());
        assert_eq!(has(Tag::ExposureTime).or(has(Tag::PhotographicSensitivity)), None);
        let kept = [Tag::Make, Tag::FNumber, Tag::FocalLength].map(|tag| has(tag).unwrap());
        assert_eq!(kept, ["\"A camera\"", "2.8", "35"]);
        // Whatever else a block is, it stays so.
        for cut in 0..block.len() {
            let exif = Some(block[..cut].to_vec());
            let length = Extras { exif, ..Extras::default() }.without_exposure().exif.unwrap().len();
            assert_eq!(length, cut);
        }
    }
}

/// Photographs of gray levels, exposed for 1/denominator s, and the folder that they are lit to.
fn light(folder: &Path, photographs: &[(u8, u32)]) -> (Capture, Report) {
    let (dark, out) = (folder.join("dark"), folder.join("lit"));
    std::fs::create_dir_all(&dark).unwrap();
    for (i, &(level, denominator)) in photographs.iter().enumerate() {
        let mut jpeg = jpeg_encoder::Encoder::new_file(dark.join(format!("{i}.jpg")), 98).unwrap();
        jpeg.add_exif_metadata(&block(denominator, true)).unwrap();
        let pixels: Vec<u8> = (0..32 * 24).flat_map(|i| [level + (i % 32 > 15) as u8; 3]).collect();
        jpeg.encode(&pixels, 32, 24, jpeg_encoder::ColorType::Rgb).unwrap();
    }
    let mut capture = photos(&dark).unwrap();
    assign_gains(&mut capture);
    assert!(capture.train.iter().all(|view| view.gain.is_some()));
    let config = Config { weights: "none".into(), ..Config::default() };
    enhance_capture(gpu(), &capture, &config, 1, &out, &Silent::default()).unwrap()
}

fn middle(view: &View) -> f32 {
    255.0 * view.read().unwrap().at(8, 12)[1]
}

#[test]
fn what_was_brought_to_one_exposure_is_not_exposed_once_more() {
    let dir = tempfile::tempdir().unwrap();
    // Twice the time is twice the light: near black, twice the level.
    let (lit, _) = light(dir.path(), &[(4, 50), (8, 25), (4, 50), (2, 100)]);
    let levels: Vec<f32> = lit.train.iter().map(middle).collect();
    assert!(levels.iter().all(|level| (level - levels[0]).abs() < 8.0), "{levels:?}");
    let mut again = photos(dir.path().join("lit")).unwrap();
    assign_gains(&mut again);
    assert!(again.train.iter().all(|view| view.gain.is_none()), "its EXIF data say nothing of an exposure");
    let exif = parsed(Extras::read(again.train[0].image.as_deref().unwrap()).exif.unwrap());
    assert!(exif.get_field(Tag::FocalLength, In::PRIMARY).is_some());
}

#[test]
fn exposures_that_the_pixels_speak_against_are_not_used() {
    let dir = tempfile::tempdir().unwrap();
    // Lit and equalized by another program, which left the EXIF data as they were.
    let (lit, report) = light(dir.path(), &[(190, 25), (191, 50), (190, 100), (192, 50)]);
    assert_eq!(report.response, "none", "{report:?}");
    let levels: Vec<f32> = lit.train.iter().map(middle).collect();
    assert!(
        levels.iter().zip([190.0, 191.0, 190.0, 192.0]).all(|(level, was)| (level - was).abs() < 2.0),
        "{levels:?}"
    );
    let exif = parsed(Extras::read(lit.train[0].image.as_deref().unwrap()).exif.unwrap());
    assert!(exif.get_field(Tag::ExposureTime, In::PRIMARY).is_some(), "they are still as they were");
    // Dark, the brighter the shorter they were exposed: a meter saw what is in them.
    let dir = tempfile::tempdir().unwrap();
    let (lit, _) = light(dir.path(), &[(8, 100), (4, 50), (2, 25), (4, 50)]);
    let levels: Vec<f32> = lit.train.iter().map(middle).collect();
    assert!(levels[0] > levels[1] + 20.0 && levels[1] > levels[2] + 20.0 && levels[2] > 5.0, "{levels:?}");
}
