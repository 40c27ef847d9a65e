//! Points that hang in the air (ours, not in the paper): in front of what several cameras see behind them, and much
//! farther from other points than the points of that surface are from each other.
//!
//! Either criterion alone is unreliable: a chair stands in front of a wall, and a distant surface has few points. But what is
//! nearer is never sampled more thinly than what is behind it, neither by pixels nor by voxels, so that the spacing
//! of the surface behind is a fair measure. A dense cluster of floaters looks like a chair, and stays.

use crate::capture::Camera;
use glam::{DMat4, DVec3};
use kiddo::{ImmutableKdTree, SquaredEuclidean};
use rayon::prelude::*;
use std::num::NonZero;

/// Neighbors whose mean distance is a point's spacing.
const NEIGHBORS: usize = 8;
/// A floater's spacing is this many times that of the surface behind it.
const LONELY: f32 = 2.0;
/// A point is in front of a surface if it is nearer than this part of its depth.
const IN_FRONT: f64 = 0.9;
/// Views that must agree, and their part of those that do not see the point hidden.
const VIEWS: u32 = 2;
const PART_OF_VIEWS: f64 = 0.5;
/// Points that the surfaces are made of, and those per cell on average.
const SAMPLES: usize = 200_000;
const PER_CELL: f64 = 4.0;
/// Cells along the longer side of a view, at least and at most.
const CELLS: [f64; 2] = [16.0, 160.0];

/// For every point whether it is *no* floater. `to_capture` takes the points to the frame of the `cameras`.
pub fn grounded(points: &[[f32; 3]], to_capture: &DMat4, cameras: &[Camera]) -> Vec<bool> {
    let spacings = spacings(points);
    let place = |i: usize| to_capture.transform_point3(DVec3::from(points[i].map(f64::from)));
    let stride = points.len().div_ceil(SAMPLES).max(1);
    let sample: Vec<(DVec3, f32)> = (0..points.len()).step_by(stride).map(|i| (place(i), spacings[i])).collect();
    let surfaces: Vec<Surface<'_>> = cameras.par_iter().map(|camera| Surface::of(camera, &sample)).collect();
    let floats = |i: usize| {
        let verdicts = surfaces.iter().filter_map(|surface| surface.is_before(place(i), spacings[i]));
        let (before, seen) = verdicts.fold((0, 0), |(before, seen), front| (before + u32::from(front), seen + 1u32));
        before >= VIEWS && f64::from(before) >= PART_OF_VIEWS * f64::from(seen)
    };
    (0..points.len()).into_par_iter().map(|i| !floats(i)).collect()
}

/// For every point the mean distance to its nearest others.
fn spacings(points: &[[f32; 3]]) -> Vec<f32> {
    let tree = ImmutableKdTree::<f32, 3>::new_from_slice(points).ok();
    let (Some(tree), Some(wanted)) = (tree, NonZero::new(NEIGHBORS + 1)) else { return vec![0.0; points.len()] };
    let spacing = |point: &[f32; 3]| {
        // The nearest is the point itself, or one at the same place.
        let found = tree.query(point).nearest_n::<SquaredEuclidean<f64>>(wanted).execute();
        let others = found.len().saturating_sub(1).max(1);
        (found.iter().skip(1).map(|n| n.distance.sqrt()).sum::<f64>() / others as f64) as f32
    };
    points.par_iter().map(spacing).collect()
}

/// The surface that a view sees: per cell the medians of the points in it and the eight cells around it.
struct Surface<'a> {
    camera: &'a Camera,
    /// Edge of a cell in pixels, and cells a row.
    cell: f64,
    columns: usize,
    /// Depth and spacing; `None` where there are too few points.
    medians: Vec<Option<[f32; 2]>>,
}

impl<'a> Surface<'a> {
    fn of(camera: &'a Camera, sample: &[(DVec3, f32)]) -> Self {
        let seen: Vec<(DVec3, f32)> =
            sample.iter().filter_map(|&(point, spacing)| Some((camera.sees(point)?, spacing))).collect();
        let (width, height) = (f64::from(camera.width), f64::from(camera.height));
        let longer = width.max(height);
        let edge = (width * height * PER_CELL / seen.len().max(1) as f64).sqrt();
        let cell = edge.clamp(longer / CELLS[1], longer / CELLS[0]);
        let (columns, rows) = ((width / cell).ceil() as usize, (height / cell).ceil() as usize);
        let mut surface = Self { camera, cell, columns, medians: Vec::new() };
        let mut sorted: Vec<(usize, [f32; 2])> =
            seen.iter().map(|&(p, spacing)| (surface.index(p), [p.z as f32, spacing])).collect();
        sorted.sort_by_key(|&(cell, _)| cell);
        let between = |first: usize, last: usize| {
            let start = sorted.partition_point(|&(cell, _)| cell < first);
            let end = sorted.partition_point(|&(cell, _)| cell <= last);
            sorted[start..end].iter().map(|&(_, values)| values)
        };
        let medians = |x: usize, y: usize| {
            let (left, right) = (x.saturating_sub(1), (x + 1).min(columns - 1));
            let around = y.saturating_sub(1)..=(y + 1).min(rows - 1);
            let mut values: Vec<[f32; 2]> =
                around.flat_map(|row| between(row * columns + left, row * columns + right)).collect();
            let enough = values.len() as f64 >= PER_CELL;
            enough.then(|| [0, 1].map(|which| median(&mut values, which)))
        };
        surface.medians =
            (0..rows).flat_map(|y| (0..columns).map(move |x| (x, y))).map(|(x, y)| medians(x, y)).collect();
        surface
    }

