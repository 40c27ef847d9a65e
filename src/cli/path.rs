//! `naka-gs path`

use super::output::{self, Inputs};
use super::size::Size;
use naka_gs::paths::{Tour, through};
use naka_gs::pipeline::record::{RUN_FILE, Run};
use naka_gs::pipeline::training_cameras;
use naka_gs::{Result, capture};
use std::path::PathBuf;

/// A smooth camera path through the cameras of a scene, for `naka-gs render --path` or nerfstudio
#[derive(clap::Args)]
pub struct Path {
    /// A scene folder, the output folder of a run, or a transforms file with `w` and `h`
    scene: PathBuf,
    /// Camera path to write
    #[arg(short, long, value_name = "camera_path.json")]
    out: PathBuf,
    /// Replace the file if it exists
    #[arg(short = 'w', long)]
    overwrite: bool,
    /// Length of the film
    #[arg(long, value_name = "S", default_value_t = 10.0)]
    seconds: f64,
    /// Pictures a second
    #[arg(long, value_name = "N", default_value_t = 30.0)]
    fps: f64,
    /// End where it begins
    #[arg(long = "loop")]
    closed: bool,
    /// Cameras to go through at most; fewer are smoother
    #[arg(long, value_name = "N", default_value_t = 12)]
    keyframes: usize,
    /// Size of the pictures [default: that of the first camera]
    #[arg(long, value_name = "WxH")]
    size: Option<Size>,
}

impl Path {
    pub fn run(self) -> Result<()> {
        output::claim(&self.out, self.overwrite)?;
        let (cameras, inputs) = if Run::is_in(&self.scene) {
            (training_cameras(&self.scene)?, Inputs::default().file(&self.scene.join(RUN_FILE)))
        } else {
            let (views, inputs) = match self.scene.is_dir() {
                true => {
                    let scene = capture::load(&self.scene, &capture::Options::default())?;
                    let inputs = Inputs::default().scene(&scene);
                    (scene.train, inputs)
                }
                false => (capture::poses(&self.scene)?, Inputs::default().file(&self.scene)),
            };
            (views.iter().map(capture::View::shown_camera).collect(), inputs)
        };
        inputs.ensure_kept([self.out.as_path()])?;
        let Self { seconds, fps, closed, keyframes, .. } = self;
        let mut path = through(&cameras, &Tour { seconds, fps, closed, keyframes })?;
        if let Some(Size { width, height }) = self.size {
            (path.width, path.height) = (width, height);
        }
        path.write(&self.out)?;
        output::line(self.out.display().to_string())
    }
}
