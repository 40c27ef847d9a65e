//! Writes what a sensor counted as a DNG file (Adobe's specification, version 1.4): the RAW files of procedural scenes.
//!
//! As cameras do it, the first directory holds a thumbnail and the sensor's samples lie in one below it.

use std::io::{Cursor, Seek, Write};
use tiff::TiffResult;
use tiff::encoder::{DirectoryEncoder, Rational, SRational, TiffEncoder, TiffKindStandard, TiffValue};
use tiff::tags::Tag;

/// Side of the thumbnail in pixels.
const THUMBNAIL: u32 = 16;
/// `PhotometricInterpretation` of a mosaic.
const MOSAIC: u16 = 32_803;
/// Denominator of the fractions that are written.
const FRACTION: u32 = 1_000_000;

/// What a sensor counted, and what the camera knows of it.
#[derive(Clone, Debug)]
pub struct Dng {
    pub width: u32,
    pub height: u32,
    /// One sample a pixel, row by row.
    pub samples: Vec<u16>,
    /// Colors of two by two pixels: 0 red, 1 green, 2 blue.
    pub pattern: [u8; 4],
    pub black: u16,
    pub white: u16,
    /// The camera's color of a neutral surface in the light of the scene.
    pub neutral: [f64; 3],
    /// XYZ (D65) to the camera's colors, row by row.
    pub color_matrix: [f64; 9],
    /// Pixels left away at the borders: left, top, right, bottom.
    pub margin: [u32; 4],
    /// How a viewer turns the picture, as EXIF counts it.
    pub orientation: u16,
    /// Seconds.
    pub exposure: f64,
    pub iso: u16,
}

impl Dng {
    /// The bytes of the file.
    ///
    /// # Errors
    /// Samples that do not fill the picture's size.
    pub fn encode(&self) -> TiffResult<Vec<u8>> {
        let mut bytes = Cursor::new(Vec::new());
        let mut file = TiffEncoder::new(&mut bytes)?;
        let mut sensor = file.extra_directory()?;
        self.write_sensor(&mut sensor)?;
        let sensor = sensor.finish_with_offsets()?.offset;
        let mut taken = file.extra_directory()?;
        taken.write_tag(Tag::Unknown(0x829a), fraction(self.exposure))?;
        taken.write_tag(Tag::Unknown(0x8827), self.iso)?;
        let taken = taken.finish_with_offsets()?.offset;
        let mut first = file.image_directory()?;
        let gray = vec![128u8; (3 * THUMBNAIL * THUMBNAIL) as usize];
        write_strip(&mut first, [THUMBNAIL; 2], &gray[..])?;
        first.write_tag(Tag::BitsPerSample, [8u16; 3])?;
        first.write_tag(Tag::PhotometricInterpretation, 2u16)?;
        first.write_tag(Tag::SamplesPerPixel, 3u16)?;
        first.write_tag(Tag::NewSubfileType, 1u32)?;
        first.write_tag(Tag::Make, "naka-gs")?;
        first.write_tag(Tag::Model, "procedural")?;
        first.write_tag(Tag::Orientation, self.orientation)?;
        first.write_tag(Tag::SubIfd, sensor)?;
        first.write_tag(Tag::ExifDirectory, taken)?;
        first.write_tag(Tag::Unknown(0xc612), [1u8, 4, 0, 0])?;
        first.write_tag(Tag::Unknown(0xc614), "naka-gs procedural")?;
        first.write_tag(Tag::Unknown(0xc621), self.color_matrix.map(signed))?;
        first.write_tag(Tag::Unknown(0xc628), self.neutral.map(fraction))?;
        // The color matrix is that of daylight, D65.
        first.write_tag(Tag::Unknown(0xc65a), 21u16)?;
        first.finish()?;
        Ok(bytes.into_inner())
    }

    fn write_sensor<W: Write + Seek>(&self, directory: &mut Directory<'_, W>) -> TiffResult<()> {
        let [left, top, right, bottom] = self.margin;
        write_strip(directory, [self.width, self.height], &self.samples[..])?;
        directory.write_tag(Tag::BitsPerSample, 16u16)?;
        directory.write_tag(Tag::PhotometricInterpretation, MOSAIC)?;
        directory.write_tag(Tag::SamplesPerPixel, 1u16)?;
        directory.write_tag(Tag::NewSubfileType, 0u32)?;
        directory.write_tag(Tag::Unknown(0x828d), [2u16, 2])?;
        directory.write_tag(Tag::Unknown(0x828e), self.pattern)?;
        directory.write_tag(Tag::Unknown(0xc61a), self.black)?;
        directory.write_tag(Tag::Unknown(0xc61d), self.white)?;
        directory.write_tag(Tag::Unknown(0xc61f), [left, top])?;
        let cropped = [self.width.saturating_sub(left + right), self.height.saturating_sub(top + bottom)];
        directory.write_tag(Tag::Unknown(0xc620), cropped)
    }
}

type Directory<'a, W> = DirectoryEncoder<'a, W, TiffKindStandard>;

/// One uncompressed strip.
fn write_strip<W: Write + Seek>(
    directory: &mut Directory<'_, W>,
    [width, height]: [u32; 2],
    samples: impl TiffValue,
) -> TiffResult<()> {
    let bytes = samples.bytes() as u32;
    let offset = directory.write_data(samples)? as u32;
    directory.write_tag(Tag::ImageWidth, width)?;
    directory.write_tag(Tag::ImageLength, height)?;
    directory.write_tag(Tag::Compression, 1u16)?;
    directory.write_tag(Tag::PlanarConfiguration, 1u16)?;
    directory.write_tag(Tag::RowsPerStrip, height)?;
    directory.write_tag(Tag::StripOffsets, offset)?;
    directory.write_tag(Tag::StripByteCounts, bytes)
}

fn fraction(value: f64) -> Rational {
    Rational { n: (value * f64::from(FRACTION)).round() as u32, d: FRACTION }
}

fn signed(value: f64) -> SRational {
    SRational { n: (value * f64::from(FRACTION)).round() as i32, d: FRACTION as i32 }
}
