//! Converts frames of HDR videos, the default of many phones, to sRGB.

use crate::color::linear_to_srgb;
use crate::error::{Error, Result};
use ::image::ImageFormat;
use moxcms::{ColorProfile, TransferCharacteristics};
use rayon::prelude::*;
use std::io::Cursor;
use std::path::Path;

/// The largest sample of 16 bits.
const WHITE: f64 = 65_535.0;
/// Signal of HLG's reference white (ITU-R BT.2408, table 1), which is white in SDR.
const HLG_WHITE: f64 = 0.75;
/// Luminance of reference white (there), as a part of PQ's 10 000 cd/m².
const PQ_WHITE: f64 = 203.0 / 10_000.0;
/// Exponent of HLG's OOTF (ITU-R BT.2100, table 5), which `moxcms` includes in its curve: without it, light is the scene's.
const HLG_GAMMA: f64 = 1.2;

/// How the samples of an HDR video encode light.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hdr {
    transfer: Transfer,
    /// Whether the primaries are those of BT.2020; else BT.709's.
    wide: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Transfer {
    Hlg,
    Pq,
}

impl Hdr {
    /// By ffprobe's names of the transfer characteristics and of the primaries; `None` for SDR.
    pub fn of(color_transfer: &str, color_primaries: &str) -> Option<Self> {
        let transfer = match color_transfer {
            "arib-std-b67" => Transfer::Hlg,
            "smpte2084" => Transfer::Pq,
            _ => return None,
        };
        Some(Self { transfer, wide: color_primaries == "bt2020" })
    }

    pub fn name(self) -> &'static str {
        match self.transfer {
            Transfer::Hlg => "HLG",
            Transfer::Pq => "PQ",
        }
    }

    /// A frame of `video` as PNG of 16 bits, with sRGB's curve and primaries; brighter light than reference white is clipped.
    ///
    /// # Errors
    /// `png` is not a PNG file.
    pub fn to_srgb(self, video: &Path, png: &[u8]) -> Result<Vec<u8>> {
        let unreadable =
            |error| Error::input(video, format!("ffmpeg gives unreadable frames ({error})"), "update ffmpeg");
        let mut picture = ::image::load_from_memory(png).map_err(unreadable)?.into_rgb16();
        let light: Vec<f32> = (0..=u16::MAX).map(|sample| self.light(f64::from(sample) / WHITE) as f32).collect();
        let rows = self.primaries();
        picture.par_chunks_mut(3).for_each(|pixel| {
            let own = [0, 1, 2].map(|channel| light[usize::from(pixel[channel])]);
            for (sample, row) in pixel.iter_mut().zip(rows) {
                let srgb = linear_to_srgb(row[0] * own[0] + row[1] * own[1] + row[2] * own[2]);
                *sample = (WHITE as f32 * srgb).round() as u16;
            }
        });
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, ImageFormat::Png).map_err(unreadable)?;
        Ok(bytes.into_inner())
    }

    /// From the video's linear red, green and blue to sRGB's.
    fn primaries(self) -> [[f32; 3]; 3] {
        let srgb = ColorProfile::new_srgb();
        let own = if self.wide { ColorProfile::new_bt2020() } else { srgb.clone() };
        own.transform_matrix(&srgb).v.map(|row| row.map(|entry| entry as f32))
    }

    /// Linear light of a signal, 1 at reference white: of the scene for HLG, of the display for PQ.
    fn light(self, signal: f64) -> f64 {
        let hlg = |signal| TransferCharacteristics::Hlg.linearize(signal).powf(1.0 / HLG_GAMMA);
        match self.transfer {
            Transfer::Hlg => hlg(signal) / hlg(HLG_WHITE),
            Transfer::Pq => TransferCharacteristics::Smpte2084.linearize(signal) / PQ_WHITE,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::image::{ImageBuffer, Rgb};

    fn converted(hdr: Hdr, pixel: [u16; 3]) -> [u16; 3] {
        let mut png = Cursor::new(Vec::new());
        ImageBuffer::from_pixel(3, 2, Rgb(pixel)).write_to(&mut png, ImageFormat::Png).unwrap();
        let made = hdr.to_srgb(Path::new("night.mov"), &png.into_inner()).unwrap();
        let made = ::image::load_from_memory(&made).unwrap();
        made.as_rgb16().expect("16 bits").get_pixel(2, 1).0
    }

    /// A sample of 16 bits.
    fn sample(signal: f64) -> u16 {
        (WHITE * signal).round() as u16
    }

    #[test]
    fn grays_follow_the_standards() {
        // HLG's OETF below 1/12 of its range (BT.2100, table 5): signal² / 3, of which 0.26496 is white.
        let dark = |signal: f64| f64::from(linear_to_srgb((signal * signal / 3.0 / 0.264_962) as f32));
        for (transfer, signal, srgb) in [
            ("arib-std-b67", 0.0, 0.0),
            ("arib-std-b67", 0.02, dark(0.02)),
            ("arib-std-b67", 0.4, dark(0.4)),
            ("arib-std-b67", 0.75, 1.0),
            ("arib-std-b67", 0.9, 1.0),
            // 203 cd/m² are at 58.07 % of PQ, 100 cd/m² at 50.81 % (BT.2408, table 1).
            ("smpte2084", 0.5807, 1.0),
            ("smpte2084", 0.5081, f64::from(linear_to_srgb(100.0 / 203.0))),
        ] {
            for primaries in ["bt2020", "bt709"] {
                let found = converted(Hdr::of(transfer, primaries).unwrap(), [sample(signal); 3]);
                let off = found.map(|found| (f64::from(found) / WHITE - srgb).abs());
                assert!(off.iter().all(|off| *off < 1e-3), "{transfer} {signal}: {found:?}, not {srgb}");
            }
        }
        assert_eq!(Hdr::of("bt709", "bt709"), None);
    }

    #[test]
    fn wide_primaries_become_those_of_srgb() {
        let hlg = |light: f64| sample((3.0 * light).sqrt());
        // BT.709's red of light 0.02, by the inverse of BT.2087's matrix.
        let red = [0.6274, 0.0691, 0.0164].map(|part| hlg(0.02 * part));
        let found = converted(Hdr::of("arib-std-b67", "bt2020").unwrap(), red);
        let expected = f64::from(linear_to_srgb(0.02 / 0.264_962));
        assert!((f64::from(found[0]) / WHITE - expected).abs() < 2e-3, "{found:?}, not {expected}");
        assert!(found[1] < 700 && found[2] < 700, "{found:?}");
    }
}
