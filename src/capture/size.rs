//! Pictures of another size than their model says: smaller copies of the photographs that the poses were found with.

use super::frame::Frame;
use super::messages::some;
use super::{Camera, Lens};
use crate::error::{Error, Result};
use std::collections::BTreeMap;
use std::path::Path;

type Size = (u32, u32);

/// How many pictures are not of the size that `source` says, by that size and their own.
pub struct Sizes<'a> {
    source: &'a Path,
    scaled: BTreeMap<(Size, Size), usize>,
}

impl<'a> Sizes<'a> {
    pub fn new(source: &'a Path) -> Self {
        Self { source, scaled: BTreeMap::new() }
    }

    /// The camera of `frame` for its picture `image`, which has the size `actual`; `refuse` says what is wrong with the
    /// intrinsics.
    ///
    /// # Errors
    /// A picture of another shape than the frame's.
    pub fn camera(
        &mut self,
        frame: &Frame,
        image: &Path,
        actual: Size,
        refuse: impl Fn(String) -> Error,
    ) -> Result<(Camera, Option<Lens>)> {
        let said = frame.size.unwrap_or(actual);
        if said != actual && !is_scaled(said, actual) {
            let source = self.source.display();
            let found = format!("is {} × {} pixels, but {source} says {} × {}", actual.0, actual.1, said.0, said.1);
            let remedy = "give the image at that size or scaled as a whole, or correct w, h and the intrinsics";
            return Err(Error::input(image, found, remedy));
        }
        let (camera, lens) = frame.camera(said).map_err(refuse)?;
        if said == actual {
            return Ok((camera, lens));
        }
        *self.scaled.entry((said, actual)).or_default() += 1;
        Ok((camera.resized(actual.0, actual.1), lens.map(|lens| lens.resized(actual.0, actual.1))))
    }

    /// Says once which pictures were scaled.
    pub fn warn(&self) {
        if let Some(found) = self.describe() {
            tracing::warn!("{}: {found}; their intrinsics are scaled to fit", self.source.display());
        }
    }

    fn describe(&self) -> Option<String> {
        let count: usize = self.scaled.values().sum();
        let kinds = self.scaled.keys().map(|(said, actual)| {
            let factor = f64::from(actual.0) / f64::from(said.0);
            format!("{factor:.3} times ({} × {} instead of {} × {})", actual.0, actual.1, said.0, said.1)
        });
        (count > 0)
            .then(|| format!("{count} pictures have another size than it says: {}", some(&kinds.collect::<Vec<_>>())))
    }
}

/// Whether a picture of the size `said`, scaled and rounded to whole pixels, has the size `actual`. One that differs by a
/// pixel is cropped.
fn is_scaled(said: Size, actual: Size) -> bool {
    if said.0.abs_diff(actual.0) <= 1 && said.1.abs_diff(actual.1) <= 1 {
        return false;
    }
    let (large, small) = if actual.0 <= said.0 { (said, actual) } else { (actual, said) };
    // The factors that round to each side.
    let factors = |large: u32, small: u32| {
        let [large, small] = [large, small].map(f64::from);
        ((small - 1.0) / large, (small + 1.0) / large)
    };
    let (x, y) = (factors(large.0, small.0), factors(large.1, small.1));
    x.0.max(y.0) < x.1.min(y.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_agree_within_the_rounding_of_a_pixel() {
        let agree = [((1957, 1091), (979, 546)), ((256, 192), (128, 96)), ((979, 546), (1957, 1091)), ((6, 4), (3, 2))];
        let more = [((4946, 3286), (1237, 822)), ((4946, 3286), (618, 410)), ((1600, 1199), (100, 74))];
        for (said, actual) in agree.into_iter().chain(more) {
            assert!(is_scaled(said, actual), "{said:?} {actual:?}");
        }
        let differ = [((6, 4), (7, 4)), ((6, 4), (6, 5)), ((1920, 1080), (1919, 1080)), ((1920, 1080), (1080, 1920))];
        let crops = [((1957, 1091), (979, 549)), ((1920, 1080), (960, 538)), ((640, 480), (640, 360))];
        for (said, actual) in differ.into_iter().chain(crops) {
            assert!(!is_scaled(said, actual), "{said:?} {actual:?}");
        }
    }
}
