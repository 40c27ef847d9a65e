//! The state of the window: the open scene, the viewpoint, the panel. Drawing is in [`super::layout`].

use super::compare::Compare;
use super::crop_model::{Crop, CropAction};
use super::display::{DisplayOptions, What};
use super::filming::{self, Filming};
use super::messages::Messages;
use super::navigate::{self, Lens, Navigator, Pose};
use super::picture::{Figures, Shot};
use super::recorder::Recorder;
use super::scene::{Model, Scene};
use super::training::Training;
use crate::capture::{Camera, up_of};
use crate::pipeline::Job;
use crate::train::Snapshot;
use glam::DVec3;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long after its last motion the camera still counts as moving.
pub const REST: Duration = Duration::from_millis(150);
/// The up axis without cameras: that of COLMAP's first photograph, which most splat files have.
const UP: DVec3 = DVec3::NEG_Y;
/// Vertical field of view in degrees where there is no camera.
const ANGLE: f64 = 50.0;

/// A request of the user that the state cannot carry out itself.
#[derive(Clone, Debug)]
pub enum Command {
    Open(PathBuf),
    /// Begin a run.
    Train(Box<Job>),
    /// Make pictures along a path.
    Film(Box<Filming>),
    Screenshot,
    /// Write exposure and warmth as settings.
    SaveLook,
    Crop(CropAction),
    /// Make what is at this place of the picture the pivot; shares of its width and height.
    Focus([f64; 2]),
    FullScreen,
    Quit,
}

/// Work in the background of the window.
pub struct Work<'a, 'scope> {
    pub training: Option<&'a mut Training<'scope>>,
    pub filming: Option<&'a filming::Camera<'scope>>,
}

/// What the panel tells of the device.
pub struct Device<'a> {
    pub adapter: &'a str,
    pub peak_bytes: u64,
    pub figures: Figures,
}

/// The contents of the window, which every part of it may read and change in a frame.
pub struct UiState {
    pub scene: Option<Scene>,
    /// What is being read.
    pub loading: Option<PathBuf>,
    /// Goes up with every change of the model.
    pub state: u64,
    pub navigator: Navigator,
    pub display: DisplayOptions,
    pub messages: Messages,
    pub commands: Vec<Command>,
    pub compare: Compare,
    pub recorder: Recorder,
    /// The box over the splats, where one is on.
    pub crop: Option<Crop>,
    /// Whether the cameras are drawn, and their photographs in them.
    pub cameras: bool,
    pub photographs: bool,
    pub panel_open: bool,
    pub help_open: bool,
    /// Whether a key that is down is part of a shortcut, and not of flight.
    pub shortcut: bool,
    /// A scene to offer for training, and the folder for its results.
    pub proposal: Option<Job>,
    /// The field for a path in the panel.
    pub path: String,
    /// Pixels of the picture.
    pub size: [u32; 2],
    moved: Option<(Camera, Instant)>,
}

impl UiState {
    /// Nothing is open.
    pub fn new() -> Self {
        Self {
            scene: None,
            loading: None,
            state: 0,
            navigator: Navigator::new(overview(&Scene::empty(), UP), None, UP),
            display: DisplayOptions::default(),
            messages: Messages::default(),
            commands: Vec::new(),
            compare: Compare::default(),
            recorder: Recorder::new(),
            crop: None,
            cameras: false,
            photographs: true,
            panel_open: true,
            help_open: false,
            shortcut: false,
            proposal: None,
            path: String::new(),
            size: [0, 0],
            moved: None,
        }
    }

