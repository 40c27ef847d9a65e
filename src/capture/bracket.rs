//! Exposure brackets: photographs of one pose, exposed differently, are one view.
//!
//! They are merged in linear light before anything else happens to them, at the exposure of the middle one: the sum of what
//! the shots counted over the sum of their exposures, which is the estimate of least variance where photons are the noise
//! (Hasinoff, Durand and Freeman 2010, §3); what a shot clips, it does not count. How much longer one was exposed than
//! another is measured on the pictures, since cameras' curves bend what EXIF data says.

use super::medians::median_vec;
use super::messages::list_names;
use super::{Image, View, read_image, resize_area};
use crate::color::{to_linear, to_srgb};
use crate::error::{Error, Result};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Shots whose exposures differ by less than a sixth of a stop are views of their own: training averages them.
const LEAST_STOPS: f64 = 1.0 / 6.0;
/// Poses that differ by at most this many pixels, at the photographs' size, count as one.
const SAME_POSE: f64 = 1.0;
/// The longer side of the pictures on which exposures are compared, in pixels.
const COMPARED: u32 = 192;
/// Encoded values from which on the brightest channel counts as clipped, and up to which it has full weight.
const CLIPPED: f32 = 0.97;
const SOUND: f32 = 0.85;
/// Least correlation of the luminances of two shots of the same scene.
const SAME_SCENE: f64 = 0.7;
/// Least part of pixels that neither of two shots clips, for a comparison of their exposures.
const FEWEST: f64 = 0.02;

/// A further photograph of a view's pose.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Shot {
    /// Its file.
    pub image: PathBuf,
    /// Light that it counted / light that the view's own image counted.
    pub exposure: f32,
}

/// Joins the brackets among `views`, which keep their order, into the shots of the view that is exposed in the middle.
/// Photographs of one pose that show different things are named and left as they are.
///
/// # Errors
/// A photograph of a pose that others have too cannot be read.
pub(super) fn join(views: Vec<View>) -> Result<Vec<View>> {
    let groups = same_pose(&views);
    if groups.is_empty() {
        return Ok(views);
    }
    let mut joined: Vec<Option<View>> = views.iter().cloned().map(Some).collect();
    let (mut merged, mut strange) = (Vec::new(), Vec::new());
    for group in groups {
        let members: Vec<&View> = group.iter().map(|index| &views[*index]).collect();
        match compare(&members)? {
            Compared::Bracket { middle, exposures } => {
                let others = (0..group.len()).filter(|other| *other != middle);
                let shot = |other: usize| {
                    let exposure = (exposures[other] / exposures[middle]) as f32;
                    members[other].image.clone().map(|image| Shot { image, exposure })
                };
                let shots = others.clone().filter_map(shot).collect();
                others.for_each(|other| joined[group[other]] = None);
                joined[group[middle]] = Some(View { shots, ..members[middle].clone() });
                merged.push(members[middle].name.as_str());
            }
            Compared::Alike => {}
            Compared::Different => strange.push(named(&members)),
        }
    }
    if !merged.is_empty() {
        tracing::info!("{} poses have brackets of exposures, merged: {}", merged.len(), list_names(&merged));
    }
    if !strange.is_empty() {
        tracing::warn!(
            "photographs with one pose show different things: {}; correct their poses or remove those that are wrong",
            list_names(&strange)
        );
    }
    Ok(joined.into_iter().flatten().collect())
}

fn named(views: &[&View]) -> String {
    let names: Vec<&str> = views.iter().map(|view| view.name.as_str()).collect();
    match names[..] {
        [first, .., last] if names.len() > 4 => format!("{first} to {last} ({} photographs)", names.len()),
        _ => names.join(" and "),
    }
}

