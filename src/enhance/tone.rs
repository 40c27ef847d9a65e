//! The operations on each pixel, as plain data, and their CPU twin. The kernels of `shaders/enhance/` compute the same.

use super::camera::Camera;

/// The response to light. All are monotone and odd or straight through black, so that noise around black stays
/// centered until the final clipping.
#[derive(Clone, Debug, PartialEq)]
pub enum Tone {
    /// Values stay as they are.
    Identity,
    /// `xⁿ / (xⁿ + σⁿ)`, NAKA-GS §3.1.
    Naka {
        /// Exponent of the Naka–Rushton curve.
        n: f32,
        /// Value that is taken to one half, 0–1.
        sigma: f32,
    },
    /// `log1p(x/s) / log1p(1/s)`.
    Log {
        /// The divisor `s`.
        scale: f32,
    },
    /// The response of a camera.
    Camera(Box<Camera>),
}

/// `(y − low) / (high − low)`, clipped to 0–1; an empty range gives 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    /// Value that becomes 0.
    pub low: f32,
    /// Value that becomes 1.
    pub high: f32,
}

/// New luma for each of 256 lumas.
pub type Equalization = [u8; 256];

/// Everything between the averaged dark image and the file: response, range, and for `histogram` the equalization.
#[derive(Clone, Debug, PartialEq)]
pub struct Restoration {
    /// The curve.
    pub tone: Tone,
    /// Where the result's black and white are.
    pub range: Range,
    /// The histogram equalization that follows, if any.
    pub equalize: Option<Box<Equalization>>,
}

impl Tone {
    /// The response of one pixel.
    pub fn apply(&self, x: [f32; 3]) -> [f32; 3] {
        match self {
            Self::Identity => x,
            Self::Naka { n, sigma } => x.map(|v| naka(v, *n, *sigma)),
            Self::Log { scale } => x.map(|v| (v.abs() / scale).ln_1p().copysign(v) / (1.0 / scale).ln_1p()),
            Self::Camera(camera) => camera.apply(x),
        }
    }
}

/// `rⁿ / (rⁿ + 1)` with `r = x/σ`: the same as `xⁿ / (xⁿ + σⁿ)`, with the smaller rounding errors.
fn naka(x: f32, n: f32, sigma: f32) -> f32 {
    let ratio = (x / sigma).abs();
    let power = if n == 1.0 { ratio } else { ratio.powf(n) };
    (power / (power + 1.0)).copysign(x)
}

impl Range {
    /// Leaves 0–1 as it is.
    pub const UNIT: Self = Self { low: 0.0, high: 1.0 };

    /// What the kernel multiplies by.
    pub fn scale(&self) -> f32 {
        if self.high > self.low { 1.0 / (self.high - self.low) } else { 0.0 }
    }

    /// The value in the range.
    pub fn apply(&self, y: f32) -> f32 {
        ((y - self.low) * self.scale()).clamp(0.0, 1.0)
    }
}

impl Restoration {
    /// A response without normalization.
    pub fn plain(tone: Tone) -> Self {
        Self { tone, range: Range::UNIT, equalize: None }
    }

    /// The lit value of a dark pixel, in 0–1.
    pub fn apply(&self, x: [f32; 3]) -> [f32; 3] {
        let y = self.tone.apply(x).map(|v| self.range.apply(v));
        match &self.equalize {
            Some(table) => equalize(y, table),
            None => y,
        }
    }
}

/// Points of [`Restoration::curve`].
const CURVE_POINTS: u16 = 64;
/// A response ends where its smallest channel reaches this value.
const WHITE: f32 = 0.999;

impl Restoration {
    /// The response to gray: the dark level, then red, green and blue as enhanced, in levels of 255; from black to where
    /// all are white. Empty where nothing is changed.
    pub fn curve(&self) -> Vec<[f32; 4]> {
        if *self == Self::plain(Tone::Identity) {
            return Vec::new();
        }
        let least = |level: f32| self.apply([level / 255.0; 3]).into_iter().fold(1.0, f32::min);
        let end = (1..=255u8).map(f32::from).find(|level| least(*level) >= WHITE).unwrap_or(255.0);
        let point = |at: u16| {
            let level = end * f32::from(at) / f32::from(CURVE_POINTS - 1);
            let [r, g, b] = self.apply([level / 255.0; 3]).map(|v| 255.0 * v);
            [level, r, g, b]
        };
        (0..CURVE_POINTS).map(point).collect()
    }
}

/// 8-bit luma and color differences of an RGB value in 0–1 (OpenCV's `COLOR_RGB2YUV`), as whole numbers.
pub fn yuv8(rgb: [f32; 3]) -> [f32; 3] {
    let [r, g, b] = rgb.map(|v| (v * 255.0 + 0.5).floor());
    let y = 0.299 * r + 0.587 * g + 0.114 * b;
    let byte = |v: f32| (v + 0.5).floor().clamp(0.0, 255.0);
    [byte(y), byte(0.492 * (b - y) + 128.0), byte(0.877 * (r - y) + 128.0)]
}

fn equalize(rgb: [f32; 3], table: &Equalization) -> [f32; 3] {
    let [y, u, v] = yuv8(rgb);
    let (y, u, v) = (f32::from(table[y as usize]), u - 128.0, v - 128.0);
    [y + 1.140 * v, y - 0.395 * u - 0.581 * v, y + 2.032 * u].map(|v| (v / 255.0).clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_curve_of_a_response_ends_where_it_is_white() {
        let plain = |tone| Restoration::plain(tone);
        assert!(plain(Tone::Identity).curve().is_empty());
        let bright = Restoration { range: Range { low: 0.0, high: 0.5 }, ..plain(Tone::Identity) };
        let curve = bright.curve();
        let last = curve[curve.len() - 1];
        assert!(
            curve[0] == [0.0; 4] && (127.0..=128.0).contains(&last[0]) && last[1..].iter().all(|v| *v > 254.0),
            "{last:?}"
        );
        assert!(
            curve.windows(2).all(|pair| pair[0][2] <= pair[1][2])
                && curve.iter().any(|p| (p[1] - 2.0 * p[0]).abs() < 0.1 && p[0] > 50.0)
        );
    }
}
