//! Pictures of distorted lenses to those of a pinhole.
//!
//! Everything after the reading of files knows pinholes only. Where a lens is distorted, the decoded picture is
//! resampled, in floating point and still dark, to a pinhole of the same size, principal point and proportions, whose
//! focal length is the lens's times a zoom: the smallest one (between 0.5 and 2) for which every pixel of the result lies
//! within the photograph. So there are no black borders; what does not fit into the pinhole's rectangle is cut away.

use super::{Camera, Distortion, Image, View, extras, read_image};
use crate::error::{Error, Result};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Limits of the zoom, and halvings of the interval between them.
const ZOOM: (f64, f64, u32) = (0.5, 2.0, 16);
/// Points along each side of the picture, and along each ray to them, at which the lens is tried.
const TRIED: (u32, u32) = (8, 12);

/// A distorted lens that took an image file, and the pinhole that its pixels are resampled to.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lens {
    /// Width of the photograph, pixels.
    pub width: u32,
    /// Height of the photograph, pixels.
    pub height: u32,
    /// Focal length along x, pixels.
    pub fx: f64,
    /// Focal length along y, pixels.
    pub fy: f64,
    /// Principal point along x, pixels.
    pub cx: f64,
    /// Principal point along y, pixels.
    pub cy: f64,
    /// How rays are bent.
    pub distortion: Distortion,
    /// Focal length of the pinhole / focal length of the lens.
    pub zoom: f64,
}

impl Lens {
    /// The lens of a file's `camera` with `distortion`; its zoom is found here.
    ///
    /// # Errors
    /// What is wrong with the distortion: it folds even the middle of the picture.
    pub fn new(camera: &Camera, distortion: Distortion) -> Result<Self, String> {
        let Camera { width, height, fx, fy, cx, cy, .. } = *camera;
        let lens = |zoom| Self { width, height, fx, fy, cx, cy, distortion, zoom };
        let (mut low, mut high, halvings) = ZOOM;
        if lens(low).covers_all() {
            return Ok(lens(low));
        }
        if !lens(high).covers_all() {
            return Err(format!("its distortion cannot be inverted over the image ({distortion:?})"));
        }
        for _ in 0..halvings {
            let middle = 0.5 * (low + high);
            if lens(middle).covers_all() { high = middle } else { low = middle }
        }
        Ok(lens(high))
    }

    /// The pinhole's camera, at the pose of `camera`.
    pub fn pinhole(&self, camera: &Camera) -> Camera {
        Camera { fx: self.fx * self.zoom, fy: self.fy * self.zoom, ..camera.clone() }
    }

    /// The picture as the pinhole sees it, at the same size: bilinear samples of `image`.
    pub fn undistort(&self, image: &Image) -> Image {
        let (sx, sy) =
            (f64::from(self.width) / f64::from(image.width), f64::from(self.height) / f64::from(image.height));
        let mut out = Image::new(image.width, image.height);
        out.pixels.par_chunks_mut(image.width.max(1) as usize).enumerate().for_each(|(row, pixels)| {
            for (column, pixel) in pixels.iter_mut().enumerate() {
                let [x, y] = self.source([(column as f64 + 0.5) * sx, (row as f64 + 0.5) * sy]);
                *pixel = image.sample(x / sx, y / sy);
            }
        });
        out
    }

    /// The same lens on a photograph of another size.
    pub fn resized(&self, width: u32, height: u32) -> Self {
        let (sx, sy) = (f64::from(width) / f64::from(self.width), f64::from(height) / f64::from(self.height));
        let (fx, fy, cx, cy) = (self.fx * sx, self.fy * sy, self.cx * sx, self.cy * sy);
        Self { width, height, fx, fy, cx, cy, ..*self }
    }

    /// The position in the pinhole's picture, possibly outside of it, of a pixel position of the photograph.
    pub fn target(&self, [x, y]: [f64; 2]) -> [f64; 2] {
        let [u, v] = self.distortion.undistort([(x - self.cx) / self.fx, (y - self.cy) / self.fy]);
        [u * self.fx * self.zoom + self.cx, v * self.fy * self.zoom + self.cy]
    }

