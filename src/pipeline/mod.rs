//! The stages in order: a capture in, a folder of results out, resumable at every stage.
//!
//! [`run`] plans first ([`plan`]): nothing is written before it is clear that nothing of a different run would be
//! replaced. Then each stage that is not current is made, and `run.json` ([`record`]) says after each step how far the
//! run came, so that the same command continues from there.

mod before_after;
mod cameras;
pub mod demo;
pub mod film;
pub mod fingerprint;
pub mod frames;
mod journal;
mod measure;
pub mod output;
pub mod photos;
mod pictures;
pub mod plan;
pub mod record;
mod session;
mod unposed;

pub use demo::spread;
pub use measure::MetricsFile;
pub use pictures::{Painter, render_name, render_views};

use crate::capture::{self, Capture, View};
use crate::enhance;
use crate::error::{Error, Result};
use crate::gpu::{Gpu, Mask};
use crate::prior::{self, Origin, PointCloud};
use crate::progress::Progress;
use crate::settings::{self, Settings};
use crate::train::{Change, Watch};
use crate::video::is_video;
use cameras::describe_cameras;
use fingerprint::Hashes;
use glam::{DMat4, DVec3};
use output::{OutputFolder, Written, ensure_disjoint, ensure_no_input, names};
use plan::{Action, Step, decide};
use record::{Run, Stage, StageRecord};
use session::Session;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a run makes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// Every stage, from dark photographs.
    #[default]
    Everything,
    /// Training and its measurement on photographs as they are.
    Training,
}

/// One run: a scene folder, an output folder and the settings.
#[derive(Clone, Debug)]
pub struct Job {
    pub scene: PathBuf,
    pub out: PathBuf,
    pub settings: Settings,
    /// Whether results of a different run may be replaced.
    pub overwrite: bool,
    pub scope: Scope,
}

/// What a run shares with a window on it; by default nothing.
#[derive(Clone, Default)]
pub struct Shared<'a> {
    /// The device to run on, instead of the one that the settings name.
    pub gpu: Option<Arc<Gpu>>,
    /// Looks on while the model is trained.
    pub watch: Option<&'a dyn Watch>,
}

impl Shared<'_> {
    fn gpu(&self, job: &Job) -> Result<Arc<Gpu>> {
        match &self.gpu {
            Some(gpu) => Ok(Arc::clone(gpu)),
            None => Ok(Arc::new(Gpu::open(&job.settings.adapter_choice(), Mask::from_env()?)?)),
        }
    }
}

/// What a run leaves behind.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub run: Run,
    pub metrics: MetricsFile,
}

/// Makes what is not yet made of `job`.
///
/// # Errors
/// [`Error::InUse`] where another process works in the output folder; [`Error::Exists`] before anything is written where
/// a different run's results are in the way; the errors of the stages. After [`Error::Interrupted`] the same job continues
/// where it stopped.
pub fn run(job: &Job, shared: &Shared<'_>, progress: &dyn Progress) -> Result<Outcome> {
    run_in(&OutputFolder::open(&job.out)?, job, shared, progress)
}

fn run_in(folder: &OutputFolder, job: &Job, shared: &Shared<'_>, progress: &dyn Progress) -> Result<Outcome> {
    let run = run_stages(folder, job, Stage::Eval, shared, progress)?;
    Ok(Outcome { run, metrics: MetricsFile::read(&job.out)? })
}

/// [`run`] up to and including the stage `last`. The same job without this end continues from there, with the results
/// that it would have had.
///
/// # Errors
/// As [`run`]; [`Stage::Prior`], whose points live on only in what PPM makes of them; [`Stage::Poses`] where the scene has
/// poses.
pub fn run_until(job: &Job, last: Stage, shared: &Shared<'_>, progress: &dyn Progress) -> Result<Run> {
    if last == Stage::Prior {
        return Err(Error::setting("--until", "prior", "its points live on only in what ppm makes of them: use ppm"));
    }
    run_stages(&OutputFolder::open(&job.out)?, job, last, shared, progress)
}

