//! Figures of a render besides its distance from the reference: sharpness, and offsets of color as a whole.

use super::Counted;
use crate::capture::Image;
use crate::color::luma;

/// Side of the window whose mean is taken off a pixel: what is left are structures of less than about five pixels.
const WINDOW: usize = 5;

/// The root mean square of what `render` has in fine structures of luma, by that of `reference`: below 1 it is softer. Of
/// windows only those are looked at in which all pixels are `counted`, or all of them.
/// `None` where the pictures differ in size, have no place for the window, or the reference has nothing fine.
pub fn sharpness(render: &Image, reference: &Image, counted: Option<&Counted>) -> Option<f64> {
    if (render.width, render.height) != (reference.width, reference.height) {
        return None;
    }
    let (of_render, of_reference) = (fine_energy(render, counted)?, fine_energy(reference, counted)?);
    (of_reference > 0.0).then(|| (of_render / of_reference).sqrt())
}

/// The mean square of luma less its mean over the window around.
fn fine_energy(image: &Image, counted: Option<&Counted>) -> Option<f64> {
    let (width, height) = (image.width as usize, image.height as usize);
    if width < WINDOW || height < WINDOW {
        return None;
    }
    let luma: Vec<f64> = image.pixels.iter().map(|pixel| f64::from(luma(pixel.map(|v| v.clamp(0.0, 1.0))))).collect();
    let whole = counted.map(|counted| {
        let counts: Vec<f64> = (0..luma.len()).map(|at| f64::from(u8::from(counted.at(at)))).collect();
        window_means(&counts, width)
    });
    let (mut sum, mut windows, margin) = (0.0, 0u32, WINDOW / 2);
    for (y, means) in window_means(&luma, width).iter().enumerate() {
        for (x, mean) in means.iter().enumerate() {
            if whole.as_ref().is_none_or(|whole| whole[y][x] == 1.0) {
                sum += (luma[(y + margin) * width + x + margin] - mean).powi(2);
                windows += 1;
            }
        }
    }
    (windows > 0).then(|| sum / f64::from(windows))
}

/// The mean over each window, by row and column of its first pixel.
fn window_means(values: &[f64], width: usize) -> Vec<Vec<f64>> {
    // Sums over rows of the window, then over its columns.
    let across: Vec<Vec<f64>> =
        values.chunks_exact(width).map(|row| row.windows(WINDOW).map(|part| part.iter().sum()).collect()).collect();
    let mean = |rows: &[Vec<f64>], x: usize| rows.iter().map(|row| row[x]).sum::<f64>() / (WINDOW * WINDOW) as f64;
    across.windows(WINDOW).map(|rows| (0..width - WINDOW + 1).map(|x| mean(rows, x)).collect()).collect()
}

/// Mean of render − reference for each channel, in levels of 255.
pub fn offset(render: &Image, reference: &Image) -> [f64; 3] {
    let mut sum = [0.0; 3];
    for (render, reference) in render.pixels.iter().zip(&reference.pixels) {
        for ((sum, a), b) in sum.iter_mut().zip(render).zip(reference) {
            *sum += f64::from(a.clamp(0.0, 1.0) - b.clamp(0.0, 1.0));
        }
    }
    sum.map(|sum| 255.0 * sum / render.pixels.len().max(1) as f64)
}

/// How much colors as a whole change from a view to the next against the references, in levels of 255: the mean over
/// neighbors of the distance of their [`offset`]s. 0 where all views are off by the same. `None` for fewer than two views.
pub fn flicker(offsets: &[[f64; 3]]) -> Option<f64> {
    let steps = offsets.windows(2).map(|pair| (0..3).map(|c| (pair[1][c] - pair[0][c]).powi(2)).sum::<f64>().sqrt());
    (offsets.len() > 1).then(|| steps.sum::<f64>() / (offsets.len() - 1) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stripes(contrast: f32, period: usize) -> Image {
        let mut image = Image::new(24, 16);
        let value = |at: usize| 0.5 + if (at % 24 / period).is_multiple_of(2) { contrast } else { -contrast };
        image.pixels.iter_mut().enumerate().for_each(|(at, pixel)| *pixel = [value(at); 3]);
        image
    }

    #[test]
    fn half_the_contrast_of_fine_stripes_is_half_as_sharp() {
        let ratio = |a: &Image, b: &Image| sharpness(a, b, None).unwrap();
        assert!((ratio(&stripes(0.1, 1), &stripes(0.2, 1)) - 0.5).abs() < 1e-6);
        assert_eq!(sharpness(&stripes(0.2, 1), &stripes(0.0, 1), None), None, "nothing fine to compare with");
        assert!(ratio(&stripes(0.2, 12), &stripes(0.2, 1)) < 0.6, "wide stripes are not fine but at their edges");
        assert_eq!(sharpness(&Image::new(4, 30), &Image::new(4, 30), None), None);
    }

    #[test]
    fn colors_that_jump_from_view_to_view_flicker() {
        let (a, b) = (stripes(0.0, 1), stripes(0.1, 24));
        let off = offset(&b, &a);
        assert!(off.iter().all(|level| (level - 25.5).abs() < 1e-3), "{off:?}");
        assert_eq!(flicker(&[[3.0; 3], [3.0; 3]]), Some(0.0));
        assert_eq!(flicker(&[[0.0; 3], [3.0, 4.0, 0.0], [0.0; 3]]), Some(5.0));
        assert_eq!(flicker(&[[1.0; 3]]), None);
    }
}
