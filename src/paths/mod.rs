//! Camera paths: keyframes, the smooth curve between them, and films.
//!
//! A path is kept in nerfstudio's camera-path files ([`CameraPath::read`], [`CameraPath::write`]), so that either program
//! shows what was recorded in the other. Between keyframes the shape of the way ([`curve`]) and the pace along it
//! ([`pace`]) are independent: a keyframe's time states when the camera passes it, and does not bend the curve.

mod curve;
mod nerfstudio;
mod pace;
#[cfg(test)]
mod tests;
mod through;
mod video;

pub use through::{Tour, through};
pub use video::{Encoder, Film, is_film};

use crate::capture::{Camera, MAX_POSITION};
use crate::error::{Error, Result};
use curve::Curve;
use glam::{DMat4, DQuat, DVec3};
use pace::Pace;

/// Frames that a path may have, pixels of a side of its pictures, and pictures a second.
const MAX_FRAMES: f64 = 1e6;
pub(crate) const MAX_SIDE: u32 = 16_384;
pub(crate) const MAX_FPS: f64 = 1000.0;

/// Position, orientation and field of view of a camera.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pose {
    /// Center of the camera, in the capture's frame.
    pub position: DVec3,
    /// Camera to world, OpenGL axes (x right, y up, z backwards).
    pub rotation: DQuat,
    /// Vertical field of view, degrees.
    pub fov: f64,
}

impl Pose {
    /// The pose of `camera`; of its intrinsics only the vertical focal length is kept.
    pub fn of(camera: &Camera) -> Self {
        Self::from_opengl(&camera.opengl_c2w(), 2.0 * (f64::from(camera.height) / 2.0 / camera.fy).atan().to_degrees())
    }

    /// The pose of a rigid camera-to-world matrix in OpenGL axes.
    pub(crate) fn from_opengl(c2w: &DMat4, fov: f64) -> Self {
        let rotation = DQuat::from_mat4(c2w).normalize();
        Self { position: c2w.w_axis.truncate(), rotation, fov }
    }

    /// Camera to world, OpenGL axes.
    pub fn c2w(&self) -> DMat4 {
        DMat4::from_rotation_translation(self.rotation, self.position)
    }

    /// The camera of this pose with square pixels and its axis in the middle of the image.
    pub fn camera(&self, width: u32, height: u32) -> Camera {
        let [w, h] = [width, height].map(f64::from);
        let focal = h / 2.0 / (self.fov.to_radians() / 2.0).tan();
        let viewmat = Camera::viewmat_from_opengl(self.c2w());
        Camera { width, height, fx: focal, fy: focal, cx: w / 2.0, cy: h / 2.0, viewmat, reduction: 1.0 }
    }
}

/// A pose that the path goes through.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Keyframe {
    /// Where the camera is.
    pub pose: Pose,
    /// Seconds from the start of the path.
    pub seconds: f64,
}

/// A way for a camera through a scene.
#[derive(Clone, Debug, PartialEq)]
pub struct CameraPath {
    /// Size of the pictures.
    pub width: u32,
    /// Height of the pictures, pixels.
    pub height: u32,
    /// Pictures a second.
    pub fps: f64,
    /// In the order of their times, the first at 0.
    pub keyframes: Vec<Keyframe>,
    /// Seconds from the last keyframe back to the first, where the path is closed.
    pub closing: Option<f64>,
    /// The pace is constant, and the keyframes' times only determine the total length.
    pub constant_speed: bool,
    /// Poses of the pictures as another program made them; without any, they are made from the keyframes.
    pub frames: Vec<Pose>,
}

impl CameraPath {
    /// A path of pictures of `width` × `height`, 30 a second, without keyframes.
    pub fn new(width: u32, height: u32) -> Self {
        let (keyframes, frames) = (Vec::new(), Vec::new());
        Self { width, height, fps: 30.0, keyframes, closing: None, constant_speed: false, frames }
    }

    /// The same path with every position taken to where `to` says.
    #[must_use]
    pub fn moved(&self, to: impl Fn(DVec3) -> DVec3) -> Self {
        let mut path = self.clone();
        let poses = path.keyframes.iter_mut().map(|key| &mut key.pose).chain(&mut path.frames);
        poses.for_each(|pose| pose.position = to(pose.position));
        path
    }

    /// Seconds from the start to the end, or back to the start.
    pub fn seconds(&self) -> f64 {
        self.keyframes.last().map_or(0.0, |last| last.seconds) + self.closing.unwrap_or(0.0)
    }

    /// The pose at `seconds` on the way through the keyframes; before the start and after the end, that of the start and
    /// end, or, where the path is closed, of the next round. Nothing without keyframes.
    pub fn at(&self, seconds: f64) -> Option<Pose> {
        let first = self.keyframes.first()?.pose;
        Some(if self.moves() { self.way().at(seconds) } else { first })
    }

