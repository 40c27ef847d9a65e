//! The sheet of `enhance`: photographs before and after.

use super::pictures::spread;
use crate::capture::{Extras, Image, View, resize_area};
use crate::color::{exposed, srgb_to_linear};
use crate::error::Result;
use crate::eval::{Cell, Section, sheet, write_jpeg};
use std::path::Path;

/// Most rows, and most pixels along the longer side of a picture.
const ROWS: usize = 16;
const SIDE: u32 = 480;
/// Largest gain: beyond it there is only noise.
const MOST_GAIN: f32 = 1000.0;

/// Lays out evenly spread photographs: unchanged, brightened as by a longer exposure (one factor for all, which gives the
/// median of the lit pictures), and lit. Pictures stand upright.
///
/// # Errors
/// Pictures that cannot be read, a disk that is full.
pub fn lay_out(dark: &[View], lit: &[View], path: &Path) -> Result<()> {
    let pairs = spread(dark, ROWS).zip(spread(lit, ROWS));
    let pair = |(dark, lit): (&View, &View)| {
        // A lit picture made at a lower resolution sets the size of both.
        let (dark, lit) = (small(dark)?, small(lit)?);
        Ok((resize_area(&dark, lit.width, lit.height), lit))
    };
    let pairs: Vec<_> = pairs.map(pair).collect::<Result<_>>()?;
    let gain = (median(pairs.iter().map(|p| &p.1)) / median(pairs.iter().map(|p| &p.0))).clamp(1.0, MOST_GAIN);
    let brighter: Vec<Image> = pairs.iter().map(|(dark, _)| brightened(dark, gain)).collect();
    let turned = |image: &Image, view: &View| match &view.image {
        Some(file) => Extras::read(file).upright(image),
        None => image.clone(),
    };
    let views = spread(dark, ROWS);
    let pictures = pairs.iter().zip(&brighter).zip(views);
    let rows: Vec<(&str, [Image; 3])> = pictures
        .map(|(((dark, lit), bright), view)| (view.name.as_str(), [dark, bright, lit].map(|image| turned(image, view))))
        .collect();
    let rows = rows.iter().map(|(name, pictures)| Cell::row(name, &pictures.each_ref().map(Some))).collect();
    let brightened = format!("exposure × {gain:.0}");
    let section = Section { titles: vec!["photograph", &brightened, "enhanced"], rows };
    write_jpeg(path, &sheet(&[section])?)
}

/// The view's picture, not larger than a cell.
fn small(view: &View) -> Result<Image> {
    let image = view.read()?;
    let scale = (f64::from(SIDE) / f64::from(image.width.max(image.height))).min(1.0);
    let side = |n: u32| ((f64::from(n) * scale).round() as u32).max(1);
    Ok(resize_area(&image, side(image.width), side(image.height)))
}

/// The median of all pictures in linear light.
fn median<'a>(images: impl Iterator<Item = &'a Image>) -> f32 {
    let mut values: Vec<f32> = images.flat_map(|image| image.pixels.iter().flatten()).copied().collect();
    let middle = values.len() / 2;
    // An eighth of a level, the median of the darkest captures; avoids a division by zero.
    let least = srgb_to_linear(0.125 / 255.0);
    match values.len() {
        0 => least,
        _ => srgb_to_linear(*values.select_nth_unstable_by(middle, f32::total_cmp).1).max(least),
    }
}

fn brightened(dark: &Image, gain: f32) -> Image {
    let pixels = dark.pixels.iter().map(|p| p.map(|v| exposed(v, gain))).collect();
    Image { pixels, ..*dark }
}
