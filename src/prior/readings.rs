//! Detects poses that contradict the photographs, and tries other readings of them.
//!
//! Stereo decides: with the poses of the photographs, views agree on the depth of many pixels; with those of other axes, of
//! the inverse matrix, of other photographs or with another focal length, on hardly any.

use super::config::{Config, PoseCheck};
use super::neighbors::references;
use super::stereo::{self, DepthMap};
use crate::capture::{Camera, Capture, View, list_names};
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::progress::{Progress, Silent};
use glam::DMat4;
use std::fmt;
use std::slice;

/// Part of the pixels with a depth below which poses contradict the photographs; below ten times it they may. The tiny capture
/// of `shared/cases` has 47.5 %, with OpenCV axes 0.06 %, with inverted poses 0.08 %.
const CONTRADICTORY: f64 = 0.005;
/// Below this, other readings are tried: with a wrong focal length some pixels agree by chance. Five captures have 41 to 65 %
/// as they are and 1.6 to 15 % with twice the focal length (docs/reports.md).
const DOUBTFUL: f64 = 0.2;
/// Below this, photographs and poses may not belong together, or nothing can be matched.
const POOR: f64 = 0.05;
/// Another reading fits clearly where so many pixels have a depth, and so many times those of the poses as they are.
const CLEAR: (f64, f64) = (0.1, 4.0);
/// From so many times on it may be meant.
const BETTER: f64 = 1.5;
/// No other reading is tried once one gives so many pixels a depth.
const CERTAIN: f64 = 0.3;
/// Of the part of pixels that a typical view has a depth for, a view with a wrong pose has less than this: on the tiny capture
/// two views with exchanged poses have 8 and 9 %, all others 88 % or more.
const LONELY: f64 = 0.15;
/// A principal point so far from the middle, as part of half a side, may be meant to be there.
const OFF_CENTER: f64 = 0.2;
/// Views and longer side of the pictures that readings are compared with.
const VIEWS: usize = 8;
const IMAGE_SIZE: u32 = 160;

/// Another way to understand the poses.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reading {
    /// Camera to world, but y points down and z forward.
    OpenCvAxes,
    /// World to camera, in OpenCV or OpenGL axes.
    WorldToCamera { opencv: bool },
    /// Those of the photographs as viewers show them, by their EXIF data, not of the pixels as they are stored.
    AsShown,
    /// Focal lengths are so many times those given.
    Focal(f64),
    /// The principal point is the middle of the picture.
    Centered,
    /// The photographs belong to the poses in another order.
    Order(Order),
}

/// Orders in which photographs could correspond to their poses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    Reversed,
    /// Each photograph belongs to the pose so many places further.
    Shifted(isize),
    /// `10.png` comes before `9.png` for the poses, and after it for the photographs, or the other way round.
    ByNumber {
        poses: bool,
    },
}

impl Reading {
    const ALL: [Self; 14] = [
        Self::AsShown,
        Self::OpenCvAxes,
        Self::WorldToCamera { opencv: true },
        Self::WorldToCamera { opencv: false },
        Self::Focal(0.5),
        Self::Focal(0.7),
        Self::Focal(1.4),
        Self::Focal(2.0),
        Self::Centered,
        Self::Order(Order::Reversed),
        Self::Order(Order::Shifted(1)),
        Self::Order(Order::Shifted(-1)),
        Self::Order(Order::ByNumber { poses: true }),
        Self::Order(Order::ByNumber { poses: false }),
    ];

