//! A plane sweep for single pixels (Collins 1996): along the ray of a pixel, the depth is taken at which the patch
//! around it looks most alike in several other views (normalised cross-correlation, so that a difference in exposure
//! does not matter). One pixel is tried per cell of a grid over the picture, so that points cover it evenly; where no
//! depth is convincing, that of matched pixels nearby is used. Multi-view stereo proper is more, this is a start.

use super::make::Config;
use super::neighbors::Reference;
use crate::capture::{Camera, Image, ImageCache, View};
use crate::error::Result;
use crate::random::uniform;
use glam::{DMat3, DVec2, DVec3};
use rayon::prelude::*;

/// Where a point's depth is from, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Matched,
    Filled,
    Random,
}

/// A point with its colour.
#[derive(Clone, Debug)]
pub struct Found {
    pub position: DVec3,
    pub color: [u8; 3],
    pub kind: Kind,
}

/// Patch samples are `STEP` pixels apart, `2 · RADIUS + 1` in a row.
const RADIUS: i32 = 2;
const STEP: i32 = 2;
const SAMPLES: usize = ((2 * RADIUS + 1) * (2 * RADIUS + 1)) as usize;
const MARGIN: u32 = (RADIUS * STEP) as u32 + 1;
/// The correlation of a depth is the mean over this many views that agree best: the point may be hidden in others.
const AGREEING: usize = 3;
/// A patch with less contrast than this (standard deviation) is noise.
const MIN_CONTRAST: f32 = 0.008;
/// Disparity between two depths of the sweep, in pixels.
const DISPARITY_STEP: f64 = 1.6;
/// By how much the best depth must be better than the best one elsewhere on the ray.
const MIN_LEAD: f64 = 0.03;
/// Matched pixels that a filled one asks, and the fewest in a view for it to be filled at all.
const FILL_FROM: usize = 5;
const MIN_MATCHED: usize = 12;
/// Matched pixels nearby (itself among them) of which one must have a depth as near as this to support another's.
const SUPPORT_FROM: usize = 6;
const SUPPORT_TOLERANCE: f64 = 0.08;

/// A view at the resolution of the search.
pub struct Picture {
    camera: Camera,
    image: std::sync::Arc<Image>,
    grey: Vec<f32>,
}

impl Picture {
    /// The image of `view`, its longer side at most `size` pixels.
    ///
    /// # Errors
    /// The image cannot be read.
    pub fn load(view: &View, cache: &ImageCache, size: u32) -> Result<Self> {
        let (w, h) = (view.camera.width, view.camera.height);
        let scale = (f64::from(size) / f64::from(w.max(h))).min(1.0);
        let fit = |extent: u32| ((f64::from(extent) * scale).round() as u32).max(1);
        let image = cache.get(view, fit(w), fit(h))?;
        let grey = image.pixels.iter().map(|rgb| (rgb[0] + rgb[1] + rgb[2]) / 3.0).collect();
        Ok(Self { camera: view.camera.resized(fit(w), fit(h)), image, grey })
    }

    /// Grey at pixel position `(x, y)` (centres at +0.5), bilinear; `None` outside.
    fn grey_at(&self, x: f32, y: f32) -> Option<f32> {
        let (x, y) = (x - 0.5, y - 0.5);
        let (width, height) = (self.camera.width as usize, self.camera.height as usize);
        // Not (x < 0), so that NaN is outside, too.
        if !(x >= 0.0 && y >= 0.0 && x < (width - 1) as f32 && y < (height - 1) as f32) {
            return None;
        }
        let (column, row) = (x as usize, y as usize);
        let (u, v) = (x - column as f32, y - row as f32);
        let at = row * width + column;
        let mix = |at: usize| self.grey[at] + u * (self.grey[at + 1] - self.grey[at]);
        let (top, bottom) = (mix(at), mix(at + width));
        Some(top + v * (bottom - top))
    }

    /// Colour at the pixel that holds `at`, which is inside.
    fn color_at(&self, at: DVec2) -> [u8; 3] {
        self.image.at(at.x as u32, at.y as u32).map(|v| (v * 255.0).round() as u8)
    }
}

/// The patch around a pixel, its mean taken away and its length 1.
type Patch = [f32; SAMPLES];

/// How another view sees the reference's rays: pixel `x` at `depth` is at the homogeneous position
/// `depth · (rays · x) + offset`.
struct Relation {
    rays: DMat3,
    offset: DVec3,
}

impl Relation {
    fn new(from: &Camera, to: &Camera) -> Self {
        let intrinsics = |c: &Camera| DMat3::from_cols_array(&[c.fx, 0.0, 0.0, 0.0, c.fy, 0.0, c.cx, c.cy, 1.0]);
        let relative = to.viewmat * from.c2w();
        let k = intrinsics(to);
        Self {
            rays: k * DMat3::from_mat4(relative) * intrinsics(from).inverse(),
            offset: k * relative.w_axis.truncate(),
        }
    }
}

