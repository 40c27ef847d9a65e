//! Writes lit pictures in the format of their names, with the metadata of the photographs that they come from.

use super::network::Maps;
use crate::capture::{Extras, Image, View, ending, resize_area, with_srgb_curve};
use crate::error::{Error, Result};
use crate::storage;
use ::image::codecs::png::PngEncoder;
use ::image::{DynamicImage, ImageBuffer, ImageEncoder, Rgba};
use jpeg_encoder::{ColorType, Encoder, EncodingError, SamplingFactor};
use std::io::Cursor;
use std::path::Path;
use tiff::TiffResult;
use tiff::encoder::{TiffEncoder, colortype::RGB16};
use tiff::tags::{ExtraSamples, Tag};

/// Quality of lit JPEGs, with full-size color: they are training data.
const QUALITY: u8 = 98;

/// Writes `image` as the ending of `path` says: PNG in the depth of the photograph, TIFF in 16 bits, everything else as JPEG in
/// 8. Orientation, EXIF data and color profile are those of the file of `photograph`, but that a profile has sRGB's curve, as
/// the pixels do; so is the opacity, where the format has it; the pixels keep their order. EXIF data of a picture that was
/// `exposed` otherwise than the photograph do not say how that was exposed, else it would be exposed once more. The file
/// appears under its name only when it is complete.
///
/// # Errors
/// [`Error::Io`] where it cannot be written, [`Error::Input`] where the format cannot hold the picture's size.
pub fn write(path: &Path, image: &Image, photograph: &View, exposed: bool) -> Result<()> {
    let extras = photograph.image.as_deref().map(Extras::read).unwrap_or_default();
    let mut extras = if exposed { extras.without_exposure() } else { extras };
    if extras.deep {
        extras.profile = extras.profile.and_then(with_srgb_curve);
    }
    let ending = ending(path);
    let alpha = || Ok(photograph.read_alpha()?.map(|alpha| resize_area(&alpha, image.width, image.height)));
    let bytes = match ending.as_str() {
        "png" => png(image, alpha()?.as_ref(), extras).map_err(|e| refusal(path, &e.to_string())),
        "tif" | "tiff" => tiff(image, alpha()?.as_ref(), &extras).map_err(|e| refusal(path, &e.to_string())),
        _ => jpeg(path, image, &extras),
    }?;
    storage::write_bytes(path, &bytes)
}

/// The files of the network's maps of the picture `name`.
pub fn map_names(name: &str) -> [String; 2] {
    ["mul", "add"].map(|kind| format!("{name}.{kind}.png"))
}

/// Writes the network's maps of the picture `name` for inspection, as 16-bit PNG files. Mid-gray is no correction:
/// `NAME.mul.png` shows factors of 0.4–1.6, `NAME.add.png` summands of −0.25–0.25, each from black to white.
///
/// # Errors
/// [`Error::Io`].
pub fn write_maps(folder: &Path, name: &str, maps: &Maps) -> Result<()> {
    let image = |pixels| Image { width: maps.width, height: maps.height, pixels };
    let mul = image(maps.mul.iter().map(|v| [(v - 0.4) / 1.2; 3]).collect());
    let add = image(maps.add.iter().map(|p| p.map(|v| (v + 0.25) / 0.5)).collect());
    for (file, map) in map_names(name).into_iter().zip([mul, add]) {
        let path = folder.join(file);
        let extras = Extras { deep: true, ..Extras::default() };
        let bytes = png(&map, None, extras).map_err(|e| refusal(&path, &e.to_string()))?;
        storage::write_bytes(&path, &bytes)?;
    }
    Ok(())
}

fn png(image: &Image, alpha: Option<&Image>, extras: Extras) -> ::image::ImageResult<Vec<u8>> {
    let picture: DynamicImage = match (extras.deep, alpha) {
        (true, None) => image.to_rgb16().into(),
        (true, Some(alpha)) => {
            let pixel = |x, y| Rgba(with(image.at(x, y), alpha.at(x, y)).map(sixteen));
            ImageBuffer::from_fn(image.width, image.height, pixel).into()
        }
        (false, None) => image.to_rgb8().into(),
        (false, Some(alpha)) => {
            let pixel = |x, y| Rgba(with(image.at(x, y), alpha.at(x, y)).map(eight));
            ImageBuffer::from_fn(image.width, image.height, pixel).into()
        }
    };
    let mut bytes = Vec::new();
    let mut encoder = PngEncoder::new(&mut bytes);
    if let Some(exif) = extras.exif {
        encoder.set_exif_metadata(exif).map_err(::image::ImageError::Unsupported)?;
    }
    if let Some(profile) = extras.profile {
        encoder.set_icc_profile(profile).map_err(::image::ImageError::Unsupported)?;
    }
    picture.write_with_encoder(encoder)?;
    Ok(bytes)
}

fn tiff(image: &Image, alpha: Option<&Image>, extras: &Extras) -> TiffResult<Vec<u8>> {
    let mut bytes = Cursor::new(Vec::new());
    let mut file = TiffEncoder::new(&mut bytes)?;
    let mut page = file.new_image::<RGB16>(image.width, image.height)?;
    page.encoder().write_tag(Tag::Orientation, u16::from(extras.orientation.to_exif()))?;
    if let Some(profile) = &extras.profile {
        page.encoder().write_tag(Tag::IccProfile, &profile[..])?;
    }
    match alpha {
        None => page.write_data(image.to_rgb16().as_raw())?,
        Some(alpha) => {
            page.extra_samples(&[ExtraSamples::UnassociatedAlpha])?;
            let pixels = image.pixels.iter().zip(&alpha.pixels);
            let samples: Vec<u16> = pixels.flat_map(|(color, alpha)| with(*color, *alpha).map(sixteen)).collect();
            page.write_data(&samples)?;
        }
    }
    Ok(bytes.into_inner())
}

fn jpeg(path: &Path, image: &Image, extras: &Extras) -> Result<Vec<u8>> {
    let (Ok(width), Ok(height)) = (u16::try_from(image.width), u16::try_from(image.height)) else {
        return Err(refusal(path, "larger than 65535 pixels"));
    };
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, QUALITY);
    encoder.set_sampling_factor(SamplingFactor::F_1_1);
    let mut attach = || -> Result<(), EncodingError> {
        extras.exif.as_ref().map_or(Ok(()), |exif| encoder.add_exif_metadata(exif))?;
        extras.profile.as_ref().map_or(Ok(()), |profile| encoder.add_icc_profile(profile))
    };
    if let Err(error) = attach() {
        // Blocks of a PNG file may be larger than those of JPEG can be.
        tracing::warn!("{}: EXIF data or color profile left out: {error}", path.display());
    }
    let pixels = image.to_rgb8();
    encoder.encode(pixels.as_raw(), width, height, ColorType::Rgb).map_err(|e| refusal(path, &e.to_string()))?;
    Ok(bytes)
}

fn with([red, green, blue]: [f32; 3], [alpha, ..]: [f32; 3]) -> [f32; 4] {
    [red, green, blue, alpha]
}

fn sixteen(value: f32) -> u16 {
    (value.clamp(0.0, 1.0) * 65_535.0).round() as u16
}

fn eight(value: f32) -> u8 {
    (value.clamp(0.0, 1.0) * 255.0).round() as u8
}

fn refusal(path: &Path, found: &str) -> Error {
    Error::input(path, format!("a picture this format cannot hold ({found})"), "use `downscale`")
}
