//! EXIF data of TIFF files. Their directories hold what an EXIF block holds elsewhere; pixels are not
//! read.

use exif::experimental::Writer;
use exif::{Field, In, Rational, SRational, Tag, Value};
use std::io::{Cursor, Read, Seek};
use tiff::decoder::{Decoder, IfdDecoder, ifd};
use tiff::tags;

/// What is taken from the directory of the picture, and from that of EXIF data.
const OF_PICTURE: [Tag; 2] = [Tag::Make, Tag::Model];
const OF_EXIF: [Tag; 10] = [
    Tag::ExposureTime,
    Tag::FNumber,
    Tag::PhotographicSensitivity,
    Tag::StandardOutputSensitivity,
    Tag::RecommendedExposureIndex,
    Tag::ISOSpeed,
    Tag::BrightnessValue,
    Tag::ExposureBiasValue,
    Tag::FocalLength,
    Tag::FocalLengthIn35mmFilm,
];

/// The EXIF data of a TIFF file, as a block.
pub fn exif(file: impl Read + Seek) -> Option<Vec<u8>> {
    let mut decoder = Decoder::new(file).ok()?;
    let mut fields = fields(&mut decoder.image_ifd(), &OF_PICTURE);
    let pointer = decoder.find_tag(tags::Tag::ExifDirectory).ok().flatten();
    if let Some(pointer) = pointer.and_then(|value| value.into_ifd_pointer().ok()) {
        let directory = decoder.read_directory(pointer).ok()?;
        fields.extend(self::fields(&mut decoder.read_directory_tags(&directory), &OF_EXIF));
    }
    let (mut writer, mut bytes) = (Writer::new(), Cursor::new(Vec::new()));
    fields.iter().for_each(|field| writer.push_field(field));
    writer.write(&mut bytes, false).ok()?;
    Some(bytes.into_inner()).filter(|_| !fields.is_empty())
}

fn fields(directory: &mut IfdDecoder<'_>, wanted: &[Tag]) -> Vec<Field> {
    let field = |tag: &Tag| {
        let stored = directory.find_tag(tags::Tag::from_u16_exhaustive(tag.number())).ok()??;
        Some(Field { tag: *tag, ifd_num: In::PRIMARY, value: value(stored)? })
    };
    wanted.iter().filter_map(field).collect()
}

/// The first of the values of a field.
fn value(stored: ifd::Value) -> Option<Value> {
    Some(match stored {
        ifd::Value::Short(value) => Value::Short(vec![value]),
        ifd::Value::Unsigned(value) => Value::Long(vec![value]),
        ifd::Value::Rational(num, denom) => Value::Rational(vec![Rational { num, denom }]),
        ifd::Value::SRational(num, denom) => Value::SRational(vec![SRational { num, denom }]),
        ifd::Value::Ascii(text) => Value::Ascii(vec![text.into_bytes()]),
        // Lists do not lie within each other.
        ifd::Value::List(values) => match values.into_iter().next()? {
            ifd::Value::List(_) => return None,
            first => value(first)?,
        },
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::Extras;
    use super::super::exposure::exposure;
    use super::*;
    use tiff::encoder::{Rational as Quotient, SRational as Signed, TiffEncoder, colortype::RGB8};

    #[test]
    fn exif_data_of_tiff_files_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.tif");
        let mut file = TiffEncoder::new(std::fs::File::create(&path).unwrap()).unwrap();
        let taken = {
            let mut taken = file.extra_directory().unwrap();
            let tag = |tag: Tag| tags::Tag::from_u16_exhaustive(tag.number());
            taken.write_tag(tag(Tag::ExposureTime), Quotient { n: 1, d: 50 }).unwrap();
            taken.write_tag(tag(Tag::PhotographicSensitivity), &[1600u16, 7][..]).unwrap();
            taken.write_tag(tag(Tag::ExposureBiasValue), Signed { n: -4, d: 1 }).unwrap();
            taken.write_tag(tag(Tag::FocalLength), Quotient { n: 35, d: 1 }).unwrap();
            taken.finish_with_offsets().unwrap()
        };
        let mut page = file.new_image::<RGB8>(3, 2).unwrap();
        page.encoder().write_tag(tags::Tag::ExifDirectory, taken.offset).unwrap();
        page.encoder().write_tag(tags::Tag::Make, "Camera").unwrap();
        page.write_data(&[9; 18]).unwrap();
        drop(file);
        assert!((exposure(&path).unwrap().light - 32.0).abs() < 1e-9);
        let block = exif::Reader::new().read_raw(Extras::read(&path).exif.unwrap()).unwrap();
        let text = |tag| block.get_field(tag, In::PRIMARY).unwrap().display_value().to_string();
        assert_eq!([Tag::FocalLength, Tag::ExposureBiasValue].map(text), ["35", "-4"]);
        assert!(text(Tag::Make).contains("Camera"));
        // Without any, and cut.
        ::image::RgbImage::new(3, 2).save(&path).unwrap();
        assert_eq!(Extras::read(&path).exif, None);
        assert_eq!(super::exif(Cursor::new(b"II\x2a\0\xff\xff\xff\xff")), None);
    }
}
