//! The published loss (NAKA-GS §3.2): reconstruction, color, structure, edges, regularity of the maps, and the two
//! mask-guided terms at edges and in bright regions.

mod features;

pub use features::{Features, SMALLEST};

use crate::network::{Maps, linear};
use burn::tensor::activation::relu;
use burn::tensor::{Tensor, TensorData};

const CHARBONNIER: f64 = 1e-3;
/// Luma of red, green and blue (BT.601).
pub const LUMA: [f64; 3] = [0.299, 0.587, 0.114];
/// Blue and red differences: (B − Y) and (R − Y) times these.
const CHROMA: [f64; 2] = [0.564, 0.713];
/// SSIM's constants for values in 0–1.
const SSIM: (f64, f64) = (1e-4, 9e-4);
/// The bright mask begins at this quantile of the prediction's luma.
const BRIGHT: f64 = 0.85;

/// Share of the perceptual term.
const PERCEPTUAL: f64 = 0.15;

/// Luma, and what blue and red differ from it by.
pub fn apart([r, g, b]: [f32; 3]) -> [f32; 3] {
    let [wr, wg, wb] = LUMA.map(|weight| weight as f32);
    let luma = wr * r + wg * g + wb * b;
    [luma, b - luma, r - luma]
}

/// [`total`] with the perceptual term, where there are `features`.
pub fn with_features(
    features: Option<&Features>,
    found: &Tensor<4>,
    truth: &Tensor<4>,
    naka: &Tensor<4>,
    maps: &Maps,
) -> Tensor<1> {
    let loss = total(found, truth, naka, maps);
    match features {
        Some(features) => loss + features.difference(found, truth) * PERCEPTUAL,
        None => loss,
    }
}

/// The loss of `found` against `truth`, both [N, 3, H, W]; `naka` is what the maps were applied to.
pub fn total(found: &Tensor<4>, truth: &Tensor<4>, naka: &Tensor<4>, maps: &Maps) -> Tensor<1> {
    let difference = found.clone() - truth.clone();
    let absolute = difference.clone().abs();
    let l1 = absolute.clone().mean();
    charbonnier(&difference)
        + l1.clone() * 0.5
        + color(&difference) * 0.5
        + (ssim(found, truth).neg() + 1.0) * 0.3
        + sobel(&difference) * 0.2
        + regularity(maps, l1, (naka.clone() - truth.clone()).abs().mean()) * 0.02
        + (edges(truth) * absolute.clone()).mean()
        + (bright(found) * absolute).mean() * 0.8
}

/// mean √(d² + ε²).
fn charbonnier(difference: &Tensor<4>) -> Tensor<1> {
    (difference.clone() * difference.clone() + CHARBONNIER * CHARBONNIER).sqrt().mean()
}

/// L1 of the color differences, plus 0.2 of luma's.
fn color(difference: &Tensor<4>) -> Tensor<1> {
    let [red, _, blue] = [0, 1, 2].map(|c| difference.clone().narrow(1, c, 1));
    let y = luma(difference);
    let cb = (blue - y.clone()) * CHROMA[0];
    let cr = (red - y.clone()) * CHROMA[1];
    Tensor::cat(vec![cb, cr], 1).abs().mean() + y.abs().mean() * 0.2
}

fn luma(x: &Tensor<4>) -> Tensor<4> {
    let [red, green, blue] = [0, 1, 2].map(|c| x.clone().narrow(1, c, 1) * LUMA[c]);
    red + green + blue
}

