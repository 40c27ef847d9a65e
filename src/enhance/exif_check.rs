//! Whether photographs look as EXIF data say that they were exposed. What was equalized since (by this program, by a
//! raw developer that matches exposures) has the EXIF data of before, and would be equalized once more.

use super::choose::{BLACK, MOST_SATURATED, SATURATED};
use super::estimate::median_luminance;
use crate::color::{exposed_unclipped, to_linear};

/// Photographs that get darker by more than this many stops for each stop of longer exposure were equalized since. A meter
/// keeps levels where they are (0); a camera that lets dark places come out darker has -0.4, with a steep tone curve -0.6.
const MOST_SLOPE: f64 = -0.7;
/// Standard errors by which a slope lies below that, and photographs that it is seen in, at least.
const CERTAIN: f64 = 2.0;
const FEWEST: usize = 4;
/// Where they are brighter by as much for sure, exposures were not a meter's.
const SET_BY_HAND: f64 = 0.3;
/// Stops within which exposures are the same, and that they have to differ by.
const SAME: f64 = 0.1;
const LEAST_RANGE: f64 = 0.5;

/// Pixels of a photograph that were multiplied, in linear light, by `gain`.
pub struct Exposed<'a> {
    pub name: &'a str,
    pub gain: [f32; 3],
    pub pixels: &'a [[f32; 3]],
}

