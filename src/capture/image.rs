//! Pictures in floating point.

use crate::error::Result;

/// An RGB image, sRGB-coded as a screen shows it (not linear light). Values are nominally 0–1 but are not clipped: a dark JPEG
/// decoded in floating point has slightly negative values that must survive until they are averaged. Row-major, top row first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Image {
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// RGB, `width` × `height` of them.
    pub pixels: Vec<[f32; 3]>,
}

impl Image {
    /// A black image.
    pub fn new(width: u32, height: u32) -> Self {
        Self { width, height, pixels: vec![[0.0; 3]; width as usize * height as usize] }
    }

    /// The pixel in column `x` and row `y`.
    pub fn at(&self, x: u32, y: u32) -> [f32; 3] {
        self.pixels[y as usize * self.width as usize + x as usize]
    }

    /// Bilinear sample at (`x`, `y`); pixel centers lie at +0.5. Beyond the border the border is repeated.
    pub fn sample(&self, x: f64, y: f64) -> [f32; 3] {
        let split = |at: f64, size: u32| {
            let last = size.saturating_sub(1);
            let at = (at - 0.5).clamp(0.0, f64::from(last));
            let first = (at as u32).min(last);
            (first, (first + 1).min(last), (at - f64::from(first)) as f32)
        };
        let ((x0, x1, tx), (y0, y1, ty)) = (split(x, self.width), split(y, self.height));
        let mix = |a: [f32; 3], b: [f32; 3], t: f32| std::array::from_fn(|c| a[c] + (b[c] - a[c]) * t);
        mix(mix(self.at(x0, y0), self.at(x1, y0), tx), mix(self.at(x0, y1), self.at(x1, y1), tx), ty)
    }

    /// Rounded to 8 bits (clipped), as PNG and JPEG encoders take it.
    ///
    /// # Panics
    /// If `pixels` does not have `width` × `height` elements.
    pub fn to_rgb8(&self) -> ::image::RgbImage {
        let bytes = self.pixels.iter().flatten().map(|v| (v.clamp(0.0, 1.0) * 255.0).round() as u8).collect();
        ::image::RgbImage::from_raw(self.width, self.height, bytes).expect("an image has width × height pixels")
    }

    /// Rounded to 16 bits (clipped).
    ///
    /// # Panics
    /// As there.
    pub fn to_rgb16(&self) -> ::image::ImageBuffer<::image::Rgb<u16>, Vec<u16>> {
        let values = self.pixels.iter().flatten().map(|v| (v.clamp(0.0, 1.0) * 65_535.0).round() as u16).collect();
        ::image::ImageBuffer::from_raw(self.width, self.height, values).expect("an image has width × height pixels")
    }

    /// From 8 bits, divided by 255.
    pub fn from_rgb8(image: &::image::RgbImage) -> Self {
        let pixels = image.pixels().map(|p| p.0.map(|v| f32::from(v) / 255.0)).collect();
        Self { width: image.width(), height: image.height(), pixels }
    }
}

/// The mean of pictures of one size, which are made one after the other. `None` if there is none, or their sizes differ.
///
/// # Errors
/// Those of the pictures.
pub fn mean_image(images: impl IntoIterator<Item = Result<Image>>) -> Result<Option<Image>> {
    let mut images = images.into_iter();
    let Some(mut sum) = images.next().transpose()? else { return Ok(None) };
    let mut count = 1.0;
    for image in images {
        let image = image?;
        if (image.width, image.height) != (sum.width, sum.height) {
            return Ok(None);
        }
        sum.pixels.iter_mut().flatten().zip(image.pixels.iter().flatten()).for_each(|(sum, v)| *sum += v);
        count += 1.0;
    }
    sum.pixels.iter_mut().flatten().for_each(|v| *v /= count);
    Ok(Some(sum))
}

/// A picture's size for people.
pub(super) fn pixels(width: impl std::fmt::Display, height: impl std::fmt::Display) -> String {
    format!("{width} × {height} pixels")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(value: f32) -> Image {
        Image { width: 20, height: 12, pixels: vec![[value, value, 0.0]; 240] }
    }

    #[test]
    fn the_mean_by_hand() {
        let mean = |images: &[Image]| mean_image(images.iter().cloned().map(Ok)).unwrap();
        let (mean_of, expected) = (mean(&[plain(0.2), plain(0.4), plain(0.9)]).unwrap(), plain(0.5));
        let near = |(a, b): (&f32, &f32)| (a - b).abs() < 1e-6;
        assert!(mean_of.pixels.iter().flatten().zip(expected.pixels.iter().flatten()).all(near));
        assert_eq!(mean(&[plain(0.7)]), Some(plain(0.7)));
        assert!(mean(&[]).is_none() && mean(&[plain(0.1), Image::new(12, 20)]).is_none());
    }
}
