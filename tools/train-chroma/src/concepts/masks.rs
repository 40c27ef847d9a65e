//! Concepts: kinds of pixels that a user may care about, told by the lit picture alone.

use crate::loss::apart;
use burn::tensor::{Device, Tensor, TensorData};
use naka_gs::capture::Image;
use std::fmt;

/// Least slope of luma at an edge, per pixel of the working size.
const EDGE: f32 = 0.08;
/// Least value of the largest channel of a lamp: 250 of 255, which JPEG leaves of what is clipped.
const LAMP: f32 = 250.0 / 255.0;
/// Luma below which a pixel of the lit picture is dark.
const DARK: f32 = 0.15;
/// Hue in degrees, saturation and value of skin. Hue and saturation are those of Sobottka and Pitas (Signal Processing:
/// Image Communication 12, 1998); the least value keeps out shadows, whose hue is noise.
const SKIN: [[f32; 2]; 3] = [[0.0, 50.0], [0.23, 0.68], [0.35, 1.0]];
/// Hue in degrees, saturation and value of wood: brown to orange, a plain choice without a source. Light wood is skin, too.
const WOOD: [[f32; 2]; 3] = [[15.0, 45.0], [0.3, 0.85], [0.15, 0.75]];

/// A kind of pixels of the lit picture, at the working size. A pixel may be of several kinds.
///
/// Those of hues are ranges of hue, saturation and value: a wall in the color of skin counts as skin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Concept {
    /// Luma changes by at least 0.08 a pixel (central differences)
    Edges,
    /// Clipped or nearly: the largest channel is at least 250 of 255
    Lamps,
    /// Luma below 0.15
    Dark,
    /// Hue 0° to 50°, saturation 0.23 to 0.68, value from 0.35 on
    Skin,
    /// Hue 15° to 45°, saturation 0.3 to 0.85, value 0.15 to 0.75
    Wood,
}

/// All concepts.
pub const CONCEPTS: [Concept; 5] = [Concept::Edges, Concept::Lamps, Concept::Dark, Concept::Skin, Concept::Wood];

impl fmt::Display for Concept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Edges => "edges",
            Self::Lamps => "lamps",
            Self::Dark => "dark",
            Self::Skin => "skin",
            Self::Wood => "wood",
        })
    }
}

impl Concept {
    /// Which pixels of a lit picture (sRGB-coded, 0–1) are of this kind.
    pub fn mask(self, lit: &Image) -> Vec<bool> {
        match self {
            Self::Edges => slopes(lit).into_iter().map(|slope| slope >= EDGE).collect(),
            _ => lit.pixels.iter().map(|pixel| self.is(*pixel)).collect(),
        }
    }

    /// Whether a pixel's own color is of this kind; edges are not in a pixel.
    fn is(self, pixel: [f32; 3]) -> bool {
        let within = |ranges: [[f32; 2]; 3]| hsv(pixel).iter().zip(ranges).all(|(v, [a, b])| (a..=b).contains(v));
        match self {
            Self::Edges => false,
            Self::Lamps => pixel.into_iter().fold(0.0, f32::max) >= LAMP,
            Self::Dark => apart(pixel)[0] < DARK,
            Self::Skin => within(SKIN),
            Self::Wood => within(WOOD),
        }
    }
}

/// Which pixels are of any of the `concepts`.
pub fn any(concepts: &[Concept], lit: &Image) -> Vec<bool> {
    let mut mask = vec![false; lit.pixels.len()];
    for concept in concepts {
        mask.iter_mut().zip(concept.mask(lit)).for_each(|(all, one)| *all |= one);
    }
    mask
}

/// 1 at the pixels of any of the `concepts`, else 0, [N, 1, H, W], for lit pictures of one size.
pub fn tensor(concepts: &[Concept], lit: &[Image], device: &Device) -> Tensor<4> {
    let [height, width] = lit.first().map_or([0; 2], |image| [image.height as usize, image.width as usize]);
    let values: Vec<f32> = lit.iter().flat_map(|image| any(concepts, image)).map(f32::from).collect();
    Tensor::from_data(TensorData::new(values, [lit.len(), 1, height, width]), device)
}

/// The names of `concepts` with commas.
pub fn names(concepts: &[Concept]) -> String {
    concepts.iter().map(Concept::to_string).collect::<Vec<_>>().join(", ")
}

