//! A generated path: smoothly through the cameras of a capture.

use super::{CameraPath, Keyframe, Pose};
use crate::capture::Camera;
use crate::error::{Error, Result};

/// How to go through cameras.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tour {
    /// Length of the film.
    pub seconds: f64,
    /// Pictures a second.
    pub fps: f64,
    /// Back to the first camera at the end.
    pub closed: bool,
    /// Cameras to go through at most, evenly spread along the way; the fewer, the smoother.
    pub keyframes: usize,
}

/// A path of even pace through `cameras`, in pictures of the size of the first: in their order, or, if that is shorter,
/// always to the nearest remaining one.
///
/// # Errors
/// [`Error::Setting`] for fewer than two cameras or keyframes.
pub fn through(cameras: &[Camera], tour: &Tour) -> Result<CameraPath> {
    let poses: Vec<Pose> = cameras.iter().map(|camera| pose_in(&cameras[0], camera)).collect();
    let ([first, _, ..], Some(camera)) = (poses.as_slice(), cameras.first()) else {
        let found = format!("{} cameras", cameras.len());
        return Err(Error::setting("a camera path", found, "at least two cameras are needed to go through"));
    };
    if tour.keyframes < 2 {
        return Err(Error::setting("keyframes", tour.keyframes.to_string(), "use at least 2"));
    }
    let nearest = by_nearest(first, &poses[1..]);
    let order = if length(&nearest) < length(&poses) { nearest } else { poses };
    let stops = spread(&order, tour.keyframes.min(order.len()), tour.closed);
    let count = if tour.closed { stops.len() } else { stops.len() - 1 };
    let step = tour.seconds / count as f64;
    let keyframe = |(i, pose)| Keyframe { pose, seconds: step * f64::from(i) };
    let path = CameraPath {
        fps: tour.fps,
        keyframes: (0u32..).zip(stops).map(keyframe).collect(),
        closing: tour.closed.then_some(step),
        constant_speed: true,
        ..CameraPath::new(camera.width, camera.height)
    };
    path.check()?;
    Ok(path)
}

/// The pose of `camera` in pictures of the shape of `film`. A lens sees as much whichever way it is held, so that the focal
/// length counts by the diagonal.
fn pose_in(film: &Camera, camera: &Camera) -> Pose {
    let diagonal = |camera: &Camera| f64::from(camera.width).hypot(f64::from(camera.height));
    let fy = camera.fy * (diagonal(film) / diagonal(camera));
    Pose::of(&Camera { height: film.height, fy, ..camera.clone() })
}

/// `first`, and always the nearest one that is left.
fn by_nearest(first: &Pose, others: &[Pose]) -> Vec<Pose> {
    let (mut left, mut order, mut last) = (others.to_vec(), vec![*first], *first);
    let distance = |last: &Pose, pose: &Pose| pose.position.distance_squared(last.position);
    while let Some(next) =
        (0..left.len()).min_by(|a, b| distance(&last, &left[*a]).total_cmp(&distance(&last, &left[*b])))
    {
        last = left.remove(next);
        order.push(last);
    }
    order
}

fn length(poses: &[Pose]) -> f64 {
    poses.windows(2).map(|pair| pair[0].position.distance(pair[1].position)).sum()
}

/// `count` of the poses, evenly spread along the way; of an open way, both ends are among them.
fn spread(poses: &[Pose], count: usize, closed: bool) -> Vec<Pose> {
    let mut along = vec![0.0];
    for pair in poses.windows(2) {
        along.push(along[along.len() - 1] + pair[0].position.distance(pair[1].position));
    }
    let gaps = if closed { count } else { count - 1 };
    let step = along[along.len() - 1] / gaps as f64;
    let (mut stops, mut next) = (Vec::new(), 0);
    for stop in 0..count {
        let wanted = step * stop as f64;
        // Enough are left for the stops to come.
        let last = poses.len() - (count - stop);
        while next < last && (along[next + 1] - wanted).abs() <= (along[next] - wanted).abs() {
            next += 1;
        }
        stops.push(poses[next]);
        next += 1;
    }
    stops
}
