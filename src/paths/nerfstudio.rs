//! nerfstudio's camera-path files.
//!
//! `camera_path` has the pose of every picture: `camera_to_world`, 16 numbers row by row, OpenGL axes, and `fov`, vertical
//! degrees. `keyframes` have what was recorded: `matrix` is as `camera_to_world` in files of today's viewer, and text with
//! the 16 numbers column by column (three.js) in those of the viewer before it; where the row (0, 0, 0, 1) stands decides.
//! Keyframes follow each other by transitions of `default_transition_sec` or their own; older files have only `seconds`
//! of the whole. Files of this program say so in `naka_gs`, which nerfstudio passes over.

use super::{CameraPath, Keyframe, Pose};
use crate::capture::rigid;
use crate::error::{Error, Result};
use crate::limits;
use crate::storage;
use glam::DMat4;
use serde::{Deserialize, Serialize};
use serde_json::Number;
use std::path::Path;

/// Field of view of keyframes in files that give none, degrees.
const FOV: f64 = 50.0;

#[derive(Serialize, Deserialize)]
struct File {
    #[serde(default)]
    camera_type: Option<String>,
    render_height: Number,
    render_width: Number,
    #[serde(default = "thirty")]
    fps: Number,
    #[serde(default)]
    seconds: Option<f64>,
    #[serde(default)]
    is_cycle: bool,
    /// The tension of nerfstudio's spline; 0 is Catmull and Rom's.
    #[serde(default)]
    smoothness_value: f64,
    #[serde(default)]
    default_fov: Option<f64>,
    #[serde(default)]
    default_transition_sec: Option<f64>,
    #[serde(default)]
    keyframes: Vec<FileKeyframe>,
    #[serde(default)]
    camera_path: Vec<FileFrame>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    naka_gs: Option<Own>,
}

/// Data of this program about a path whose pictures it makes from the keyframes.
#[derive(Serialize, Deserialize)]
struct Own {
    constant_speed: bool,
}

#[derive(Serialize, Deserialize)]
struct FileKeyframe {
    matrix: Matrix,
    #[serde(default)]
    fov: Option<f64>,
    #[serde(default)]
    aspect: Option<f64>,
    #[serde(default)]
    override_transition_enabled: Option<bool>,
    #[serde(default)]
    override_transition_sec: Option<f64>,
}

#[derive(Serialize, Deserialize)]
struct FileFrame {
    camera_to_world: Matrix,
    #[serde(default)]
    fov: Option<f64>,
    #[serde(default)]
    aspect: Option<f64>,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Matrix {
    Numbers(Vec<f64>),
    Rows(Vec<Vec<f64>>),
    Text(String),
}

fn thirty() -> Number {
    Number::from(30)
}

/// Without a point where it is whole: nerfstudio takes such for sizes and rates only.
fn number(value: f64) -> Number {
    let whole = (value.fract() == 0.0 && value.abs() < 1e9).then(|| Number::from(value as i64));
    whole.or(Number::from_f64(value)).unwrap_or_else(|| Number::from(0))
}

const REMEDY: &str = "give a camera path as nerfstudio's viewer or naka-gs writes it";

impl CameraPath {
    /// Reads a camera-path file.
    ///
    /// # Errors
    /// A file that cannot be read or is no camera path; a pose that is not rigid; a camera that is no pinhole.
    pub fn read(path: &Path) -> Result<Self> {
        let text = limits::read_text(path)?;
        let file: File = serde_json::from_str(&text)
            .map_err(|error| Error::input(path, format!("is no usable camera path: {error}"), REMEDY))?;
        let found = file.into_path().map_err(|found| Error::input(path, found, REMEDY))?;
        found.check().map_err(|error| Error::input(path, error.to_string(), REMEDY))?;
        Ok(found)
    }

    /// Writes a camera-path file, whole or not at all.
    ///
    /// # Errors
    /// Those of [`CameraPath::poses`]; a file that cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        storage::write_json(path, &File::of(self)?)
    }
}