/// The gradient's length from central differences, per pixel; beyond borders the last pixel is repeated.
fn slopes(image: &Image) -> Vec<f32> {
    let (width, height) = (image.width, image.height);
    let at = |x: u32, y: u32| apart(image.at(x, y))[0];
    let slope = |x: u32, y: u32| {
        let across = at((x + 1).min(width - 1), y) - at(x.saturating_sub(1), y);
        let down = at(x, (y + 1).min(height - 1)) - at(x, y.saturating_sub(1));
        across.hypot(down) / 2.0
    };
    (0..height).flat_map(|y| (0..width).map(move |x| (x, y))).map(|(x, y)| slope(x, y)).collect()
}

/// Hue in degrees (0–360; 0 of grays), saturation and value.
fn hsv([r, g, b]: [f32; 3]) -> [f32; 3] {
    let (value, least) = (r.max(g).max(b), r.min(g).min(b));
    let range = value - least;
    if range <= 0.0 || value <= 0.0 {
        return [0.0, 0.0, value];
    }
    let sixth = if value == r {
        (g - b) / range
    } else if value == g {
        (b - r) / range + 2.0
    } else {
        (r - g) / range + 4.0
    };
    [60.0 * sixth.rem_euclid(6.0), range / value, value]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hues_of_known_colors() {
        // From the definition by hand.
        for (pixel, expected) in [
            ([0.8, 0.6, 0.4], [30.0, 0.5, 0.8]),
            ([0.2, 0.4, 0.2], [120.0, 0.5, 0.4]),
            ([0.1, 0.1, 0.5], [240.0, 0.8, 0.5]),
            ([0.6, 0.3, 0.45], [330.0, 0.5, 0.6]),
            ([0.3, 0.3, 0.3], [0.0, 0.0, 0.3]),
            ([0.0; 3], [0.0; 3]),
        ] {
            assert!(hsv(pixel).iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-4), "{pixel:?} {:?}", hsv(pixel));
        }
    }

    #[test]
    fn colors_are_of_their_kinds() {
        let kinds = |pixel: [u8; 3]| {
            let lit = Image { width: 1, height: 1, pixels: vec![pixel.map(|v| f32::from(v) / 255.0)] };
            CONCEPTS.into_iter().filter(|concept| concept.mask(&lit)[0]).collect::<Vec<_>>()
        };
        assert_eq!(kinds([224, 172, 138]), [Concept::Skin]);
        assert_eq!(kinds([120, 80, 40]), [Concept::Skin, Concept::Wood]);
        assert_eq!(kinds([30, 30, 40]), [Concept::Dark]);
        assert_eq!(kinds([251, 245, 230]), [Concept::Lamps]);
        assert_eq!(kinds([90, 120, 200]), []);
        assert_eq!(kinds([128; 3]), []);
    }

    #[test]
    fn a_step_is_an_edge_and_a_gentle_ramp_is_none() {
        // Luma 0.2 left, 0.5 right: 0.15 a pixel at the two columns beside the step.
        let pixels = (0..8 * 3).map(|i| [if i % 8 < 4 { 0.2 } else { 0.5 }; 3]).collect();
        let step = Image { width: 8, height: 3, pixels };
        let columns: Vec<usize> =
            Concept::Edges.mask(&step).iter().enumerate().filter_map(|(i, e)| e.then_some(i % 8)).collect();
        assert_eq!(columns, [3, 4, 3, 4, 3, 4]);
        let pixels = (0..8 * 3).map(|i| [0.05 * (i % 8) as f32; 3]).collect();
        assert!(!Concept::Edges.mask(&Image { width: 8, height: 3, pixels }).contains(&true));
        // A diagonal's slope is that of both directions together: 0.06·√2 is beyond 0.08.
        let pixels = (0..64).map(|i| [0.06 * (i % 8 + i / 8) as f32; 3]).collect();
        let mask = Concept::Edges.mask(&Image { width: 8, height: 8, pixels });
        assert!(mask[9] && !mask[0] && !mask[7]);
    }

    #[test]
    fn several_concepts_are_joined() {
        let lit = Image { width: 2, height: 2, pixels: vec![[0.1; 3], [1.0; 3], [0.12; 3], [1.0; 3]] };
        assert_eq!(any(&[Concept::Dark, Concept::Lamps], &lit), [true; 4]);
        assert_eq!(any(&[Concept::Dark], &lit), [true, false, true, false]);
        let mask = tensor(&[Concept::Lamps], &[lit.clone(), lit], &Device::flex());
        assert_eq!(mask.dims(), [2, 1, 2, 2]);
        assert_eq!(mask.into_data().try_to_vec::<f32>().unwrap(), [0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0]);
        assert_eq!(names(&[Concept::Dark, Concept::Skin]), "dark, skin");
    }
}