/// About `count` points from the pixels of `picture`.
pub fn search(
    picture: &Picture,
    others: &[Picture],
    reference: &Reference,
    count: usize,
    config: &Config,
) -> Vec<Found> {
    let pixels = grid_pixels(picture, count, config.seed ^ (reference.view as u64) << 32);
    let sweep = Sweep::new(picture, others, reference);
    let depths: Vec<Option<f64>> = pixels.par_iter().map(|&pixel| sweep.depth(pixel, config.min_correlation)).collect();
    let matched = supported(pixels.iter().copied().zip(&depths).filter_map(|(pixel, z)| z.map(|z| (pixel, 1.0 / z))));
    let found = pixels.par_iter().zip(&depths).enumerate().map(|(index, (&pixel, depth))| {
        let (kind, depth) = match depth {
            Some(depth) if is_supported(pixel, 1.0 / depth, &matched) => (Kind::Matched, *depth),
            _ if matched.len() >= MIN_MATCHED => (Kind::Filled, fill(pixel, &matched)),
            _ => (Kind::Random, sweep.random_depth(uniform(config.seed, reference.view as u64, index as u64))),
        };
        Found { position: picture.camera.unproject(pixel.x, pixel.y, depth), color: picture.color_at(pixel), kind }
    });
    found.collect()
}

/// One pixel in each cell of a grid of about `count` cells: the one of some with the most contrast, so that edges,
/// which need points and can be matched, get them.
fn grid_pixels(picture: &Picture, count: usize, seed: u64) -> Vec<DVec2> {
    let (width, height) = (picture.camera.width, picture.camera.height);
    if width <= 2 * MARGIN + 1 || height <= 2 * MARGIN + 1 {
        return Vec::new();
    }
    let (inner_width, inner_height) = (f64::from(width - 2 * MARGIN), f64::from(height - 2 * MARGIN));
    let cell = (inner_width * inner_height / count.max(1) as f64).sqrt().max(1.0);
    let (columns, rows) = ((inner_width / cell).floor().max(1.0) as u64, (inner_height / cell).floor().max(1.0) as u64);
    let pick = |index: u64| {
        let candidate = |k: u64| {
            let (u, v) = (uniform(seed, index, 2 * k), uniform(seed, index, 2 * k + 1));
            let x = f64::from(MARGIN) + ((index % columns) as f64 + u) * inner_width / columns as f64;
            let y = f64::from(MARGIN) + ((index / columns) as f64 + v) * inner_height / rows as f64;
            DVec2::new(x.floor() + 0.5, y.floor() + 0.5)
        };
        (0..3).map(candidate).max_by(|a, b| contrast(picture, *a).total_cmp(&contrast(picture, *b)))
    };
    (0..columns * rows).filter_map(pick).collect()
}

fn contrast(picture: &Picture, pixel: DVec2) -> f32 {
    let grey = |dx: f32, dy: f32| picture.grey_at(pixel.x as f32 + dx, pixel.y as f32 + dy).unwrap_or(0.0);
    (grey(1.0, 0.0) - grey(-1.0, 0.0)).abs() + (grey(0.0, 1.0) - grey(0.0, -1.0)).abs()
}

/// Everything that does not depend on the pixel.
struct Sweep<'a> {
    picture: &'a Picture,
    others: Vec<(&'a Picture, Relation)>,
    /// Inverse depths, far to near.
    range: (f64, f64),
    steps: usize,
}

impl<'a> Sweep<'a> {
    fn new(picture: &'a Picture, others: &'a [Picture], reference: &Reference) -> Self {
        let (near, far) = reference.depths;
        let range = (1.0 / far, 1.0 / near);
        let disparity = picture.camera.fx * reference.baseline * (range.1 - range.0);
        let steps = ((disparity / DISPARITY_STEP).ceil() as usize).clamp(16, 256);
        let others = others.iter().map(|other| (other, Relation::new(&picture.camera, &other.camera))).collect();
        Self { picture, others, range, steps }
    }

    fn inverse_depth(&self, step: f64) -> f64 {
        self.range.0 + (self.range.1 - self.range.0) * step / (self.steps - 1) as f64
    }

    /// The depth of `pixel` on which other views agree, if they do.
    fn depth(&self, pixel: DVec2, min_correlation: f64) -> Option<f64> {
        let patch = self.patch(pixel)?;
        let score = |step: f64| self.score(&patch, pixel, 1.0 / self.inverse_depth(step));
        let scores: Vec<f64> = (0..self.steps).map(|step| score(step as f64)).collect();
        let best = (0..self.steps).max_by(|&a, &b| scores[a].total_cmp(&scores[b]))?;
        // At the first or last depth the true one is probably beyond.
        if scores[best] < min_correlation - 0.1 || best == 0 || best + 1 == self.steps {
            return None;
        }
        let elsewhere = scores.iter().enumerate().filter(|(step, _)| step.abs_diff(best) > 3).map(|(_, score)| *score);
        if elsewhere.fold(-1.0, f64::max) > scores[best] - MIN_LEAD {
            return None;
        }
        let (mut at, mut top, mut width) = (best as f64, scores[best], 0.5);
        for _ in 0..4 {
            for candidate in [at - width, at + width] {
                let value = score(candidate);
                if value > top {
                    (at, top) = (candidate, value);
                }
            }
            width *= 0.5;
        }
        (top >= min_correlation).then(|| 1.0 / self.inverse_depth(at))
    }

