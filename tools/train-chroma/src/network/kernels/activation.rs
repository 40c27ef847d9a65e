//! GELU with the error function (not its tanh approximation), and its derivative.

use wide::f32x16;

/// Φ(u), and exp(−u²/2). The error function is Abramowitz and Stegun's 7.1.26, within 1.5e-7.
#[inline(always)]
fn normal(u: f32x16) -> (f32x16, f32x16) {
    let density = (u * u * f32x16::splat(-0.5)).max(f32x16::splat(-80.0)).exp();
    let x = u.abs() * f32x16::splat(std::f32::consts::FRAC_1_SQRT_2);
    let t = f32x16::ONE / x.mul_add(f32x16::splat(0.327_591_1), f32x16::ONE);
    let mut sum = f32x16::splat(1.061_405_4);
    for coefficient in [-1.453_152_1, 1.421_413_8, -0.284_496_72, 0.254_829_6] {
        sum = sum.mul_add(t, f32x16::splat(coefficient));
    }
    let tail = sum * t * density * f32x16::splat(0.5);
    (u.simd_ge(f32x16::ZERO).select(f32x16::ONE - tail, tail), density)
}

/// u · Φ(u).
#[inline(always)]
pub fn gelu(u: f32x16) -> f32x16 {
    u * normal(u).0
}

/// Φ(u) + u · φ(u).
#[inline(always)]
pub fn gelu_slope(u: f32x16) -> f32x16 {
    let (cumulative, density) = normal(u);
    let scale = f32x16::splat(0.5 * std::f32::consts::FRAC_1_SQRT_2 * std::f32::consts::FRAC_2_SQRT_PI);
    (u * density).mul_add(scale, cumulative)
}
