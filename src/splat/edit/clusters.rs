//! Clusters: splats are connected where one's center is within reach of another.

use super::super::Splats;
use super::size;
use crate::capture::median;
use kiddo::{ImmutableKdTree, SquaredEuclidean};
use rayon::prelude::*;
use std::num::NonZero;
use std::sync::atomic::{AtomicU32, Ordering};

/// Standard deviations that a splat reaches: where it fades.
const REACH: f64 = 3.0;
/// A splat much larger than most reaches no farther than one of so many median sizes: backgrounds connect nothing.
const MOST_SIZES: f64 = 4.0;
/// Splats far smaller than their distances are connected where these are usual: so many medians of the nearest one's.
const USUAL_GAPS: f64 = 3.0;

/// For every splat how many are in its cluster.
pub fn sizes(splats: &Splats) -> Vec<usize> {
    let count = splats.len();
    let Ok(tree) = ImmutableKdTree::<f32, 3>::new_from_slice(&splats.means) else { return vec![1; count] };
    let typical = median((0..count).map(|i| size(splats, i)).collect());
    let gap = USUAL_GAPS * median(nearest(&tree, splats));
    let roots: Vec<AtomicU32> = (0..count as u32).map(AtomicU32::new).collect();
    (0..count).into_par_iter().for_each(|i| {
        let reach = (REACH * size(splats, i).min(MOST_SIZES * typical)).max(gap);
        let found = tree.query(&splats.means[i]).within::<SquaredEuclidean<f64>>(reach * reach).execute();
        found.iter().for_each(|other| join(&roots, i as u32, other.item));
    });
    let root: Vec<usize> = (0..count as u32).map(|i| find(&roots, i) as usize).collect();
    let mut members = vec![0; count];
    root.iter().for_each(|root| members[*root] += 1);
    root.into_iter().map(|root| members[root]).collect()
}

/// For every splat the distance of the nearest other.
fn nearest(tree: &ImmutableKdTree<f32, 3>, splats: &Splats) -> Vec<f64> {
    let Some(two) = NonZero::new(2) else { return Vec::new() };
    let distance = |mean: &[f32; 3]| {
        let found = tree.query(mean).nearest_n::<SquaredEuclidean<f64>>(two).execute();
        found.iter().map(|n| n.distance.sqrt()).fold(0.0, f64::max)
    };
    splats.means.par_iter().map(distance).collect()
}

/// Makes `a` and `b` of one cluster. Roots are the smallest members, whatever order threads come in.
fn join(roots: &[AtomicU32], a: u32, b: u32) {
    let (mut a, mut b) = (find(roots, a), find(roots, b));
    while a != b {
        let (low, high) = (a.min(b), a.max(b));
        let linked = roots[high as usize].compare_exchange(high, low, Ordering::Relaxed, Ordering::Relaxed);
        if linked.is_ok() {
            return;
        }
        // Another thread has linked it meanwhile.
        (a, b) = (find(roots, low), find(roots, high));
    }
}

fn find(roots: &[AtomicU32], mut i: u32) -> u32 {
    loop {
        let parent = roots[i as usize].load(Ordering::Relaxed);
        if parent == i {
            return i;
        }
        // Halves the way for those who come later; parents only ever become smaller.
        let above = roots[parent as usize].load(Ordering::Relaxed);
        roots[i as usize].fetch_min(above, Ordering::Relaxed);
        i = above;
    }
}