fn run_stages(
    folder: &OutputFolder,
    job: &Job,
    last: Stage,
    shared: &Shared<'_>,
    progress: &dyn Progress,
) -> Result<Run> {
    let inputs = known_inputs(job)?;
    let (job, video) = frames::photographs(job, &inputs, progress)?;
    let (job, work) = (&job, Work { job: &job, folder, inputs, video });
    match unposed::find(job, progress)? {
        Some(photos) => {
            let (capture, run) = unposed::pose(&work, &photos, shared, progress)?;
            if last == Stage::Poses { Ok(run) } else { run_posed(&work, capture, last, shared, progress) }
        }
        None => {
            let capture = load(job)?;
            if last == Stage::Poses {
                return Err(Error::setting("--until", "poses", "the scene has poses: use enhance"));
            }
            run_posed(&work, capture, last, shared, progress)
        }
    }
}

/// A job with its output folder, which nobody else works in.
struct Work<'a> {
    job: &'a Job,
    folder: &'a OutputFolder,
    /// Hashes of the files that are read.
    inputs: Hashes,
    /// The video that the photographs come from.
    video: Option<frames::Source>,
}

/// The hashes that an earlier run of `job` found.
fn known_inputs(job: &Job) -> Result<Hashes> {
    Ok(Hashes::known(earlier(job)?.map(|run| run.inputs).unwrap_or_default()))
}

/// The capture that the run of `job` trains on, as it came, but with the poses it is trained with; of a run that has
/// finished.
///
/// # Errors
/// A scene that cannot be read any more.
pub fn capture_of(job: &Job, progress: &dyn Progress) -> Result<Capture> {
    let job = &frames::of_frames(job)?;
    let capture = match unposed::find(job, progress)? {
        Some(photos) => unposed::posed(job, &photos)?,
        None => load(job)?,
    };
    prior::locate(&capture, &job.settings.prior).map(|(posed, _)| posed)
}

/// The photographs of a folder without poses, posed and lit in `job.out` as a run would train on them; nothing where the
/// scene has poses.
///
/// # Errors
/// As those of [`run`].
pub fn posed_and_lit(job: &Job, progress: &dyn Progress) -> Result<Option<Capture>> {
    let photos = if is_video(&job.scene) { None } else { unposed::find(job, progress)? };
    if photos.is_none() && !is_video(&job.scene) {
        return Ok(None);
    }
    let (folder, inputs) = (OutputFolder::open(&job.out)?, known_inputs(job)?);
    let (job, video) = frames::photographs(job, &inputs, progress)?;
    let (job, work) = (&job, Work { job: &job, folder: &folder, inputs, video });
    let of_video = || unposed::find(job, progress);
    let Some(photos) = photos.map_or_else(of_video, |photos| Ok(Some(photos)))? else { return Ok(None) };
    let (capture, _) = unposed::pose(&work, &photos, &Shared::default(), progress)?;
    run_posed(&work, capture.clone(), Stage::Enhance, &Shared::default(), progress)?;
    Ok(Some(session::lit_from_files(job, &capture)))
}

/// The record of an earlier run in the output folder. With `--overwrite` a file of that name that is no record is none,
/// but never one that a later version of the program wrote.
fn earlier(job: &Job) -> Result<Option<Run>> {
    match Run::read(&job.out) {
        Err(_) if job.overwrite && !Run::is_later(&job.out) => Ok(None),
        earlier => earlier,
    }
}

