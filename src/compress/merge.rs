//! Merging of splats: its cost, and the merge itself.
//!
//! A merge is compared with the removal of the same splat, whose change of the pictures is known. The part of that change
//! remains that the merged splat fails to cover, and different colors are lost. Both are integrals of products of Gaussians in
//! a few of the views that see the splat.

use super::moments::Blob;
use super::overlap::NEIGHBORS;
use super::quadratic::Merge;
use super::score::Score;
use crate::capture::Camera;
use crate::splat::{Splats, low_pass};
use glam::{DMat2, DVec2, DVec3};
use rayon::prelude::*;
use std::f64::consts::{PI, TAU};

/// Views in which a merge is tried.
const VIEWS: usize = 4;
/// Neighbors that are tried.
const PARTNERS: usize = 4;

/// What merges are looked for among.
pub(super) struct Merger<'a> {
    splats: &'a Splats,
    scores: &'a [Score],
    cameras: &'a [Camera],
    antialiased: bool,
    blobs: Vec<Blob>,
}

impl<'a> Merger<'a> {
    pub fn new(splats: &'a Splats, scores: &'a [Score], cameras: &'a [Camera], antialiased: bool) -> Self {
        let blobs = (0..splats.len()).into_par_iter().map(|i| Blob::of(splats, i)).collect();
        Self { splats, scores, cameras, antialiased, blobs }
    }

    /// For each splat the merges that cost less than its removal.
    pub fn merges(&self, neighbors: &[[u32; NEIGHBORS]]) -> Vec<Vec<Merge>> {
        (0..self.splats.len()).into_par_iter().map(|i| self.of_splat(i, &neighbors[i])).collect()
    }

    fn of_splat(&self, i: usize, neighbors: &[u32; NEIGHBORS]) -> Vec<Merge> {
        let (change, one) = (self.scores[i].change, self.blobs[i]);
        let seen: Vec<&Camera> = self.cameras.iter().filter(|camera| camera.sees(one.mean).is_some()).collect();
        if change <= 0.0 || seen.is_empty() {
            return Vec::new();
        }
        let views: Vec<&Camera> = seen.iter().step_by(seen.len().div_ceil(VIEWS)).copied().collect();
        let mine: Vec<Footprint> = views.iter().map(|camera| Footprint::of(&one, camera, self.antialiased)).collect();
        // Which part of the splat is seen, on average, and of how many views these are some.
        let covered: f64 = mine.iter().map(Footprint::area).sum::<f64>() / views.len() as f64;
        let shown = (f64::from(self.scores[i].weight) / seen.len() as f64 / covered.max(f64::MIN_POSITIVE)).min(1.0);
        let visible = shown * shown * seen.len() as f64 / views.len() as f64;
        // The more important one absorbs the other.
        let larger = |j: &u32| (self.scores[*j as usize].change, i as u32) > (change, *j);
        let others = neighbors.iter().copied().filter(|j| *j != i as u32).filter(larger).take(PARTNERS);
        let merges = others.map(|j| self.of_pair(i, j, &views, &mine, visible));
        merges.filter(|merge| merge.share * change + merge.constant < change).collect()
    }

    /// The cost of merging splat `i`, whose footprints in `views` are `mine`, into `j`.
    fn of_pair(&self, i: usize, j: u32, views: &[&Camera], mine: &[Footprint], visible: f64) -> Merge {
        let (one, other) = (self.blobs[i], self.blobs[j as usize]);
        let both = one.merged(&other);
        let (mut missed, mut all, mut recolored) = (0.0, 0.0, 0.0);
        let part = other.mass() / (one.mass() + other.mass()).max(f64::MIN_POSITIVE);
        for (camera, a) in views.iter().zip(mine) {
            let [b, merged] = [&other, &both].map(|blob| Footprint::of(blob, camera, self.antialiased));
            // The two cover a + b − a b; without the first, b.
            let hidden = a.product(&b).times(-1.0);
            missed += square(&[*a, b, hidden, merged.times(-1.0)]);
            all += square(&[*a, hidden]);
            recolored += part * part * a.inner(a) + (1.0 - part) * (1.0 - part) * b.inner(&b);
        }
        let constant = visible * recolored * difference(self.splats, i, j as usize);
        Merge { into: j, share: (missed / all.max(f64::MIN_POSITIVE)) as f32, constant: constant as f32 }
    }
}

