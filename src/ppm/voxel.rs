//! Voxel pooling: points with equal `floor(p / v)` become one, their mean.

use glam::DVec3;
use rayon::prelude::*;

type Point = (DVec3, [u8; 3]);

/// One point per occupied voxel of edge `size`, with the mean position and the rounded mean colour, ordered by voxel
/// coordinate x, then y, then z. `size` 0 returns the points as they are.
pub fn pool(points: Vec<Point>, size: f64) -> Vec<Point> {
    if size == 0.0 {
        return points;
    }
    // A cast from float saturates: points beyond 2⁶³ voxels share the outermost one.
    let key = |p: DVec3| (p / size).floor().to_array().map(|v| v as i64);
    // The index makes the order, and with it the rounding of the means, independent of the threads.
    let mut order: Vec<([i64; 3], u32)> =
        points.par_iter().enumerate().map(|(index, point)| (key(point.0), index as u32)).collect();
    order.par_sort_unstable();
    order
        .chunk_by(|a, b| a.0 == b.0)
        .map(|voxel| mean(voxel.iter().map(|&(_, index)| points[index as usize]), voxel.len() as f64))
        .collect()
}

fn mean(points: impl Iterator<Item = Point>, count: f64) -> Point {
    let mut position = DVec3::ZERO;
    let mut color = DVec3::ZERO;
    for (p, rgb) in points {
        position += p;
        color += DVec3::from(rgb.map(f64::from));
    }
    (position / count, (color / count).to_array().map(|v| v.round_ties_even() as u8))
}
