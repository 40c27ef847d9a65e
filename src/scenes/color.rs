//! Colors as scene files write them.

use serde::{Deserialize, Serialize};

/// A color, written `"#rrggbb"` in sRGB; its linear form is computed once.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Color {
    srgb: [u8; 3],
    linear: glam::Vec3,
}

impl Color {
    /// The nearest color to linear RGB, clipped to 0–1.
    pub fn from_linear(linear: glam::Vec3) -> Self {
        let srgb = linear.to_array().map(|v| (255.0 * crate::color::linear_to_srgb(v)).round() as u8);
        let linear = srgb.map(|v| crate::color::srgb_to_linear(f32::from(v) / 255.0));
        Self { srgb, linear: glam::Vec3::from(linear) }
    }

    /// Linear RGB, 0–1.
    pub fn linear(self) -> glam::Vec3 {
        self.linear
    }
}

impl TryFrom<String> for Color {
    type Error = String;

    fn try_from(text: String) -> std::result::Result<Self, String> {
        let digits = text.strip_prefix('#').filter(|d| d.len() == 6 && d.is_ascii());
        let byte = |i: usize| digits.and_then(|d| u8::from_str_radix(&d[2 * i..2 * i + 2], 16).ok());
        match (byte(0), byte(1), byte(2)) {
            (Some(r), Some(g), Some(b)) => {
                let linear = [r, g, b].map(|v| crate::color::srgb_to_linear(f32::from(v) / 255.0));
                Ok(Self { srgb: [r, g, b], linear: glam::Vec3::from(linear) })
            }
            _ => Err(format!("{text:?} is no color; write \"#rrggbb\"")),
        }
    }
}

impl From<Color> for String {
    fn from(Color { srgb: [r, g, b], .. }: Color) -> Self {
        format!("#{r:02x}{g:02x}{b:02x}")
    }
}
