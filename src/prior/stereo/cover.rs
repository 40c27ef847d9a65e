//! The points of a prior from depth maps and the fused cloud: every view contributes, and gaps of stereo are filled.

use super::depth_map::{Checks, DepthMap, Opinion};
use super::fusion::{Cloud, Fused};
use crate::capture::median;
use crate::prior::neighbors::Reference;
use crate::random::{hash, uniform};
use glam::{DVec2, DVec3};
use rayon::prelude::*;

/// Where a point's depth is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Matched,
    Filled,
    Random,
}

/// A point with its color.
#[derive(Clone, Debug)]
pub struct Found {
    pub position: DVec3,
    pub color: [u8; 3],
    /// Unit length; zero where no surface was found.
    pub normal: DVec3,
    pub kind: Kind,
}

/// Pixels of a cell to choose from.
const TRIES: u64 = 3;
/// Sides of a cell in pixels, at least: more points than that are no more detail, only more splats.
const MIN_SIDE: f64 = 4.0;
/// Matched pixels that a filled one asks, and those of a view that are asked at most.
const FILL_FROM: (usize, usize) = (5, 2000);
/// The part of a view's pixels that must have a depth for others to be filled from them.
const MIN_MATCHED: f64 = 0.005;

/// What stereo found, as a whole.
pub struct Stereo<'a> {
    pub maps: &'a [DepthMap],
    pub checks: &'a Checks,
    pub cloud: &'a Cloud,
    pub references: &'a [Reference],
}

/// `count` points or a few more or less (in small pictures one for every [`MIN_SIDE`]² pixels): each view is divided into
/// square cells, and each cell gives the point of one of its pixels, so that there are most points where most views look.
/// Of a few pixels it is the one with the most contrast, so that edges get points. Where views do not agree on a depth
/// a point gets the pixel's own, else that of matched pixels nearby, or a random one where hardly any are matched; there is
/// no point where another view looks through it.
pub fn cover(stereo: &Stereo, count: usize, seed: u64) -> Vec<Found> {
    let per_view = count.div_ceil(stereo.maps.len().max(1)).max(1);
    let views = (0..stereo.maps.len()).into_par_iter().flat_map_iter(|index| {
        let map = &stereo.maps[index];
        let anchors = anchors(map, seed);
        let cells = Cells::new(map, per_view);
        let seed = seed ^ (map.view as u64) << 32;
        let points: Vec<Found> =
            (0..cells.count()).filter_map(|cell| point(stereo, &anchors, index, &cells, cell, seed)).collect();
        points
    });
    views.collect()
}

/// A picture in squares.
struct Cells {
    columns: usize,
    rows: usize,
    size: DVec2,
}

impl Cells {
    /// At least `count` of them if the picture has the pixels.
    fn new(map: &DepthMap, count: usize) -> Self {
        let (width, height) = (f64::from(map.camera.width), f64::from(map.camera.height));
        let side = (width * height / count as f64).sqrt().max(MIN_SIDE);
        let (columns, rows) = ((width / side).ceil(), (height / side).ceil());
        Self { columns: columns as usize, rows: rows as usize, size: DVec2::new(width / columns, height / rows) }
    }

    fn count(&self) -> usize {
        self.columns * self.rows
    }

    /// The position `within` (0 to 1) of a cell.
    fn place(&self, cell: usize, within: DVec2) -> DVec2 {
        (DVec2::new((cell % self.columns) as f64, (cell / self.columns) as f64) + within) * self.size
    }
}

fn point(
    stereo: &Stereo,
    anchors: &[(DVec2, f64)],
    index: usize,
    cells: &Cells,
    cell: usize,
    seed: u64,
) -> Option<Found> {
    let map = &stereo.maps[index];
    let number = |k: u64| uniform(seed, cell as u64, k);
    let tries = (0..TRIES).filter_map(|k| map.pixel(cells.place(cell, DVec2::new(number(2 * k), number(2 * k + 1)))));
    let tries = tries.filter(|at| !map.is_hidden(*at));
    let rank = |at: &usize| (map.agreeing[*at] > 0, contrast(map, *at));
    let at = tries.max_by_key(rank)?;
    if let Some(point) = stereo.cloud.point(index, at) {
        let Fused { position, color, normal, .. } = *point;
        return Some(Found { position, color, normal, kind: Kind::Matched });
    }
    let center = map.center(at);
    let (kind, guesses) = if anchors.is_empty() {
        let (near, far) = stereo.references[index].depths;
        (Kind::Random, [None, Some(1.0 / far + (1.0 / near - 1.0 / far) * number(2 * TRIES))])
    } else {
        // An unconfirmed depth is still a better guess than that of neighboring pixels.
        (Kind::Filled, [map.inverse_depth(at), Some(nearest(anchors, center))])
    };
    let is_seen_through = |w: f64| {
        let opinion = |(place, there, back): &(usize, _, _)| stereo.maps[*place].opinion(center, w, there, back);
        stereo.checks[index].iter().any(|view| matches!(opinion(view), Opinion::SeesThrough))
    };
    let w = guesses.into_iter().flatten().find(|w| !is_seen_through(*w))?;
    let position = map.camera.unproject(center.x, center.y, 1.0 / w);
    Some(Found { position, color: map.colors[at], normal: DVec3::ZERO, kind })
}

