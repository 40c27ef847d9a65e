//! The presentation of a scene on its page: the up axis, the first view and the tour.
//!
//! The viewer's world is right-handed with y up, and its camera never rolls. The scene is turned until the
//! training cameras stand upright in it; roll of single cameras is lost.

use crate::capture::{Camera, median, up_of};
use crate::error::Result;
use crate::paths::{Pose, Tour as Way, through};
use crate::splat::Bounds;
use glam::{DMat3, DQuat, DVec3};
use serde_json::{Value, json};

/// The way through the training cameras: how long it takes, and how often it is sampled for the viewer, whose spline
/// joins the samples.
const SECONDS: f64 = 20.0;
const SAMPLES_A_SECOND: f64 = 4.0;
const KEYFRAMES: usize = 12;
/// Field of view where no camera is known, degrees.
const FOV: f64 = 60.0;
/// Positions that are looked at for the distance of what a camera sees.
const SAMPLES: usize = 20_000;

/// A view in the viewer's world.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Shot {
    position: DVec3,
    target: DVec3,
    /// Degrees along the longer side of the picture.
    fov: f64,
}

/// How a scene is shown.
#[derive(Clone, Debug, PartialEq)]
pub struct Tour {
    /// From the scene to the viewer's world.
    pub turn: DQuat,
    start: Shot,
    /// `SAMPLES_A_SECOND` apart; none where there is no way to follow.
    way: Vec<Shot>,
}

impl Tour {
    /// The tour of splats at `positions` through `cameras`, in the same frame; without any, from in front of the middle.
    ///
    /// # Errors
    /// Cameras that no path leads through.
    pub fn new(positions: &[[f32; 3]], cameras: &[Camera]) -> Result<Self> {
        let Some(first) = cameras.first() else { return Ok(Self::without_cameras(positions)) };
        let turn = turn(up(cameras), first.forward());
        let distance = focus(positions, first);
        let size = [first.width, first.height].map(f64::from);
        let shot = |pose: &Pose| Shot {
            position: turn * pose.position,
            target: turn * (pose.position - distance * (pose.rotation * DVec3::Z)),
            fov: along_longer_side(pose.fov, size),
        };
        let way = match cameras.len() {
            1 => Vec::new(),
            _ => {
                let way = Way { seconds: SECONDS, fps: SAMPLES_A_SECOND, closed: false, keyframes: KEYFRAMES };
                through(cameras, &way)?.poses()?.iter().map(shot).collect()
            }
        };
        Ok(Self { turn, start: shot(&Pose::of(first)), way })
    }

    fn without_cameras(positions: &[[f32; 3]]) -> Self {
        let Bounds { center, radius } = Bounds::of(positions);
        // The frame of the PLY layout: y down, z forward.
        let turn = turn(DVec3::NEG_Y, DVec3::Z);
        let start = Shot { position: turn * (center - 2.0 * radius * DVec3::Z), target: turn * center, fov: FOV };
        Self { turn, start, way: Vec::new() }
    }

    /// The settings of SuperSplat's viewer for it.
    pub fn settings(&self) -> Value {
        let pose = |shot: &Shot| json!({ "position": shot.position.to_array(), "target": shot.target.to_array(), "fov": shot.fov });
        let flat = |of: fn(&Shot) -> DVec3| self.way.iter().flat_map(|shot| of(shot).to_array()).collect::<Vec<f64>>();
        let track = json!({
            "name": "cameras",
            "duration": self.way.len().saturating_sub(1) as f64 / SAMPLES_A_SECOND,
            "frameRate": SAMPLES_A_SECOND,
            "loopMode": "pingpong",
            "interpolation": "spline",
            "smoothness": 1,
            "keyframes": {
                "times": (0..self.way.len()).collect::<Vec<_>>(),
                "values": {
                    "position": flat(|shot| shot.position),
                    "target": flat(|shot| shot.target),
                    "fov": self.way.iter().map(|shot| shot.fov).collect::<Vec<_>>(),
                },
            },
        });
        let off = |mut effect: Value| {
            effect["enabled"] = json!(false);
            effect
        };
        json!({
            "version": 2,
            "tonemapping": "none",
            "highPrecisionRendering": false,
            "background": { "color": [0, 0, 0] },
            "postEffectSettings": {
                "sharpness": off(json!({ "amount": 0 })),
                "bloom": off(json!({ "intensity": 0.1, "blurLevel": 2 })),
                "grading": off(json!({ "brightness": 1, "contrast": 1, "saturation": 1, "tint": [1, 1, 1] })),
                "vignette": off(json!({ "intensity": 0.5, "inner": 0.3, "outer": 0.75, "curvature": 1 })),
                "fringing": off(json!({ "intensity": 0.5 })),
            },
            "animTracks": if self.way.is_empty() { vec![] } else { vec![track] },
            "cameras": [{ "initial": pose(&self.start) }],
            "annotations": [],
            "startMode": if self.way.is_empty() { "default" } else { "animTrack" },
        })
    }
}

/// Up, as the `cameras` were held; where they were held in all directions, as drones do that look down, away from what they
/// look at; else that of the PLY layout.
fn up(cameras: &[Camera]) -> DVec3 {
    let away = || -cameras.iter().map(Camera::forward).sum::<DVec3>().normalize_or_zero();
    up_of(cameras).or_else(|| Some(away()).filter(|up| up.is_normalized())).unwrap_or(DVec3::NEG_Y)
}