/// Indices of photographs that were taken from one pose, by the same camera: groups of two and more, in order.
fn same_pose(views: &[View]) -> Vec<Vec<usize>> {
    let centers: Vec<_> = views.iter().map(|view| view.camera.center()).collect();
    let middle = median_vec(&centers);
    let mut distances: Vec<f64> = centers.iter().map(|center| center.distance(middle)).collect();
    distances.sort_by(f64::total_cmp);
    // What cameras look at is about as far away as they are from each other.
    let extent = distances.get(distances.len() / 2).copied().unwrap_or_default();
    let mut order: Vec<usize> = (0..views.len()).collect();
    order.sort_by(|a, b| centers[*a].x.total_cmp(&centers[*b].x));
    let mut place = vec![0; views.len()];
    order.iter().enumerate().for_each(|(at, &view)| place[view] = at);
    let mut taken = vec![false; views.len()];
    let mut groups = Vec::new();
    // Pairs are not chained: where a camera moves slowly each has the pose of the one before, but not all have one.
    for first in 0..views.len() {
        if taken[first] {
            continue;
        }
        let tolerance = SAME_POSE / views[first].camera.fx;
        let reach = tolerance * extent;
        let near = |other: &&usize| (centers[**other].x - centers[first].x).abs() <= reach;
        let (before, after) = (&order[..place[first]], &order[place[first] + 1..]);
        let around = before.iter().rev().take_while(near).chain(after.iter().take_while(near)).copied();
        let same = |other: &usize| {
            *other > first
                && !taken[*other]
                && centers[first].distance(centers[*other]) <= reach
                && is_same(&views[first], &views[*other], tolerance)
        };
        let mut group: Vec<usize> = around.filter(same).collect();
        if group.is_empty() {
            continue;
        }
        group.push(first);
        group.sort_unstable();
        group.iter().for_each(|member| taken[*member] = true);
        groups.push(group);
    }
    groups
}

/// Whether two cameras at one place look the same way through the same lens.
fn is_same(a: &View, b: &View, tolerance: f64) -> bool {
    let size = |view: &View| (view.camera.width, view.camera.height);
    // The arc cosine of a product does not resolve small angles.
    let difference = a.camera.rotation() - b.camera.rotation();
    let turned = (difference.to_cols_array().iter().map(|d| d * d).sum::<f64>() / 2.0).sqrt();
    let focal = (a.camera.fx / b.camera.fx - 1.0).abs() * f64::from(a.camera.width) <= SAME_POSE;
    a.image != b.image && size(a) == size(b) && focal && a.lens.is_some() == b.lens.is_some() && turned <= tolerance
}

enum Compared {
    /// Exposures on one scale, and which of them is in the middle.
    Bracket {
        middle: usize,
        exposures: Vec<f64>,
    },
    /// Exposed alike.
    Alike,
    Different,
}

/// Compares photographs of one pose.
fn compare(views: &[&View]) -> Result<Compared> {
    let small = |view: &&View| {
        let image = read_image(view.file()?)?;
        let scale = (f64::from(COMPARED) / f64::from(image.width.max(image.height))).min(1.0);
        let side = |full: u32| ((f64::from(full) * scale).round() as u32).max(1);
        Ok(resize_area(&image, side(image.width), side(image.height)))
    };
    // One by one: photographs are large.
    let pictures = views.iter().map(small).collect::<Result<Vec<_>>>()?;
    let mut order: Vec<usize> = (0..views.len()).collect();
    let brightness = |i: usize| pictures[i].pixels.iter().map(|p| luminance(linear(*p)).min(1.0)).sum::<f64>();
    order.sort_by(|a, b| brightness(*a).total_cmp(&brightness(*b)));
    let mut exposures = vec![1.0; views.len()];
    for pair in order.windows(2) {
        match ratio(&pictures[pair[0]], &pictures[pair[1]]) {
            Some(ratio) => exposures[pair[1]] = exposures[pair[0]] * ratio,
            None => return Ok(Compared::Different),
        }
    }
    let (darkest, brightest) = (exposures[order[0]], exposures[order[order.len() - 1]]);
    if (brightest / darkest).log2() < LEAST_STOPS {
        return Ok(Compared::Alike);
    }
    Ok(Compared::Bracket { middle: order[order.len() / 2], exposures })
}

