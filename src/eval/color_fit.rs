//! Renders recolored to their reference by one global fit.
//!
//! Low-light methods differ most in the global color they give a scene. The PSNR after such a fit says what remains
//! once that is taken away: structure. RawNeRF (Mildenhall et al. 2022) reports the affine and multinerf the quadratic
//! form. These figures accompany the plain ones and never replace them.

use crate::capture::Image;
use crate::least_squares::{cholesky, solve};
use rayon::prelude::*;

/// `render` after the 3×4 affine map of RGB that brings it closest to `reference` (least squares).
/// `None` if the sizes differ or there is no pixel.
pub fn fit_affine(render: &Image, reference: &Image) -> Option<Image> {
    fit(render, reference, |[r, g, b]| [1.0, r, g, b])
}

/// `render` after the quadratic map of RGB (10 terms a channel) that brings it closest to `reference`.
/// `None` if the sizes differ or there is no pixel.
pub fn fit_quadratic(render: &Image, reference: &Image) -> Option<Image> {
    fit(render, reference, |[r, g, b]| [1.0, r, g, b, r * r, g * g, b * b, r * g, g * b, b * r])
}

/// Least squares over all pixels in terms of `features` of the render's color. Not clipped.
fn fit<const N: usize>(
    render: &Image,
    reference: &Image,
    features: impl Fn([f64; 3]) -> [f64; N] + Sync,
) -> Option<Image> {
    if (render.width, render.height) != (reference.width, reference.height) || render.pixels.is_empty() {
        return None;
    }
    let features = |pixel: &[f32; 3]| features(pixel.map(f64::from));
    let sums: Vec<_> = (render.pixels.par_chunks(1 << 16), reference.pixels.par_chunks(1 << 16))
        .into_par_iter()
        .map(|(a, b)| normal_equations(a.iter().map(&features).zip(b)))
        .collect();
    let (mut gram, mut moments) = ([[0.0; N]; N], [[0.0; N]; 3]);
    for (part_gram, part_moments) in &sums {
        add(&mut gram, part_gram);
        add(&mut moments, part_moments);
    }
    // A picture of few colors leaves terms undetermined; a trace of ridge picks the smallest of the equal solutions.
    let ridge = 1e-10 * (0..N).map(|i| gram[i][i]).sum::<f64>();
    (0..N).for_each(|i| gram[i][i] += ridge);
    let factor = cholesky(gram)?;
    let coefficients = moments.map(|m| solve(&factor, m));
    let pixels = render
        .pixels
        .par_iter()
        .map(|pixel| {
            let f = features(pixel);
            coefficients.map(|k| f.iter().zip(k).map(|(f, k)| f * k).sum::<f64>() as f32)
        })
        .collect();
    Some(Image { width: render.width, height: render.height, pixels })
}

/// Fᵀ·F (lower triangle) and Fᵀ·target for the three channels.
fn normal_equations<'a, const N: usize>(
    pixels: impl Iterator<Item = ([f64; N], &'a [f32; 3])>,
) -> ([[f64; N]; N], [[f64; N]; 3]) {
    let (mut gram, mut moments) = ([[0.0; N]; N], [[0.0; N]; 3]);
    for (f, target) in pixels {
        for i in 0..N {
            for j in 0..=i {
                gram[i][j] += f[i] * f[j];
            }
            for c in 0..3 {
                moments[c][i] += f[i] * f64::from(target[c]);
            }
        }
    }
    (gram, moments)
}

fn add<const R: usize, const N: usize>(sum: &mut [[f64; N]; R], part: &[[f64; N]; R]) {
    sum.iter_mut().flatten().zip(part.iter().flatten()).for_each(|(s, p)| *s += p);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn colors() -> Image {
        let mut image = Image::new(9, 7);
        for (i, p) in image.pixels.iter_mut().enumerate() {
            *p = [i as f32 * 0.01, ((i * 37) % 63) as f32 / 70.0, ((i * 11) % 63) as f32 / 90.0];
        }
        image
    }

    fn largest_difference(a: &Image, b: &Image) -> f32 {
        a.pixels.iter().flatten().zip(b.pixels.iter().flatten()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
    }

    #[test]
    fn an_affine_change_is_undone() {
        let (render, mut reference) = (colors(), colors());
        for p in &mut reference.pixels {
            let [r, g, b] = *p;
            *p = [0.1 + 0.8 * r - 0.1 * g, 0.3 * b + 0.5 * g, 0.02 + 0.9 * b + 0.2 * r];
        }
        assert!(largest_difference(&render, &reference) > 0.05);
        assert!(largest_difference(&fit_affine(&render, &reference).unwrap(), &reference) < 1e-5);
        assert!(largest_difference(&fit_quadratic(&render, &reference).unwrap(), &reference) < 1e-5);
    }

    #[test]
    fn a_quadratic_change_needs_the_quadratic_fit() {
        let (render, mut reference) = (colors(), colors());
        reference.pixels.iter_mut().for_each(|p| *p = [p[0] * p[0], p[1] * p[2], 1.0 - p[0] * p[1]]);
        assert!(largest_difference(&fit_affine(&render, &reference).unwrap(), &reference) > 0.02);
        assert!(largest_difference(&fit_quadratic(&render, &reference).unwrap(), &reference) < 1e-5);
    }

    #[test]
    fn a_flat_picture_takes_the_mean_of_its_reference() {
        let mut flat = Image::new(9, 7);
        flat.pixels.fill([0.5; 3]);
        let reference = colors();
        let mean = reference.pixels.iter().map(|p| p[1]).sum::<f32>() / 63.0;
        for fitted in [fit_affine(&flat, &reference), fit_quadratic(&flat, &reference)] {
            assert!((fitted.unwrap().pixels[17][1] - mean).abs() < 1e-4);
        }
        assert!(fit_affine(&flat, &Image::new(7, 9)).is_none());
        assert!(fit_affine(&Image::new(0, 0), &Image::new(0, 0)).is_none());
    }
}
