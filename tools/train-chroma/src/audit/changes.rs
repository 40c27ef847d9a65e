//! Changes that leave the structure of a capture as it is.

use crate::pairs::{self, Capture, Pair};
use naka_gs::capture::{Image, read_image};
use naka_gs::enhance::camera::Camera;
use naka_gs::enhance::{Restoration, dequantize, read_dark};
use naka_gs::error::Result;
use std::path::Path;

/// How many times longer lit pictures of a capture are exposed whose `camera.toml` does not say.
pub const USUAL_RATIO: f32 = 40.0;

/// What is done to dark pictures, lit pictures and response alike.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Change {
    /// The dark pictures are exposed as if the lit ones were so many times longer; the response takes that back first.
    Exposure(f32),
    /// Channel `c` of the changed pictures is this one of the original.
    Channels([usize; 3]),
    /// Mirrored, left to right and upside down.
    Mirrored([bool; 2]),
}

/// The changes that are audited; the first is none.
pub const CHANGES: [Change; 8] = [
    Change::Mirrored([false; 2]),
    Change::Exposure(20.0),
    Change::Exposure(40.0),
    Change::Exposure(80.0),
    Change::Channels([1, 2, 0]),
    Change::Channels([2, 0, 1]),
    Change::Mirrored([true, false]),
    Change::Mirrored([false, true]),
];

/// A changed capture.
pub struct Changed {
    /// The changed pictures; the responses are those of the original.
    pub capture: Capture,
    order: [usize; 3],
    /// Takes the exposure of dark values back.
    back: Option<Camera>,
}

impl Changed {
    /// The lit value of a changed dark pixel, under a response of the original capture.
    pub fn light(&self, response: &Restoration, dark: [f32; 3]) -> [f32; 3] {
        let mut original = [0.0; 3];
        self.order.iter().zip(dark).for_each(|(c, value)| original[*c] = value);
        permuted(response.apply(self.back.as_ref().map_or(original, |back| back.apply(original))), self.order)
    }
}

impl Change {
    /// The name in the table.
    pub fn name(self) -> String {
        match self {
            Self::Exposure(ratio) => format!("lit / dark ×{ratio}"),
            Self::Channels(order) => format!("RGB → {}", order.map(|c| ["R", "G", "B"][c]).concat()),
            Self::Mirrored([false, false]) => "none".into(),
            Self::Mirrored([true, false]) => "left and right exchanged".into(),
            Self::Mirrored([false, true]) => "upside down".into(),
            Self::Mirrored([true, true]) => "turned by 180°".into(),
        }
    }

    /// Changes the `capture` that was read from `folder` at a part of 1/`downscale` of its size.
    ///
    /// # Errors
    /// Pictures that cannot be read again for another exposure.
    pub fn apply(self, capture: &Capture, folder: &Path, downscale: u32) -> Result<Changed> {
        let both = |change: &dyn Fn(&Image) -> Image| {
            let pair = |pair: &Pair| Pair { dark: change(&pair.dark), lit: change(&pair.lit) };
            capture.pairs.iter().map(pair).collect()
        };
        let (mut order, mut back) = ([0, 1, 2], None);
        let pairs = match self {
            Self::Mirrored(sides) => both(&|image| mirrored(image, sides)),
            Self::Channels(changed) => {
                order = changed;
                let pixels = |image: &Image| image.pixels.iter().map(|pixel| permuted(*pixel, order)).collect();
                both(&|image| Image { pixels: pixels(image), ..*image })
            }
            Self::Exposure(wanted) => {
                let factor = pairs::camera(folder)?.and_then(|camera| camera.ratio).unwrap_or(USUAL_RATIO) / wanted;
                back = Some(Camera::exposure(factor.recip()));
                let decode = |path: &Path| exposed(path, factor);
                pairs::capture(folder, &[downscale], &decode)?.remove(0).pairs
            }
        };
        Ok(Changed { capture: Capture { pairs, ..capture.clone() }, order, back })
    }
}

fn permuted(pixel: [f32; 3], order: [usize; 3]) -> [f32; 3] {
    order.map(|c| pixel[c])
}

fn mirrored(image: &Image, [across, down]: [bool; 2]) -> Image {
    let place = |i: u32, length: u32, mirror: bool| if mirror { length - 1 - i } else { i };
    let columns = |y: u32| (0..image.width).map(move |x| (place(x, image.width, across), y));
    let places = (0..image.height).flat_map(|y| columns(place(y, image.height, down)));
    Image { pixels: places.map(|(x, y)| image.at(x, y)).collect(), ..*image }
}

/// A dark picture as if its light were `factor` times as much. What gets darker is rounded to 8 bits again, before colors
/// are estimated between whole levels; what gets brighter keeps the coarser steps that it then has.
fn exposed(path: &Path, factor: f32) -> Result<Image> {
    let camera = Camera::exposure(factor);
    let brighter = |image: Image| {
        let pixels = image.pixels.iter().map(|pixel| camera.apply(*pixel)).collect();
        Image { pixels, ..image }
    };
    if factor >= 1.0 {
        return read_dark(path).map(brighter);
    }
    Ok(dequantize(Image::from_rgb8(&brighter(read_image(path)?).to_rgb8())))
}
