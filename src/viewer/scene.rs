//! The scene in the window: a model, points, and the cameras that took the photographs.

use super::look::Look;
use crate::capture::{self, Camera, SceneFrame, View};
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::pipeline::output::names;
use crate::pipeline::record::{RUN_FILE, Run};
use crate::pipeline::{self, Job, Scope};
use crate::prior::{self, PointCloud};
use crate::progress::Silent;
use crate::splat::{self, Bounds, Splats, Tensors};
use crate::train::Snapshot;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Splats or points in device memory.
pub struct Model {
    held: Held,
    pub bounds: Bounds,
}

enum Held {
    Own(Box<Tensors>),
    /// A state of a training that goes on.
    Snapshot(Arc<Snapshot>),
}

/// A camera of the scene, with the photograph that it took.
#[derive(Clone, Debug)]
pub struct Photo {
    pub name: String,
    pub camera: Camera,
    /// The photograph as it came.
    pub dark: Option<View>,
    /// The lit one.
    pub lit: Option<PathBuf>,
    /// Factors of its linear light to the exposure of the model.
    pub gain: [f32; 3],
}

/// Everything of one path.
pub struct Scene {
    pub path: PathBuf,
    /// The file of the splats, which a training has not written yet.
    pub file: Option<PathBuf>,
    pub splats: Option<Model>,
    pub points: Option<Model>,
    pub photos: Vec<Photo>,
    /// What all of it is in.
    pub frame: SceneFrame,
    /// As in training.
    pub antialiased: bool,
    /// How its photographs were lit.
    pub look: Option<Look>,
    /// What there is to say of it.
    pub notes: Vec<String>,
}

impl Model {
    /// Uploads `splats`.
    pub fn new(gpu: &Gpu, splats: &Splats) -> Result<Self> {
        Self::part(gpu, splats, Bounds::of(&splats.means))
    }

    /// Uploads a part of a model, whose scene is as large as `bounds` says.
    ///
    /// # Errors
    /// It does not fit the device.
    pub fn part(gpu: &Gpu, splats: &Splats, bounds: Bounds) -> Result<Self> {
        let tensors = Tensors::from_splats(gpu, splats, 0)?;
        Ok(Self { held: Held::Own(Box::new(tensors)), bounds })
    }

    /// A state of a training, whose scene is as large as `bounds` says.
    pub fn of_snapshot(snapshot: Arc<Snapshot>, bounds: Bounds) -> Self {
        Self { held: Held::Snapshot(snapshot), bounds }
    }

    /// The parameters.
    pub fn tensors(&self) -> &Tensors {
        match &self.held {
            Held::Own(tensors) => tensors,
            Held::Snapshot(snapshot) => &snapshot.splats,
        }
    }

    /// Uploads points as opaque splats, so small that they are dots of about two pixels.
    pub fn of_points(gpu: &Gpu, points: &PointCloud) -> Result<Self> {
        let bounds = Bounds::of(&points.positions);
        let tensors = Tensors::from_splats(gpu, &splat::dots(points, 4e-4 * bounds.radius as f32), 0)?;
        Ok(Self { held: Held::Own(Box::new(tensors)), bounds })
    }
}

impl Scene {
    /// Nothing of nothing.
    pub fn empty() -> Self {
        Self {
            path: PathBuf::new(),
            file: None,
            splats: None,
            points: None,
            photos: Vec::new(),
            frame: SceneFrame::IDENTITY,
            antialiased: false,
            look: None,
            notes: Vec::new(),
        }
    }

    /// Reads `path`: splats, points, or the output folder of a run. `cameras` is a file of poses to go with it.
    ///
    /// # Errors
    /// Anything else; files that cannot be read.
    pub fn load(gpu: &Gpu, path: &Path, cameras: Option<&Path>) -> Result<Self> {
        let mut scene = Self { path: path.to_path_buf(), ..Self::empty() };
        let poses = cameras.map(capture::poses).transpose()?;
        let known: Vec<Camera> = poses.iter().flatten().map(|view| view.camera.clone()).collect();
        if path.is_dir() {
            scene.load_run(gpu)?;
        } else {
            scene.frame = scene.load_file(gpu, path, None, &known)?;
        }
        if let Some(poses) = poses {
            let frame = scene.frame;
            let photo = |view: View| Photo {
                name: view.name,
                camera: frame.camera(&view.camera),
                dark: None,
                lit: None,
                gain: [1.0; 3],
            };
            scene.photos = poses.into_iter().map(photo).collect();
        }
        Ok(scene)
    }

    /// The splats in its file, in place of those that it has: of the same scene, in the same frame.
    ///
    /// # Errors
    /// A file that cannot be read, splats that do not fit the device.
    pub fn read_again(gpu: &Gpu, file: &Path, frame: &SceneFrame, bounds: Bounds) -> Result<Model> {
        Model::part(gpu, &splat::read_in(file, frame)?, bounds)
    }

