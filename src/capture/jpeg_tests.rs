use super::super::{image_size, read_image};
use super::*;
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use libjpeg_turbo_rs::write_coefficients;

fn decode(path: &Path, data: &[u8]) -> Result<Image> {
    super::decode(path, data, data.len() as u64)
}

fn encode(width: u16, height: u16, sampling: SamplingFactor, progressive: bool, pixels: &[u8]) -> Vec<u8> {
    let mut data = Vec::new();
    let mut encoder = Encoder::new(&mut data, 92);
    encoder.set_sampling_factor(sampling);
    encoder.set_progressive(progressive);
    encoder.encode(pixels, width, height, ColorType::Rgb).unwrap();
    data
}

fn smooth_picture(width: u16, height: u16) -> Vec<u8> {
    let mut pixels = Vec::new();
    for y in 0..height {
        for x in 0..width {
            let (x, y) = (f32::from(x), f32::from(y));
            let wave = |a: f32, b: f32| (127.0 + 90.0 * (a * x + b * y).sin()) as u8;
            pixels.extend([wave(0.05, 0.02), wave(0.03, 0.06), wave(0.01, 0.04)]);
        }
    }
    pixels
}

fn mean_difference(float: &Image, bytes: &::image::RgbImage) -> f64 {
    let values = float.pixels.iter().flatten().zip(bytes.as_raw());
    let sum: f64 = values.map(|(a, b)| (f64::from(*a) * 255.0 - f64::from(*b)).abs()).sum();
    sum / bytes.as_raw().len() as f64
}

/// Coefficients of a JPEG with DC step 2 and AC step 3, all blocks zero.
fn blank(width: u16, height: u16, sampling: &[(u8, u8)]) -> JpegCoefficients {
    let max = |f: fn(&(u8, u8)) -> u8| usize::from(sampling.iter().map(f).max().unwrap());
    let (mcus_x, mcus_y) =
        (usize::from(width).div_ceil(8 * max(|s| s.0)), usize::from(height).div_ceil(8 * max(|s| s.1)));
    let component = |(i, &(h, v)): (usize, &(u8, u8))| {
        let (blocks_x, blocks_y) = (mcus_x * usize::from(h), mcus_y * usize::from(v));
        ComponentCoefficients {
            blocks: vec![[0; 64]; blocks_x * blocks_y],
            blocks_x,
            blocks_y,
            h_sampling: h,
            v_sampling: v,
            quant_table_index: 0,
            component_id: i as u8 + 1,
        }
    };
    let mut table = [3; 64];
    table[0] = 2;
    JpegCoefficients {
        width,
        height,
        data_precision: 8,
        components: sampling.iter().enumerate().map(component).collect(),
        quant_tables: vec![table],
        restart_interval: 0,
        density_unit: 0,
        x_density: 1,
        y_density: 1,
        saw_jfif_marker: true,
        adobe_transform: None,
    }
}

/// An 8-bit decoder rounds samples and colors: 0.45 levels on average, a little more where it upsamples chroma.
#[test]
fn agrees_with_an_ordinary_decoder() {
    for (width, height) in [(64, 48), (61, 43), (17, 9), (1, 1)] {
        for sampling in [SamplingFactor::F_1_1, SamplingFactor::F_2_2, SamplingFactor::F_2_1] {
            for progressive in [false, true] {
                let data = encode(width, height, sampling, progressive, &smooth_picture(width, height));
                let float = decode(Path::new("a.jpg"), &data).unwrap();
                let turbo = libjpeg_turbo_rs::decompress(&data).unwrap();
                let bytes = ::image::RgbImage::from_raw(width.into(), height.into(), turbo.data).unwrap();
                assert_eq!((float.width, float.height), bytes.dimensions());
                let difference = mean_difference(&float, &bytes);
                assert!(difference < 0.55, "{width}x{height} {sampling:?} {progressive}: {difference}");
            }
        }
    }
}

