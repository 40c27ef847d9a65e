//! The depths of a view's pixels, and on how many of them other views agree.

use super::matcher::{Plane, Relation};
use super::picture::Picture;
use crate::capture::Camera;
use glam::{DVec2, DVec3};
use rayon::prelude::*;

/// Agreement: the other view's depth differs by at most this part, and its point is at most this many pixels from the
/// pixel it came from.
const TOLERANCE: (f64, f64) = (0.015, 1.5);
/// A view sees through a point where its own depth is this part farther.
const SEEN_THROUGH: f64 = 0.05;

/// What stereo found in one view: 24 bytes a pixel.
pub struct DepthMap {
    /// Index of the view in `capture.train`.
    pub view: usize,
    /// The camera at the size of the map.
    pub camera: Camera,
    /// Row-major; as long as `planes`.
    pub colors: Vec<[u8; 3]>,
    /// A plane for every pixel; those of too little correlation have inverse depth 0.
    pub planes: Vec<Plane>,
    /// Views that agree with a pixel's depth; 0 for pixels without one.
    pub agreeing: Vec<u8>,
    /// Whether each pixel is hidden by a mask, so that it gets neither a depth nor a point; empty where none is.
    pub hidden: Vec<bool>,
}

/// A pixel's surface, in world coordinates.
#[derive(Clone, Copy, Debug)]
pub struct Surface {
    /// A point of it, in the capture's frame.
    pub position: DVec3,
    /// Toward the camera.
    pub normal: DVec3,
}

/// Another view's verdict on a pixel's depth.
pub enum Opinion {
    /// The view has a depth there that fits; index of its pixel.
    Agrees(usize),
    /// The view looks through the point.
    SeesThrough,
    /// The view does not see it, or has no depth there.
    None,
}

impl DepthMap {
    /// `planes` (one a pixel, or none at all) without those whose correlation is below `min_correlation`.
    pub fn new(view: usize, picture: &Picture, mut planes: Vec<Plane>, min_correlation: f64) -> Self {
        let count = picture.image.pixels.len();
        planes.resize(count, [0.0; 4]);
        // Not (cost > …), so that NaN has no depth.
        let is_good = |p: &Plane| p[3] <= 1.0 - min_correlation as f32 && p[0] > 0.0 && p.iter().all(|v| v.is_finite());
        planes.iter_mut().filter(|p| !is_good(p)).for_each(|p| *p = [0.0; 4]);
        planes.iter_mut().zip(&picture.hidden).filter(|(_, hidden)| **hidden).for_each(|(p, _)| *p = [0.0; 4]);
        let colors = (0..count).map(|at| picture.color(at)).collect();
        Self {
            view,
            camera: picture.camera.clone(),
            colors,
            planes,
            agreeing: vec![0; count],
            hidden: picture.hidden.clone(),
        }
    }

    /// Whether a mask hides a pixel.
    pub fn is_hidden(&self, at: usize) -> bool {
        self.hidden.get(at).copied().unwrap_or_default()
    }

    /// Pixels in a row.
    pub fn width(&self) -> usize {
        self.camera.width as usize
    }

    /// The center of a pixel.
    pub fn center(&self, at: usize) -> DVec2 {
        DVec2::new((at % self.width()) as f64 + 0.5, (at / self.width()) as f64 + 0.5)
    }

    /// The pixel that holds a position.
    pub fn pixel(&self, p: DVec2) -> Option<usize> {
        let inside =
            p.x >= 0.0 && p.y >= 0.0 && p.x < f64::from(self.camera.width) && p.y < f64::from(self.camera.height);
        inside.then(|| p.y as usize * self.width() + p.x as usize)
    }

    /// Inverse depth of pixel `at`, if it has one.
    pub fn inverse_depth(&self, at: usize) -> Option<f64> {
        Some(f64::from(self.planes[at][0])).filter(|w| *w > 0.0)
    }

    /// The surface of pixel `at`, which has a depth.
    pub fn surface(&self, at: usize) -> Surface {
        let (p, [w, right, down, _]) = (self.center(at), self.planes[at].map(f64::from));
        let Camera { fx, fy, cx, cy, .. } = self.camera;
        // The plane is n · X = 1 with n = Kᵀ (dw/dx, dw/dy, w at the pixel (0, 0)).
        let n = DVec3::new(fx * right, fy * down, cx * right + cy * down + w - right * p.x - down * p.y);
        Surface {
            position: self.camera.unproject(p.x, p.y, 1.0 / w),
            normal: (self.camera.rotation().transpose() * -n).normalize_or(-self.camera.forward()),
        }
    }

    /// This map's verdict on the point at inverse depth `w` of position `p` in another view. `there` relates that view
    /// to this one, `back` this one to that.
    pub fn opinion(&self, p: DVec2, w: f64, there: &Relation, back: &Relation) -> Opinion {
        let seen = there.rays * p.extend(1.0) + w * there.offset;
        if seen.z <= 0.0 {
            return Opinion::None;
        }
        let place = seen.truncate() / seen.z;
        let Some(at) = self.pixel(place) else { return Opinion::None };
        let plane = self.planes[at].map(f64::from);
        if plane[0] <= 0.0 {
            return Opinion::None;
        }
        let away = place - self.center(at);
        let (own, expected) = (plane[0] + plane[1] * away.x + plane[2] * away.y, w / seen.z);
        if own * (1.0 + SEEN_THROUGH) < expected {
            return Opinion::SeesThrough;
        }
        let returned = back.rays * place.extend(1.0) + own * back.offset;
        let distance = (returned.truncate() / returned.z).distance(p);
        let agrees = (own - expected).abs() <= TOLERANCE.0 * expected && distance <= TOLERANCE.1;
        if agrees { Opinion::Agrees(at) } else { Opinion::None }
    }
}

/// For each view of `maps` the places in `maps` of the views that check it, with the relations there and back.
pub type Checks = Vec<Vec<(usize, Relation, Relation)>>;

/// `neighbors[i]` are views (`capture.train` indices) that may see what `maps[i]` sees.
pub fn checks(maps: &[DepthMap], neighbors: &[Vec<usize>]) -> Checks {
    let check = |map: &DepthMap, view: &usize| {
        let place = maps.iter().position(|other| other.view == *view)?;
        let other = &maps[place].camera;
        Some((place, Relation::new(&map.camera, other), Relation::new(other, &map.camera)))
    };
    maps.iter().zip(neighbors).map(|(map, views)| views.iter().filter_map(|view| check(map, view)).collect()).collect()
}

/// Counts for every pixel the views that agree with its depth; 0 where fewer than `min_agreeing` do, or where as many
/// look through it.
pub fn agreement(maps: &[DepthMap], checks: &Checks, index: usize, min_agreeing: usize) -> Vec<u8> {
    let map = &maps[index];
    // Two cameras have only each other.
    let needed = min_agreeing.min(checks[index].len()).max(1);
    let count = |at: usize| {
        let Some(w) = map.inverse_depth(at) else { return 0 };
        let (mut agree, mut against) = (0, 0);
        for (place, there, back) in &checks[index] {
            match maps[*place].opinion(map.center(at), w, there, back) {
                Opinion::Agrees(_) => agree += 1,
                Opinion::SeesThrough => against += 1,
                Opinion::None => {}
            }
        }
        if agree >= needed && agree > against { agree.min(255) as u8 } else { 0 }
    };
    (0..map.planes.len()).into_par_iter().map(count).collect()
}
