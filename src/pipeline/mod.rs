//! The stages in order: a capture in, a folder of results out, resumable at every stage.
//!
//! [`run`] plans first ([`plan`]): nothing is written before it is clear that nothing of a different run would be replaced.
//! Then each stage that is not current is made, and `run.json` ([`record`]) is updated after each step, so that the same
//! command continues from there.

mod before_after;
mod beside;
mod cameras;
mod definition;
pub mod demo;
mod execute;
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
mod several;
mod stage;
mod stages;
mod transforms;
mod unposed;

pub use beside::{training_cameras, training_cameras_beside};
pub use measure::MetricsFile;
pub use pictures::spread;
pub use pictures::{Painter, render_name, render_views};
pub use stages::ends;
pub use stages::ppm::{normalization, prune};
pub use stages::render::render_fingerprint;

use crate::capture::{self, Capture, View};
use crate::error::{Error, Result};
use crate::gpu::{Gpu, Mask};
use crate::prior::{self, Origin};
use crate::progress::Progress;
use crate::self_test;
use crate::settings::{self, Settings};
use crate::train::{Change, Watch};
use crate::video::is_video;
use cameras::describe_cameras;
use definition::PlanContext;
use fingerprint::Hashes;
use output::{OutputFolder, ensure_disjoint, ensure_no_input, names};
use plan::{Action, Step, decide};
use record::{Run, Stage};
use session::Session;
use stages::STAGES;
use std::collections::BTreeMap;
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
    /// The scene folder.
    pub scene: PathBuf,
    /// The output folder.
    pub out: PathBuf,
    /// The resolved settings.
    pub settings: Settings,
    /// Whether results of a different run may be replaced.
    pub overwrite: bool,
    /// Which stages there are.
    pub scope: Scope,
}

/// The settings for the photographs in a folder.
pub type SettingsFor<'a> = &'a (dyn Fn(&Path) -> Result<Settings> + Sync);

/// What a run shares with its caller, such as a window; by default nothing.
#[derive(Clone, Default)]
pub struct Shared<'a> {
    /// The device to run on, instead of the one that the settings name.
    pub gpu: Option<Arc<Gpu>>,
    /// Looks on while the model is trained.
    pub watch: Option<&'a dyn Watch>,
    /// The settings for the frames of a video, in their folder, by default those of the job: what settings depend on is known
    /// once there are frames.
    pub settings: Option<SettingsFor<'a>>,
}

impl Shared<'_> {
    fn gpu(&self, job: &Job) -> Result<Arc<Gpu>> {
        match &self.gpu {
            Some(gpu) => Ok(Arc::clone(gpu)),
            None => {
                let gpu = Gpu::open(&job.settings.adapter_choice(), Mask::of_process())?;
                self_test::once(&gpu)?;
                Ok(Arc::new(gpu))
            }
        }
    }
}

/// What a run leaves behind.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The record of the run.
    pub run: Run,
    /// What was measured.
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
    let run = run_stages(folder, job, Stage::EVAL, shared, progress)?;
    Ok(Outcome { run, metrics: MetricsFile::read(&job.out)? })
}

