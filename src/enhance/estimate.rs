//! Estimation of a response from pixels: of one image, or of samples of all views.

use super::config::{Config, Normalize, Response, Scope, Sigma};
use super::tone::{Equalization, Range, Restoration, Tone, yuv8};

/// `τ` of the symmetric normalization.
const SYMMETRIC_TAU: f32 = 3.0;
/// Where the white of `Normalize::White` lies: this quantile of the response becomes that value.
const WHITE: (f64, f32) = (0.995, 0.95);

/// Response and normalization for `pixels`, with the settings' formula (NAKA-GS §3.1). `Response::None` gives the
/// identity; `Auto` and `Camera` are not estimated from pixels and count as `Naka` here.
pub fn estimate(config: &Config, pixels: &[[f32; 3]]) -> Restoration {
    if pixels.is_empty() || config.response == Response::None {
        return Restoration::plain(Tone::Identity);
    }
    let median = median_luminance(pixels);
    let tone = match (config.response, config.sigma) {
        (Response::Log, Sigma::Auto) => Tone::Log { scale: log_scale(median) },
        (Response::Log, Sigma::Value(scale)) => Tone::Log { scale },
        (_, Sigma::Value(sigma)) => Tone::Naka { n: config.n, sigma },
        (_, Sigma::Auto) => {
            let sigma = if config.scope == Scope::Scene { scene_sigma(median) } else { published_sigma(median) };
            Tone::Naka { n: config.n, sigma }
        }
    };
    normalize(config.normalize, tone, pixels)
}

fn normalize(mode: Normalize, tone: Tone, pixels: &[[f32; 3]]) -> Restoration {
    let range = |low: f64, high: f64| {
        let mut values: Vec<f32> = pixels.iter().flatten().copied().collect();
        Range { low: quantile(&mut values, low, &tone), high: quantile(&mut values, high, &tone) }
    };
    let range = match mode {
        Normalize::Linear | Normalize::Histogram => range(0.0, 1.0),
        Normalize::Percentile => range(0.025, 0.975),
        Normalize::Symmetric => Range { low: -SYMMETRIC_TAU, high: SYMMETRIC_TAU },
        Normalize::White => Range { low: 0.0, high: range(WHITE.0, WHITE.0).high / WHITE.1 },
    };
    let mut restoration = Restoration { tone, range, equalize: None };
    if mode == Normalize::Histogram {
        restoration.equalize = Some(Box::new(equalization(&restoration, pixels)));
    }
    restoration
}

/// The response's quantile with linear interpolation between order statistics (numpy's default). The response is
/// monotone, so the values themselves are ranked and only two are mapped.
fn quantile(values: &mut [f32], q: f64, tone: &Tone) -> f32 {
    let position = q * (values.len() - 1) as f64;
    let rank = position.floor() as usize;
    let (_, lower, above) = values.select_nth_unstable_by(rank, f32::total_cmp);
    let lower = *lower;
    let upper = above.iter().copied().min_by(f32::total_cmp).unwrap_or(lower);
    let response = |v: f32| tone.apply([v; 3])[0];
    let (lower, upper) = (response(lower), response(upper));
    lower + (upper - lower) * (position - rank as f64) as f32
}

/// The median over pixels of the mean over channels.
pub fn median_luminance(pixels: &[[f32; 3]]) -> f32 {
    let mut means: Vec<f32> = pixels.iter().map(|p| (p[0] + p[1] + p[2]) / 3.0).collect();
    if means.is_empty() { 0.0 } else { quantile(&mut means, 0.5, &Tone::Identity) }
}

/// σ auto as published: a quarter of the median, at least 0.05 where the image is dark.
fn published_sigma(median: f32) -> f32 {
    let sigma = (median / 4.0).clamp(0.01, 0.8);
    if median < 0.05 { sigma.max(0.05) } else { sigma }
}

/// σ auto of a whole capture. Eight captures with dark medians of 1–7 levels of 255 related to their lit views by
/// σ·255 of 3.3–6.5 levels: it rises with the median, but slower. From 8 levels on the median itself lands mid-gray.
fn scene_sigma(median: f32) -> f32 {
    let median = median.clamp(0.001, 0.8);
    (0.032 * median).sqrt().max(median)
}

fn log_scale(median: f32) -> f32 {
    (0.4 * median.clamp(0.05, 0.95)).clamp(0.02, 0.5)
}

/// The table that makes the luma's cumulated histogram straight (OpenCV's `equalizeHist`).
fn equalization(restoration: &Restoration, pixels: &[[f32; 3]]) -> Equalization {
    let mut counts = [0u64; 256];
    for &pixel in pixels {
        counts[yuv8(restoration.apply(pixel))[0] as usize] += 1;
    }
    let first = counts.iter().position(|n| *n > 0).unwrap_or(0);
    let rest = pixels.len() as u64 - counts[first];
    if rest == 0 {
        return std::array::from_fn(|i| i as u8);
    }
    let mut sum = 0;
    std::array::from_fn(|i| {
        sum += if i > first { counts[i] } else { 0 };
        (sum as f64 * 255.0 / rest as f64).round() as u8
    })
}
