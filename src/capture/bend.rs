//! Resamples renders of a pinhole to the picture of a distorted lens: the inverse of [`super::undistort`], from a pinhole
//! that covers the lens's whole field of view.

use super::{Camera, Image, Lens, View};
use rayon::prelude::*;

/// Largest sides of the pinhole's picture, as multiples of the lens's; wider lenses are not bent.
const WIDEST: f64 = 4.0;
/// Margin of the pinhole's picture around the lens's field of view, in pixels: the reach of cubic samples.
const MARGIN: f64 = 2.0;
/// Distance in pixels between the border points that are projected to the pinhole.
const STRIDE: u32 = 8;
/// Most samples along each side of a pixel, where the lens compresses the pinhole's picture.
const MOST_SAMPLES: f64 = 4.0;

impl Lens {
    /// The pinhole at the pose of `camera`, with the focal length of the lens, that covers the lens's field of view; `None`
    /// where its picture would be far larger than the lens's.
    pub fn outer(&self, camera: &Camera) -> Option<Camera> {
        let (w, h) = (f64::from(self.width), f64::from(self.height));
        let along = |extent: u32| (0..=extent.div_ceil(STRIDE)).map(move |i| f64::from((i * STRIDE).min(extent)));
        let border = along(self.width).flat_map(|x| [[x, 0.0], [x, h]]);
        let border = border.chain(along(self.height).flat_map(|y| [[0.0, y], [w, y]]));
        let (mut least, mut most) = ([0.0; 2], [0.0; 2]);
        for at in border {
            let [u, v] = self.ray_at(at);
            for (axis, value) in [u * self.fx, v * self.fy].into_iter().enumerate() {
                least[axis] = f64::min(least[axis], value);
                most[axis] = f64::max(most[axis], value);
            }
        }
        let [cx, cy] = least.map(|least| MARGIN - least);
        let [width, height] = [0, 1].map(|axis| (most[axis] - least[axis] + 2.0 * MARGIN).ceil());
        // Also of NaN.
        let fits = width <= WIDEST * w && height <= WIDEST * h;
        fits.then(|| Camera {
            width: width as u32,
            height: height as u32,
            fx: self.fx,
            fy: self.fy,
            cx,
            cy,
            ..camera.clone()
        })
    }

    /// Resamples `picture`, a render of the pinhole `outer` (see [`Lens::outer`]), to the picture of the lens.
    pub fn bend(&self, picture: &Image, outer: &Camera) -> Image {
        let mut bent = Image::new(self.width, self.height);
        bent.pixels.par_chunks_mut(self.width.max(1) as usize).enumerate().for_each(|(row, pixels)| {
            for (column, pixel) in pixels.iter_mut().enumerate() {
                *pixel = self.bent(picture, outer, [column as f64, row as f64]);
            }
        });
        bent
    }

    /// The pixel of the lens whose corner is at (`x`, `y`).
    fn bent(&self, picture: &Image, outer: &Camera, [x, y]: [f64; 2]) -> [f32; 3] {
        let place = |at: [f64; 2]| {
            let [u, v] = self.ray_at(at);
            [u * outer.fx + outer.cx, v * outer.fy + outer.cy]
        };
        let middle = self.ray_at([x + 0.5, y + 0.5]);
        // A side of the pixel in the pinhole's pixels.
        let side = self.distortion.derivative(middle)[0].abs().sqrt().recip();
        let count = side.round().clamp(1.0, MOST_SAMPLES) as u32;
        if count == 1 {
            return cubic(picture, [middle[0] * outer.fx + outer.cx, middle[1] * outer.fy + outer.cy]);
        }
        let mut sum = [0.0; 3];
        let within = |i: u32| (f64::from(i) + 0.5) / f64::from(count);
        for (i, j) in (0..count).flat_map(|j| (0..count).map(move |i| (i, j))) {
            let [x, y] = place([x + within(i), y + within(j)]);
            let sample = picture.sample(x, y);
            (0..3).for_each(|c| sum[c] += sample[c]);
        }
        sum.map(|sum| sum / (count * count) as f32)
    }

    /// A pixel position of the photograph on the image plane of a pinhole of focal length 1.
    fn ray_at(&self, [x, y]: [f64; 2]) -> [f64; 2] {
        self.distortion.undistort([(x - self.cx) / self.fx, (y - self.cy) / self.fy])
    }
}

