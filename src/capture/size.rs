//! Pictures whose size differs from their model's: smaller copies of the photographs that the poses were found with.

use super::frame::Frame;
use super::messages::list_names;
use super::turn::Turn;
use super::{Camera, Lens};
use crate::error::{Error, Result};
use std::collections::BTreeMap;
use std::path::Path;

type Size = (u32, u32);

/// A principal point may be off the middle by this part of half a side; both coordinates by more, to the same side, are
/// those of pictures of another size.
const OFF_CENTER: f64 = 0.03;

/// How many pictures are not of the size that `source` says, by that size and their own.
pub struct Sizes<'a> {
    source: &'a Path,
    scaled: BTreeMap<(Size, Size), usize>,
    /// Pictures that are stored turned.
    turned: usize,
    /// A picture whose frame says no size and has the principal point of another one: its size, and the other.
    elsewhere: Option<(Size, Size)>,
}

impl<'a> Sizes<'a> {
    pub fn new(source: &'a Path) -> Self {
        Self { source, scaled: BTreeMap::new(), turned: 0, elsewhere: None }
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
        if frame.size.is_none() && self.elsewhere.is_none() {
            self.elsewhere = size_of_principal_point(frame, actual).map(|other| (actual, other));
        }
        let as_shown = (actual.1, actual.0);
        let fits = said == actual || is_scaled(said, actual);
        if !fits
            && (said == as_shown || is_scaled(said, as_shown))
            && let Some(turn) = Turn::to_stored(image)
        {
            self.turned += 1;
            let (camera, lens) = self.fitting(frame, said, as_shown, refuse)?;
            return Ok((turn.camera(&camera), lens.map(|lens| turn.lens(&lens))));
        }
        if !fits {
            let source = self.source.display();
            let found = format!("is {} × {} pixels, but {source} says {} × {}", actual.0, actual.1, said.0, said.1);
            let remedy = "give the image at that size or scaled as a whole, or correct w, h and the intrinsics";
            return Err(Error::input(image, found, remedy));
        }
        self.fitting(frame, said, actual, refuse)
    }

    /// The camera of `frame`, whose pictures have the size `said`, for one of the size `actual`.
    fn fitting(
        &mut self,
        frame: &Frame,
        said: Size,
        actual: Size,
        refuse: impl Fn(String) -> Error,
    ) -> Result<(Camera, Option<Lens>)> {
        let (camera, lens) = frame.camera(said).map_err(refuse)?;
        if said == actual {
            return Ok((camera, lens));
        }
        *self.scaled.entry((said, actual)).or_default() += 1;
        Ok((camera.resized(actual.0, actual.1), lens.map(|lens| lens.resized(actual.0, actual.1))))
    }

    /// Says once which pictures were scaled, and that some are stored turned.
    pub fn warn(&self) {
        if self.turned > 0 {
            tracing::info!(
                "{}: {} pictures are stored turned, as their EXIF data say; their cameras are turned with them",
                self.source.display(),
                self.turned
            );
        }
        if let Some((actual, other)) = self.elsewhere {
            tracing::warn!(
                "{}: gives no image size, and its principal point is the center of {} × {}, but the pictures are {} × {}: if \
                 they were scaled or cropped after calibration, renders will be displaced; give `w` and `h` of the calibrated \
                 pictures, or, for cropped ones, the principal point in the crop",
                self.source.display(),
                other.0,
                other.1,
                actual.0,
                actual.1
            );
        }
        if let Some(found) = self.describe() {
            tracing::warn!("{}: {found}; their intrinsics are scaled to fit", self.source.display());
        }
    }

    /// How many pictures are stored turned.
    pub fn turned(&self) -> usize {
        self.turned
    }

    fn describe(&self) -> Option<String> {
        let count: usize = self.scaled.values().sum();
        let kinds = self.scaled.keys().map(|(said, actual)| {
            let factor = f64::from(actual.0) / f64::from(said.0);
            format!("{factor:.3} times ({} × {} instead of {} × {})", actual.0, actual.1, said.0, said.1)
        });
        (count > 0).then(|| {
            format!("{count} pictures have another size than it says: {}", list_names(&kinds.collect::<Vec<_>>()))
        })
    }
}