    /// The places at the ends of so many `parts` of the whole way, each of which takes as long; none without keyframes.
    pub fn places(&self, parts: u32) -> Vec<DVec3> {
        let Some(first) = self.keyframes.first() else { return Vec::new() };
        if !self.moves() {
            return vec![first.pose.position; parts as usize + 1];
        }
        let (way, seconds) = (self.way(), self.seconds());
        (0..=parts).map(|i| way.at(seconds * f64::from(i) / f64::from(parts.max(1))).position).collect()
    }

    /// The poses of all pictures: those of another program where the path has them, else `fps` a second of the way
    /// through the keyframes, from the first to the last, or, where the path is closed, to the last before the first.
    ///
    /// # Errors
    /// [`Error::Setting`]: no keyframes, times that do not increase, a size, rate, length or field of view that no film
    /// has.
    pub fn poses(&self) -> Result<Vec<Pose>> {
        self.check()?;
        if !self.frames.is_empty() {
            return Ok(self.frames.clone());
        }
        let Some(first) = self.keyframes.first().filter(|_| !self.moves()) else {
            let (way, last) = (self.way(), (self.seconds() * self.fps).round() as usize);
            let count = if self.closing.is_some() { last.max(1) } else { last + 1 };
            return Ok((0..count).map(|i| way.at(i as f64 / self.fps)).collect());
        };
        Ok(vec![first.pose])
    }

    /// The cameras of [`CameraPath::poses`].
    ///
    /// # Errors
    /// As there.
    pub fn cameras(&self) -> Result<Vec<Camera>> {
        Ok(self.poses()?.iter().map(|pose| pose.camera(self.width, self.height)).collect())
    }

    fn moves(&self) -> bool {
        self.keyframes.len() > 1
    }

    fn way(&self) -> Way {
        let poses: Vec<Pose> = self.keyframes.iter().map(|key| key.pose).collect();
        let curve = Curve::new(&poses, self.closing.is_some());
        let mut times: Vec<f64> = self.keyframes.iter().map(|key| key.seconds).collect();
        times.extend(self.closing.map(|_| self.seconds()));
        let pace = if self.constant_speed {
            Pace::even(self.seconds(), curve.length())
        } else {
            Pace::through(&times, &curve.lengths_at_poses(), self.closing.is_some())
        };
        Way { curve, pace, round: self.closing.map(|_| self.seconds()) }
    }

    fn check(&self) -> Result<()> {
        let refuse = |what: &str, found: String, remedy: &str| {
            Err(Error::setting(format!("the camera path's {what}"), found, remedy))
        };
        let size = [self.width, self.height];
        if size.iter().any(|side| !(1..=MAX_SIDE).contains(side)) {
            return refuse("size", format!("{} × {}", size[0], size[1]), &format!("use 1 to {MAX_SIDE} pixels a side"));
        }
        if !(self.fps > 0.0 && self.fps <= MAX_FPS) {
            return refuse("frames a second", self.fps.to_string(), &format!("use more than 0, at most {MAX_FPS}"));
        }
        if self.keyframes.is_empty() && self.frames.is_empty() {
            return refuse("keyframes", "none".into(), "record at least two");
        }
        let times = self.keyframes.iter().map(|key| key.seconds);
        let increase = times.clone().zip(times.skip(1)).all(|(a, b)| a < b);
        if !increase || !self.closing.is_none_or(|seconds| seconds > 0.0) {
            return refuse("times", "do not increase".into(), "every keyframe needs a later time than the one before");
        }
        let countable = (0.0..=MAX_FRAMES).contains(&(self.seconds() * self.fps));
        if !countable {
            return refuse("length", format!("{} s", self.seconds()), "a million frames are the most");
        }
        let poses = self.keyframes.iter().map(|key| &key.pose).chain(&self.frames);
        for Pose { position, rotation, fov } in poses {
            if !(*fov > 0.0 && *fov < 180.0) {
                return refuse("field of view", format!("{fov}°"), "use more than 0 and less than 180 degrees");
            }
            if !(rotation.is_finite() && position.abs().max_element() <= MAX_POSITION && position.is_finite()) {
                return refuse("poses", format!("hold {position}"), "record the keyframe again");
            }
        }
        Ok(())
    }
}

/// The way through the keyframes of a path.
struct Way {
    curve: Curve,
    pace: Pace,
    /// Seconds of a round, where the path is closed.
    round: Option<f64>,
}

impl Way {
    fn at(&self, seconds: f64) -> Pose {
        let seconds = self.round.map_or(seconds, |round| seconds.rem_euclid(round));
        self.curve.at_length(self.pace.length_at(seconds))
    }
}
