//! Pictures at the edge of what a picture can be.

use super::tests::gpu;
use super::*;
use crate::capture::{self, MaskUse, read_image};
use crate::progress::Silent;

/// Lights `image` alone and returns what the file then holds.
fn light(image: &Image, config: &Config, ending: &str) -> Image {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(format!("odd.{ending}"));
    image.to_rgb8().save(&path).unwrap();
    let capture = capture::photos(&path).unwrap();
    let out = dir.path().join("out");
    enhance_capture(gpu(), &capture, config, 1, &out, &Silent::default()).unwrap();
    read_image(&out.join(format!("odd.{ending}"))).unwrap()
}

fn plain(width: u32, height: u32, value: f32) -> Image {
    Image { width, height, pixels: vec![[value; 3]; (width * height) as usize] }
}

/// Every response and normalization there is.
fn configs() -> Vec<Config> {
    let normalizations =
        [Normalize::Linear, Normalize::Percentile, Normalize::Symmetric, Normalize::Histogram, Normalize::White];
    let responses = [Response::Auto, Response::Camera, Response::None];
    let mut all: Vec<Config> = responses.map(|response| Config { response, ..Config::default() }).into();
    for response in [Response::Naka, Response::Log] {
        all.extend(normalizations.map(|normalize| Config { response, normalize, ..Config::default() }));
    }
    all.push(Config { denoise: 3.0, ..Config::default() });
    all.push(Config::published());
    // A network adds its borders and, untrained, any correction.
    all.into_iter().map(|config| Config { weights: "none".into(), ..config }).collect()
}

/// The untrained network of the golden data, where it is here.
fn network() -> Option<Config> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/golden/enhance_00.pth");
    if !path.is_file() {
        println!("skipped: no {}", path.display());
        return None;
    }
    Some(Config { response: Response::Naka, weights: path.display().to_string(), ..Config::default() })
}

#[test]
fn pictures_of_one_pixel_or_one_line() {
    for (width, height) in [(1, 1), (1, 2), (7, 1), (1, 300), (5000, 1)] {
        let mut image = plain(width, height, 0.02);
        for (i, pixel) in image.pixels.iter_mut().enumerate() {
            *pixel = [0.01 * (i % 5) as f32, 0.02, 0.01];
        }
        for config in configs().into_iter().chain(network()) {
            let lit = light(&image, &config, "png");
            assert_eq!((lit.width, lit.height), (width, height), "{config:?}");
        }
        let lit = light(&image, &Config::default(), "jpg");
        assert_eq!((lit.width, lit.height), (width, height));
    }
}

#[test]
fn pictures_of_one_value_stay_plain() {
    for value in [0.0, 1.0 / 255.0, 0.5, 1.0] {
        for config in configs() {
            let lit = light(&plain(33, 17, value), &config, "png");
            let [first, ..] = lit.pixels[..] else { unreachable!() };
            assert!(lit.pixels.iter().all(|p| *p == first), "{value}: {config:?}");
        }
    }
    for (value, config) in [0.0, 0.5, 1.0].into_iter().zip(network().into_iter().cycle()) {
        let lit = light(&plain(33, 17, value), &config, "tif");
        let naka = light(&plain(33, 17, value), &Config { weights: "none".into(), ..config }, "tif").at(0, 0)[0];
        // Every summand is at most a quarter, and every factor between 0.4 and 1.6.
        let [low, high] = [0.4 * naka - 0.251, 1.6 * naka + 0.251];
        assert!(lit.pixels.iter().flatten().all(|v| (low..=high).contains(v)), "{value}");
    }
    // By default black stays dark, white stays white, and nothing lit already is changed.
    let level = |value: f32| light(&plain(33, 17, value), &Config::default(), "png").at(3, 3);
    assert!(level(0.0).iter().all(|v| *v < 0.2), "{:?}", level(0.0));
    assert_eq!(level(1.0), [1.0; 3]);
    assert!(level(0.5).iter().all(|v| (v - 0.5).abs() < 0.01));
}