/// The size that the principal point of `frame` is the middle of, where that is not the `actual` one.
fn size_of_principal_point(frame: &Frame, actual: Size) -> Option<Size> {
    let (cx, cy) = (frame.intrinsics.cx?, frame.intrinsics.cy?);
    let [x, y] = [2.0 * cx / f64::from(actual.0) - 1.0, 2.0 * cy / f64::from(actual.1) - 1.0];
    let elsewhere = x.abs().min(y.abs()) > OFF_CENTER && x.signum() == y.signum() && cx > 0.0 && cy > 0.0;
    elsewhere.then(|| ((2.0 * cx).round() as u32, (2.0 * cy).round() as u32))
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
    use super::super::frame::{Focal, Intrinsics};
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

    #[test]
    fn intrinsics_without_a_size_tell_the_one_they_belong_to() {
        let other = |cx: Option<f64>, cy: f64, actual: Size| {
            let intrinsics = Intrinsics { x: Focal::Pixels(110.0), y: None, cx, cy: Some(cy), distortion: None };
            let viewmat = glam::DMat4::IDENTITY;
            let frame = Frame { image: "a.jpg".into(), mask: None, size: None, intrinsics, viewmat };
            size_of_principal_point(&frame, actual)
        };
        // Cropped, halved, doubled.
        assert_eq!(other(Some(64.0), 48.0, (120, 90)), Some((128, 96)));
        assert_eq!(other(Some(64.0), 48.0, (64, 48)), Some((128, 96)));
        assert_eq!(other(Some(64.0), 48.0, (256, 192)), Some((128, 96)));
        // As calibrations find them, and none at all.
        for (cx, cy) in [(Some(64.0), 48.0), (Some(65.0), 47.0), (Some(71.0), 48.5), (Some(71.0), 44.0), (None, 40.0)] {
            assert_eq!(other(cx, cy, (128, 96)), None, "{cx:?} {cy}");
        }
    }

    /// EXIF data with nothing but an orientation.
    fn exif(orientation: u8) -> Vec<u8> {
        let entry = [0x12, 0x01, 3, 0, 1, 0, 0, 0, orientation, 0, 0, 0];
        [&b"II*\0\x08\0\0\0\x01\0"[..], &entry, &[0; 4]].concat()
    }

    #[test]
    fn a_camera_turns_with_pictures_that_are_stored_turned() {
        let folder = tempfile::tempdir().unwrap();
        let intrinsics =
            Intrinsics { x: Focal::Pixels(50.0), y: None, cx: Some(40.0), cy: Some(20.0), distortion: None };
        let (size, viewmat) = (Some((64, 48)), glam::DMat4::IDENTITY);
        let frame = Frame { image: "a.jpg".into(), mask: None, size, intrinsics, viewmat };
        let square = Frame { size: Some((64, 64)), ..frame.clone() };
        let of = |frame: &Frame, orientation: u8, (width, height): Size| {
            let path = folder.path().join(format!("{orientation}-{width}.jpg"));
            let mut bytes = Vec::new();
            let mut encoder = image::codecs::jpeg::JpegEncoder::new(&mut bytes);
            image::ImageEncoder::set_exif_metadata(&mut encoder, exif(orientation)).unwrap();
            encoder.encode_image(&image::RgbImage::new(width, height)).unwrap();
            std::fs::write(&path, bytes).unwrap();
            let mut sizes = Sizes::new(Path::new("transforms.json"));
            let refuse = |found: String| Error::input("a.jpg", found, "");
            sizes.camera(frame, &path, (width, height), refuse).map(|(camera, _)| (camera, sizes.turned))
        };
        let camera = |orientation: u8, size: Size| of(&frame, orientation, size);
        let (turned, count) = camera(6, (48, 64)).unwrap();
        assert_eq!((turned.cx, turned.cy, count), (20.0, 24.0, 1));
        // A smaller copy, turned the other way.
        let (half, _) = camera(8, (24, 32)).unwrap();
        assert_eq!((half.width, half.height, half.fx, half.cx, half.cy), (24, 32, 25.0, 14.0, 20.0));
        // Pixels that are stored as the poses have them, whatever viewers do.
        assert_eq!(camera(6, (64, 48)).unwrap().1, 0);
        // Smaller copies of square ones fit as they are.
        assert_eq!(of(&square, 6, (32, 32)).unwrap().1, 0);
        for orientation in [1, 3] {
            assert!(camera(orientation, (48, 64)).unwrap_err().to_string().contains("48 × 64"), "{orientation}");
        }
    }
}