impl File {
    fn of(path: &CameraPath) -> Result<Self> {
        let aspect = Some(f64::from(path.width) / f64::from(path.height));
        let frame = |pose: &Pose| FileFrame { camera_to_world: Matrix::of(pose), fov: Some(pose.fov), aspect };
        // A keyframe's transition leads to it; that of the first closes the round.
        let before = std::iter::once(None).chain(path.keyframes.iter().map(Some));
        let keyframe = |(key, before): (&Keyframe, Option<&Keyframe>)| FileKeyframe {
            matrix: Matrix::of(&key.pose),
            fov: Some(key.pose.fov),
            aspect,
            override_transition_enabled: Some(true),
            override_transition_sec: before.map(|before| key.seconds - before.seconds).or(path.closing),
        };
        let frames = path.poses()?;
        let transitions = path.keyframes.len().saturating_sub(usize::from(path.closing.is_none())).max(1);
        Ok(Self {
            camera_type: Some("perspective".into()),
            render_height: path.height.into(),
            render_width: path.width.into(),
            fps: number(path.fps),
            // nerfstudio shows as many pictures a second as there are by this.
            seconds: Some(frames.len() as f64 / path.fps),
            is_cycle: path.closing.is_some(),
            smoothness_value: 0.0,
            default_fov: frames.first().map(|pose| pose.fov),
            default_transition_sec: Some(path.seconds() / transitions as f64),
            keyframes: path.keyframes.iter().zip(before).map(keyframe).collect(),
            camera_path: frames.iter().map(frame).collect(),
            naka_gs: path.frames.is_empty().then_some(Own { constant_speed: path.constant_speed }),
        })
    }

    fn into_path(self) -> Result<CameraPath, String> {
        match self.camera_type.as_deref().unwrap_or("perspective").to_lowercase().as_str() {
            "perspective" => {}
            other => return Err(format!("its cameras are of the type '{other}', and only 'perspective' is rendered")),
        }
        let side = |number: &Number| {
            let value = number.as_f64().filter(|value| value.fract() == 0.0 && (1.0..=1e6).contains(value));
            value.map(|value| value as u32)
        };
        let (Some(width), Some(height)) = (side(&self.render_width), side(&self.render_height)) else {
            return Err(format!("its pictures are {} × {} pixels", self.render_width, self.render_height));
        };
        let default_fov = self.default_fov.unwrap_or(FOV);
        let named = |what: &str, i: usize| format!("{what} {i}");
        let mut path = CameraPath { fps: self.fps.as_f64().unwrap_or(0.0), ..CameraPath::new(width, height) };
        for (i, frame) in self.camera_path.iter().enumerate() {
            let c2w = frame.camera_to_world.c2w().map_err(|found| format!("{}: {found}", named("frame", i)))?;
            path.frames.push(Pose::from_opengl(&c2w, frame.fov.unwrap_or(default_fov)));
        }
        let (mut seconds, even) = (0.0, self.even_transition());
        for (i, key) in self.keyframes.iter().enumerate() {
            let c2w = key.matrix.c2w().map_err(|found| format!("{}: {found}", named("keyframe", i)))?;
            if i > 0 {
                seconds += key.transition().unwrap_or(even);
            }
            path.keyframes.push(Keyframe { pose: Pose::from_opengl(&c2w, key.fov.unwrap_or(default_fov)), seconds });
        }
        let last_to_first = self.keyframes.first().and_then(FileKeyframe::transition).unwrap_or(even);
        path.closing = (self.is_cycle && path.keyframes.len() > 1).then_some(last_to_first);
        if let Some(own) = self.naka_gs.filter(|_| !path.keyframes.is_empty()) {
            path.constant_speed = own.constant_speed;
            path.frames.clear();
        }
        Ok(path)
    }

    /// Seconds of a transition that has none of its own.
    fn even_transition(&self) -> f64 {
        let count = self.keyframes.len().saturating_sub(usize::from(!self.is_cycle)).max(1);
        self.default_transition_sec.or(self.seconds.map(|seconds| seconds / count as f64)).unwrap_or(1.0)
    }
}

impl FileKeyframe {
    fn transition(&self) -> Option<f64> {
        self.override_transition_sec.filter(|_| self.override_transition_enabled == Some(true))
    }
}

impl Matrix {
    fn of(pose: &Pose) -> Self {
        Self::Numbers(pose.c2w().transpose().to_cols_array().to_vec())
    }

    /// Camera to world, its rotation exactly orthonormal.
    fn c2w(&self) -> Result<DMat4, String> {
        let numbers = match self {
            Self::Numbers(numbers) => numbers.clone(),
            Self::Rows(rows) => rows.concat(),
            Self::Text(text) => {
                serde_json::from_str(text).map_err(|_| "its matrix is no list of numbers".to_string())?
            }
        };
        let mut all = [0.0; 16];
        all[15] = 1.0;
        match numbers.len() {
            12 | 16 => all[..numbers.len()].copy_from_slice(&numbers),
            other => return Err(format!("its matrix has {other} numbers, not 16")),
        }
        let columns = DMat4::from_cols_array(&all);
        let by_rows = all[12..15] == [0.0; 3];
        let by_columns = [all[3], all[7], all[11]] == [0.0; 3];
        // At the origin both fit; then only the older viewer writes text.
        let three_js = by_columns && (!by_rows || matches!(self, Self::Text(_)));
        rigid(if three_js { columns } else { columns.transpose() })
    }
}