#[test]
fn values_that_are_no_numbers_become_pixels() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("odd.tif");
    let odd = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -1.0, 1e30, f32::MIN_POSITIVE, 0.01, 0.02, 0.0, 0.03, 0.015];
    let value = |x: u32, y: u32, c: u32| odd[((3 * x + 5 * y + c) % 11) as usize];
    let pixels = ::image::Rgb32FImage::from_fn(32, 16, |x, y| ::image::Rgb([0, 1, 2].map(|c| value(x, y, c))));
    pixels.save(&path).unwrap();
    let capture = capture::photos(&path).unwrap();
    for config in configs().into_iter().chain(network()) {
        let out = tempfile::tempdir().unwrap();
        enhance_capture(gpu(), &capture, &config, 1, out.path(), &Silent::default()).unwrap();
        // 16 bits cannot hold what is no number: it would have become black, and so would all the picture.
        let lit = read_image(&out.path().join("odd.tif")).unwrap();
        assert!(lit.pixels.iter().flatten().any(|v| *v > 0.0), "{config:?}");
    }
}

#[test]
fn what_a_mask_hides_does_not_sway_the_response() {
    let dir = tempfile::tempdir().unwrap();
    let value = |x: u32| (x % 13) as u8 + 2;
    let save = |name: &str, background: u8| {
        let path = dir.path().join(name);
        let pixel = |x: u32, _| {
            if x < 30 {
                ::image::Rgba([background, background, background, 0])
            } else {
                ::image::Rgba([value(x), value(x) / 2, value(x), 255])
            }
        };
        ::image::RgbaImage::from_fn(60, 40, pixel).save(&path).unwrap();
        let out = dir.path().join("out");
        let mut capture = capture::photos(&path).unwrap();
        capture::add_masks(&mut capture, MaskUse::Use).unwrap();
        let config = Config { response: Response::Naka, weights: "none".into(), ..Config::default() };
        enhance_capture(gpu(), &capture, &config, 1, &out, &Silent::default()).unwrap();
        read_image(&out.join(name)).unwrap()
    };
    let (black, white) = (save("black.png", 0), save("white.png", 255));
    for y in 0..40 {
        assert!((30..60).all(|x| black.at(x, y) == white.at(x, y)));
    }
}

#[test]
fn maps_are_written_for_inspection() {
    let Some(config) = network() else { return };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.png");
    ::image::RgbImage::from_fn(64, 48, |x, y| ::image::Rgb([x as u8 / 4, y as u8 / 4, 3])).save(&path).unwrap();
    let capture = capture::photos(&path).unwrap();
    let out = [dir.path().join("out"), dir.path().join("maps")];
    let folders = Folders { images: &out[0], maps: Some(&out[1]), journal: None };
    let config = Config { working: 32, ..config };
    let (_, report) = enhance_capture(gpu(), &capture, &config, 1, folders, &Silent::default()).unwrap();
    assert!(report.network.contains("enhance_00.pth"), "{}", report.network);
    for kind in ["mul", "add"] {
        let map = ::image::open(out[1].join(format!("a.png.{kind}.png"))).unwrap().into_rgb16();
        assert_eq!((map.width(), map.height()), (32, 24), "at the working size");
        let (low, high) = (map.iter().min().unwrap(), map.iter().max().unwrap());
        assert!(high > low, "{kind}: not a plain picture");
        assert!(kind == "add" || map.pixels().all(|p| p.0[0] == p.0[1] && p.0[1] == p.0[2]));
    }
}

#[test]
fn lit_pictures_say_the_curve_that_they_have() {
    let dir = tempfile::tempdir().unwrap();
    let [path, lit] = ["a.png", "lit.png"].map(|name| dir.path().join(name));
    let mut profile = moxcms::ColorProfile::new_srgb();
    profile.cicp = None;
    let linear = || Some(moxcms::ToneReprCurve::Lut(Vec::new()));
    (profile.red_trc, profile.green_trc, profile.blue_trc) = (linear(), linear(), linear());
    let icc = profile.encode().unwrap();
    let mut bytes = Vec::new();
    let mut encoder = ::image::codecs::png::PngEncoder::new(&mut bytes);
    ::image::ImageEncoder::set_icc_profile(&mut encoder, icc.clone()).unwrap();
    let light = ::image::ImageBuffer::from_fn(16, 2, |x, _| ::image::Rgb([3000 * x as u16, 700, 65_535]));
    light.write_with_encoder(encoder).unwrap();
    std::fs::write(&path, bytes).unwrap();

    let photograph = capture::photos(&path).unwrap().train.remove(0);
    let image = photograph.read().unwrap();
    picture::write(&lit, &image, &photograph, false).unwrap();
    let told = capture::Extras::read(&lit);
    assert!(told.deep && told.profile.is_some() && told.profile != Some(icc));
    assert!(capture::is_linear(&path) && !capture::is_linear(&lit));
    let again = read_image(&lit).unwrap();
    assert!((0..16).all(|x| (again.at(x, 1)[0] - image.at(x, 1)[0]).abs() < 1e-4));
}

