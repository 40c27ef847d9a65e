//! The points of a prior from depth maps and the fused cloud: evenly spread over what the views see, with points where
//! stereo has found nothing.

use super::depth_map::{Checks, DepthMap, Opinion};
use super::fusion::Fused;
use crate::capture::median;
use crate::prior::neighbors::Reference;
use crate::random::{hash, uniform};
use glam::{DVec2, DVec3};
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

/// Matched pixels that a filled one asks, and those of a view that are asked at most.
const FILL_FROM: (usize, usize) = (5, 2000);
/// The part of a view's pixels that must have a depth for others to be filled from them.
const MIN_MATCHED: f64 = 0.005;
/// A cell is empty if at most this part of its pixels has a depth.
const EMPTY: f64 = 0.05;
/// Each try at the number of points has cells this much smaller.
const SHRINK: f64 = 0.85;

/// What stereo found, as a whole.
pub struct Stereo<'a> {
    pub maps: &'a [DepthMap],
    pub checks: &'a Checks,
    pub fused: &'a [Fused],
    pub references: &'a [Reference],
}

/// At least `count` points if the pictures have as many pixels: the pixels of every view are divided into square cells
/// as large as possible. Of a cell's fused points one is taken at random, those at edges more likely; a cell without
/// depths gets a point at the depth of matched pixels nearby, or at a random one.
pub fn cover(stereo: &Stereo, count: usize, seed: u64) -> Vec<Found> {
    let pixels: usize = stereo.maps.iter().map(|map| map.planes.len()).sum();
    let anchors: Vec<Vec<(DVec2, f64)>> = stereo.maps.par_iter().map(|map| anchors(map, seed)).collect();
    let keys: Vec<f64> = stereo.fused.par_iter().enumerate().map(|(i, f)| key(stereo, f, seed, i)).collect();
    let mut side = (pixels as f64 / count.max(1) as f64).sqrt().max(1.0);
    loop {
        let mut found = matched(stereo, &keys, side);
        // The cells of many views see the same: as the fused points, a filled one stands for all of them.
        found.extend(filled(stereo, &anchors, side, seed));
        if found.len() >= count || side <= 1.0 {
            return found;
        }
        side = (side * SHRINK).max(1.0);
    }
}

/// Sampling key of a fused point: the largest of a cell is a random choice with the contrast as weight (Efraimidis and
/// Spirakis 2006).
fn key(stereo: &Stereo, point: &Fused, seed: u64, index: usize) -> f64 {
    let map = &stereo.maps[point.map];
    let grey = |at: usize| map.colors[at].iter().map(|c| f64::from(*c)).sum::<f64>() / 3.0;
    let (x, y) = (point.pixel % map.width(), point.pixel / map.width());
    let (right, below) = ((x + 1).min(map.width() - 1), (y + 1).min(map.planes.len() / map.width() - 1));
    let here = grey(point.pixel);
    let contrast = (grey(y * map.width() + right) - here).abs() + (grey(below * map.width() + x) - here).abs();
    uniform(seed, 11, index as u64).max(f64::MIN_POSITIVE).ln() / (4.0 + contrast)
}

/// Squares of `side` pixels.
struct Cells {
    side: f64,
    columns: usize,
    rows: usize,
}

impl Cells {
    fn new(map: &DepthMap, side: f64) -> Self {
        let count = |extent: usize| (extent as f64 / side).ceil().max(1.0) as usize;
        Self { side, columns: count(map.width()), rows: count(map.planes.len() / map.width().max(1)) }
    }

    fn of(&self, p: DVec2) -> usize {
        let place = |v: f64, count: usize| ((v / self.side) as usize).min(count - 1);
        place(p.y, self.rows) * self.columns + place(p.x, self.columns)
    }

    fn len(&self) -> usize {
        self.columns * self.rows
    }
}