/// [`run`] up to and including the stage `last`. The same job without this end continues from there, with the results
/// that it would have had.
///
/// # Errors
/// As [`run`]; [`Stage::PRIOR`], whose points are kept only in the result of PPM; [`Stage::POSES`] where the scene has
/// poses.
pub fn run_until(job: &Job, last: Stage, shared: &Shared<'_>, progress: &dyn Progress) -> Result<Run> {
    if let Some(home) = stages::definition(last).stored_with() {
        let remedy = format!("its result lives on only in what {} makes of it: use {}", home.name(), home.name());
        return Err(Error::setting("until", last.name(), remedy));
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
    job.settings.check()?;
    let inputs = known_inputs(job)?;
    let (mut job, video) = frames::photographs(job, &inputs, progress)?;
    if let (Some(_), Some(settings)) = (&video, shared.settings) {
        job.settings = settings(&job.scene)?;
    }
    let options = job.settings.capture_options(&job.scene);
    let photos = unposed::find(&job, &options, progress)?;
    let (job, work) = (&job, Work { job: &job, folder, inputs, video, estimated: photos.is_some() });
    match photos {
        Some(photos) => {
            let (capture, run) = unposed::pose(&work, &photos, shared, progress)?;
            if last == Stage::POSES { Ok(run) } else { run_posed(&work, capture, last, shared, progress) }
        }
        None => {
            let capture = capture::load(&job.scene, &options)?;
            if last == Stage::POSES {
                return Err(Error::setting("until", "poses", "the scene has poses: use enhance"));
            }
            run_posed(&work, capture, last, shared, progress)
        }
    }
}

/// A job with its locked output folder.
struct Work<'a> {
    job: &'a Job,
    folder: &'a OutputFolder,
    /// Hashes of the files that are read.
    inputs: Hashes,
    /// The video that the photographs come from.
    video: Option<frames::Frames>,
    /// Whether the poses are estimated here.
    estimated: bool,
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
    let options = job.settings.capture_options(&job.scene);
    let capture = match unposed::find(job, &options, progress)? {
        Some(photos) => unposed::posed(job, &photos)?,
        None => capture::load(&job.scene, &options)?,
    };
    prior::locate(&capture, &job.settings.prior).map(|(posed, _)| posed)
}

/// [`capture_of`] with the pictures that the run was trained on: lit, and of its size, but as they were exposed
/// ([`Capture::with_exposures`]).
///
/// # Errors
/// As there.
pub fn lit_capture_of(job: &Job, progress: &dyn Progress) -> Result<Capture> {
    Ok(session::lit_from_files(job, &capture_of(job, progress)?))
}

/// The photographs of a folder without poses, posed and lit in `job.out` as a run would train on them; nothing where the
/// scene has poses.
///
/// # Errors
/// As those of [`run`].
pub fn posed_and_lit(job: &Job, progress: &dyn Progress) -> Result<Option<Capture>> {
    let find = |job: &Job| unposed::find(job, &job.settings.capture_options(&job.scene), progress);
    let photos = if is_video(&job.scene) { None } else { find(job)? };
    if photos.is_none() && !is_video(&job.scene) {
        return Ok(None);
    }
    let (folder, inputs) = (OutputFolder::open(&job.out)?, known_inputs(job)?);
    let (job, video) = frames::photographs(job, &inputs, progress)?;
    let (job, work) = (&job, Work { job: &job, folder: &folder, inputs, video, estimated: true });
    let Some(photos) = photos.map_or_else(|| find(job), |photos| Ok(Some(photos)))? else { return Ok(None) };
    let (capture, _) = unposed::pose(&work, &photos, &Shared::default(), progress)?;
    run_posed(&work, capture.clone(), Stage::ENHANCE, &Shared::default(), progress)?;
    Ok(Some(session::lit_from_files(job, &capture)))
}