/// The stages of a run with poses, up to `last`.
fn run_posed(
    work: &Work<'_>,
    capture: Capture,
    last: Stage,
    shared: &Shared<'_>,
    progress: &dyn Progress,
) -> Result<Run> {
    let Work { job, folder, inputs, .. } = work;
    ensure_disjoint(&job.out, &capture)?;
    unique_renders(&job.scene, &capture.test)?;
    let (posed, origin) = prior::locate(&capture, &job.settings.prior)?;
    describe_cameras(&job.scene, &posed);
    let steps_with = |changes: &[Change]| steps(job, inputs, &capture, &posed, &origin, changes);
    let earlier = earlier(job)?;
    let (mut steps, actions) = {
        let steps = steps_with(&earlier.as_ref().map(Run::changes_under_way).unwrap_or_default());
        let actions = decide(&steps, earlier.as_ref(), folder, job.overwrite)?;
        let trained = steps.iter().zip(&actions).any(|(s, action)| s.stage == Stage::Train && *action == Action::Keep);
        if trained { (steps, actions) } else { plan(steps_with(&[]), earlier.as_ref(), folder, job.overwrite)? }
    };
    settings::file::check(&folder.join(names::SETTINGS), job.overwrite)?;
    let written = steps.iter().flat_map(|step| &step.outputs).map(String::as_str);
    ensure_no_input(&job.out, written, &inputs.paths())?;
    // What comes after is planned too, so that results of a different run are in the way of a part as of the whole.
    let idle = steps.iter().zip(&actions).all(|(step, action)| step.stage > last || *action == Action::Keep);
    let gpu = if idle { None } else { Some(shared.gpu(job)?) };
    let mut session = Session::new(work, shared, posed.clone(), origin.clone(), gpu, earlier, progress)?;
    let mut at = 0;
    while at < steps.len() && steps[at].stage <= last {
        // What is current depends on what the stages before have just written.
        let action = decide(&steps, Some(session.run()), folder, true)?[at];
        let stage = steps[at].stage;
        match action {
            Action::Keep => session.keep(stage)?,
            Action::Make | Action::Replace => session.make(&steps[at], action, &steps[at + 1..])?,
        }
        if stage == Stage::Train {
            // What was changed on the way makes another model, and other results of it.
            let changes = session.run().stage(Stage::Train).map(StageRecord::changes).unwrap_or_default();
            steps = steps_with(&changes);
        }
        at += 1;
    }
    Ok(session.finish())
}

fn plan(
    steps: Vec<Step>,
    earlier: Option<&Run>,
    folder: &OutputFolder,
    overwrite: bool,
) -> Result<(Vec<Step>, Vec<Action>)> {
    let actions = decide(&steps, earlier, folder, overwrite)?;
    Ok((steps, actions))
}

/// Fails where two frames of `source` would be rendered into one file.
///
/// # Errors
/// [`Error::Input`] naming both.
pub fn unique_renders(source: &Path, test: &[View]) -> Result<()> {
    // File systems may not tell letter cases apart.
    let names: Vec<String> = test.iter().map(|view| render_name(&view.name).to_lowercase()).collect();
    let Some((first, second)) = capture::clash_of(&names) else { return Ok(()) };
    let [a, b] = [first, second].map(|index| &test[index].name);
    let name = render_name(b);
    let found = match names[first] == names[second] {
        true => format!("the test frames {a} and {b} would both be rendered as {name}"),
        false => format!("the test frame {b} would be rendered as {name}, which is the folder of {a}"),
    };
    Err(Error::input(source, found, "give every test frame a name of its own"))
}

/// The capture of `job` as it came.
fn load(job: &Job) -> Result<Capture> {
    capture::load(&job.scene, &job.settings.capture_options(&job.scene))
}

fn photos_fingerprint(inputs: &Hashes, capture: &Capture) -> String {
    fingerprint::of(&[inputs.of_views(&capture.train), inputs.of_views(&capture.holdout)])
}

/// Dark to lit.
fn enhance_step(job: &Job, inputs: &Hashes, capture: &Capture) -> Step {
    let (settings, views) = (&job.settings, capture.train.iter().chain(&capture.holdout));
    let outputs = views.map(|view| format!("{}/{}", names::IMAGES, view.name)).collect();
    let camera = camera_files(job, inputs);
    let weights = inputs.of(Path::new(&settings.enhance.weights));
    let models = (weights, enhance::built_in_hash());
    let photos = photos_fingerprint(inputs, capture);
    let fingerprint = fingerprint::of(&(photos, camera, &settings.enhance, settings.downscale, models));
    Step { stage: Stage::Enhance, fingerprint, outputs }
}

/// The files that may say how the camera responds to light.
fn camera_files(job: &Job, inputs: &Hashes) -> [Option<Written>; 2] {
    ["camera.toml", &job.settings.enhance.camera].map(|name| inputs.of(&job.scene.join(name)))
}