fn matched(stereo: &Stereo, keys: &[f64], side: f64) -> Vec<Found> {
    let mut best: Vec<Vec<Option<usize>>> =
        stereo.maps.iter().map(|map| vec![None; Cells::new(map, side).len()]).collect();
    let cells: Vec<Cells> = stereo.maps.iter().map(|map| Cells::new(map, side)).collect();
    for (index, point) in stereo.fused.iter().enumerate() {
        let slot = &mut best[point.map][cells[point.map].of(stereo.maps[point.map].center(point.pixel))];
        if slot.is_none_or(|other| keys[other] < keys[index]) {
            *slot = Some(index);
        }
    }
    let found = best.iter().flatten().flatten().map(|&index| {
        let Fused { position, color, .. } = stereo.fused[index];
        Found { position, color, kind: Kind::Matched }
    });
    found.collect()
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

fn filled(stereo: &Stereo, anchors: &[Vec<(DVec2, f64)>], side: f64, seed: u64) -> Vec<Found> {
    let cells: Vec<Cells> = stereo.maps.iter().map(|map| Cells::new(map, side)).collect();
    let mut empty: Vec<Vec<bool>> =
        stereo.maps.par_iter().zip(&cells).map(|(map, cells)| empty_cells(map, cells)).collect();
    let mut found = Vec::new();
    for index in 0..stereo.maps.len() {
        let wanted: Vec<usize> = (0..cells[index].len()).filter(|&cell| empty[index][cell]).collect();
        let points: Vec<(Found, DVec2, f64)> = wanted
            .into_par_iter()
            .filter_map(|cell| fill(stereo, &anchors[index], index, &cells[index], cell, seed))
            .collect();
        for (point, at, w) in points {
            for (place, there, _) in &stereo.checks[index] {
                let seen = there.rays * at.extend(1.0) + w * there.offset;
                let place_there = seen.truncate() / seen.z;
                // Points at random depths say nothing about other views.
                if point.kind == Kind::Filled && seen.z > 0.0 && stereo.maps[*place].pixel(place_there).is_some() {
                    empty[*place][cells[*place].of(place_there)] = false;
                }
            }
            found.push(point);
        }
    }
    found
}

fn empty_cells(map: &DepthMap, cells: &Cells) -> Vec<bool> {
    let mut counts = vec![(0u32, 0u32); cells.len()];
    for (at, agreeing) in map.agreeing.iter().enumerate() {
        let count = &mut counts[cells.of(map.center(at))];
        count.0 += 1;
        count.1 += u32::from(*agreeing > 0);
    }
    counts.into_iter().map(|(all, with_depth)| f64::from(with_depth) <= EMPTY * f64::from(all)).collect()
}

/// A point in an empty cell; `None` where another view looks through it.
fn fill(
    stereo: &Stereo,
    anchors: &[(DVec2, f64)],
    index: usize,
    cells: &Cells,
    cell: usize,
    seed: u64,
) -> Option<(Found, DVec2, f64)> {
    let map = &stereo.maps[index];
    let number = |k: u64| uniform(seed ^ (map.view as u64) << 32, 13 + k, cell as u64);
    let corner = DVec2::new((cell % cells.columns) as f64, (cell / cells.columns) as f64);
    let at = ((corner + DVec2::new(number(0), number(1))) * cells.side).floor() + 0.5;
    let pixel = map.pixel(at)?;
    let (near, far) = stereo.references[index].depths;
    let (kind, w) = if anchors.is_empty() {
        (Kind::Random, 1.0 / far + (1.0 / near - 1.0 / far) * number(2))
    } else {
        (Kind::Filled, nearest(anchors, at))
    };
    let looks_through = stereo.checks[index]
        .iter()
        .any(|(place, there, back)| matches!(stereo.maps[*place].opinion(at, w, there, back), Opinion::SeesThrough));
    let point = Found { position: map.camera.unproject(at.x, at.y, 1.0 / w), color: map.colors[pixel], kind };
    (!looks_through).then_some((point, at, w))
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
