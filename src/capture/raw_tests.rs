use super::super::dng::Dng;
use super::super::{Extras, View, photos, read_image};
use super::*;
use crate::color::{linear_to_srgb, srgb_to_linear};

/// The camera's colors of linear sRGB: what its filters mix, without what they lose.
const MIXED: [[f64; 3]; 3] = [[0.8, 0.15, 0.05], [0.1, 0.8, 0.1], [0.05, 0.25, 0.7]];
const NEUTRAL: [f64; 3] = [0.5, 1.0, 0.625];
const BLACK: u16 = 512;
const WHITE: u16 = 16_383;

/// A sensor that sees `light`, linear sRGB, at every pixel.
fn photograph(width: u32, height: u32, light: impl Fn(u32, u32) -> [f64; 3]) -> Dng {
    let pattern = [0, 1, 1, 2];
    let sample = |i: u32| {
        let (x, y) = (i % width, i / width);
        let color = usize::from(pattern[(y % 2 * 2 + x % 2) as usize]);
        let seen: f64 = NEUTRAL[color] * (0..3).map(|k| MIXED[color][k] * light(x, y)[k]).sum::<f64>();
        (f64::from(BLACK) + seen * f64::from(WHITE - BLACK)).round().clamp(0.0, f64::from(WHITE)) as u16
    };
    // From XYZ to the camera: XYZ to linear sRGB, its filters, what they lose.
    let xyz = Mat3::from_cols_array_2d(&XYZ_OF_RGB).transpose().inverse();
    let camera = Mat3::from_cols_array_2d(&MIXED.map(|row| row.map(|v| v as f32))).transpose();
    let matrix = Mat3::from_diagonal(Vec3::from(NEUTRAL.map(|v| v as f32))) * camera * xyz;
    let color_matrix = std::array::from_fn(|i| f64::from(matrix.row(i / 3)[i % 3]));
    Dng {
        width,
        height,
        samples: (0..width * height).map(sample).collect(),
        pattern,
        black: BLACK,
        white: WHITE,
        neutral: NEUTRAL,
        color_matrix,
        margin: [0; 4],
        orientation: 1,
        exposure: 0.02,
        iso: 1600,
    }
}

fn read(dng: &Dng) -> Result<Image> {
    decode(Path::new("a.dng"), &dng.encode().unwrap())
}

#[test]
fn colors_come_out_as_they_were() {
    let light = [0.04, 0.02, 0.03];
    let image = read(&photograph(40, 24, |_, _| light)).unwrap();
    assert_eq!((image.width, image.height), (40, 24));
    for pixel in &image.pixels {
        for c in 0..3 {
            assert!((srgb_to_linear(pixel[c]) - light[c] as f32).abs() < 2e-4, "{pixel:?}");
        }
    }
}

#[test]
fn below_black_stays_and_white_is_the_sensors() {
    let mut dng = photograph(8, 8, |_, _| [0.0; 3]);
    dng.samples.fill(BLACK - 100);
    let below = read(&dng).unwrap();
    assert!(below.pixels.iter().all(|p| p.iter().all(|v| *v < -0.05)), "{:?}", below.pixels[0]);
    // A mean over black noise is black, which clipping would have raised.
    dng.samples.iter_mut().enumerate().for_each(|(i, s)| *s = if i / 2 % 2 == 0 { BLACK - 100 } else { BLACK + 100 });
    let noisy = read(&dng).unwrap();
    let mean = noisy.pixels.iter().flatten().sum::<f32>() / 192.0;
    assert!(mean.abs() < 2e-3, "{mean}");
    dng.samples.fill(WHITE);
    assert!(read(&dng).unwrap().pixels.iter().flatten().all(|v| (*v - 1.0).abs() < 1e-4));
}

#[test]
fn as_the_library_develops_it() {
    // Where nothing is dark, the library's own development is right.
    let dng = photograph(32, 20, |x, y| [0.3 + 0.01 * f64::from(x), 0.4, 0.2 + 0.02 * f64::from(y)]);
    let bytes = dng.encode().unwrap();
    let options = DecodeOptions { output: OutputFormat::LinearRgbF32, ..Default::default() };
    let theirs = FlashRaw::open(&bytes[..]).unwrap().decode(options).unwrap();
    let ours = read(&dng).unwrap();
    for (ours, theirs) in ours.pixels.iter().flatten().zip(theirs.as_f32().unwrap()) {
        assert!((ours - linear_to_srgb(*theirs)).abs() < 1e-3, "{ours} {theirs}");
    }
}