/// What contradicts the EXIF data of these photographs, if anything does.
pub fn contradiction(photographs: &[Exposed<'_>]) -> Option<String> {
    let line = Line::through(photographs);
    if line.is_some_and(|line| line.slope + CERTAIN * line.error < MOST_SLOPE) {
        let stops = line.map_or(0.0, |line| -line.slope);
        return Some(format!("photographs get {stops:.1} stops darker per stop of longer exposure"));
    }
    // Light that follows the exposures was set by hand, and windows may become white.
    if line.is_some_and(|line| line.slope - CERTAIN * line.error > SET_BY_HAND) {
        return None;
    }
    let raised: Vec<_> = photographs.iter().filter(|of| of.gain[1] > 1.0).collect();
    let saturated: Vec<String> = raised.iter().filter_map(|of| saturates(of)).collect();
    // One or another view is of the sky.
    if 2 * saturated.len() < raised.len() { None } else { saturated.into_iter().next() }
}

/// The pixels as they were.
pub fn unexposed(pixels: &mut [[f32; 3]], gain: [f32; 3]) {
    pixels.iter_mut().for_each(|p| *p = before(*p, gain));
}

fn before(pixel: [f32; 3], gain: [f32; 3]) -> [f32; 3] {
    std::array::from_fn(|c| exposed_unclipped(pixel[c], 1.0 / gain[c]))
}

/// A line through the light of the medians over the exposures, in stops, and the standard error of its slope.
#[derive(Clone, Copy)]
struct Line {
    slope: f64,
    error: f64,
}

impl Line {
    fn through(photographs: &[Exposed<'_>]) -> Option<Self> {
        let point = |of: &Exposed<'_>| {
            let (median, longer) = (median_luminance(of.pixels), -f64::from(of.gain[1]).log2());
            (median >= BLACK).then(|| [longer, f64::from(to_linear(median)).log2() + longer])
        };
        let mut points: Vec<[f64; 2]> = photographs.iter().filter_map(point).collect();
        // A camera at its longest exposure leaves what is darker still as dark as it is.
        let longest = points.iter().map(|p| p[0]).fold(f64::NEG_INFINITY, f64::max);
        let at_limit = |p: &[f64; 2]| p[0] > longest - SAME;
        if points.iter().filter(|p| at_limit(p)).count() > 1 {
            points.retain(|p| !at_limit(p));
        }
        let range = points.iter().fold([f64::INFINITY, f64::NEG_INFINITY], |[a, b], p| [a.min(p[0]), b.max(p[0])]);
        if points.len() < FEWEST || range[1] - range[0] < LEAST_RANGE {
            return None;
        }
        let count = points.len() as f64;
        let [x, y] = [0, 1].map(|i| points.iter().map(|p| p[i]).sum::<f64>() / count);
        let sum = |i: usize, j: usize| points.iter().map(|p| (p[i] - [x, y][i]) * (p[j] - [x, y][j])).sum::<f64>();
        let slope = sum(0, 1) / sum(0, 0);
        let error = ((sum(1, 1) - slope * sum(0, 1)).max(0.0) / (count - 2.0) / sum(0, 0)).sqrt();
        Some(Self { slope, error })
    }
}

fn saturates(of: &Exposed<'_>) -> Option<String> {
    let full = |p: [f32; 3]| p.iter().all(|v| *v >= SATURATED);
    let count = of.pixels.iter().filter(|p| full(**p) && !full(before(**p, of.gain))).count();
    let part = count as f32 / of.pixels.len().max(1) as f32;
    (part > MOST_SATURATED).then(|| format!("applying them would saturate {:.0} % of {}", 100.0 * part, of.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Photographs of these stops of light (median; half of a photograph has twice that), exposed for so many stops longer
    /// than the mean, as EXIF data say.
    fn contradicted(seen: &[[f64; 2]]) -> Option<String> {
        let level = |light: f64| crate::color::to_srgb(light.exp2() as f32);
        let photographs = seen.iter().map(|&[light, longer]| {
            let gain = [(-longer).exp2() as f32; 3];
            let pixel = |i: usize| [exposed_unclipped(level(light + f64::from(u32::from(i > 50))), gain[0]); 3];
            (gain, (0..101).map(pixel).collect::<Vec<_>>())
        });
        let photographs: Vec<_> = photographs.collect();
        let exposed: Vec<_> =
            photographs.iter().map(|(gain, pixels)| Exposed { name: "a.jpg", gain: *gain, pixels }).collect();
        contradiction(&exposed)
    }

    #[test]
    fn what_a_camera_does_is_believed_and_what_was_equalized_is_not() {
        let exposures = [-1.0, -0.4, 0.1, 0.5, 0.8];
        let seen = |slope: f64, content: f64, median: f64| {
            let odd = |i: usize| content * [0.5, -0.5, 0.1, 0.4, -0.5][i];
            let all = exposures.iter().enumerate();
            all.map(|(i, longer)| [median + slope * longer + odd(i), *longer]).collect::<Vec<_>>()
        };
        // Set by hand; a meter, also one that leaves dark places darker, and with views that differ by other things.
        for (slope, content) in [(1.0, 0.0), (1.0, 1.0), (0.0, 0.0), (0.0, 1.0), (-0.4, 0.2)] {
            assert_eq!(contradicted(&seen(slope, content, -9.0)), None, "{slope} {content}");
        }
        // What was dark through a meter's eyes is so again after its exposures were matched.
        let found = contradicted(&seen(-1.0, 0.1, -9.0)).unwrap();
        assert!(found.contains("1.0 stops"), "{found}");
        // Too few to decide; a black one does not count.
        assert_eq!(contradicted(&seen(-1.0, 0.0, -9.0)[..3]), None);
        let mut black = seen(-1.0, 0.0, -9.0)[..4].to_vec();
        black[3][0] = -20.0;
        assert_eq!(contradicted(&black), None);
        // Pictures that are lit alike: half of the one that was exposed for half as long would become white.
        let found = contradicted(&seen(0.0, 0.0, -1.5)).unwrap();
        assert!(found.contains("a.jpg") && found.contains("50 %"), "{found}");
        assert_eq!(contradicted(&seen(0.0, 0.0, -3.0)), None);
    }

    #[test]
    fn windows_the_sky_and_a_camera_at_its_limit_are_no_reason() {
        // Set by hand: what is white at a mean exposure was so before.
        let by_hand: Vec<[f64; 2]> = (0..8).map(|i| if i % 2 == 0 { [-2.4, -1.0] } else { [-0.4, 1.0] }).collect();
        assert_eq!(contradicted(&by_hand), None);
        // One view of three that were exposed for less time is of the sky.
        let meter = [[-1.2, -1.0], [-3.0, -0.8], [-3.1, -0.6], [-3.0, 0.4], [-2.9, 0.6], [-3.0, 0.9]];
        assert_eq!(contradicted(&meter), None);
        // Eight that are metered, sixteen at the longest exposure, the darkest of all.
        let metered = (0..8).map(|i| [-9.0 + 0.1 * f64::from(i % 3), -1.4 + 0.2 * f64::from(i)]);
        let at_limit = (0..16).map(|i| [-9.0 - 2.2 * f64::from(i) / 15.0, 0.7]);
        assert_eq!(contradicted(&metered.chain(at_limit).collect::<Vec<_>>()), None);
    }

    #[test]
    fn exposing_is_undone() {
        let mut pixels = vec![[0.2, 1.4, -0.01]];
        let gain = [0.5, 2.0, 3.0];
        let was = before(pixels[0], gain);
        unexposed(&mut pixels, gain);
        assert_eq!(pixels, [was]);
        let again: [f32; 3] = std::array::from_fn(|c| exposed_unclipped(was[c], gain[c]));
        assert!(again.iter().zip([0.2, 1.4, -0.01]).all(|(v, want)| (v - want).abs() < 1e-5), "{again:?}");
    }
}
