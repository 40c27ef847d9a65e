//! `transforms*.json`: poses camera to world in OpenGL axes, intrinsics at the top or per frame.

use super::frame::{Focal, Frame, Lens};
use super::{Camera, pose};
use crate::error::{Error, Result};
use glam::DMat4;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::path::Path;

const LENS_REMEDY: &str = "correct the intrinsics (fl_x, fl_y, cx, cy, w, h in pixels)";
const UNDISTORT: &str =
    "undistort the images first (COLMAP: `colmap image_undistorter`), then use the pinhole cameras that it writes";

/// What a transforms file holds.
#[derive(Debug)]
pub struct Transforms {
    pub frames: Vec<Frame>,
    /// A point cloud that belongs to the frames.
    pub ply_file_path: Option<String>,
}

/// The poses; the intrinsics beside them are read by a pass of their own ([`Intrinsics`] at both levels), because
/// flattened structs would lose the line numbers of errors.
#[derive(Deserialize)]
struct Poses {
    frames: Vec<FramePose>,
    ply_file_path: Option<String>,
}

#[derive(Deserialize)]
struct FramePose {
    file_path: String,
    transform_matrix: Vec<Vec<f64>>,
}

#[derive(Deserialize)]
struct FrameIntrinsics {
    frames: Vec<Intrinsics>,
}

#[derive(Clone, Default, Deserialize)]
struct Intrinsics {
    fl_x: Option<f64>,
    fl_y: Option<f64>,
    camera_angle_x: Option<f64>,
    camera_angle_y: Option<f64>,
    cx: Option<f64>,
    cy: Option<f64>,
    w: Option<f64>,
    h: Option<f64>,
    k1: Option<f64>,
    k2: Option<f64>,
    k3: Option<f64>,
    k4: Option<f64>,
    p1: Option<f64>,
    p2: Option<f64>,
    is_fisheye: Option<bool>,
    camera_model: Option<String>,
}

/// Reads a transforms file.
///
/// # Errors
/// Broken JSON (with its line), no frames, a pose that is not rigid, a lens that is not a pinhole.
pub fn read(path: &Path) -> Result<Transforms> {
    let text = std::fs::read_to_string(path).map_err(Error::io(path))?;
    let poses: Poses = parse(path, &text)?;
    let shared: Intrinsics = parse(path, &text)?;
    let own: FrameIntrinsics = parse(path, &text)?;
    if poses.frames.is_empty() {
        return Err(Error::input(path, "holds no frames", "list at least 3 views under `frames`"));
    }
    let frames = poses.frames.into_iter().zip(own.frames).enumerate().map(|(index, (pose, own))| {
        let intrinsics = own.or(&shared);
        let refuse = |found: String, remedy: &str| {
            Error::input(path, format!("frame {index} (`{}`): {found}", pose.file_path), remedy)
        };
        intrinsics.check_pinhole().map_err(|found| refuse(found, UNDISTORT))?;
        let size = intrinsics.size().map_err(|found| refuse(found, LENS_REMEDY))?;
        let lens = intrinsics.lens().map_err(|found| refuse(found, LENS_REMEDY))?;
        let viewmat = viewmat(&pose.transform_matrix).map_err(|found| {
            refuse(found, "correct `transform_matrix` (camera to world, rigid) or remove the frame")
        })?;
        Ok(Frame { image: pose.file_path, size, lens, viewmat })
    });
    Ok(Transforms { frames: frames.collect::<Result<_>>()?, ply_file_path: poses.ply_file_path })
}

fn parse<T: DeserializeOwned>(path: &Path, text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| {
        let line = text.lines().nth(error.line().saturating_sub(1)).unwrap_or_default();
        let remedy = if error.is_eof() {
            "the file is cut off: copy or export it again"
        } else if line.contains("NaN") || line.contains("Infinity") {
            "JSON has no NaN or Infinity: give that pose its numbers, or remove the frame"
        } else {
            "correct the file (see the README for its keys)"
        };
        // serde_json's message ends with "at line L column C".
        Error::input(path, format!("not a usable transforms file: {error}"), remedy)
    })
}

