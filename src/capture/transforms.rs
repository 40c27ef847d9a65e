//! `transforms*.json`: poses camera to world in OpenGL axes, intrinsics at the top or per frame.

use super::frame::{self, Focal, Frame};
use super::split::Lists;
use super::{Camera, Distortion, json_keys, pose};
use crate::error::{Error, Result};
use crate::limits;
use glam::DMat4;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::path::Path;

const LENS_REMEDY: &str =
    "correct the intrinsics (fl_x, fl_y, cx, cy, w, h in pixels; camera_model OPENCV or OPENCV_FISHEYE, k1 …, p1, p2)";
/// What a transforms file holds.
#[derive(Debug)]
pub struct Transforms {
    pub frames: Vec<Frame>,
    /// A point cloud that belongs to the frames.
    pub ply_file_path: Option<String>,
    pub lists: Lists,
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
    mask_path: Option<String>,
    transform_matrix: Vec<Vec<f64>>,
}

#[derive(Deserialize)]
struct FrameIntrinsics {
    frames: Vec<Intrinsics>,
}

/// A field for each key that describes the lens.
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
    k5: Option<f64>,
    k6: Option<f64>,
    p1: Option<f64>,
    p2: Option<f64>,
    is_fisheye: Option<bool>,
    camera_model: Option<String>,
}

/// Reads a transforms file.
///
/// # Errors
/// Those of [`read_any`]; no frames.
pub fn read(path: &Path) -> Result<Transforms> {
    let file = read_any(path)?;
    if file.frames.is_empty() {
        return Err(Error::input(path, "holds no frames", "list at least 3 views under `frames`"));
    }
    Ok(file)
}

/// Reads a transforms file that may be without frames.
///
/// # Errors
/// Broken JSON (with its line), a pose that is not rigid, a lens of another kind.
pub fn read_any(path: &Path) -> Result<Transforms> {
    let text = limits::read_text(path)?;
    let poses: Poses = parse(path, &text)?;
    let shared: Intrinsics = parse(path, &text)?;
    let own: FrameIntrinsics = parse(path, &text)?;
    let lists: Lists = parse(path, &text)?;
    json_keys::warn_of_unknown(path, &text);
    let frames = poses.frames.into_iter().zip(own.frames).enumerate().map(|(index, (pose, own))| {
        let intrinsics = own.or(&shared);
        let refuse = |found: String, remedy: &str| {
            Error::input(path, format!("frame {index} (`{}`): {found}", pose.file_path), remedy)
        };
        let size = intrinsics.size().map_err(|found| refuse(found, LENS_REMEDY))?;
        let intrinsics = intrinsics.resolve().map_err(|found| refuse(found, LENS_REMEDY))?;
        let viewmat = viewmat(&pose.transform_matrix).map_err(|found| {
            refuse(found, "correct `transform_matrix` (camera to world, rigid) or remove the frame")
        })?;
        Ok(Frame { image: pose.file_path, mask: pose.mask_path, size, intrinsics, viewmat })
    });
    Ok(Transforms { frames: frames.collect::<Result<_>>()?, ply_file_path: poses.ply_file_path, lists })
}

fn parse<T: DeserializeOwned>(path: &Path, text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| {
        let line = text.lines().nth(error.line().saturating_sub(1)).unwrap_or_default();
        let remedy = if error.is_eof() {
            "the file is cut off: copy or export it again"
        } else if line.contains("NaN") || line.contains("Infinity") {
            "JSON has no NaN or Infinity: give that pose its numbers, or remove the frame"
        } else {
            "correct the file: every frame needs `file_path` and `transform_matrix`, and the file or its frames `fl_x` or \
             `camera_angle_x`"
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
            k5: self.k5.or(shared.k5),
            k6: self.k6.or(shared.k6),
            p1: self.p1.or(shared.p1),
            p2: self.p2.or(shared.p2),
            is_fisheye: self.is_fisheye.or(shared.is_fisheye),
            camera_model: self.camera_model.or_else(|| shared.camera_model.clone()),
        }
    }

    /// The lens's distortion, as nerfstudio and instant-ngp mean it; `None` for a pinhole.
    fn distortion(&self) -> Result<Option<Distortion>, String> {
        let [k1, k2, k3, k4, k5, k6, p1, p2] =
            [self.k1, self.k2, self.k3, self.k4, self.k5, self.k6, self.p1, self.p2].map(Option::unwrap_or_default);
        let fisheye = self.is_fisheye == Some(true);
        let model = self.camera_model.as_deref().unwrap_or(if fisheye { "OPENCV_FISHEYE" } else { "OPENCV" });
        let distortion = match model {
            "OPENCV" | "PINHOLE" | "SIMPLE_PINHOLE" | "SIMPLE_RADIAL" | "RADIAL" if fisheye => {
                return Err(format!("its camera model is {model}, but `is_fisheye` is true"));
            }
            "FULL_OPENCV" => Distortion::Brown { k: [k1, k2, k3, k4, k5, k6], p: [p1, p2] },
            // Programs disagree on whether it is the fourth coefficient of a polynomial or the first of a denominator.
            _ if k5 != 0.0 || k6 != 0.0 => return Err(format!("k5 and k6 are given for a lens of the model {model}")),
            "OPENCV" | "PINHOLE" | "SIMPLE_PINHOLE" | "SIMPLE_RADIAL" | "RADIAL" if k4 != 0.0 => {
                return Err(format!("k4 is {k4} in a lens of the model {model}, where it has no agreed meaning"));
            }
            "OPENCV" | "PINHOLE" | "SIMPLE_PINHOLE" | "SIMPLE_RADIAL" | "RADIAL" => {
                Distortion::Brown { k: [k1, k2, k3, 0.0, 0.0, 0.0], p: [p1, p2] }
            }
            "OPENCV_FISHEYE" | "FISHEYE" | "SIMPLE_FISHEYE" | "RADIAL_FISHEYE" | "SIMPLE_RADIAL_FISHEYE" => {
                if p1 != 0.0 || p2 != 0.0 {
                    return Err(format!("p1 and p2 are given for a lens of the model {model}, which has none"));
                }
                Distortion::Fisheye { k: [k1, k2, k3, k4], p: [0.0; 2], s: [0.0; 2] }
            }
            _ => return Err(format!("its camera model is {model}, which is not read here")),
        };
        Ok(Some(distortion).filter(|distortion| !distortion.is_none()))
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

    fn resolve(&self) -> Result<frame::Intrinsics, String> {
        let focal = |pixels: Option<f64>, angle: Option<f64>| pixels.map(Focal::Pixels).or(angle.map(Focal::Angle));
        let y = focal(self.fl_y, self.camera_angle_y);
        let x = match (focal(self.fl_x, self.camera_angle_x), y) {
            (Some(x), _) => x,
            (None, Some(Focal::Pixels(f))) => Focal::Pixels(f),
            _ => return Err("has no focal length (`fl_x` or `camera_angle_x`)".into()),
        };
        Ok(frame::Intrinsics { x, y, cx: self.cx, cy: self.cy, distortion: self.distortion()? })
    }
}
