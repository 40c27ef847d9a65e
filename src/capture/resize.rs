//! Reduction of pictures by exact area averages.
//!
//! Every output pixel is the integral of the input, seen as constant over each pixel's square, over the output pixel's
//! own rectangle, whose edges may lie inside input pixels. So 1169 rows become 292, the picture's edges stay where
//! they were, and the camera's intrinsics scale by exactly new size / old size ([`super::Camera::resized`]).

use super::Image;
use rayon::prelude::*;

/// The input pixels from `first` on that one output pixel covers, with weights that sum to 1.
struct Cover {
    first: usize,
    weights: Vec<f32>,
}

/// `image` at `width` × `height` (at least 1 × 1), averaged by area. An image of the same size is returned as it is;
/// an enlarged one is made of squares.
pub fn resize_area(image: &Image, width: u32, height: u32) -> Image {
    let (width, height) = (width.max(1), height.max(1));
    if (image.width, image.height) == (width, height) {
        return image.clone();
    }
    if image.pixels.is_empty() {
        return Image::new(width, height);
    }
    let (columns, rows) = (covers(image.width, width), covers(image.height, height));
    let mut out = Image::new(width, height);
    out.pixels.par_chunks_mut(width as usize).zip(&rows).for_each_init(
        || vec![[0.0f32; 3]; image.width as usize],
        |line, (pixels, row)| {
            sum_rows(image, row, line);
            for (pixel, column) in pixels.iter_mut().zip(&columns) {
                let mut sum = [0.0f32; 3];
                for (value, &weight) in line[column.first..].iter().zip(&column.weights) {
                    (0..3).for_each(|c| sum[c] += weight * value[c]);
                }
                *pixel = sum;
            }
        },
    );
    out
}

fn sum_rows(image: &Image, cover: &Cover, line: &mut [[f32; 3]]) {
    line.fill([0.0; 3]);
    let rows = image.pixels.chunks_exact(image.width as usize).skip(cover.first);
    for (row, &weight) in rows.zip(&cover.weights) {
        for (sum, value) in line.iter_mut().zip(row) {
            (0..3).for_each(|c| sum[c] += weight * value[c]);
        }
    }
}

fn covers(from: u32, to: u32) -> Vec<Cover> {
    let scale = f64::from(from) / f64::from(to);
    (0..to)
        .map(|i| {
            let (start, end) = (f64::from(i) * scale, (f64::from(i + 1) * scale).min(f64::from(from)));
            let first = (start.floor() as u32).min(from - 1);
            let last = (end.ceil() as u32).clamp(first + 1, from);
            let overlap = |p: u32| (end.min(f64::from(p + 1)) - start.max(f64::from(p))).max(0.0);
            let total: f64 = (first..last).map(overlap).sum();
            Cover { first: first as usize, weights: (first..last).map(|p| (overlap(p) / total) as f32).collect() }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(width: u32, height: u32) -> Image {
        let value = |i: u32| (i.wrapping_mul(2_654_435_761) >> 8) as f32 / (1 << 24) as f32 - 0.1;
        let pixels = (0..width * height).map(|i| [value(3 * i), value(3 * i + 1), value(3 * i + 2)]).collect();
        Image { width, height, pixels }
    }

    fn mean(image: &Image) -> [f64; 3] {
        let n = image.pixels.len() as f64;
        std::array::from_fn(|c| image.pixels.iter().map(|p| f64::from(p[c])).sum::<f64>() / n)
    }

    /// The definition, one output pixel at a time in f64.
    fn integral(image: &Image, width: u32, height: u32, x: u32, y: u32) -> [f64; 3] {
        let (sx, sy) = (f64::from(image.width) / f64::from(width), f64::from(image.height) / f64::from(height));
        let mut sum = [0.0; 3];
        for v in 0..image.height {
            for u in 0..image.width {
                let span = |i: u32, s: f64, p: u32| {
                    (f64::from(i + 1) * s).min(f64::from(p + 1)) - (f64::from(i) * s).max(f64::from(p))
                };
                let area = span(x, sx, u).max(0.0) * span(y, sy, v).max(0.0) / (sx * sy);
                (0..3).for_each(|c| sum[c] += area * f64::from(image.at(u, v)[c]));
            }
        }
        sum
    }

    #[test]
    fn equals_the_integral_for_odd_sizes() {
        let image = noise(13, 11);
        for (width, height) in [(3, 2), (4, 3), (13, 5), (1, 1), (6, 11), (20, 17)] {
            let small = resize_area(&image, width, height);
            assert_eq!((small.width, small.height), (width, height));
            for y in 0..height {
                for x in 0..width {
                    let truth = integral(&image, width, height, x, y);
                    (0..3).for_each(|c| assert!((f64::from(small.at(x, y)[c]) - truth[c]).abs() < 1e-6));
                }
            }
        }
    }

    #[test]
    fn keeps_the_mean_and_whole_factors_are_block_means() {
        let image = noise(1169, 40);
        let (before, after) = (mean(&image), mean(&resize_area(&image, 292, 10)));
        (0..3).for_each(|c| assert!((before[c] - after[c]).abs() < 1e-6));
        let half = resize_area(&noise(4, 4), 2, 2);
        let four = noise(4, 4);
        let block = (four.at(2, 0)[1] + four.at(3, 0)[1] + four.at(2, 1)[1] + four.at(3, 1)[1]) / 4.0;
        assert!((half.at(1, 0)[1] - block).abs() < 1e-6);
    }

    #[test]
    fn same_size_and_empty_images_are_no_special_trouble() {
        let image = noise(5, 3);
        assert_eq!(resize_area(&image, 5, 3), image);
        assert_eq!(resize_area(&Image::default(), 2, 2), Image::new(2, 2));
        assert_eq!(resize_area(&image, 0, 0).pixels.len(), 1);
    }
}