fn viewmat(rows: &[Vec<f64>]) -> Result<DMat4, String> {
    let mut all = [[0.0, 0.0, 0.0, 1.0]; 4];
    if !(rows.len() == 4 || rows.len() == 3) || rows.iter().any(|row| row.len() != 4) {
        return Err("`transform_matrix` is not a 4 × 4 (or 3 × 4) matrix".into());
    }
    for (to, from) in all.iter_mut().zip(rows) {
        to.copy_from_slice(from);
    }
    let c2w = pose::rigid(DMat4::from_cols_array_2d(&all).transpose())?;
    Ok(Camera::viewmat_from_opengl(c2w))
}

impl Intrinsics {
    /// These values where given, those of `shared` elsewhere. A focal length in either form replaces both of `shared`.
    fn or(self, shared: &Self) -> Self {
        let own_x = self.fl_x.is_some() || self.camera_angle_x.is_some();
        let own_y = own_x || self.fl_y.is_some() || self.camera_angle_y.is_some();
        Self {
            fl_x: if own_x { self.fl_x } else { shared.fl_x },
            camera_angle_x: if own_x { self.camera_angle_x } else { shared.camera_angle_x },
            fl_y: if own_y { self.fl_y } else { shared.fl_y },
            camera_angle_y: if own_y { self.camera_angle_y } else { shared.camera_angle_y },
            cx: self.cx.or(shared.cx),
            cy: self.cy.or(shared.cy),
            w: self.w.or(shared.w),
            h: self.h.or(shared.h),
            k1: self.k1.or(shared.k1),
            k2: self.k2.or(shared.k2),
            k3: self.k3.or(shared.k3),
            k4: self.k4.or(shared.k4),
            p1: self.p1.or(shared.p1),
            p2: self.p2.or(shared.p2),
            is_fisheye: self.is_fisheye.or(shared.is_fisheye),
            camera_model: self.camera_model.or_else(|| shared.camera_model.clone()),
        }
    }

    fn check_pinhole(&self) -> Result<(), String> {
        let model = self.camera_model.as_deref().unwrap_or("OPENCV");
        let radial = ["OPENCV", "PINHOLE", "SIMPLE_PINHOLE", "SIMPLE_RADIAL", "RADIAL", "FULL_OPENCV"];
        if self.is_fisheye == Some(true) || !radial.contains(&model) {
            let model = if radial.contains(&model) { "fisheye (`is_fisheye`)" } else { model };
            return Err(format!("its camera model is {model}, not a pinhole"));
        }
        let names = ["k1", "k2", "k3", "k4", "p1", "p2"];
        let values = [self.k1, self.k2, self.k3, self.k4, self.p1, self.p2];
        match names.iter().zip(values).find(|(_, value)| value.is_some_and(|v| v != 0.0)) {
            Some((name, value)) => {
                Err(format!("its lens is distorted ({model}, {name} = {})", value.unwrap_or_default()))
            }
            None => Ok(()),
        }
    }

    fn size(&self) -> Result<Option<(u32, u32)>, String> {
        let whole = |value: f64| (value.fract() == 0.0 && (1.0..=1e6).contains(&value)).then_some(value as u32);
        match (self.w, self.h) {
            (None, None) => Ok(None),
            (Some(w), Some(h)) => match (whole(w), whole(h)) {
                (Some(width), Some(height)) => Ok(Some((width, height))),
                _ => Err(format!("its image size is {w} × {h}")),
            },
            _ => Err("only one of `w` and `h` is given".into()),
        }
    }

    fn lens(&self) -> Result<Lens, String> {
        let focal = |pixels: Option<f64>, angle: Option<f64>| pixels.map(Focal::Pixels).or(angle.map(Focal::Angle));
        let x = focal(self.fl_x, self.camera_angle_x);
        let y = focal(self.fl_y, self.camera_angle_y);
        match (x, y) {
            (Some(x), y) => Ok(Lens { x, y, cx: self.cx, cy: self.cy }),
            (None, Some(Focal::Pixels(f))) => Ok(Lens { x: Focal::Pixels(f), y, cx: self.cx, cy: self.cy }),
            _ => Err("has no focal length (`fl_x` or `camera_angle_x`)".into()),
        }
    }
}