    /// Where a pixel position of the pinhole lies in the photograph.
    fn source(&self, at: [f64; 2]) -> [f64; 2] {
        let [u, v] = self.distortion.distort(self.ray(at));
        [self.fx * u + self.cx, self.fy * v + self.cy]
    }

    /// A pixel position of the pinhole at focal length 1.
    fn ray(&self, [x, y]: [f64; 2]) -> [f64; 2] {
        [(x - self.cx) / (self.fx * self.zoom), (y - self.cy) / (self.fy * self.zoom)]
    }

    /// Whether the pinhole's border lies within the photograph, and the lens folds nothing on the way to it.
    fn covers_all(&self) -> bool {
        let (w, h) = (f64::from(self.width), f64::from(self.height));
        // Between the centers of the outermost pixels; the tolerance is for a lens that does nothing.
        let within = |at: f64, extent: f64| (0.5 - 1e-6..=extent - 0.5 + 1e-6).contains(&at);
        let inside = |[x, y]: [f64; 2]| within(x, w) && within(y, h);
        let unfolded = |[u, v]: [f64; 2]| {
            (1..=TRIED.1).map(|i| f64::from(i) / f64::from(TRIED.1)).all(|t| {
                let [determinant, trace] = self.distortion.derivative([t * u, t * v]);
                determinant > 0.0 && trace > 0.0
            })
        };
        let along = |i: u32, extent: f64| 0.5 + (extent - 1.0) * f64::from(i) / f64::from(TRIED.0);
        (0..=TRIED.0).all(|i| {
            let (x, y) = (along(i, w), along(i, h));
            let border = [[x, 0.5], [x, h - 0.5], [0.5, y], [w - 0.5, y]];
            border.iter().all(|&at| inside(self.source(at)) && unfolded(self.ray(at)))
        })
    }
}

impl View {
    /// The pixels of the view's image file (of all its bracket, where it has one), as its pinhole camera sees them, at the
    /// file's size: the one way from a view to its pixels. Those that a mask hides have the colors around them.
    ///
    /// # Errors
    /// As [`read_image`], and [`Error::Input`] where the view has no image.
    pub fn read(&self) -> Result<Image> {
        let own = read_image(self.file()?)?;
        let mut image = if self.shots.is_empty() { own } else { self.merged(own)? };
        self.fill_hidden(&mut image)?;
        Ok(self.lens.map(|lens| lens.undistort(&image)).unwrap_or(image))
    }

    /// The opacity of the view's image file, as [`View::read`]; `None` where it has none.
    ///
    /// # Errors
    /// As [`View::read`].
    pub fn read_alpha(&self) -> Result<Option<Image>> {
        let alpha = extras::read_alpha(self.file()?)?;
        Ok(alpha.map(|alpha| self.lens.map(|lens| lens.undistort(&alpha)).unwrap_or(alpha)))
    }