    fn patch(&self, pixel: DVec2) -> Option<Patch> {
        let mut patch = [0.0; SAMPLES];
        for (value, (dx, dy)) in patch.iter_mut().zip(offsets()) {
            *value = self.picture.grey_at(pixel.x as f32 + dx, pixel.y as f32 + dy)?;
        }
        normalize(&mut patch, MIN_CONTRAST).then_some(patch)
    }

    /// Mean correlation of the [`AGREEING`] best views with `patch` at `depth`; −1 if fewer than two see it.
    fn score(&self, patch: &Patch, pixel: DVec2, depth: f64) -> f64 {
        // Insertion into the few best: this is the innermost loop, so no allocation.
        let mut best = [-1.0f64; AGREEING];
        let mut seen = 0;
        for (other, relation) in &self.others {
            let Some(value) = correlation(patch, pixel, depth, other, relation) else { continue };
            seen += 1;
            let mut value = f64::from(value);
            for slot in &mut best {
                if value > *slot {
                    std::mem::swap(slot, &mut value);
                }
            }
        }
        let used = seen.min(AGREEING);
        if used < 2 { -1.0 } else { best[..used].iter().sum::<f64>() / used as f64 }
    }

    fn random_depth(&self, unit: f64) -> f64 {
        1.0 / (self.range.0 + (self.range.1 - self.range.0) * unit)
    }
}

fn offsets() -> impl Iterator<Item = (f32, f32)> {
    (-RADIUS..=RADIUS).flat_map(|y| (-RADIUS..=RADIUS).map(move |x| ((x * STEP) as f32, (y * STEP) as f32)))
}

/// Takes the mean away and scales to length 1; `false` where the standard deviation is below `min_contrast`.
fn normalize(patch: &mut Patch, min_contrast: f32) -> bool {
    let mean = patch.iter().sum::<f32>() / SAMPLES as f32;
    patch.iter_mut().for_each(|v| *v -= mean);
    let length = patch.iter().map(|v| v * v).sum::<f32>().sqrt();
    patch.iter_mut().for_each(|v| *v /= length.max(f32::MIN_POSITIVE));
    length >= min_contrast * (SAMPLES as f32).sqrt()
}

/// Correlation of `patch` with what `other` sees of the plane at `depth` parallel to the reference's image; `None`
/// where that is not all inside the picture, or without contrast.
fn correlation(patch: &Patch, pixel: DVec2, depth: f64, other: &Picture, relation: &Relation) -> Option<f32> {
    let center = (relation.rays * pixel.extend(1.0) * depth + relation.offset).as_vec3();
    let (right, down) = ((relation.rays.x_axis * depth).as_vec3(), (relation.rays.y_axis * depth).as_vec3());
    let mut seen = [0.0; SAMPLES];
    for (value, (dx, dy)) in seen.iter_mut().zip(offsets()) {
        let p = center + right * dx + down * dy;
        if p.z <= 0.0 {
            return None;
        }
        *value = other.grey_at(p.x / p.z, p.y / p.z)?;
    }
    normalize(&mut seen, 0.25 * MIN_CONTRAST).then(|| patch.iter().zip(&seen).map(|(a, b)| a * b).sum())
}

/// The median depth of the matched pixels nearest to `pixel`.
fn fill(pixel: DVec2, matched: &[(DVec2, f64)]) -> f64 {
    1.0 / crate::capture::median(nearest(pixel, matched, FILL_FROM).map(|(_, inverse)| inverse).collect())
}

/// Pixels and inverse depths without those that no pixel nearby supports.
fn supported(found: impl Iterator<Item = (DVec2, f64)>) -> Vec<(DVec2, f64)> {
    let all: Vec<(DVec2, f64)> = found.collect();
    all.par_iter().copied().filter(|&(pixel, inverse)| is_supported(pixel, inverse, &all)).collect()
}

/// Whether one of the matched pixels nearest to `pixel` (but itself) has about the same depth: a surface seldom is as
/// small as one cell, a wrong match is.
fn is_supported(pixel: DVec2, inverse: f64, matched: &[(DVec2, f64)]) -> bool {
    nearest(pixel, matched, SUPPORT_FROM)
        .any(|(other, value)| other != pixel && (value - inverse).abs() <= SUPPORT_TOLERANCE * inverse)
}

/// The `count` matched pixels nearest to `pixel`.
fn nearest(pixel: DVec2, matched: &[(DVec2, f64)], count: usize) -> impl Iterator<Item = (DVec2, f64)> {
    let mut near: Vec<(f64, DVec2, f64)> = matched.iter().map(|&(p, d)| (p.distance_squared(pixel), p, d)).collect();
    if count < near.len() {
        near.select_nth_unstable_by(count, |a, b| a.0.total_cmp(&b.0));
        near.truncate(count);
    }
    near.into_iter().map(|(_, pixel, inverse)| (pixel, inverse))
}