/// Difference of gray to the right and down, in levels.
fn contrast(map: &DepthMap, at: usize) -> u32 {
    let gray = |at: usize| map.colors[at].iter().map(|c| u32::from(*c)).sum::<u32>() / 3;
    let (width, count) = (map.width(), map.colors.len());
    let right = if at % width + 1 < width { at + 1 } else { at };
    let below = if at + width < count { at + width } else { at };
    gray(right).abs_diff(gray(at)) + gray(below).abs_diff(gray(at))
}

/// Some of the pixels with a depth, and their inverse depths; none if there are too few to fill from.
fn anchors(map: &DepthMap, seed: u64) -> Vec<(DVec2, f64)> {
    let mut with_depth: Vec<usize> = (0..map.planes.len()).filter(|&at| map.agreeing[at] > 0).collect();
    if (with_depth.len() as f64) < (MIN_MATCHED * map.planes.len() as f64).max(FILL_FROM.0 as f64) {
        return Vec::new();
    }
    if with_depth.len() > FILL_FROM.1 {
        let order = |at: &usize| hash(seed, 12 + map.view as u64, *at as u64);
        with_depth.select_nth_unstable_by_key(FILL_FROM.1, order);
        with_depth.truncate(FILL_FROM.1);
        with_depth.sort_unstable();
    }
    with_depth.into_iter().map(|at| (map.center(at), f64::from(map.planes[at][0]))).collect()
}

/// The median inverse depth of the anchors nearest to `at`.
fn nearest(anchors: &[(DVec2, f64)], at: DVec2) -> f64 {
    let mut near: Vec<(f64, f64)> = anchors.iter().map(|(p, w)| (p.distance_squared(at), *w)).collect();
    if FILL_FROM.0 < near.len() {
        near.select_nth_unstable_by(FILL_FROM.0, |a, b| a.0.total_cmp(&b.0));
        near.truncate(FILL_FROM.0);
    }
    median(near.into_iter().map(|(_, w)| w).collect())
}

#[cfg(test)]
mod tests {
    use super::super::depth_map::checks;
    use super::super::fusion::fuse;
    use super::*;
    use crate::capture::Camera;
    use glam::DMat4;

    const SIZE: (u32, u32) = (40, 30);

    /// A view from `x` whose pixels in column c have the inverse depth and the agreeing views `of(c)`.
    fn map(view: usize, x: f64, of: impl Fn(usize) -> (f32, u8)) -> DepthMap {
        let viewmat = DMat4::from_translation(DVec3::new(-x, 0.0, 0.0));
        let (width, height) = SIZE;
        let camera = Camera { width, height, fx: 40.0, fy: 40.0, cx: 20.0, cy: 15.0, viewmat, reduction: 1.0 };
        let pixels = (0..(width * height) as usize).map(|at| of(at % width as usize));
        let (planes, agreeing) = pixels.map(|(w, agreeing)| ([w, 0.0, 0.0, 0.0], agreeing)).unzip();
        let colors = vec![[100; 3]; (width * height) as usize];
        DepthMap { view, camera, colors, planes, agreeing, hidden: Vec::new() }
    }

    /// A wall at depth 4 that both views see in the middle; on the left the first view sees something at depth 2, on the right
    /// nothing. The depths of the points on the left and on the right where the other view's inverse depth is `other`.
    fn depths(other: f32) -> [Vec<f64>; 2] {
        let seen = |column| match column {
            0..12 => (0.5, 0),
            12..28 => (0.25, 1),
            _ => (0.0, 0),
        };
        let mut maps = vec![map(0, 0.0, seen), map(1, -0.3, |_| (other, 0))];
        maps[1].hidden = vec![true; maps[1].planes.len()];
        let checks = checks(&maps, &[vec![1], vec![]]);
        let cloud = fuse(&maps, &checks);
        let reference = |view| Reference { view, others: vec![], witnesses: vec![], depths: (1.0, 9.0), baseline: 0.3 };
        let references = [reference(0), reference(1)];
        let stereo = Stereo { maps: &maps, checks: &checks, cloud: &cloud, references: &references };
        let points = cover(&stereo, 200, 1);
        assert!(points.iter().any(|point| point.kind == Kind::Matched));
        let places = points.iter().map(|point| maps[0].camera.project(point.position));
        let (left, others): (Vec<_>, Vec<_>) = places.partition(|place| place.x < 12.0);
        let right = others.into_iter().filter(|place| (28.0..36.0).contains(&place.x));
        [left.iter().map(|place| place.z).collect(), right.map(|place| place.z).collect()]
    }

    #[test]
    fn pixels_on_whose_depth_views_do_not_agree_get_the_likeliest_that_is_not_seen_through() {
        let all_at = |depths: &[f64], depth: f64| depths.len() > 8 && depths.iter().all(|z| (z - depth).abs() < 1e-5);
        let [left, right] = depths(0.0);
        assert!(all_at(&left, 2.0) && all_at(&right, 4.0), "no other view says anything: {left:?} {right:?}");
        let [left, right] = depths(0.25);
        assert!(all_at(&left, 4.0) && all_at(&right, 4.0), "depth 2 is seen through: {left:?} {right:?}");
        let [left, right] = depths(0.125);
        assert!(left.is_empty() && right.is_empty(), "both are seen through: {left:?} {right:?}");
    }
}
