//! What differs between the exposures of photographs beyond what is known of them: gain and white balance of each view,
//! from the colors that views show of the same points.
//!
//! In linear light, color = gain of the view × color of the point. Of each pair of views the median ratio over the points
//! that both see is robust against highlights and wrong matches; the gains follow from all pairs by weighted least
//! squares in logarithms, with zero mean over the views. (Brown and Lowe 2007, §6, for panoramas.)

use super::stereo::{Cloud, DepthMap};
use crate::capture::median;
use crate::color::srgb_to_linear;
use std::collections::BTreeMap;

/// Levels that are neither noise nor clipped.
const USABLE: std::ops::RangeInclusive<u8> = 16..=240;
/// Pairs of views that share fewer points say nothing.
const FEWEST: usize = 50;
/// A capture whose gains deviate by no more than this (root mean square, natural logarithm) is exposed alike: so much
/// differs by angle and noise. Twelve tiny views of one exposure have 0.035, with 10 % of drift 0.07.
const ALIKE: f64 = 0.05;
/// Passes of Gauss and Seidel over the views: more than the longest chain of them needs.
const PASSES: usize = 2000;
/// Pull of every gain to 1, in points: what hangs together with nothing else stays as it is.
const PULL: f64 = 10.0;

/// For each of `maps` what the linear light of its view is multiplied by to be exposed and balanced as the mean of all;
/// `None` where nothing differs.
pub(super) fn gains(maps: &[DepthMap], cloud: &Cloud) -> Option<Vec<[f32; 3]>> {
    let pairs = pairs(maps, cloud);
    let logs: Vec<Vec<f64>> = (0..3).map(|channel| solve(maps.len(), &pairs, channel)).collect();
    let all = || logs.iter().flatten();
    let deviation = (all().map(|log| log * log).sum::<f64>() / all().count().max(1) as f64).sqrt();
    if deviation <= ALIKE {
        tracing::debug!("views are exposed alike, to {:.1} %", 100.0 * deviation);
        return None;
    }
    let most = all().fold(0.0f64, |most, log| most.max(log.abs()));
    tracing::info!("views differ in exposure or white balance by up to {:.0} %: matched", 100.0 * most.exp_m1());
    Some((0..maps.len()).map(|i| std::array::from_fn(|c| (-logs[c][i]).exp() as f32)).collect())
}

/// Of two views the points that both see, and the median logarithm of the first's color over the second's.
struct Ratio {
    views: [usize; 2],
    points: f64,
    log: [f64; 3],
}

fn pairs(maps: &[DepthMap], cloud: &Cloud) -> Vec<Ratio> {
    let mut seen: BTreeMap<usize, Vec<(usize, [u8; 3])>> = BTreeMap::new();
    for (place, map) in maps.iter().enumerate() {
        for (at, color) in map.colors.iter().enumerate() {
            let usable = color.iter().all(|level| USABLE.contains(level));
            if let Some(point) = cloud.index(place, at).filter(|_| usable) {
                let views = seen.entry(point).or_default();
                if views.last().is_none_or(|(last, _)| *last != place) {
                    views.push((place, *color));
                }
            }
        }
    }
    let linear: Vec<f64> = (0..=255).map(|level| f64::from(srgb_to_linear(level as f32 / 255.0)).ln()).collect();
    let mut logs: BTreeMap<[usize; 2], [Vec<f64>; 3]> = BTreeMap::new();
    for views in seen.values() {
        for (i, (one, color)) in views.iter().enumerate() {
            for (other, other_color) in &views[i + 1..] {
                let channels = logs.entry([*one, *other]).or_default();
                for (c, logs) in channels.iter_mut().enumerate() {
                    logs.push(linear[usize::from(color[c])] - linear[usize::from(other_color[c])]);
                }
            }
        }
    }
    let enough = logs.into_iter().filter(|(_, logs)| logs[0].len() >= FEWEST);
    enough.map(|(views, logs)| Ratio { views, points: logs[0].len() as f64, log: logs.map(median) }).collect()
}

/// The logarithms of one channel's gains.
fn solve(views: usize, pairs: &[Ratio], channel: usize) -> Vec<f64> {
    let mut neighbors = vec![Vec::new(); views];
    for Ratio { views: [one, other], points, log } in pairs {
        neighbors[*one].push((*other, *points, log[channel]));
        neighbors[*other].push((*one, *points, -log[channel]));
    }
    let mut gains = vec![0.0; views];
    for _ in 0..PASSES {
        for view in 0..views {
            let weight: f64 = PULL + neighbors[view].iter().map(|(_, points, _)| points).sum::<f64>();
            let sum: f64 = neighbors[view].iter().map(|(other, points, log)| points * (gains[*other] + log)).sum();
            gains[view] = sum / weight;
        }
    }
    let mean = gains.iter().sum::<f64>() / views.max(1) as f64;
    gains.iter_mut().for_each(|gain| *gain -= mean);
    gains
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gains_follow_from_chains_of_pairs() {
        let truth = [0.4, -0.2, 0.1, -0.6, 0.3, 0.0];
        let pair = |one: usize, other: usize| Ratio {
            views: [one, other],
            points: 900.0,
            log: [truth[one] - truth[other]; 3],
        };
        let pairs: Vec<Ratio> = (0..5).map(|i| pair(i, i + 1)).chain([pair(0, 3)]).collect();
        for (found, want) in solve(6, &pairs, 1).iter().zip(truth) {
            assert!((found - want).abs() < 0.02, "{found} instead of {want}");
        }
        assert_eq!(solve(4, &[], 0), [0.0; 4]);
    }
}