    /// Of its splats, else its points.
    pub fn bounds(&self) -> Bounds {
        self.splats.as_ref().or(self.points.as_ref()).map(|model| model.bounds).unwrap_or_default()
    }

    /// The cameras alone.
    pub fn cameras(&self) -> Vec<Camera> {
        self.photos.iter().map(|photo| photo.camera.clone()).collect()
    }

    /// Reads one file, in `frame` or, where it is looked at by itself, in the one that suits it; returns that. `cameras` are
    /// those that are known to see it.
    fn load_file(
        &mut self,
        gpu: &Gpu,
        path: &Path,
        frame: Option<SceneFrame>,
        cameras: &[Camera],
    ) -> Result<SceneFrame> {
        if splat::holds_splats(path)? {
            let (found, frame) = match frame {
                Some(frame) => (splat::read_file_in(path, &frame)?, frame),
                None => splat::read_framed(path)?,
            };
            found.check_axes(path, &frame, cameras);
            let splat::Found { splats, dropped, antialiased, .. } = found;
            self.antialiased = antialiased;
            if dropped > 0 {
                self.notes.push(format!("{dropped} splats hold NaN or infinite values and are left out"));
            }
            self.splats = Some(Model::new(gpu, &splats)?);
            self.file = Some(path.to_path_buf());
            Ok(frame)
        } else {
            let (found, frame) = match frame {
                Some(frame) => (prior::read_counting_in(path, &frame)?, frame),
                None => prior::read_framed(path)?,
            };
            if found.not_finite > 0 {
                self.notes.push(format!("{} points have no usable coordinates and are left out", found.not_finite));
            }
            self.points = Some(Model::of_points(gpu, &found.cloud)?);
            Ok(frame)
        }
    }

    /// The output folder of a run, finished or not.
    fn load_run(&mut self, gpu: &Gpu) -> Result<()> {
        let out = self.path.clone();
        let run = Run::read(&out)?.ok_or_else(|| {
            let found = format!("is a folder without {RUN_FILE}");
            Error::input(&out, found, "give a PLY file, or the output folder of `naka-gs run`")
        })?;
        let [splats, points] = [names::SPLATS, names::POINTS].map(|name| out.join(name));
        if !splats.exists() && !points.exists() {
            let found = "holds neither splats.ply nor points.ply";
            return Err(Error::input(&out, found, "run the same `naka-gs run` command again to finish it"));
        }
        self.frame = run.frame.unwrap_or_default();
        match run.settings(&out) {
            Ok(settings) => {
                self.antialiased = settings.train.antialiased;
                self.look = Look::of(&run, &settings);
                let (scene, out) = (run.scene, out.clone());
                match photos(&Job { scene, out, settings, overwrite: false, scope: Scope::Everything }) {
                    Ok((photos, frame)) => (self.photos, self.frame) = (photos, frame),
                    Err(error) => self.notes.push(format!("its cameras are not shown: {error}")),
                }
            }
            Err(error) => self.notes.push(format!("its cameras are not shown: {error}")),
        }
        for file in [splats, points].iter().filter(|file| file.exists()) {
            self.load_file(gpu, file, Some(self.frame), &[])?;
        }
        Ok(())
    }
}

/// The views that the run of `job` trains on and holds out, with their photographs, and the frame that they are in.
///
/// # Errors
/// A scene that cannot be read any more.
pub fn photos(job: &Job) -> Result<(Vec<Photo>, SceneFrame)> {
    let exposures = Run::read(&job.out)?.map(|run| run.exposures()).unwrap_or_default();
    let capture = pipeline::capture_of(job, &Silent::default())?;
    let photo = |view: &View| {
        let lit = Some(job.out.join(names::IMAGES).join(&view.name)).filter(|path| path.exists());
        let gain = exposures.get(&view.name).copied().unwrap_or([1.0; 3]);
        Photo { name: view.name.clone(), camera: view.camera.clone(), dark: Some(view.clone()), lit, gain }
    };
    Ok((capture.train.iter().chain(&capture.holdout).map(photo).collect(), capture.frame))
}

/// The name of a path for titles.
pub fn title(path: &Path) -> String {
    let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
    name(path).unwrap_or_else(|| path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splats_are_read_again_as_a_part_of_the_same_scene() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("splats.ply");
        let gpu = Gpu::open(&crate::gpu::Choice::Best, crate::gpu::Mask::default()).unwrap();
        splat::ply::write(&file, &splat::reference::splats(&splat::reference::cloud(20, 7))).unwrap();
        let bounds = Bounds { radius: 9.0, ..Bounds::default() };
        let model = Scene::read_again(&gpu, &file, &SceneFrame::IDENTITY, bounds).unwrap();
        assert_eq!((model.tensors().count, model.bounds.radius), (20, 9.0));
        std::fs::remove_file(&file).unwrap();
        assert!(Scene::read_again(&gpu, &file, &SceneFrame::IDENTITY, bounds).is_err());
    }
}
