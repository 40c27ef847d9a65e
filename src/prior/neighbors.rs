//! Chooses the views to search, their neighbors and depth ranges, from the poses alone.

use super::config::Config;
use crate::capture::{Camera, Capture, median, typical_depth};

/// A view whose pixels are searched for.
#[derive(Clone, Debug, PartialEq)]
pub struct Reference {
    /// Index in `capture.train`.
    pub view: usize,
    /// Indices of the views it is compared with, best first.
    pub others: Vec<usize>,
    /// Indices of the views that are searched, too, and may agree with what is found; best first.
    pub witnesses: Vec<usize>,
    /// Depths to search, nearest and farthest.
    pub depths: (f64, f64),
    /// Median distance to the others.
    pub baseline: f64,
}

/// Most views in [`Reference::others`] and [`Reference::witnesses`].
const OTHERS: usize = 4;
const WITNESSES: usize = 10;
/// Angle under which two views should see a point: less is inaccurate, more makes patches differ (radians).
const BEST_ANGLE: f64 = 0.14;
/// Views that look in directions further apart than this do not see the same surfaces (cosine).
const MIN_ALIGNMENT: f64 = 0.5;

/// At most `config.max_views` views, evenly spaced, with their neighbors.
pub fn references(capture: &Capture, config: &Config) -> Vec<Reference> {
    let cameras: Vec<&Camera> = capture.train.iter().map(|view| &view.camera).collect();
    let typical = typical_depth(&cameras);
    let count = cameras.len().min(config.max_views);
    let searched: Vec<usize> = (0..count).map(|k| k * cameras.len() / count).collect();
    searched.iter().map(|&view| reference(&cameras, view, &searched, typical)).collect()
}

/// Up to `count` of `candidates` that see about what `view` sees, from elsewhere; best first.
fn neighbors(cameras: &[&Camera], view: usize, candidates: &[usize], typical: Option<f64>, count: usize) -> Vec<usize> {
    let (center, forward) = (cameras[view].center(), cameras[view].forward());
    let distance = |j: usize| cameras[j].center().distance(center);
    let sees = |j: &usize| *j != view && distance(*j) > 0.0 && cameras[*j].forward().dot(forward) >= MIN_ALIGNMENT;
    let mut others: Vec<usize> = candidates.iter().copied().filter(sees).collect();
    others.sort_by(|&a, &b| distance(a).total_cmp(&distance(b)));
    if let Some(depth) = typical {
        let badness = |j: usize| ((distance(j) / depth).atan() / BEST_ANGLE).ln().abs();
        others.sort_by(|&a, &b| badness(a).total_cmp(&badness(b)));
    }
    others.truncate(count);
    others
}

fn reference(cameras: &[&Camera], view: usize, searched: &[usize], typical: Option<f64>) -> Reference {
    let all: Vec<usize> = (0..cameras.len()).collect();
    let others = neighbors(cameras, view, &all, typical, OTHERS);
    let witnesses = neighbors(cameras, view, searched, typical, WITNESSES);
    let distance = |j: usize| cameras[j].center().distance(cameras[view].center());
    let baseline = median(others.iter().map(|&j| distance(j)).collect());
    // A camera that only turns has no baseline, and its pixels no depth: any range will do.
    let guess = Some(baseline / BEST_ANGLE).filter(|depth| depth.is_finite() && *depth > 0.0);
    let depth = typical.or(guess).unwrap_or(1.0);
    // Nearer than this, a point moves by more than half the picture from view to view.
    let camera = cameras[view];
    let near = (2.0 * camera.fx * baseline / f64::from(camera.width)).clamp(0.1 * depth, 0.4 * depth);
    Reference { view, others, witnesses, depths: (near, 20.0 * depth), baseline }
}
