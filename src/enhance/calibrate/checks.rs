//! Pictures that no response can be fitted to, and those whose fit deserves a warning.

use super::Report;
use super::blocks::Block;
use crate::capture::Image;
use crate::error::{Error, Result};
use std::path::Path;

/// Two pictures of one place agree in the order of their areas' brightness at least this well (Spearman).
const RELATED: f64 = 0.6;
/// At least this part of the areas has an unclipped channel, and so many areas there are.
const CLEAR: (f64, usize) = (0.1, 48);
/// Dark and lit levels between the 2nd and 98th percentile that a curve needs …
const LEAST_RANGE: [f32; 2] = [0.5, 12.0];
/// … and lit levels below which it deserves a warning.
const SMALL_RANGE: f64 = 80.0;
/// Residuals above this many levels mean that the pictures do not fit onto each other.
const LARGE_RESIDUAL: f64 = 10.0;
/// Part of clipped areas that deserves a mention.
const MUCH_CLIPPED: f64 = 0.3;

/// Pairs of one size, and large enough for blocks.
pub fn sizes(paths: [&Path; 2], images: [&Image; 2]) -> Result<()> {
    let [dark, lit] = images.map(|image| (image.width, image.height));
    if dark == lit {
        return Ok(());
    }
    let found = format!("{} × {}, but {} is {} × {}", lit.0, lit.1, paths[0].display(), dark.0, dark.1);
    Err(Error::input(
        paths[1],
        found,
        "calibrate with pictures of one framing and size, or folders without common names",
    ))
}

/// The blocks of all pairs that show the same thing. Pairs that do not are named.
pub fn related(root: &Path, names: &[&str], pairs: Vec<Vec<Block>>, report: &mut Report) -> Result<Vec<Block>> {
    let agrees = |blocks: &Vec<Block>| {
        let values = |of: fn(&Block) -> [f32; 3]| blocks.iter().map(|b| of(b).iter().sum()).collect::<Vec<f32>>();
        correlation(&values(|b| b.dark), &values(|b| b.lit)).is_none_or(|r| r >= RELATED)
    };
    let total = pairs.len();
    let (mut kept, mut odd) = (Vec::new(), Vec::new());
    for (name, blocks) in names.iter().zip(pairs) {
        if agrees(&blocks) { kept.push(blocks) } else { odd.push(*name) }
    }
    if kept.is_empty() {
        let found =
            "dark and lit picture do not show the same thing (their areas are not in the same order of brightness)";
        return Err(Error::input(
            root,
            found,
            "use pictures of one framing, or `quantiles` for pictures that are no pairs",
        ));
    }
    if !odd.is_empty() {
        report.warnings.push(format!("{} of {total} pairs do not show the same thing: {}", odd.len(), odd.join(", ")));
        report.pairs -= odd.len();
    }
    Ok(kept.concat())
}

/// Whether a curve can be fitted at all: darker, not saturated, enough areas, enough range.
pub fn usable(dark: &Path, lit: &Path, blocks: &[Block], report: &mut Report) -> Result<()> {
    let enough = |count: usize| {
        let found = format!("has only {count} areas to fit to");
        if count >= CLEAR.1 { Ok(()) } else { Err(Error::input(lit, found, "use larger pictures, or several pairs")) }
    };
    enough(blocks.len())?;
    let mean = |of: fn(&Block) -> [f32; 3]| {
        blocks.iter().map(|b| f64::from(of(b).iter().sum::<f32>())).sum::<f64>() / (3 * blocks.len()) as f64
    };
    let means = [mean(|b| b.dark), mean(|b| b.lit)];
    if means[0] >= means[1] {
        let found = format!("is not darker than {} (mean levels {:.1} and {:.1})", lit.display(), means[0], means[1]);
        return Err(Error::input(dark, found, "give the dark pictures first, then the lit ones"));
    }
    let clear: Vec<&Block> = blocks.iter().filter(|b| b.clipped.contains(&false)).collect();
    if (clear.len() as f64) < CLEAR.0 * blocks.len() as f64 {
        return Err(Error::input(lit, "is saturated nearly everywhere", "use a shorter exposure as the lit picture"));
    }
    enough(clear.len())?;
    let clipped = 1.0 - clear.iter().filter(|b| !b.clipped.contains(&true)).count() as f64 / blocks.len() as f64;
    if clipped > MUCH_CLIPPED {
        report.warnings.push(format!("{:.0} % of the lit areas are clipped and left out", 100.0 * clipped));
    }
    let range = |of: fn(&Block) -> [f32; 3]| {
        let mut values: Vec<f32> = clear.iter().map(|b| of(b).iter().sum::<f32>() / 3.0).collect();
        values.sort_by(f32::total_cmp);
        values[values.len() * 98 / 100] - values[values.len() * 2 / 100]
    };
    for (path, range, least) in [(dark, range(|b| b.dark), LEAST_RANGE[0]), (lit, range(|b| b.lit), LEAST_RANGE[1])] {
        if range < least {
            let found = format!("its areas differ by {range:.1} levels only");
            return Err(Error::input(
                path,
                found,
                "use a scene with dark and bright surfaces, not a blank or black one",
            ));
        }
    }
    Ok(())
}

/// Adds warnings about a finished fit.
///
/// # Errors
/// A channel without a curve.
pub fn fitted(lit: &Path, report: &mut Report) -> Result<()> {
    for (name, channel) in ["red", "green", "blue"].iter().zip(report.channels) {
        let [low, high] = channel.lit;
        if !(high - low > f64::from(LEAST_RANGE[1]) && high < 255.0) {
            let found = format!("its {name} says nothing of a curve (levels {low:.0} to {high:.0})");
            return Err(Error::input(lit, found, "use a scene with gray and colored surfaces, bright but not clipped"));
        }
        if high - low < SMALL_RANGE {
            let found =
                format!("{name} covers lit levels {low:.0} to {high:.0} only; beyond them the curve is a guess");
            report.warnings.push(found);
        }
        if report.pairs > 0 && channel.rms[1] > LARGE_RESIDUAL {
            let found =
                format!("{name} leaves {:.1} levels: are the pairs aligned, of one exposure each?", channel.rms[1]);
            report.warnings.push(found);
        }
    }
    Ok(())
}

/// Spearman's rank correlation; `None` where all values of a side are equal.
fn correlation(a: &[f32], b: &[f32]) -> Option<f64> {
    let [a, b] = [a, b].map(ranks);
    let mean = (a.len() as f64 - 1.0) / 2.0;
    let product = |p: &[f64], q: &[f64]| p.iter().zip(q).map(|(p, q)| (p - mean) * (q - mean)).sum::<f64>();
    let spread = product(&a, &a) * product(&b, &b);
    (spread > 0.0).then(|| product(&a, &b) / spread.sqrt())
}

/// Ranks from 0; equal values share the mean of theirs.
fn ranks(values: &[f32]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|i, j| values[*i].total_cmp(&values[*j]));
    let mut ranks = vec![0.0; values.len()];
    let mut first = 0;
    for group in order.chunk_by(|i, j| values[*i] == values[*j]) {
        group.iter().for_each(|i| ranks[*i] = first as f64 + (group.len() as f64 - 1.0) / 2.0);
        first += group.len();
    }
    ranks
}