/// The rotation that takes `up` to y and `forward`, projected to the horizontal plane, to -z.
fn turn(up: DVec3, forward: DVec3) -> DQuat {
    let right = forward.cross(up);
    let right = if right.length() > 1e-3 { right.normalize() } else { up.any_orthonormal_vector() };
    DQuat::from_mat3(&DMat3::from_cols(right, up, right.cross(up)).transpose())
}

/// The distance of what `camera` looks at: the median depth of the positions that it sees, or of the scene's middle.
fn focus(positions: &[[f32; 3]], camera: &Camera) -> f64 {
    let step = positions.len().div_ceil(SAMPLES).max(1);
    let samples = positions.iter().step_by(step).map(|p| DVec3::from(p.map(f64::from)));
    let depths: Vec<f64> = samples.filter_map(|p| camera.sees(p)).map(|seen| seen.z).collect();
    if depths.is_empty() { Bounds::of(positions).center.distance(camera.center()).max(1e-3) } else { median(depths) }
}

/// Degrees along the longer side of a picture of `size`, from those along its height.
fn along_longer_side(vertical: f64, [width, height]: [f64; 2]) -> f64 {
    let half = (vertical.to_radians() / 2.0).tan() * (width / height).max(1.0);
    2.0 * half.atan().to_degrees()
}

#[cfg(test)]
mod tests {
    use super::*;
    use glam::{DMat4, EulerRot};

    /// Cameras on a circle about the origin in a world whose z is up, looking in, one rolled by 8°.
    fn circle() -> Vec<Camera> {
        let camera = |i: u32| {
            let angle = f64::from(i) * 0.3;
            let eye = DVec3::new(4.0 * angle.cos(), 4.0 * angle.sin(), 0.5);
            let roll = if i == 3 { 8f64.to_radians() } else { 0.0 };
            let forward = -eye.normalize();
            let right = forward.cross(DVec3::Z).normalize();
            let rotation = DMat3::from_cols(right, forward.cross(right), forward).transpose();
            let viewmat = DMat4::from_rotation_z(roll) * DMat4::from_mat3(rotation) * DMat4::from_translation(-eye);
            Camera { width: 40, height: 30, fx: 30.0, fy: 30.0, cx: 20.0, cy: 15.0, viewmat, reduction: 1.0 }
        };
        (0..20).map(camera).collect()
    }

    #[test]
    fn the_scene_stands_upright_and_the_view_begins_at_the_first_camera() {
        let (cameras, positions) = (circle(), vec![[0.0, 0.0, 0.0], [0.1, 0.0, 0.0]]);
        let tour = Tour::new(&positions, &cameras).unwrap();
        assert!((tour.turn * DVec3::Z).distance(DVec3::Y) < 0.02, "{}", tour.turn * DVec3::Z);
        let first = tour.turn * cameras[0].center();
        assert!(tour.start.position.distance(first) < 1e-9 && tour.way[0].position.distance(first) < 1e-6);
        // It looks at what the camera sees, at its distance, and as wide along the width of its picture.
        assert!(tour.start.target.distance(DVec3::ZERO) < 0.1, "{}", tour.start.target);
        assert!((tour.start.fov - 2.0 * (20f64 / 30.0).atan().to_degrees()).abs() < 1e-9);
        assert_eq!(tour.way.len(), 81);
        let settings = tour.settings();
        assert_eq!(settings["startMode"], "animTrack");
        assert_eq!(settings["animTracks"][0]["keyframes"]["values"]["position"].as_array().unwrap().len(), 3 * 81);
    }

    #[test]
    fn cameras_that_look_down_in_all_directions_have_an_up() {
        let camera = |i: u32| {
            let turn = DMat4::from_euler(EulerRot::ZYX, f64::from(i) * 0.7, 0.0, 0.0);
            let viewmat = turn * DMat4::from_translation(DVec3::new(0.0, 0.0, 5.0));
            Camera { width: 40, height: 30, fx: 30.0, fy: 30.0, cx: 20.0, cy: 15.0, viewmat, reduction: 1.0 }
        };
        let cameras: Vec<_> = (0..9).map(camera).collect();
        assert!(up(&cameras).distance(DVec3::NEG_Z) < 1e-6);
        let tour = Tour::new(&[[0.0; 3]], &cameras).unwrap();
        assert!((tour.turn * DVec3::NEG_Z).distance(DVec3::Y) < 1e-6 && tour.turn.is_normalized());
    }

    #[test]
    fn without_cameras_the_middle_is_in_view() {
        let mut positions: Vec<[f32; 3]> = (0..100).map(|i| [5.0 + 0.01 * i as f32, 1.0, 7.0]).collect();
        positions.push([1e6, 0.0, 0.0]);
        let tour = Tour::new(&positions, &[]).unwrap();
        // Right, down, forward becomes right, up, backward.
        assert!((tour.turn * DVec3::new(1.0, 2.0, 3.0)).distance(DVec3::new(1.0, -2.0, -3.0)) < 1e-12);
        assert!(tour.start.target.distance(DVec3::new(5.5, -1.0, -7.0)) < 0.02, "{:?}", tour.start);
        assert!(tour.start.position.distance(tour.start.target) < 2.0 && tour.settings()["startMode"] == "default");
    }
}