    /// The views under this reading; `None` where it changes nothing.
    pub(super) fn of(self, views: &[View]) -> Option<Vec<View>> {
        let moved = |change: &dyn Fn(&Camera) -> Camera| {
            Some(views.iter().map(|view| View { camera: change(&view.camera), ..view.clone() }).collect())
        };
        let axes = DMat4::from_diagonal(glam::DVec4::new(1.0, -1.0, -1.0, 1.0));
        match self {
            Self::OpenCvAxes => moved(&|camera| Camera { viewmat: axes * camera.viewmat, ..camera.clone() }),
            Self::WorldToCamera { opencv } => moved(&|camera| {
                let inverse = camera.viewmat.inverse() * axes;
                Camera { viewmat: if opencv { inverse } else { axes * inverse }, ..camera.clone() }
            }),
            Self::AsShown => {
                let stored = |view: &View| Some(View { camera: view.stored_camera()?, ..view.clone() });
                let read = |view: &View| stored(view).unwrap_or_else(|| view.clone());
                let read: Vec<View> = views.iter().map(read).collect();
                (read != views).then_some(read)
            }
            Self::Focal(factor) => {
                moved(&|camera| Camera { fx: camera.fx * factor, fy: camera.fy * factor, ..camera.clone() })
            }
            Self::Centered => {
                let middle = |camera: &Camera| [camera.width, camera.height].map(|side| 0.5 * f64::from(side));
                let is_far = |camera: &Camera| {
                    let [x, y] = middle(camera);
                    (camera.cx - x).abs() > OFF_CENTER * x || (camera.cy - y).abs() > OFF_CENTER * y
                };
                let centered = |camera: &Camera| {
                    let [cx, cy] = middle(camera);
                    Camera { cx, cy, ..camera.clone() }
                };
                views.iter().any(|view| is_far(&view.camera)).then(|| moved(&centered)).flatten()
            }
            Self::Order(order) => order.of(views),
        }
    }

    /// What to do where this reading fits.
    fn remedy(self) -> &'static str {
        match self {
            Self::OpenCvAxes => {
                "check axes and direction of the poses: negate the second and third column of every pose"
            }
            Self::WorldToCamera { .. } => "check axes and direction of the poses: give the inverse of every pose",
            Self::AsShown => {
                "the photographs are stored turned, and EXIF data tell viewers to turn them: save them upright, or give the \
                 poses of the stored pixels"
            }
            Self::Focal(_) => "check the intrinsics: correct the focal length, or the size that it belongs to",
            Self::Centered => "check the intrinsics: correct the principal point, or leave it out",
            Self::Order(_) => "check the names: give every pose that of its photograph",
        }
    }
}

impl fmt::Display for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OpenCvAxes => write!(f, "as camera to world in OpenCV axes (x right, y down, z forward)"),
            Self::WorldToCamera { opencv: true } => write!(f, "as world to camera in OpenCV axes"),
            Self::WorldToCamera { opencv: false } => write!(f, "as world to camera in OpenGL axes"),
            Self::AsShown => write!(f, "as those of the photographs as viewers show them"),
            Self::Focal(factor) => write!(f, "with {factor} times the focal length"),
            Self::Centered => write!(f, "with the principal point in the middle of the picture"),
            Self::Order(Order::Reversed) => write!(f, "with the photographs in reverse order"),
            Self::Order(Order::Shifted(by)) => write!(f, "with every photograph at the pose {by:+} places further"),
            Self::Order(Order::ByNumber { poses }) => {
                let (one, other) = if *poses { ("poses", "photographs") } else { ("photographs", "poses") };
                write!(f, "with {one} ordered by number (9, 10) and {other} by letter (10, 9)")
            }
        }
    }
}

