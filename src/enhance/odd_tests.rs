//! Pictures at the edge of what a picture can be.

use super::tests::gpu;
use super::*;
use crate::capture;
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

/// Every response and normalisation there is.
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
    all
}

#[test]
fn pictures_of_one_pixel_or_one_line() {
    for (width, height) in [(1, 1), (1, 2), (7, 1), (1, 300), (5000, 1)] {
        let mut image = plain(width, height, 0.02);
        for (i, pixel) in image.pixels.iter_mut().enumerate() {
            *pixel = [0.01 * (i % 5) as f32, 0.02, 0.01];
        }
        for config in configs() {
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
    let odd = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -1.0, 1e30, f32::MIN_POSITIVE, 0.01, 0.02];
    let value = |x: u32, y: u32, c: u32| odd[((3 * x + 5 * y + c) % 8) as usize];
    let pixels = ::image::Rgb32FImage::from_fn(32, 16, |x, y| ::image::Rgb([0, 1, 2].map(|c| value(x, y, c))));
    pixels.save(&path).unwrap();
    let capture = capture::photos(&path).unwrap();
    for config in configs() {
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
        let capture = capture::photos(&path).unwrap();
        let config = Config { response: Response::Naka, ..Config::default() };
        enhance_capture(gpu(), &capture, &config, 1, &out, &Silent::default()).unwrap();
        read_image(&out.join(name)).unwrap()
    };
    let (black, white) = (save("black.png", 0), save("white.png", 255));
    for y in 0..40 {
        assert!((30..60).all(|x| black.at(x, y) == white.at(x, y)));
    }
}