#[test]
fn gray_is_three_equal_channels() {
    let mut data = Vec::new();
    let pixels: Vec<u8> = (0..20 * 10).map(|i| i as u8).collect();
    Encoder::new(&mut data, 95).encode(&pixels, 20, 10, ColorType::Luma).unwrap();
    let float = decode(Path::new("g.jpg"), &data).unwrap();
    assert!(float.pixels.iter().all(|p| p[0] == p[1] && p[1] == p[2]));
    assert!(mean_difference(&float, &::image::load_from_memory(&data).unwrap().to_rgb8()) < 0.5);
}

/// Against the definition of the inverse DCT (ITU-T T.81 A.3.3) in f64.
#[test]
fn is_the_inverse_dct_to_single_precision() {
    let mut jpeg = blank(8, 8, &[(1, 1)]);
    let mut state = 1u32;
    for value in jpeg.components[0].blocks[0].iter_mut() {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *value = ((state >> 24) as i16 - 128) / 16;
    }
    let image = decode(Path::new("d.jpg"), &write_coefficients(&jpeg).unwrap()).unwrap();
    let cosine = |x: usize, u: usize| ((2 * x + 1) as f64 * u as f64 * std::f64::consts::PI / 16.0).cos();
    for y in 0..8 {
        for x in 0..8 {
            let mut truth = 128.0;
            for (position, &natural) in ZIGZAG.iter().enumerate() {
                let (v, u) = (natural / 8, natural % 8);
                let norm = |k: usize| if k == 0 { 0.5f64.sqrt() } else { 1.0 };
                let step = f64::from(jpeg.quant_tables[0][natural]);
                let value = f64::from(jpeg.components[0].blocks[0][position]) * step;
                truth += 0.25 * norm(u) * norm(v) * value * cosine(x, u) * cosine(y, v);
            }
            let found = f64::from(image.at(x as u32, y as u32)[0]) * 255.0;
            assert!((found - truth).abs() < 1e-3, "({x},{y}): {found} against {truth}");
        }
    }
}

/// The reason for it all: a dark ramp in steps of a quarter level, which 8 bits cannot hold, comes out exactly.
#[test]
fn a_dark_ramp_survives_that_8_bits_lose() {
    let mut jpeg = blank(256, 16, &[(1, 1), (1, 1), (1, 1)]);
    for (i, block) in jpeg.components[0].blocks.iter_mut().enumerate() {
        block[0] = -512 + (i % 32) as i16 / 2;
    }
    let data = write_coefficients(&jpeg).unwrap();
    let float = decode(Path::new("r.jpg"), &data).unwrap();
    let bytes = ::image::load_from_memory(&data).unwrap().to_rgb8();
    let truth = |x: u32| f64::from(x / 16) * 0.25;
    let (mut of_float, mut of_bytes) = (0.0f64, 0.0f64);
    for x in 0..256 {
        of_float = of_float.max((f64::from(float.at(x, 5)[1]) * 255.0 - truth(x)).abs());
        of_bytes = of_bytes.max((f64::from(bytes.get_pixel(x, 5).0[1]) - truth(x)).abs());
    }
    assert!(of_float < 1e-3 && of_bytes > 0.2, "float {of_float}, 8 bits {of_bytes}");
}

/// Values below black are kept.
#[test]
fn nothing_is_clipped() {
    let mut jpeg = blank(8, 8, &[(1, 1), (1, 1), (1, 1)]);
    jpeg.components[0].blocks[0][0] = -512;
    jpeg.components[1].blocks[0][0] = -8;
    let pixel = decode(Path::new("n.jpg"), &write_coefficients(&jpeg).unwrap()).unwrap().at(3, 3);
    assert!((f64::from(pixel[2]) * 255.0 + 2.0 * 1.772).abs() < 1e-3, "{pixel:?}");
}