impl Order {
    /// `views` with the pictures of others.
    fn of(self, views: &[View]) -> Option<Vec<View>> {
        let count = views.len();
        let from: Vec<usize> = match self {
            Self::Reversed => (0..count).rev().collect(),
            Self::Shifted(by) => (0..count).map(|i| (i as isize - by).rem_euclid(count as isize) as usize).collect(),
            Self::ByNumber { poses } => {
                let sorted = |key: &dyn Fn(&str) -> Vec<(u64, String)>| {
                    let mut order: Vec<usize> = (0..count).collect();
                    order.sort_by_cached_key(|&i| key(&views[i].name));
                    order
                };
                let (number, letter) = (sorted(&by_number), sorted(&|name| vec![(0, name.into())]));
                let (at_pose, of_picture) = if poses { (number, letter) } else { (letter, number) };
                let mut from = vec![0; count];
                at_pose.iter().zip(&of_picture).for_each(|(pose, picture)| from[*pose] = *picture);
                from
            }
        };
        let unchanged = from.iter().enumerate().all(|(i, from)| i == *from);
        let picture = |(view, from): (&View, usize)| View { camera: view.camera.clone(), ..views[from].clone() };
        (!unchanged).then(|| views.iter().zip(from).map(picture).collect())
    }
}

/// Parts of a name for natural sorting: text as letters, digits as numbers.
fn by_number(name: &str) -> Vec<(u64, String)> {
    let mut parts: Vec<(u64, String)> = Vec::new();
    let mut rest = name;
    while !rest.is_empty() {
        let text = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let digits = rest[text..].find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len() - text);
        parts.push((rest[text..text + digits].parse().unwrap_or_default(), rest[..text].into()));
        rest = &rest[text + digits..];
    }
    // The text comes first.
    parts.iter_mut().for_each(|part| part.1.push('\0'));
    parts
}

/// The part of the pixels on whose depth views agree.
pub(super) fn share_of(maps: &[DepthMap]) -> f64 {
    let shown = |map: &DepthMap| map.planes.len() - map.hidden.iter().filter(|hidden| **hidden).count();
    let with_depth = maps.iter().flat_map(|map| &map.agreeing).filter(|agreeing| **agreeing > 0).count();
    with_depth as f64 / maps.iter().map(shown).sum::<usize>().max(1) as f64
}

/// Warns about views that no other view agrees with, where most views agree: their single poses may be wrong.
pub(super) fn warn_of_lonely(capture: &Capture, maps: &[DepthMap]) {
    let shares: Vec<f64> = maps.iter().map(|map| share_of(slice::from_ref(map))).collect();
    tracing::debug!("parts of the pixels with a depth, by view: {shares:.3?}");
    let lonely = lonely(&shares);
    if !lonely.is_empty() {
        let names: Vec<&str> = lonely.iter().map(|i| capture.train[maps[*i].view].name.as_str()).collect();
        tracing::warn!(
            "hardly any other view agrees with {} of {} photographs: their poses may be wrong, or they show little that can be \
             matched: {}",
            names.len(),
            maps.len(),
            list_names(&names)
        );
    }
}

/// Those of `shares`, the parts of pixels with a depth, that are negligible compared with the others.
pub(super) fn lonely(shares: &[f64]) -> Vec<usize> {
    let mut sorted = shares.to_vec();
    sorted.sort_by(f64::total_cmp);
    let typical = sorted.get(sorted.len() / 2).copied().unwrap_or_default();
    (0..shares.len()).filter(|i| shares[*i] < LONELY * typical && typical >= CLEAR.0).collect()
}

/// As [`share_of`], of a few small pictures of `views`.
fn quick_share(gpu: &Gpu, capture: &Capture, views: Vec<View>, progress: &dyn Progress) -> Result<f64> {
    let capture = Capture { train: views, ..capture.clone() };
    let config = Config { image_size: IMAGE_SIZE, max_views: VIEWS, ..Config::default() };
    let references = references(&capture, &config);
    let silent = Silent(progress.stop().clone());
    let (maps, _) = stereo::maps_of(gpu, &capture, &references, &config, None, &silent)?;
    Ok(share_of(&maps))
}

/// Views for a quick test: those in the middle of the capture, which follow each other in most.
fn some_of(capture: &Capture) -> &[View] {
    let views = &capture.train[..];
    let first = views.len().saturating_sub(VIEWS) / 2;
    &views[first..(first + VIEWS).min(views.len())]
}

