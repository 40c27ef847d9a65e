//! A small scene on disk.

use super::support::naka_gs;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::Output;

const WIDTH: u32 = 32;
const HEIGHT: u32 = 24;

/// A valid scene of `views` photographs that look at the origin, in a folder of its own.
pub struct TinyScene {
    _dir: tempfile::TempDir,
    /// The scene folder.
    pub scene: PathBuf,
    /// An output folder that does not exist yet.
    pub out: PathBuf,
}

impl TinyScene {
    pub fn new(views: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let scene = dir.path().join("scene");
        std::fs::create_dir_all(scene.join("train")).unwrap();
        for i in 0..views {
            photo(i, WIDTH, HEIGHT).save(scene.join(format!("train/{i:04}.JPG"))).unwrap();
        }
        let out = dir.path().join("out");
        let tiny = Self { _dir: dir, scene, out };
        tiny.edit(|json| *json = transforms(views));
        tiny
    }

    pub fn transforms(&self) -> PathBuf {
        self.scene.join("transforms_train.json")
    }

    /// Rewrites `transforms_train.json`.
    pub fn edit(&self, change: impl FnOnce(&mut Value)) {
        let text = std::fs::read_to_string(self.transforms()).unwrap_or_else(|_| "null".into());
        let mut json = serde_json::from_str(&text).unwrap();
        change(&mut json);
        std::fs::write(self.transforms(), json.to_string()).unwrap();
    }

    /// `naka-gs run SCENE -o OUT` with a few training steps, and `more` arguments.
    pub fn run(&self, more: &[&str]) -> Output {
        let mut command = naka_gs();
        command.arg("run").arg(&self.scene).arg("-o").arg(&self.out).args(["--adapter", "cpu", "--steps", "3"]);
        command.args(more).output().unwrap()
    }
}

fn photo(index: usize, width: u32, height: u32) -> image::RgbImage {
    image::RgbImage::from_fn(width, height, |x, y| {
        let v = ((x * 7 + y * 13 + index as u32 * 5) % 23) as u8;
        image::Rgb([v, v / 2, v / 3])
    })
}

fn transforms(views: usize) -> Value {
    let frames: Vec<Value> = (0..views)
        .map(|i| {
            let angle = i as f64 / views.max(1) as f64 * std::f64::consts::TAU;
            let (s, c) = angle.sin_cos();
            let pose = json!([[c, 0.0, s, 4.0 * s], [0.0, 1.0, 0.0, 0.0], [-s, 0.0, c, 4.0 * c], [0.0, 0.0, 0.0, 1.0]]);
            json!({ "file_path": format!("train/{i:04}.JPG"), "transform_matrix": pose })
        })
        .collect();
    json!({ "w": WIDTH, "h": HEIGHT, "fl_x": 30.0, "fl_y": 30.0, "cx": 16.0, "cy": 12.0, "frames": frames })
}
