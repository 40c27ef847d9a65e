//! Whether photographs look as EXIF data say that they were exposed. What was equalized since (by this program, by a
//! raw developer that matches exposures) has the EXIF data of before, and would be equalized once more.

use super::choose::{MOST_SATURATED, SATURATED};
use super::estimate::median_luminance;
use crate::color::{exposed_unclipped, to_linear};

/// Where long exposures are darker than short ones by at least so many stops a stop, they are none any more. A meter keeps
/// the levels of photographs where they are (0); a camera that leaves dark places a little darker has -0.4, through a
/// steep tone curve -0.6.
const MOST_SLOPE: f64 = -0.7;
/// Standard errors by which a slope lies below that, and photographs that it is seen in, at least.
const CERTAIN: f64 = 2.0;
const FEWEST: usize = 4;
/// A median below this, half a level of 8 bits, says nothing.
const BLACK: f32 = 0.5 / 255.0;

/// Pixels of a photograph that were multiplied, in linear light, by `gain`.
pub struct Exposed<'a> {
    pub name: &'a str,
    pub gain: [f32; 3],
    pub pixels: &'a [[f32; 3]],
}

/// What speaks against the EXIF data of these photographs, if anything does.
pub fn doubt(photographs: &[Exposed<'_>]) -> Option<String> {
    darker_for_longer(photographs).or_else(|| photographs.iter().find_map(saturates))
}

/// The pixels as they were.
pub fn unexposed(pixels: &mut [[f32; 3]], gain: [f32; 3]) {
    pixels.iter_mut().for_each(|p| *p = before(*p, gain));
}

fn before(pixel: [f32; 3], gain: [f32; 3]) -> [f32; 3] {
    std::array::from_fn(|c| exposed_unclipped(pixel[c], 1.0 / gain[c]))
}

/// A line through the light of the medians over the exposures, in stops, that falls for sure.
fn darker_for_longer(photographs: &[Exposed<'_>]) -> Option<String> {
    let point = |of: &Exposed<'_>| {
        let (median, longer) = (median_luminance(of.pixels), -f64::from(of.gain[1]).log2());
        (median >= BLACK).then(|| [longer, f64::from(to_linear(median)).log2() + longer])
    };
    let points: Vec<[f64; 2]> = photographs.iter().filter_map(point).collect();
    let count = points.len() as f64;
    let [x, y] = [0, 1].map(|i| points.iter().map(|p| p[i]).sum::<f64>() / count);
    let sum = |i: usize, j: usize| points.iter().map(|p| (p[i] - [x, y][i]) * (p[j] - [x, y][j])).sum::<f64>();
    let slope = sum(0, 1) / sum(0, 0);
    let error = ((sum(1, 1) - slope * sum(0, 1)).max(0.0) / (count - 2.0) / sum(0, 0)).sqrt();
    let certain = points.len() >= FEWEST && slope + CERTAIN * error < MOST_SLOPE;
    certain.then(|| format!("photographs are darker by {:.1} stops where they were exposed for a stop longer", -slope))
}

fn saturates(of: &Exposed<'_>) -> Option<String> {
    let full = |p: [f32; 3]| p.iter().all(|v| *v >= SATURATED);
    let count = of.pixels.iter().filter(|p| full(**p) && !full(before(**p, of.gain))).count();
    let part = count as f32 / of.pixels.len().max(1) as f32;
    (part > MOST_SATURATED).then(|| format!("they would saturate {:.0} % of {}", 100.0 * part, of.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Photographs of these stops of light (median; half of a photograph has twice that), exposed for so many stops longer
    /// than the mean, as EXIF data say.
    fn doubted(seen: &[[f64; 2]]) -> Option<String> {
        let level = |light: f64| crate::color::to_srgb(light.exp2() as f32);
        let photographs = seen.iter().map(|&[light, longer]| {
            let gain = [(-longer).exp2() as f32; 3];
            let pixel = |i: usize| [exposed_unclipped(level(light + f64::from(u32::from(i > 50))), gain[0]); 3];
            (gain, (0..101).map(pixel).collect::<Vec<_>>())
        });
        let photographs: Vec<_> = photographs.collect();
        let exposed: Vec<_> =
            photographs.iter().map(|(gain, pixels)| Exposed { name: "a.jpg", gain: *gain, pixels }).collect();
        doubt(&exposed)
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
            assert_eq!(doubted(&seen(slope, content, -9.0)), None, "{slope} {content}");
        }
        // What was dark through a meter's eyes is so again after its exposures were matched.
        let found = doubted(&seen(-1.0, 0.1, -9.0)).unwrap();
        assert!(found.contains("1.0 stops"), "{found}");
        // Too few to tell; one that is black says nothing.
        assert_eq!(doubted(&seen(-1.0, 0.0, -9.0)[..3]), None);
        let mut black = seen(-1.0, 0.0, -9.0)[..4].to_vec();
        black[3][0] = -20.0;
        assert_eq!(doubted(&black), None);
        // Pictures that are lit alike: half of the one that was exposed for half as long would become white.
        let found = doubted(&seen(0.0, 0.0, -1.5)).unwrap();
        assert!(found.contains("a.jpg") && found.contains("50 %"), "{found}");
        assert_eq!(doubted(&seen(0.0, 0.0, -3.0)), None);
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