/// Whether [`quick_check`] is asked for and has pictures to look at.
pub(super) fn can_check(capture: &Capture, config: &Config) -> bool {
    let there = |view: &View| view.image.as_ref().is_some_and(|image| image.is_file());
    config.pose_check != PoseCheck::Off && some_of(capture).iter().all(there)
}

/// A test of poses that no stereo search has looked at yet, on a few small pictures.
///
/// # Errors
/// As [`check`].
pub(super) fn quick_check(gpu: &Gpu, capture: &Capture, config: &Config, progress: &dyn Progress) -> Result<()> {
    let share = quick_share(gpu, capture, some_of(capture).to_vec(), progress)?;
    check(gpu, capture, share, config, progress)
}

/// Tries other readings of the poses where views agree on few depths (`share`, a part of all pixels).
///
/// # Errors
/// [`Error::Input`] where another reading clearly fits, if the settings say so.
pub(super) fn check(gpu: &Gpu, capture: &Capture, share: f64, config: &Config, progress: &dyn Progress) -> Result<()> {
    if config.pose_check == PoseCheck::Off || share >= DOUBTFUL {
        return Ok(());
    }
    let found = format!("views agree on a depth for only {:.2} % of the pixels", 100.0 * share);
    tracing::info!("{found}: other readings of the poses are tried");
    match better(gpu, capture, &Reading::ALL, progress)? {
        Some(Better { reading, share, times }) => {
            let found = format!("{found}; read {reading}, for {:.0} %", 100.0 * share);
            if times >= CLEAR.1 && config.pose_check == PoseCheck::Refuse {
                let remedy = format!("{}, or continue anyway with `prior.pose_check = warn`", reading.remedy());
                return Err(Error::input(&capture.root, found, remedy));
            }
            tracing::warn!("{found}: {}", reading.remedy());
        }
        None if share < CONTRADICTORY => tracing::warn!(
            "{found}: photographs and poses do not fit each other, or there is nothing to match. Check axes and direction \
             of the poses (camera to world, OpenGL axes: x right, y up, z backward), that each belongs to its photograph, \
             and the focal length"
        ),
        None if share < POOR => tracing::warn!(
            "{found}: the poses may not belong to the photographs, or little in them can be matched; check the result"
        ),
        None => {}
    }
    Ok(())
}

/// A reading that fits better than the poses as they are.
#[derive(Debug)]
pub(super) struct Better {
    pub(super) reading: Reading,
    /// The part of the pixels with a depth.
    share: f64,
    /// How many times that of the poses as they are it is.
    times: f64,
}

/// The one of `readings` that fits best, where it fits better than the poses as they are.
pub(super) fn better(
    gpu: &Gpu,
    capture: &Capture,
    readings: &[Reading],
    progress: &dyn Progress,
) -> Result<Option<Better>> {
    let views = some_of(capture);
    let as_is = quick_share(gpu, capture, views.to_vec(), progress)?;
    let mut best: Option<Better> = None;
    progress.begin("poses", "readings", readings.len() as u64);
    for (done, &reading) in readings.iter().enumerate() {
        progress.check()?;
        progress.set(done as u64, "");
        // An order is one of all views.
        let read = match reading {
            Reading::Order(_) => reading
                .of(&capture.train)
                .map(|views| some_of(&Capture { train: views, ..Capture::default() }).to_vec()),
            _ => reading.of(views),
        };
        let Some(read) = read else { continue };
        let share = quick_share(gpu, capture, read, progress)?;
        tracing::debug!("poses read {reading}: {:.2} % of the pixels have a depth", 100.0 * share);
        let times = share / as_is.max(f64::MIN_POSITIVE);
        if share >= CLEAR.0 && times >= BETTER && best.as_ref().is_none_or(|best| share > best.share) {
            best = Some(Better { reading, share, times });
        }
        if share >= CERTAIN && times >= CLEAR.1 {
            break;
        }
    }
    progress.set(readings.len() as u64, "");
    progress.end();
    Ok(best)
}
