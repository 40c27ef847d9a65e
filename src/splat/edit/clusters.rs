//! Clusters: splats are connected where one's center is within reach of another.

use super::super::Splats;
use super::neighbors::Neighbors;
use super::size;
use crate::capture::median;
use crate::error::Result;
use crate::progress::Progress;
use kiddo::{ImmutableKdTree, SquaredEuclidean};
use rayon::prelude::*;
use std::num::NonZero;

/// Radius of a splat in standard deviations, where it fades out.
const REACH: f64 = 3.0;
/// The reach of large splats is limited to that of this many median sizes, so that backgrounds connect nothing.
const MOST_SIZES: f64 = 4.0;
/// Splats far smaller than their distances are connected up to this many times the median distance to the nearest one.
const USUAL_GAPS: f64 = 3.0;
/// Splats between two checks for a stop.
const BLOCK: usize = 1 << 12;

/// For every splat how many are in its cluster.
///
/// # Errors
/// A stop is asked for.
pub fn sizes(splats: &Splats, progress: &dyn Progress) -> Result<Vec<usize>> {
    let count = splats.len();
    let Ok(tree) = ImmutableKdTree::<f32, 3>::new_from_slice(&splats.means) else { return Ok(vec![1; count]) };
    let typical = median((0..count).map(|i| size(splats, i)).collect());
    let gap = USUAL_GAPS * median(nearest(&tree, splats, progress)?);
    let mut neighbors = Neighbors::of(&splats.means);
    progress.begin("edit: clusters", "splats", count as u64);
    for i in 0..count {
        if i % BLOCK == 0 {
            progress.check()?;
            progress.set(i as u64, "");
        }
        neighbors.connect(i, (REACH * size(splats, i).min(MOST_SIZES * typical)).max(gap));
    }
    progress.end();
    let root: Vec<usize> = (0..count).map(|i| neighbors.root(i)).collect();
    let mut members = vec![0; count];
    root.iter().for_each(|root| members[*root] += 1);
    Ok(root.into_iter().map(|root| members[root]).collect())
}

/// For every splat the distance of the nearest other.
fn nearest(tree: &ImmutableKdTree<f32, 3>, splats: &Splats, progress: &dyn Progress) -> Result<Vec<f64>> {
    let Some(two) = NonZero::new(2) else { return Ok(Vec::new()) };
    let distance = |mean: &[f32; 3]| {
        let found = tree.query(mean).nearest_n::<SquaredEuclidean<f64>>(two).execute();
        found.iter().map(|n| n.distance.sqrt()).fold(0.0, f64::max)
    };
    let of_block = |block: &[[f32; 3]]| -> Result<Vec<f64>> {
        progress.check()?;
        Ok(block.iter().map(distance).collect())
    };
    let blocks: Vec<Vec<f64>> = splats.means.par_chunks(BLOCK).map(of_block).collect::<Result<_>>()?;
    Ok(blocks.concat())
}