/// Between the samples of a chroma staircase the values are those of centered linear interpolation, whatever the ratio.
#[test]
fn chroma_is_upsampled_linearly_and_centered() {
    for (h, v) in [(2u8, 1u8), (2, 2), (4, 1), (1, 2)] {
        let mut jpeg = blank(64, 32, &[(h, v), (1, 1), (1, 1)]);
        // Block means rise by 2 levels a block.
        let blocks_x = jpeg.components[2].blocks_x;
        for (i, block) in jpeg.components[2].blocks.iter_mut().enumerate() {
            block[0] = 8 * (i % blocks_x) as i16;
        }
        let image = decode(Path::new("c.jpg"), &write_coefficients(&jpeg).unwrap()).unwrap();
        let cr = |x: i64| {
            let sample = |s: i64| (s.clamp(0, 64 / i64::from(h) - 1) / 8 * 2) as f64;
            let position = (x as f64 + 0.5) / f64::from(h) - 0.5;
            let first = position.floor();
            sample(first as i64) * (1.0 - (position - first)) + sample(first as i64 + 1) * (position - first)
        };
        for x in 0..64 {
            let found = (f64::from(image.at(x, 7)[0]) * 255.0 - 128.0) / 1.402;
            assert!((found - cr(i64::from(x))).abs() < 1e-3, "{h}x{v} at {x}: {found} against {}", cr(i64::from(x)));
        }
    }
}

#[test]
fn truncated_files_are_named_and_never_half_a_picture() {
    let folder = tempfile::tempdir().unwrap();
    for progressive in [false, true] {
        let data = encode(96, 80, SamplingFactor::F_2_2, progressive, &smooth_picture(96, 80));
        for cut in [0, 1, 2, 20, data.len() / 4, data.len() / 2, data.len() - 40, data.len() - 2] {
            let path = folder.path().join("cut.jpg");
            std::fs::write(&path, &data[..cut]).unwrap();
            let message = read_image(&path).unwrap_err().to_string();
            assert!(message.contains("cut.jpg"), "{progressive} {cut}: {message}");
        }
    }
}

#[test]
fn cmyk_is_refused_with_a_remedy() {
    let mut data = Vec::new();
    Encoder::new(&mut data, 90).encode(&[80; 16 * 16 * 4], 16, 16, ColorType::Cmyk).unwrap();
    let message = decode(Path::new("k.jpg"), &data).unwrap_err().to_string();
    assert!(message.contains("k.jpg") && message.contains("CMYK") && message.contains("convert"), "{message}");
}

#[test]
fn sizes_come_from_the_header_alone() {
    let folder = tempfile::tempdir().unwrap();
    for progressive in [false, true] {
        let path = folder.path().join("size.jpg");
        let data = encode(61, 43, SamplingFactor::F_2_2, progressive, &smooth_picture(61, 43));
        std::fs::write(&path, &data[..700.min(data.len())]).unwrap();
        assert_eq!(image_size(&path).unwrap(), (61, 43));
        std::fs::write(&path, &data[..20]).unwrap();
        assert!(image_size(&path).unwrap_err().to_string().contains("size.jpg"));
    }
    let png = folder.path().join("size.png");
    ::image::RgbImage::new(7, 5).save(&png).unwrap();
    assert_eq!(image_size(&png).unwrap(), (7, 5));
}

#[test]
fn png_and_tiff_keep_16_bits_and_drop_alpha() {
    let folder = tempfile::tempdir().unwrap();
    let deep = ::image::ImageBuffer::from_fn(5, 4, |x, y| ::image::Rgba([x as u16 * 300 + 1, y as u16, 65_535, 9]));
    for name in ["deep.png", "deep.tiff"] {
        let path = folder.path().join(name);
        ::image::DynamicImage::ImageRgba16(deep.clone()).save(&path).unwrap();
        assert_eq!(read_image(&path).unwrap().at(3, 2), [901.0 / 65_535.0, 2.0 / 65_535.0, 1.0]);
        assert_eq!(image_size(&path).unwrap(), (5, 4));
        let data = std::fs::read(&path).unwrap();
        std::fs::write(&path, &data[..data.len() / 2]).unwrap();
        assert!(read_image(&path).unwrap_err().to_string().contains(name));
    }
    let gray = folder.path().join("gray.png");
    ::image::GrayImage::from_pixel(3, 3, ::image::Luma([51])).save(&gray).unwrap();
    assert_eq!(read_image(&gray).unwrap().at(1, 1), [0.2; 3]);
    let text = folder.path().join("text.jpg");
    std::fs::write(&text, "not a picture").unwrap();
    assert!(read_image(&text).unwrap_err().to_string().contains("text.jpg"));
    assert!(read_image(&folder.path().join("none.jpg")).unwrap_err().to_string().contains("none.jpg"));
}