    pub(crate) fn file(&self) -> Result<&Path> {
        self.image.as_deref().ok_or_else(|| {
            Error::input(&self.name, "this view has no image", "add the image file, or remove its frame")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use glam::DMat4;

    fn camera(width: u32, height: u32, f: f64) -> Camera {
        let (cx, cy) = (0.5 * f64::from(width) + 1.5, 0.5 * f64::from(height) - 2.0);
        Camera { width, height, fx: f, fy: 1.05 * f, cx, cy, viewmat: DMat4::IDENTITY, reduction: 1.0 }
    }

    fn lens(model: &str, params: &[f64]) -> Result<Lens, String> {
        Lens::new(&camera(120, 90, 80.0), Distortion::colmap(model, params).unwrap())
    }

    /// A smooth picture over rays at focal length 1, the same whatever looks at it.
    fn world([u, v]: [f64; 2]) -> [f32; 3] {
        [0.02 * (6.0 * u).sin() as f32, 0.01 * (5.0 * v + 1.0).cos() as f32, (0.01 * u * v) as f32]
    }

    #[test]
    fn every_model_gives_the_pinholes_picture_without_borders() {
        for (model, params) in super::super::distortion::tests::EXAMPLES {
            let lens = lens(model, params).unwrap();
            // The photograph, by undoing the lens for each of its pixels.
            let mut photograph = Image::new(120, 90);
            for (i, pixel) in photograph.pixels.iter_mut().enumerate() {
                let (x, y) = ((i % 120) as f64 + 0.5, (i / 120) as f64 + 0.5);
                *pixel = world(lens.distortion.undistort([(x - lens.cx) / lens.fx, (y - lens.cy) / lens.fy]));
            }
            let found = lens.undistort(&photograph);
            let pinhole = lens.pinhole(&camera(120, 90, 80.0));
            for (i, pixel) in found.pixels.iter().enumerate() {
                let (x, y) = ((i % 120) as f64 + 0.5, (i / 120) as f64 + 0.5);
                let expected = world([(x - pinhole.cx) / pinhole.fx, (y - pinhole.cy) / pinhole.fy]);
                for c in 0..3 {
                    let off = (pixel[c] - expected[c]).abs();
                    assert!(off < 2e-4, "{model} at {x}, {y}: {} instead of {}", pixel[c], expected[c]);
                }
            }
        }
    }

    #[test]
    fn positions_there_and_back_at_every_size() {
        for (model, params) in super::super::distortion::tests::EXAMPLES {
            let lens = lens(model, params).unwrap();
            let small = lens.resized(60, 30);
            for at in [[60.0, 45.0], [3.0, 80.5], [110.0, 7.0]] {
                let [x, y] = lens.source(at);
                let back = lens.target([x, y]);
                assert!((back[0] - at[0]).hypot(back[1] - at[1]) < 1e-6, "{model}: {back:?} instead of {at:?}");
                let half = small.target([x / 2.0, y / 3.0]);
                assert!((2.0 * half[0] - at[0]).hypot(3.0 * half[1] - at[1]) < 1e-6, "{model}: {half:?}, {at:?}");
            }
        }
    }

    #[test]
    fn the_zoom_uses_as_much_of_the_photograph_as_a_rectangle_can() {
        assert_eq!(
            lens("SIMPLE_RADIAL", &[1e-9]).unwrap().zoom.max(0.99),
            lens("SIMPLE_RADIAL", &[1e-9]).unwrap().zoom
        );
        for (model, params, zoom) in [("SIMPLE_RADIAL", &[-0.12][..], 0.9..1.0), ("SIMPLE_RADIAL", &[0.2], 1.0..1.4)] {
            let lens = lens(model, params).unwrap();
            assert!(zoom.contains(&lens.zoom), "{model}: {}", lens.zoom);
            assert!(!Lens { zoom: lens.zoom * 0.999, ..lens }.covers_all());
        }
        // A full fisheye would need an endless pinhole.
        let wide = Distortion::colmap("SIMPLE_FISHEYE", &[]).unwrap();
        assert_eq!(Lens::new(&camera(100, 100, 30.0), wide).unwrap().zoom, ZOOM.0);
    }

    #[test]
    fn lenses_that_fold_the_picture_are_refused() {
        for (model, params) in [("SIMPLE_RADIAL", &[-5.0][..]), ("RADIAL", &[f64::NAN, 0.0]), ("DIVISION", &[90.0])] {
            let message = lens(model, params).unwrap_err();
            assert!(message.contains("cannot be inverted"), "{message}");
        }
        // Such a fold beyond the corners, common in calibrations of real lenses, does no harm.
        assert!(lens("SIMPLE_RADIAL", &[-0.45]).is_ok());
    }

    #[test]
    fn smaller_copies_of_the_photograph_are_undistorted_alike() {
        let lens = lens("SIMPLE_RADIAL", &[-0.12]).unwrap();
        let mut large = Image::new(120, 90);
        large.pixels.iter_mut().enumerate().for_each(|(i, p)| *p = [(i % 120) as f32, (i / 120) as f32, 0.0]);
        let small = lens.undistort(&super::super::resize_area(&large, 60, 45));
        let whole = super::super::resize_area(&lens.undistort(&large), 60, 45);
        for (a, b) in small.pixels.iter().zip(&whole.pixels) {
            (0..3).for_each(|c| assert!((a[c] - b[c]).abs() < 0.6, "{a:?} {b:?}"));
        }
    }
}