    /// Shows `scene`, from its camera `start` (its first, if not given) or, without cameras, as a whole.
    pub fn open(&mut self, scene: Scene, start: Option<usize>) {
        let cameras = scene.cameras();
        let up = up_of(&cameras).unwrap_or(UP);
        let at = start.or(Some(0)).filter(|index| *index < cameras.len());
        let home = match at {
            Some(index) => Pose::of(&cameras[index], reach(&scene, &cameras[index])),
            None => overview(&scene, up),
        };
        if let (Some(index), None) = (start, at) {
            let last = cameras.len();
            self.messages.note(format!("there is no camera {}: the scene has {last}", index + 1));
        }
        self.navigator = Navigator::new(home, at, up);
        scene.notes.iter().for_each(|note| self.messages.note(note));
        let what = if scene.splats.is_some() { What::Render } else { What::Points };
        self.display = DisplayOptions { what, antialiased: scene.antialiased, depths: None, ..self.display.clone() };
        self.path = scene.path.display().to_string();
        self.recorder = Recorder::new();
        self.crop = None;
        self.scene = Some(scene);
        self.state += 1;
    }

    /// Shows these splats of the scene in place of those that it shows.
    pub fn show_splats(&mut self, model: Model) {
        if let Some(scene) = &mut self.scene {
            scene.splats = Some(model);
            self.state += 1;
        }
    }

    /// Shows the distilled model of a run of several, in place of the last of them.
    pub fn show_result(&mut self, model: Model) {
        // A box was over the last model's splats.
        self.crop = None;
        self.show_splats(model);
    }

    /// Another state of the model that is shown.
    pub fn replace(&mut self, snapshot: Arc<Snapshot>) {
        if let Some(scene) = &mut self.scene {
            let bounds = scene.bounds();
            if scene.splats.replace(Model::of_snapshot(snapshot, bounds)).is_none() {
                // Until now there were points alone.
                self.display.what = What::Render;
            }
            // A box was over the earlier state's splats.
            self.crop = None;
            self.state += 1;
        }
    }

    /// The camera of the picture, if the window has room for one.
    pub fn camera(&self) -> Option<Camera> {
        let [width, height] = self.size;
        (width > 0 && height > 0).then(|| self.navigator.pose().camera(width, height))
    }

    /// The picture that is wanted, and the model that it is of.
    pub fn shot(&self) -> Option<(Shot, &Model)> {
        let (scene, camera) = (self.scene.as_ref()?, self.camera()?);
        let model = self.display.model(scene)?;
        Some((self.display.shot(model, self.state, camera), model))
    }

    /// Whether the camera moved a moment ago. The first picture does not count as one of a moving camera.
    pub fn moving(&mut self) -> bool {
        let Some(camera) = self.camera() else { return false };
        match &self.moved {
            Some((last, since)) if *last == camera => since.elapsed() < REST,
            earlier => {
                let first = earlier.is_none();
                let now = Instant::now();
                self.moved = Some((camera, if first { now.checked_sub(REST).unwrap_or(now) } else { now }));
                !first
            }
        }
    }

    /// To the camera `by` places on.
    pub fn step_camera(&mut self, by: isize) {
        let Some(scene) = &self.scene else { return };
        let cameras = scene.cameras();
        let eye = self.navigator.pose().eye;
        if let Some(index) = navigate::neighbor(&cameras, self.navigator.at(), eye, by) {
            self.go_to_camera(index);
        }
    }

    /// To the camera `index`.
    pub fn go_to_camera(&mut self, index: usize) {
        let Some(scene) = &self.scene else { return };
        if let Some(photo) = scene.photos.get(index) {
            let pose = Pose::of(&photo.camera, reach(scene, &photo.camera));
            self.navigator.go(pose, Some(index));
        }
    }
}

/// How far the scene is in front of a camera: the distance of the pivot.
fn reach(scene: &Scene, camera: &Camera) -> f64 {
    let bounds = scene.bounds();
    camera.viewmat.transform_point3(bounds.center).z.max(0.3 * bounds.radius)
}

/// The scene as a whole, from a little above.
fn overview(scene: &Scene, up: DVec3) -> Pose {
    let bounds = scene.bounds();
    let side = up.cross(DVec3::X).try_normalize().unwrap_or_else(|| up.any_orthonormal_vector());
    let back = (side + 0.35 * up).normalize();
    let distance = 1.15 * bounds.radius / (0.5 * ANGLE.to_radians()).sin();
    Pose::looking_at(bounds.center + back * distance, bounds.center, up, Lens::vertical(ANGLE, 1.5))
}