#[test]
fn the_shades_of_written_maps_are_their_values() {
    let dir = tempfile::tempdir().unwrap();
    let add = vec![[0.0, -0.25, 0.25], [0.0; 3], [0.125, 0.0, f32::NAN]];
    let maps = Maps { width: 3, height: 1, mul: vec![0.4, 1.0, 1.6], add, ..Maps::default() };
    picture::write_maps(dir.path(), "a.JPG", &maps).unwrap();
    let read =
        |kind: &str| ::image::open(dir.path().join(format!("a.JPG.{kind}.png"))).unwrap().into_rgb16().into_raw();
    assert_eq!(read("mul"), [[0; 3], [32_768; 3], [65_535; 3]].concat());
    assert_eq!(read("add"), [32_768, 0, 65_535, 32_768, 32_768, 32_768, 49_151, 32_768, 0]);
}

#[test]
fn only_what_was_rounded_to_eight_bits_and_brightened_has_its_colors_estimated() {
    let dir = tempfile::tempdir().unwrap();
    // A slope of blue, as it was and in whole levels.
    let level = |x: u32, steps: f32| (8.0 - x as f32 / 9.0, (2.0 + x as f32 / 18.0) * steps);
    let deep = ::image::ImageBuffer::from_fn(60, 40, |x, _| {
        let (y, blue) = level(x, 257.0);
        ::image::Rgb([(257.0 * y) as u16, (257.0 * y) as u16, blue as u16])
    });
    ::image::DynamicImage::ImageRgb16(deep).save(dir.path().join("deep.png")).unwrap();
    let rounded = ::image::RgbImage::from_fn(60, 40, |x, _| {
        let (y, blue) = level(x, 1.0);
        ::image::Rgb([y as u8, y as u8, blue as u8])
    });
    rounded.save(dir.path().join("rounded.png")).unwrap();
    let lit = |name: &str, response, dequantize| {
        let capture = capture::photos(dir.path().join(name)).unwrap();
        let config = Config { response, dequantize, weights: "none".into(), ..Config::default() };
        let out = dir.path().join("out");
        enhance_capture(gpu(), &capture, &config, 1, &out, &Silent::default()).unwrap();
        let image = read_image(&out.join(name)).unwrap();
        std::fs::remove_dir_all(out).unwrap();
        image
    };
    assert_ne!(lit("rounded.png", Response::Camera, true), lit("rounded.png", Response::Camera, false));
    assert_eq!(lit("deep.png", Response::Camera, true), lit("deep.png", Response::Camera, false));
    assert_eq!(lit("rounded.png", Response::None, true), lit("rounded.png", Response::None, false));
}

#[test]
fn linear_light_is_exposed_instead_of_taken_for_a_cameras_jpeg() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let light = |x: u32| 0.001 * (1.0 + x as f32 / 10.0);
    let file = ::image::ImageBuffer::from_fn(60, 40, |x, _| ::image::Rgb([light(x), light(x), light(x)]));
    file.save(dir.path().join("night.exr")).unwrap();
    let config = Config { weights: "none".into(), ..Config::default() };
    let capture = capture::photos(dir.path()).unwrap();
    let (lit, report) = enhance_capture(gpu(), &capture, &config, 1, &out, &Silent::default()).unwrap();
    assert!(report.response.contains("exposure ×") && report.reason.contains("linear light"), "{report:?}");
    let image = lit.train[0].read().unwrap();
    // The median becomes mid-gray, and what has twice its light twice of that.
    let at = |x: u32| crate::color::srgb_to_linear(image.at(x, 20)[1]);
    assert!((at(30) / 0.18 - 1.0).abs() < 0.05 && (at(59) / at(30) - 6.9 / 4.0).abs() < 0.05, "{} {}", at(30), at(59));
}