/// Bicubic sample at a position in pixels (Catmull and Rom 1974): bilinear would blur more.
fn cubic(picture: &Image, [x, y]: [f64; 2]) -> [f32; 3] {
    let split = |at: f64| {
        let at = at - 0.5;
        let first = at.floor();
        (first as i64 - 1, (at - first) as f32)
    };
    let weights = |t: f32| {
        let (t2, t3) = (t * t, t * t * t);
        [0.5 * (2.0 * t2 - t - t3), 0.5 * (3.0 * t3 - 5.0 * t2 + 2.0), 0.5 * (4.0 * t2 + t - 3.0 * t3), 0.5 * (t3 - t2)]
    };
    let ((left, tx), (top, ty)) = (split(x), split(y));
    let (across, down) = (weights(tx), weights(ty));
    let within = |at: i64, size: u32| at.clamp(0, i64::from(size) - 1) as u32;
    let mut sum = [0.0; 3];
    for (j, down) in (0..).zip(down) {
        for (i, across) in (0..).zip(across) {
            let pixel = picture.at(within(left + i, picture.width), within(top + j, picture.height));
            (0..3).for_each(|c| sum[c] += down * across * pixel[c]);
        }
    }
    sum
}

impl View {
    /// The lens of the picture, and the pinhole that covers its field of view, at the size of [`View::camera`]; `None` without
    /// a lens, or with one that is too wide.
    pub fn bending(&self) -> Option<(Lens, Camera)> {
        let lens = self.lens?.resized(self.camera.width, self.camera.height);
        Some((lens, lens.outer(&self.camera)?))
    }

    /// The view for the pixels of its file as the lens took them, where renders are bent to match ([`View::bending`]).
    #[must_use]
    pub fn as_taken(&self) -> Self {
        if self.bending().is_some() { Self { lens: None, ..self.clone() } } else { self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Distortion;
    use super::*;
    use glam::DMat4;

    fn camera() -> Camera {
        let viewmat = DMat4::from_rotation_y(0.3);
        Camera { width: 120, height: 90, fx: 80.0, fy: 84.0, cx: 61.5, cy: 43.0, viewmat, reduction: 1.0 }
    }

    /// A smooth picture over rays at focal length 1.
    fn world([u, v]: [f64; 2]) -> [f32; 3] {
        [0.5 + 0.4 * (4.0 * u).sin() as f32, 0.5 + 0.3 * (5.0 * v + 1.0).cos() as f32, 0.5 + (0.1 * u * v) as f32]
    }

    #[test]
    fn every_lens_takes_all_of_its_picture() {
        for (model, params) in super::super::distortion::tests::EXAMPLES {
            let lens = Lens::new(&camera(), Distortion::colmap(model, params).unwrap()).unwrap();
            let outer = lens.outer(&camera()).unwrap();
            assert_eq!(outer.viewmat, camera().viewmat);
            let mut seen = Image::new(outer.width, outer.height);
            for (i, pixel) in seen.pixels.iter_mut().enumerate() {
                let (x, y) = ((i as u32 % outer.width) as f64 + 0.5, (i as u32 / outer.width) as f64 + 0.5);
                *pixel = world([(x - outer.cx) / outer.fx, (y - outer.cy) / outer.fy]);
            }
            let bent = lens.bend(&seen, &outer);
            for (i, pixel) in bent.pixels.iter().enumerate() {
                let (x, y) = ((i % 120) as f64 + 0.5, (i / 120) as f64 + 0.5);
                let expected = world(lens.ray_at([x, y]));
                let off = (0..3).map(|c| (pixel[c] - expected[c]).abs()).fold(0.0, f32::max);
                assert!(off < 3e-3, "{model} at {x}, {y}: {pixel:?} instead of {expected:?}");
            }
        }
    }

    #[test]
    fn a_lens_that_sees_half_of_all_directions_has_no_pinhole() {
        let small = Camera { width: 100, height: 100, fx: 30.0, fy: 30.0, cx: 50.0, cy: 50.0, ..camera() };
        let wide = Lens::new(&small, Distortion::colmap("SIMPLE_FISHEYE", &[]).unwrap()).unwrap();
        assert_eq!(wide.outer(&small), None);
    }

    #[test]
    fn cubic_samples_go_through_the_pixels_and_follow_slopes() {
        let mut image = Image::new(7, 5);
        image
            .pixels
            .iter_mut()
            .enumerate()
            .for_each(|(i, p)| *p = [(i % 7) as f32, (i / 7) as f32, (i * i % 11) as f32]);
        assert_eq!(cubic(&image, [2.5, 3.5]), image.at(2, 3));
        let [x, y, _] = cubic(&image, [3.2, 2.9]);
        assert!((x - 2.7).abs() < 1e-5 && (y - 2.4).abs() < 1e-5, "{x} {y}");
        assert_eq!(cubic(&image, [-3.0, 50.0]), image.at(0, 4));
    }
}