/// Mean square of the difference of two colors over all directions, summed over the channels.
fn difference(splats: &Splats, i: usize, j: usize) -> f64 {
    let width = 3 * Splats::coefficients(splats.sh_degree);
    let (a, b) = (&splats.sh[i * width..][..width], &splats.sh[j * width..][..width]);
    a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>() / (4.0 * PI)
}

/// Merges splats into others, in the order of `merged`; the absorbed ones stay in place, for the caller to drop.
pub(super) fn merge(splats: &mut Splats, merged: &[[usize; 2]]) {
    let width = 3 * Splats::coefficients(splats.sh_degree);
    for &[from, into] in merged {
        let (one, other) = (Blob::of(splats, from), Blob::of(splats, into));
        let part = (one.mass() / (one.mass() + other.mass()).max(f64::MIN_POSITIVE)) as f32;
        one.merged(&other).store(splats, into);
        for k in 0..width {
            let mine = splats.sh[from * width + k];
            splats.sh[into * width + k] += part * (mine - splats.sh[into * width + k]);
        }
    }
}

/// A Gaussian on the picture, and its factor.
#[derive(Clone, Copy)]
struct Footprint {
    factor: f64,
    mean: DVec2,
    covariance: DMat2,
}

impl Footprint {
    fn of(blob: &Blob, camera: &Camera, antialiased: bool) -> Self {
        let p = camera.viewmat.transform_point3(blob.mean);
        let (z, to_world) = (p.z.max(1e-3), camera.rotation().transpose());
        let x = to_world * DVec3::new(camera.fx / z, 0.0, -camera.fx * p.x / (z * z));
        let y = to_world * DVec3::new(0.0, camera.fy / z, -camera.fy * p.y / (z * z));
        let (along_x, along_y) = (blob.covariance * x, blob.covariance * y);
        let sharp = DMat2::from_cols_array(&[x.dot(along_x), x.dot(along_y), y.dot(along_x), y.dot(along_y)]);
        let covariance = sharp + DMat2::from_diagonal(DVec2::splat(low_pass(camera)));
        // The formula of `RenderSettings::antialiased`.
        let dimmed = || (sharp.determinant() / covariance.determinant()).max(0.0).sqrt();
        let factor = blob.opacity * if antialiased { dimmed() } else { 1.0 };
        Self { factor, mean: DVec2::new(camera.fx * p.x / z, camera.fy * p.y / z), covariance }
    }

    /// Its integral.
    fn area(&self) -> f64 {
        TAU * self.factor * self.covariance.determinant().sqrt()
    }

    /// The product of two, which is one again.
    fn product(&self, other: &Self) -> Self {
        let both = (self.covariance + other.covariance).inverse();
        let apart = other.mean - self.mean;
        let gain = self.covariance * both;
        Self {
            factor: self.factor * other.factor * (-0.5 * apart.dot(both * apart)).exp(),
            mean: self.mean + gain * apart,
            covariance: gain * other.covariance,
        }
    }

    /// The integral of the product.
    fn inner(&self, other: &Self) -> f64 {
        let both = self.covariance + other.covariance;
        let apart = other.mean - self.mean;
        let size = self.covariance.determinant() * other.covariance.determinant() / both.determinant();
        let exponent = -0.5 * apart.dot(both.inverse() * apart);
        TAU * self.factor * other.factor * size.max(0.0).sqrt() * exponent.exp()
    }

    fn times(self, factor: f64) -> Self {
        Self { factor: self.factor * factor, ..self }
    }
}

/// The integral of the square of a sum.
fn square(terms: &[Footprint]) -> f64 {
    let of = |(at, a): (usize, &Footprint)| a.inner(a) + 2.0 * terms[at + 1..].iter().map(|b| a.inner(b)).sum::<f64>();
    terms.iter().enumerate().map(of).sum::<f64>().max(0.0)
}