/// Structural similarity with a Gaussian 11×11 of σ = 1.5, zeros beyond the borders, averaged over everything.
pub fn ssim(x: &Tensor<4>, y: &Tensor<4>) -> Tensor<1> {
    let [n, c, h, w] = x.dims();
    let kernel = linear::gaussian(11, 1.5);
    let (rows, columns) = (linear::filter(&kernel, h, &x.device()), linear::filter(&kernel, w, &x.device()));
    let products = vec![x.clone(), y.clone(), x.clone() * x.clone(), y.clone() * y.clone(), x.clone() * y.clone()];
    let smooth = linear::apply(Tensor::cat(products, 0), &rows, &columns);
    let [mx, my, xx, yy, xy] = [0, 1, 2, 3, 4].map(|i| smooth.clone().narrow(0, i * n, n));
    debug_assert_eq!(mx.dims(), [n, c, h, w]);
    let (mx2, my2, mxy) = (mx.clone() * mx.clone(), my.clone() * my.clone(), mx * my);
    let variances = xx - mx2.clone() + yy - my2.clone() + SSIM.1;
    let covariance = xy - mxy.clone();
    let similarity = (mxy * 2.0 + SSIM.0) * (covariance * 2.0 + SSIM.1) / ((mx2 + my2 + SSIM.0) * variances);
    similarity.mean()
}

/// L1 of both derivatives of Sobel; they are linear, so the derivatives of the difference will do.
fn sobel(difference: &Tensor<4>) -> Tensor<1> {
    let ([_, _, h, w], device) = (difference.dims(), difference.device());
    let filter = |kernel: [f32; 3], size| linear::filter(&kernel, size, &device);
    let (smooth, slope) = ([1.0, 2.0, 1.0], [-1.0, 0.0, 1.0]);
    let across = linear::apply(difference.clone(), &filter(smooth, h), &filter(slope, w));
    let down = linear::apply(difference.clone(), &filter(slope, h), &filter(smooth, w));
    across.abs().mean() + down.abs().mean()
}

/// Small and smooth maps, and no result worse than `naka`.
fn regularity(maps: &Maps, l1: Tensor<1>, before: Tensor<1>) -> Tensor<1> {
    let size = (maps.mul.clone() - 1.0).abs().mean() + maps.add.clone().abs().mean();
    let variation = total_variation(&maps.mul) + total_variation(&maps.add);
    size + variation * 0.5 + relu(l1 - before) * 0.1
}

fn total_variation(x: &Tensor<4>) -> Tensor<1> {
    let [_, _, h, w] = x.dims();
    let step = |dim: usize, length: usize| {
        let (ahead, here) = (x.clone().narrow(dim, 1, length - 1), x.clone().narrow(dim, 0, length - 1));
        (ahead - here).abs().mean()
    };
    match (h, w) {
        (1, 1) => Tensor::zeros([1], &x.device()),
        (1, _) => step(3, w),
        (_, 1) => step(2, h),
        _ => step(2, h) + step(3, w),
    }
}

/// √(|Laplacian| / its largest) of the truth's luma, [N, 1, H, W].
fn edges(truth: &Tensor<4>) -> Tensor<4> {
    let ([_, _, h, w], device) = (truth.dims(), truth.device());
    let (second, same) = ([1.0, -2.0, 1.0], [1.0]);
    let gray = luma(truth);
    let across = linear::apply(gray.clone(), &linear::filter(&same, h, &device), &linear::filter(&second, w, &device));
    let down = linear::apply(gray, &linear::filter(&second, h, &device), &linear::filter(&same, w, &device));
    let strength = (across + down).abs();
    let largest = strength.clone().max().clamp_min(1e-6).reshape([1, 1, 1, 1]);
    (strength / largest).sqrt()
}

/// 1 where the prediction's luma is in its upper 15 %, else 0, [N, 1, H, W]; without gradient.
fn bright(found: &Tensor<4>) -> Tensor<4> {
    let gray = luma(&found.clone().detach());
    let (dims, device) = (gray.dims(), gray.device());
    let mut values = gray.into_data().try_to_vec::<f32>().unwrap_or_default();
    if values.is_empty() {
        return Tensor::zeros(dims, &device);
    }
    let mut sorted = values.clone();
    let rank = ((sorted.len() - 1) as f64 * BRIGHT).round() as usize;
    let (_, limit, _) = sorted.select_nth_unstable_by(rank, f32::total_cmp);
    let limit = *limit;
    values.iter_mut().for_each(|v| *v = if *v >= limit { 1.0 } else { 0.0 });
    Tensor::from_data(TensorData::new(values, dims), &device)
}

#[cfg(test)]
mod tests;
