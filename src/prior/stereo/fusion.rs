//! Fuses depth maps into one cloud: observations of the same place become one point.

use super::depth_map::{Checks, DepthMap, Opinion};
use glam::DVec3;
use rayon::prelude::*;

/// A place on a surface.
#[derive(Clone, Copy, Debug)]
pub struct Fused {
    /// Place in the maps of the view it is from, and its pixel there.
    pub map: usize,
    /// Its pixel in the map that it is from, row-major.
    pub pixel: usize,
    /// Where it is, in the capture's frame.
    pub position: DVec3,
    /// Unit length, toward the cameras.
    pub normal: DVec3,
    /// RGB.
    pub color: [u8; 3],
    /// Views that see it.
    pub views: u8,
}

/// Stands for no point.
const NONE: u32 = u32::MAX;

/// What all views see.
#[derive(Clone, Debug, Default)]
pub struct Cloud {
    /// The points.
    pub points: Vec<Fused>,
    /// For each map and pixel the index of its point.
    of_pixel: Vec<Vec<u32>>,
}

impl Cloud {
    /// The point that a pixel of a map went into, if it has a depth.
    pub fn point(&self, map: usize, pixel: usize) -> Option<&Fused> {
        self.points.get(self.of_pixel[map][pixel] as usize)
    }

    /// The index of that point.
    pub fn index(&self, map: usize, pixel: usize) -> Option<usize> {
        Some(self.of_pixel[map][pixel]).filter(|point| *point != NONE).map(|point| point as usize)
    }
}

/// The points of all pixels on whose depth views agree, view by view. A pixel that went into an earlier view's point
/// makes none of its own.
pub fn fuse(maps: &[DepthMap], checks: &Checks) -> Cloud {
    let mut of_pixel: Vec<Vec<u32>> = maps.iter().map(|map| vec![NONE; map.planes.len()]).collect();
    let mut points = Vec::new();
    for (index, map) in maps.iter().enumerate() {
        // The pixels of one view ignore each other's marks, so the result does not depend on their order.
        let pixels = (0..map.planes.len()).into_par_iter();
        let pixels = pixels.filter(|&at| map.agreeing[at] > 0 && of_pixel[index][at] == NONE);
        let fused: Vec<(Fused, Vec<(usize, usize)>)> = pixels.map(|at| merge(maps, checks, index, at)).collect();
        for (point, seen) in fused {
            for (place, at) in seen {
                let slot = &mut of_pixel[place][at];
                if *slot == NONE {
                    *slot = points.len() as u32;
                }
            }
            points.push(point);
        }
    }
    Cloud { points, of_pixel }
}

/// The mean of a pixel and of what agrees with it, and which pixels these are.
fn merge(maps: &[DepthMap], checks: &Checks, index: usize, at: usize) -> (Fused, Vec<(usize, usize)>) {
    let map = &maps[index];
    let mut seen = vec![(index, at)];
    let w = f64::from(map.planes[at][0]);
    for (place, there, back) in &checks[index] {
        if let Opinion::Agrees(other) = maps[*place].opinion(map.center(at), w, there, back) {
            seen.push((*place, other));
        }
    }
    let (mut position, mut normal, mut color) = (DVec3::ZERO, DVec3::ZERO, DVec3::ZERO);
    for &(place, at) in &seen {
        let surface = maps[place].surface(at);
        position += surface.position;
        normal += surface.normal;
        color += DVec3::from(maps[place].colors[at].map(f64::from));
    }
    let count = seen.len() as f64;
    let fused = Fused {
        map: index,
        pixel: at,
        position: position / count,
        normal: normal.normalize_or(map.surface(at).normal),
        color: (color / count).to_array().map(|c| c.round() as u8),
        views: seen.len().min(255) as u8,
    };
    (fused, seen)
}