/// The stages of `job` with their fingerprints, each of which includes those it builds on. Light does not depend on where
/// a prior puts the cameras, so only what follows the prior is made again where it leads to other ones (`posed`); where
/// test views stand then follows from these and from where they stood. `changes` are those of the settings while the model
/// was trained.
fn steps(
    job: &Job,
    inputs: &Hashes,
    capture: &Capture,
    posed: &Capture,
    origin: &Origin,
    changes: &[Change],
) -> Vec<Step> {
    let settings = &job.settings;
    let mut steps = Vec::new();
    let mut step = |stage: Stage, fingerprint: String, outputs: Vec<String>| {
        steps.push(Step { stage, fingerprint: fingerprint.clone(), outputs });
        fingerprint
    };
    let points = origin.points.as_deref().map(|path| inputs.of_any(path));
    let colors = settings.prior.colors.as_deref().map(|path| inputs.of(path));
    let cameras = [&posed.train, &posed.holdout].map(|views| fingerprint::of_poses(views));
    let beside = origin.beside.as_ref().map(|(similarity, _)| similarity.matrix());
    let placed = fingerprint::of(&(points, colors, origin.similarity.matrix(), beside, cameras));
    // The files' coordinates depend on the frame.
    let frame = posed.frame;
    let placed = if frame.is_identity() { placed } else { fingerprint::of(&(placed, frame)) };
    let (lit, points) = match &job.scope {
        Scope::Everything => {
            let Step { stage, fingerprint, outputs } = enhance_step(job, inputs, capture);
            let lit = step(stage, fingerprint, outputs);
            let prior = step(Stage::Prior, fingerprint::of(&(&lit, &placed, &settings.prior)), Vec::new());
            let ppm = fingerprint::of(&(&prior, &settings.ppm));
            (lit, step(Stage::Ppm, ppm, vec![names::POINTS.into()]))
        }
        Scope::Training => {
            let lit = fingerprint::of(&(photos_fingerprint(inputs, capture), settings.downscale));
            let prior = fingerprint::of(&(&lit, &placed, &settings.prior));
            (lit, step(Stage::Prior, prior, vec![names::POINTS.into()]))
        }
    };
    let trained = trained_fingerprint(&fingerprint::of(&(&lit, &points, settings.train.essence())), changes);
    let trained = step(Stage::Train, trained, vec![names::SPLATS.into()]);
    if job.scope == Scope::Everything {
        let renders =
            capture.test.iter().map(|view| format!("{}/{}", names::RENDERS, render_name(&view.name))).collect();
        step(Stage::Render, render_fingerprint(&trained, &capture.test), renders);
    }
    let measured = fingerprint::of(&(&trained, inputs.of_views(&capture.test)));
    step(Stage::Eval, measured, vec![names::METRICS.into()]);
    steps
}

/// The fingerprint of a model, from that of its training as it was started, and what was changed on the way.
fn trained_fingerprint(started: &str, changes: &[Change]) -> String {
    if changes.is_empty() { started.into() } else { fingerprint::of(&(started, changes)) }
}

/// The fingerprint of the renders of `test` poses, of the model whose training has the fingerprint `trained`.
pub fn render_fingerprint(trained: &str, test: &[View]) -> String {
    fingerprint::of(&(trained, fingerprint::of_poses(test)))
}

/// The similarity to the frame in which PPM's lengths are meant: from the cameras, then the points' principal axes.
pub fn normalization(capture: &Capture, points: &PointCloud) -> DMat4 {
    let cameras: Vec<_> = capture.train.iter().map(|view| view.camera.clone()).collect();
    let world = capture::world_normalization(&cameras);
    let normalized = points.positions.iter().map(|p| world.transform_point3(DVec3::from(p.map(f64::from))));
    let finite: Vec<DVec3> = normalized.filter(|p| p.is_finite()).collect();
    capture::principal_axes(&finite) * world
}

#[cfg(test)]
mod fault_tests;
#[cfg(test)]
mod folder_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod watch_tests;
