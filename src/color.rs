//! The sRGB curve (IEC 61966-2-1), the luma of encoded values (ITU-R BT.601), and the harmonic of degree 0.

/// Parts of red, green and blue in luma.
pub const LUMA: [f32; 3] = [0.299, 0.587, 0.114];

/// The spherical harmonic of degree 0, 1 / (2 √π): the color of a splat is `SH_C0` times its coefficient, plus 0.5.
pub const SH_C0: f32 = 0.282_094_8;

/// The luma of encoded values.
pub fn luma([r, g, b]: [f32; 3]) -> f32 {
    LUMA[0] * r + LUMA[1] * g + LUMA[2] * b
}

/// Linear light to the encoded value, clipped to 0–1.
pub fn linear_to_srgb(value: f32) -> f32 {
    encoded(value.clamp(0.0, 1.0))
}

/// Linear light to the encoded value without clipping: odd around black, so that noise stays centered there, and continued
/// above white.
pub fn to_srgb(value: f32) -> f32 {
    encoded(value.abs()).copysign(value)
}

/// Linear light to the encoded value, not clipped; the straight part continues below 0.
pub fn encoded(v: f32) -> f32 {
    if v <= 0.003_130_8 { 12.92 * v } else { 1.055 * v.powf(1.0 / 2.4) - 0.055 }
}

/// The inverse of [`linear_to_srgb`] on 0–1, continued above.
pub fn srgb_to_linear(value: f32) -> f32 {
    if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
}

/// The encoded value under an exposure `gain` times as long, clipped to 0–1.
pub fn exposed(value: f32, gain: f32) -> f32 {
    linear_to_srgb(srgb_to_linear(value.max(0.0)) * gain)
}

/// As [`srgb_to_linear`], odd around black: noise stays centered there.
pub fn to_linear(value: f32) -> f32 {
    srgb_to_linear(value.abs()).copysign(value)
}

/// As [`exposed`], without clipping: odd around black, and continued above white.
pub fn exposed_unclipped(value: f32, gain: f32) -> f32 {
    to_srgb(to_linear(value) * gain)
}

/// Factors of linear red, green and blue light that make a picture warmer by `stops`, the ratio of red to blue.
pub fn warmth(stops: f32) -> [f32; 3] {
    [0.5, 0.0, -0.5].map(|part| (part * stops).exp2())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_curve_and_its_inverse() {
        for i in 0..=1000 {
            let v = i as f32 / 1000.0;
            assert!((srgb_to_linear(linear_to_srgb(v)) - v).abs() < 1e-5);
        }
        assert!((linear_to_srgb(0.214_041) - 0.5).abs() < 1e-5);
        assert_eq!(linear_to_srgb(-1.0), 0.0);
        assert!((linear_to_srgb(7.0) - 1.0).abs() < 1e-6);
    }

    #[test]
    fn exposures_multiply_light() {
        assert!((exposed(linear_to_srgb(0.05), 4.0) - linear_to_srgb(0.2)).abs() < 1e-6);
        assert!((exposed(0.9, 8.0) - 1.0).abs() < 1e-6);
        assert!((exposed_unclipped(linear_to_srgb(0.05), 4.0) - linear_to_srgb(0.2)).abs() < 1e-6);
        assert!(exposed_unclipped(0.9, 8.0) > 2.0);
        assert_eq!(exposed_unclipped(-0.02, 3.0), -exposed_unclipped(0.02, 3.0));
        for value in [-0.1, 0.0, 0.01, 0.5, 1.3] {
            assert!((exposed_unclipped(value, 1.0) - value).abs() < 1e-6);
        }
    }
}
