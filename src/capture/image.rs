//! Pictures in floating point.

/// An RGB image. Values are nominally 0–1 but are not clipped: a dark JPEG decoded in floating point has slightly
/// negative values that must survive until they are averaged. Row-major, top row first.
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

    /// Rounded to 8 bits (clipped), as PNG and JPEG encoders take it.
    pub fn to_rgb8(&self) -> ::image::RgbImage {
        let bytes = self.pixels.iter().flatten().map(|v| (v.clamp(0.0, 1.0) * 255.0).round() as u8).collect();
        ::image::RgbImage::from_raw(self.width, self.height, bytes).expect("an image has width × height pixels")
    }

    /// From 8 bits, divided by 255.
    pub fn from_rgb8(image: &::image::RgbImage) -> Self {
        let pixels = image.pixels().map(|p| p.0.map(|v| f32::from(v) / 255.0)).collect();
        Self { width: image.width(), height: image.height(), pixels }
    }
}

/// A picture's size for people.
pub(super) fn pixels(width: impl std::fmt::Display, height: impl std::fmt::Display) -> String {
    format!("{width} × {height} pixels")
}