    fn index(&self, seen: DVec3) -> usize {
        (seen.y / self.cell) as usize * self.columns + (seen.x / self.cell) as usize
    }

    /// Whether the point hangs before the surface; `None` where the view does not see it or knows no surface. A point
    /// behind the surface is hidden, and does not count.
    fn is_before(&self, point: DVec3, spacing: f32) -> Option<bool> {
        let seen = self.camera.sees(point)?;
        let [depth, usual] = (*self.medians.get(self.index(seen))?)?;
        let depth = f64::from(depth);
        (seen.z * IN_FRONT <= depth).then_some(seen.z < IN_FRONT * depth && spacing > LONELY * usual)
    }
}

/// The (upper) median of one of the two values.
fn median(values: &mut [[f32; 2]], which: usize) -> f32 {
    let middle = values.len() / 2;
    values.select_nth_unstable_by(middle, |a, b| a[which].total_cmp(&b[which])).1[which]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::uniform;

    /// Eight cameras on an arc look at a wall with a box before it.
    fn cameras() -> Vec<Camera> {
        let camera = |i: i32| {
            let pose = DMat4::from_rotation_y(f64::from(i) * 0.1) * DMat4::from_translation(DVec3::new(0.0, 0.0, -4.0));
            Camera {
                width: 320,
                height: 240,
                fx: 260.0,
                fy: 260.0,
                cx: 160.0,
                cy: 120.0,
                viewmat: pose.inverse(),
                reduction: 1.0,
            }
        };
        (-4..4).map(camera).collect()
    }

    /// `floaters` points in the air between cameras and wall, and before them a wall, a box of dense points and a thin
    /// pole.
    fn scene(floaters: usize) -> (Vec<[f32; 3]>, usize) {
        let number = |stream: u64, i: usize| uniform(9, stream, i as u64) as f32;
        let wall = (0..20_000).map(|i| [4.0 * number(0, i) - 2.0, 3.0 * number(1, i) - 1.5, 1.5 + 0.01 * number(2, i)]);
        let front = (0..4000).map(|i| [0.5 * number(3, i), 0.5 * number(4, i), 0.01 * number(5, i)]);
        let pole = (0..400).map(|i| [-0.7 + 0.02 * number(6, i), 2.0 * number(7, i) - 1.0, 0.02 * number(8, i)]);
        let mut points: Vec<[f32; 3]> = wall.chain(front).chain(pole).collect();
        let real = points.len();
        points.extend(
            (0..floaters).map(|i| [1.6 * number(9, i) - 0.8, 1.2 * number(10, i) - 0.6, -2.0 + 2.5 * number(11, i)]),
        );
        (points, real)
    }

    #[test]
    fn floaters_are_found_and_surfaces_stay() {
        let (points, real) = scene(300);
        let kept = grounded(&points, &DMat4::IDENTITY, &cameras());
        let hits = kept[real..].iter().filter(|kept| !**kept).count();
        let mistakes = kept[..real].iter().filter(|kept| !**kept).count();
        println!("{hits} of 300 floaters, {mistakes} of {real} others");
        assert!(hits >= 255 && mistakes <= 15, "{hits} of 300 floaters, {mistakes} of {real} others");
    }

    #[test]
    fn a_clean_cloud_keeps_its_points() {
        let (points, _) = scene(0);
        let kept = grounded(&points, &DMat4::IDENTITY, &cameras());
        let mistakes = kept.iter().filter(|kept| !**kept).count();
        assert!(mistakes <= points.len() / 1000, "{mistakes}");
    }

    #[test]
    fn the_frame_of_the_points_does_not_matter() {
        let (points, _) = scene(100);
        let away = DMat4::from_scale(DVec3::splat(0.25)) * DMat4::from_translation(DVec3::new(1.0, 2.0, 3.0));
        let moved: Vec<[f32; 3]> =
            points.iter().map(|p| away.transform_point3(DVec3::from(p.map(f64::from))).as_vec3().to_array()).collect();
        let (one, other) =
            (grounded(&points, &DMat4::IDENTITY, &cameras()), grounded(&moved, &away.inverse(), &cameras()));
        assert!(one.iter().zip(&other).filter(|(a, b)| a != b).count() <= 3);
    }

    #[test]
    fn clouds_of_every_odd_kind() {
        for points in [vec![], vec![[1.0; 3]], vec![[1.0; 3]; 40], vec![[1e30; 3], [-1e30; 3], [0.0; 3]]] {
            for cameras in [vec![], cameras()] {
                let kept = grounded(&points, &DMat4::IDENTITY, &cameras);
                assert_eq!(kept, vec![true; points.len()]);
            }
        }
    }
}