/// The record of an earlier run in the output folder. With `--overwrite` an invalid file of that name counts as absent, except
/// one that a later version of the program wrote.
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
    let Work { job, folder, inputs, estimated, .. } = work;
    ensure_disjoint(&job.out, &capture)?;
    unique_renders(&job.scene, &capture.test)?;
    let (posed, origin) = prior::locate(&capture, &job.settings.prior)?;
    describe_cameras(&job.scene, &posed);
    let steps_with = |changes: &[Change]| steps(job, inputs, [&capture, &posed], *estimated, &origin, changes);
    let earlier = earlier(job)?;
    let plan = |changes: &[Change]| Planned::new(steps_with(changes), earlier.as_ref(), work);
    // A training whose settings were changed is kept with its changes; a new one starts without.
    let changed = plan(&earlier.as_ref().map(Run::changes_under_way).unwrap_or_default())?;
    let planned = if changed.makes(|stage| stage == Stage::TRAIN) { plan(&[])? } else { changed };
    settings::file::check(&folder.join(names::SETTINGS), job.overwrite)?;
    // Stages after `last` are planned too, so that results of a different run stop a partial run as well.
    let written = planned.steps.iter().flat_map(|step| &step.outputs).map(String::as_str);
    let mut read = inputs.paths();
    read.push(job.scene.join(names::TRANSFORMS));
    ensure_no_input(&job.out, written, &read)?;
    let gpu = if planned.makes(|stage| stage <= last) { Some(shared.gpu(job)?) } else { None };
    let trains = last >= Stage::TRAIN && planned.makes(|stage| stage == Stage::TRAIN);
    if let Some(gpu) = gpu.as_ref().filter(|_| trains) {
        crate::train::check_size(gpu, &posed.train, job.settings.downscale)?;
    }
    let mut session = Session::new(work, shared, posed.clone(), origin.clone(), gpu, earlier, progress)?;
    session.given = (!estimated).then(|| capture.clone());
    make_stages(&mut session, planned.steps, last, &steps_with)?;
    Ok(session.finish())
}

/// The plan of a run: its stages, and whether each is made or kept.
struct Planned {
    steps: Vec<Step>,
    actions: Vec<Action>,
}

impl Planned {
    fn new(steps: Vec<Step>, earlier: Option<&Run>, work: &Work<'_>) -> Result<Self> {
        let actions = decide(&steps, earlier, work.folder, work.job.overwrite)?;
        Ok(Self { steps, actions })
    }

    /// Whether a stage that is `wanted` has to be made.
    fn makes(&self, wanted: impl Fn(Stage) -> bool) -> bool {
        self.steps.iter().zip(&self.actions).any(|(step, action)| wanted(step.stage) && *action != Action::Keep)
    }
}

/// Makes the stages up to `last` that are not there yet; `steps_with` plans them with the changes of a training.
fn make_stages(
    session: &mut Session<'_>,
    mut steps: Vec<Step>,
    last: Stage,
    steps_with: &dyn Fn(&[Change]) -> Vec<Step>,
) -> Result<()> {
    for at in 0..steps.len() {
        let stage = steps[at].stage;
        if stage > last {
            break;
        }
        // Whether a stage is current depends on what the stages before it have just written.
        match decide(&steps, Some(session.run()), session.folder, true)?[at] {
            Action::Keep => execute::keep(session, stage)?,
            action => execute::make(session, &steps[at], action, &steps[at + 1..])?,
        }
        let Some(trained) = session.run().stage(stage).filter(|_| stage == Stage::TRAIN) else { continue };
        // Changed settings make another model, and other results. Without changes the plan stays: inputs that changed since it
        // was made are found by the next run.
        if trained.fingerprint != steps[at].fingerprint {
            steps = steps_with(&trained.changes());
        }
    }
    Ok(())
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

/// The stages of a run with poses, each with its fingerprint, which includes those that it builds on: of the capture as it
/// came and as it is posed, whose poses may have been `estimated` here.
fn steps(
    job: &Job,
    inputs: &Hashes,
    [capture, posed]: [&Capture; 2],
    estimated: bool,
    origin: &Origin,
    changes: &[Change],
) -> Vec<Step> {
    let mut plan = PlanContext { job, inputs, capture, posed, estimated, origin, changes, before: BTreeMap::new() };
    let mut steps = Vec::new();
    for definition in STAGES.iter().filter(|definition| definition.is_in(&job.scope)) {
        let step = Step::of(*definition, &plan);
        plan.before.insert(step.stage, step.fingerprint.clone());
        steps.push(step);
    }
    steps
}

#[cfg(test)]
mod device_tests;
#[cfg(test)]
mod fault_tests;
#[cfg(test)]
mod folder_tests;
#[cfg(test)]
mod several_tests;
#[cfg(test)]
mod test_bed;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod watch_tests;