/// Light of `brighter` over that of `darker`, from the pixels that neither clips; `None` where they do not show the same.
fn ratio(darker: &Image, brighter: &Image) -> Option<f64> {
    if darker.pixels.len() != brighter.pixels.len() {
        return None;
    }
    let both = darker.pixels.iter().zip(&brighter.pixels);
    let sound = both.filter(|(_, b)| b.iter().all(|value| *value < SOUND));
    let pairs: Vec<[f64; 2]> = sound.map(|(a, b)| [luminance(linear(*a)), luminance(linear(*b))]).collect();
    if (pairs.len() as f64) < FEWEST * darker.pixels.len() as f64 || correlation(&pairs) < SAME_SCENE {
        return None;
    }
    let [a, b] = pairs.iter().fold([0.0; 2], |sum, pair| [sum[0] + pair[0], sum[1] + pair[1]]);
    Some(b / a).filter(|ratio| ratio.is_normal() && *ratio > 0.0)
}

/// Of Pearson, between roots of the two values: highlights are not all that counts.
fn correlation(pairs: &[[f64; 2]]) -> f64 {
    let roots: Vec<[f64; 2]> = pairs.iter().map(|pair| pair.map(|value| value.max(0.0).sqrt())).collect();
    let count = roots.len().max(1) as f64;
    let mean: [f64; 2] = std::array::from_fn(|i| roots.iter().map(|pair| pair[i]).sum::<f64>() / count);
    let moment = |i: usize, j: usize| roots.iter().map(|p| (p[i] - mean[i]) * (p[j] - mean[j])).sum::<f64>();
    moment(0, 1) / (moment(0, 0) * moment(1, 1)).sqrt().max(f64::MIN_POSITIVE)
}

fn linear(pixel: [f32; 3]) -> [f32; 3] {
    pixel.map(to_linear)
}

/// Of linear light (ITU-R BT.709).
fn luminance([r, g, b]: [f32; 3]) -> f64 {
    0.2126 * f64::from(r) + 0.7152 * f64::from(g) + 0.0722 * f64::from(b)
}

/// How much of a shot's pixel counts: nothing where it clips.
fn weight(pixel: [f32; 3]) -> f32 {
    let brightest = pixel.into_iter().fold(0.0f32, f32::max);
    ((CLIPPED - brightest) / (CLIPPED - SOUND)).clamp(0.0, 1.0)
}

/// Light that was counted at one pixel, and for how long.
#[derive(Clone, Copy)]
struct Counted {
    light: [f32; 3],
    exposure: f32,
}

impl View {
    /// The picture of the view's file with those of its shots, at the exposure of the file. Light beyond its white is kept.
    ///
    /// # Errors
    /// A file that cannot be read, or has another size.
    pub(super) fn merged(&self, own: Image) -> Result<Image> {
        let mut counted = vec![Counted { light: [0.0; 3], exposure: 0.0 }; own.pixels.len()];
        add(&mut counted, &own, 1.0);
        let size = (own.width, own.height);
        let mut shortest = (1.0, own);
        for shot in &self.shots {
            let image = read_image(&shot.image)?;
            if (image.width, image.height) != size {
                let found =
                    format!("is {} × {}, the others of its pose {} × {}", image.width, image.height, size.0, size.1);
                return Err(Error::input(&shot.image, found, "bring the shots of one bracket to one size"));
            }
            add(&mut counted, &image, shot.exposure);
            if shot.exposure < shortest.0 {
                shortest = (shot.exposure, image);
            }
        }
        let (exposure, mut merged) = shortest;
        merged.pixels.par_iter_mut().zip(&counted).for_each(|(pixel, counted)| {
            // Where all clip, the shortest gives a lower bound.
            let light = match counted.exposure > 0.0 {
                true => counted.light.map(|light| light / counted.exposure),
                false => linear(*pixel).map(|light| light / exposure),
            };
            *pixel = light.map(to_srgb);
        });
        Ok(merged)
    }
}

fn add(counted: &mut [Counted], image: &Image, exposure: f32) {
    counted.par_iter_mut().zip(&image.pixels).for_each(|(counted, pixel)| {
        let (weight, light) = (weight(*pixel), linear(*pixel));
        (0..3).for_each(|c| counted.light[c] += weight * light[c]);
        counted.exposure += weight * exposure;
    });
}

#[cfg(test)]
#[path = "bracket_tests.rs"]
mod tests;