#[test]
fn crop_and_orientation_are_the_files() {
    let light = |x: u32, y: u32| [0.1 + 0.02 * f64::from(x), 0.1 + 0.03 * f64::from(y), 0.2];
    let plain = photograph(20, 14, light);
    let cropped = Dng { margin: [3, 1, 5, 2], ..plain.clone() };
    let (whole, part) = (read(&plain).unwrap(), read(&cropped).unwrap());
    assert_eq!((part.width, part.height), (12, 11));
    assert_eq!(part.at(4, 5), whole.at(7, 6));
    let turned = Dng { orientation: 6, ..cropped };
    let upright = read(&turned).unwrap();
    assert_eq!(size(Path::new("a.dng"), &turned.encode().unwrap()).unwrap(), (11, 12));
    assert_eq!((upright.width, upright.height), (11, 12));
    // A quarter turn clockwise.
    assert_eq!(upright.at(10 - 5, 4), part.at(4, 5));
}

#[test]
fn files_are_photographs_and_say_how_they_were_taken() {
    let dir = tempfile::tempdir().unwrap();
    let dng = photograph(24, 16, |_, _| [0.01; 3]);
    for name in ["1.DNG", "2.dng"] {
        std::fs::write(dir.path().join(name), dng.encode().unwrap()).unwrap();
    }
    let capture = photos(dir.path()).unwrap();
    let names =
        |capture: &super::super::Capture| capture.train.iter().map(|v: &View| v.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&capture), ["1.JPG", "2.JPG"]);
    assert_eq!(capture.train[0].camera.width, 24);
    let path = dir.path().join("1.DNG");
    let extras = Extras::read(&path);
    assert!(extras.deep && extras.orientation == Orientation::NoTransforms);
    let seconds_by_iso = super::super::exposure::exposure(&path).unwrap().light;
    assert!((seconds_by_iso - 0.02 * 1600.0).abs() < 1e-6);
    // A DNG file by its content, whatever it is called.
    let renamed = dir.path().join("sub.tif");
    std::fs::rename(dir.path().join("2.dng"), &renamed).unwrap();
    assert_eq!(read_image(&renamed).unwrap(), read_image(&path).unwrap());
    assert_eq!(super::super::image_size(&renamed).unwrap(), (24, 16));
    assert!(super::super::is_linear(&renamed));
    // Beside common pictures RAW files are not used: cameras write both.
    assert_eq!(names(&photos(dir.path()).unwrap()), ["sub.tif"]);
}

#[test]
fn bad_files_are_named() {
    let good = photograph(32, 24, |_, _| [0.1; 3]);
    let bytes = good.encode().unwrap();
    let refused = |bytes: &[u8]| decode(Path::new("night.dng"), bytes).unwrap_err().to_string();
    for length in (0..bytes.len()).step_by(97) {
        let message = refused(&bytes[..length]);
        assert!(message.starts_with("night.dng") && !message.contains("thumbnail"), "{length}: {message}");
    }
    let mosaic = refused(&Dng { pattern: [3, 4, 1, 5], ..good.clone() }.encode().unwrap());
    assert!(mosaic.contains("mosaic that is not known") && mosaic.contains("darktable-cli"), "{mosaic}");
    let huge = refused(&Dng { width: 40_000, height: 40_000, ..good.clone() }.encode().unwrap());
    assert!(huge.contains("max_memory"), "{huge}");
    let missing = refused(&Dng { height: 48, ..good }.encode().unwrap());
    assert!(missing.contains("damaged or truncated"), "{missing}");
    assert!(refused(b"II*\0 this is no RAW file at all, only text").contains("night.dng"));
}

#[test]
fn jpeg_xl_is_named() {
    let mut data = photograph(16, 16, |_, _| [0.1; 3]).encode().unwrap();
    // Compression, one SHORT: 52546 in place of 1.
    let (entry, count) = ([0x03, 0x01, 3, 0, 1, 0, 0, 0, 1, 0], 10);
    let at: Vec<usize> = (0..data.len() - count).filter(|i| data[*i..*i + count] == entry).collect();
    assert_eq!(at.len(), 2);
    at.iter().for_each(|i| data[i + 8..i + 10].copy_from_slice(&52_546u16.to_le_bytes()));
    let error = decode(Path::new("a.dng"), &data).unwrap_err().to_string();
    assert!(error.contains("a.dng") && error.contains("as JPEG XL") && error.contains("darktable"), "{error}");
}
