//! Estimates differences of exposure between photographs beyond the known ones: gain and white balance of each view, from the
//! colors of points that views share.
//!
//! In linear light, color = gain of the view × color of the point. Of each pair of views the median ratio over the points
//! that both see is robust against highlights and wrong matches; the gains follow from all pairs by weighted least
//! squares in logarithms, with zero mean over the views. (Brown and Lowe 2007, §6, for panoramas.)

use super::stereo::{Cloud, DepthMap, Picture};
use crate::capture::median;
use crate::color::srgb_to_linear;
use glam::DVec3;
use std::collections::BTreeMap;

/// Levels that are neither noise nor clipped.
const USABLE: std::ops::RangeInclusive<u8> = 16..=240;
/// Pairs of views that share fewer points are ignored.
const FEWEST: usize = 50;
/// A capture whose gains deviate by no more than this (root mean square, natural logarithm) is exposed alike: so much
/// differs by angle and noise. Twelve tiny views of one exposure have 0.035, with 10 % of drift 0.07.
const ALIKE: f64 = 0.05;
/// Pixels along a side of the cells in which the nearest point hides others, and how much farther these are.
const CELL: usize = 4;
const BEHIND: f64 = 1.05;
/// Passes of Gauss and Seidel over the views: more than the longest chain of them needs.
const PASSES: usize = 2000;
/// Weight of the pull of every gain to 1, in points: views without connections keep their gain.
const PULL: f64 = 10.0;

/// How views differ.
pub(super) struct Exposures {
    /// For each depth map what the linear light of its view is multiplied by to be exposed and balanced as the mean of all.
    pub gains: Vec<[f32; 3]>,
    /// Points with the logarithms of their linear colors at the mean exposure.
    points: Vec<(DVec3, [f64; 3])>,
}

/// What is found of `maps`; `None` where nothing differs.
pub(super) fn exposures(maps: &[DepthMap], cloud: &Cloud) -> Option<Exposures> {
    let seen = seen(maps, cloud);
    let pairs = pairs(&seen);
    let logs: Vec<Vec<f64>> = (0..3).map(|channel| solve(maps.len(), &pairs, channel)).collect();
    let all = || logs.iter().flatten();
    let deviation = (all().map(|log| log * log).sum::<f64>() / all().count().max(1) as f64).sqrt();
    if deviation <= ALIKE {
        tracing::debug!("views are exposed alike, to {:.1} %", 100.0 * deviation);
        return None;
    }
    let most = all().fold(0.0f64, |most, log| most.max(log.abs()));
    tracing::info!("views differ in exposure or white balance by up to {:.0} %: matched", 100.0 * most.exp_m1());
    let gains = (0..maps.len()).map(|i| std::array::from_fn(|c| (-logs[c][i]).exp() as f32)).collect();
    let linear = logarithms();
    let color = |views: &[(usize, [u8; 3])]| {
        let at_mean = |c: usize, (view, color): &(usize, [u8; 3])| linear[usize::from(color[c])] - logs[c][*view];
        std::array::from_fn(|c| views.iter().map(|seen| at_mean(c, seen)).sum::<f64>() / views.len() as f64)
    };
    let points = seen.iter().map(|(point, views)| (cloud.points[*point].position, color(views))).collect();
    Some(Exposures { gains, points })
}

impl Exposures {
    /// The gain of a view that was not searched, by the points that it sees; `None` where these are too few.
    pub fn of_other(&self, picture: &Picture) -> Option<[f32; 3]> {
        let (width, height) = (picture.image.width as usize, picture.image.height as usize);
        let project = |(position, color): &(DVec3, [f64; 3])| {
            let p = picture.camera.project(*position);
            let inside = p.z > 0.0 && p.x >= 0.0 && p.y >= 0.0 && p.x < width as f64 && p.y < height as f64;
            inside.then(|| (p.y as usize * width + p.x as usize, p.z, *color))
        };
        let seen: Vec<(usize, f64, [f64; 3])> = self.points.iter().filter_map(project).collect();
        // Hidden points are not seen.
        let columns = width.div_ceil(CELL);
        let cell = |at: usize| at / width / CELL * columns + at % width / CELL;
        let mut nearest = vec![f64::INFINITY; columns * height.div_ceil(CELL)];
        seen.iter().for_each(|(at, depth, _)| nearest[cell(*at)] = nearest[cell(*at)].min(*depth));
        let linear = logarithms();
        let mut logs: [Vec<f64>; 3] = Default::default();
        for (at, depth, color) in &seen {
            let level = picture.color(*at);
            let hidden = picture.hidden.get(*at).copied().unwrap_or_default() || *depth > BEHIND * nearest[cell(*at)];
            if !hidden && level.iter().all(|level| USABLE.contains(level)) {
                (0..3).for_each(|c| logs[c].push(linear[usize::from(level[c])] - color[c]));
            }
        }
        (logs[0].len() >= FEWEST).then(|| logs.map(|logs| (-median(logs)).exp() as f32))
    }
}

/// The natural logarithm of the linear light of each level.
fn logarithms() -> Vec<f64> {
    (0..=255).map(|level| f64::from(srgb_to_linear(level as f32 / 255.0)).ln()).collect()
}

/// Of two views the points that both see, and the median logarithm of the first's color over the second's.
struct Ratio {
    views: [usize; 2],
    points: f64,
    log: [f64; 3],
}

/// Points by index, each with the views that see it and the colors they show.
type Seen = BTreeMap<usize, Vec<(usize, [u8; 3])>>;

fn seen(maps: &[DepthMap], cloud: &Cloud) -> Seen {
    let mut seen = Seen::new();
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
    seen
}

fn pairs(seen: &Seen) -> Vec<Ratio> {
    let linear = logarithms();
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
