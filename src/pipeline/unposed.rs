//! Photographs without poses: they are posed before anything else can be planned, because everything later depends on poses and
//! lenses. The result is a capture like any other; no later stage sees one without poses.

use super::definition::PlanContext;
use super::execute;
use super::output::{ensure_disjoint, names};
use super::pictures::spread;
use super::plan::{Action, Step, decide};
use super::record::{Run, Stage, StageRecord};
use super::session::Session;
use super::stages;
use super::{Job, Scope, Shared, Work, earlier, photos};
use crate::capture::{self, Capture, View};
use crate::error::{Error, Result};
use crate::poses::{MIN_REGISTERED, Program};
use crate::prior::Origin;
use crate::progress::Progress;
use crate::settings;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Most training views that are rendered where there are no other poses to render.
const RENDERED: usize = 32;

/// The photographs of a scene folder that has no poses, and for which `options` name none: those directly in it, or in its
/// `images/` or `train/`.
///
/// # Errors
/// Fewer than three that can be read. Others that cannot be read are left out, with a warning.
pub(super) fn find(job: &Job, options: &capture::Options, progress: &dyn Progress) -> Result<Option<Capture>> {
    let posed = capture::is_scene(&job.scene) || options.cameras.is_some();
    if job.scope != Scope::Everything || posed || !job.scene.is_dir() {
        return Ok(None);
    }
    let Some(folder) = capture::photo_folder(&job.scene) else { return Ok(None) };
    capture::look_for_other_poses(&job.scene)?;
    let (mut found, mut unreadable) = capture::readable_photos(&[&folder])?;
    unreadable.extend(photos::set_aside(&mut found, progress)?);
    for error in &unreadable {
        tracing::warn!("left out: {error}");
    }
    found.root = job.scene.clone();
    capture::add_masks(&mut found, job.settings.masks)?;
    capture::assign_gains(&mut found);
    if found.train.len() < MIN_REGISTERED {
        let count = found.train.len();
        let found = format!("holds {count} readable photographs and no poses");
        return Err(Error::input(&folder, found, format!("at least {MIN_REGISTERED} are needed, better 20 or more")));
    }
    Ok(Some(found))
}

/// Poses `photos` where that is not done; returns the capture, and the record of the run so far.
///
/// # Errors
/// COLMAP missing, before anything is written; those of the stage.
pub(super) fn pose(
    work: &Work<'_>,
    photos: &Capture,
    shared: &Shared<'_>,
    progress: &dyn Progress,
) -> Result<(Capture, Run)> {
    let job = work.job;
    ensure_disjoint(&job.out, photos)?;
    let step = step(work, photos);
    let before = earlier(job)?;
    let action = decide(std::slice::from_ref(&step), before.as_ref(), work.folder, job.overwrite)?[0];
    settings::file::check(&job.out.join(names::SETTINGS), job.overwrite)?;
    let idle = action == Action::Keep;
    if !idle {
        Program::find(&job.settings.poses)?;
        reject_unrecorded_outputs(job, photos, before.as_ref())?;
    }
    let gpu = if idle { None } else { Some(shared.gpu(job)?) };
    if !idle && before.as_ref().is_none_or(|run| run.stage(Stage::POSES).is_none()) {
        [names::POSES, names::COLMAP_LOG].iter().try_for_each(|name| work.folder.make_way(name, None))?;
    }
    let mut session = Session::new(work, shared, photos.clone(), Origin::default(), gpu, before, progress)?;
    match action {
        Action::Keep => execute::keep(&mut session, Stage::POSES)?,
        Action::Make | Action::Replace => {
            let later = following(session.run());
            execute::make(&mut session, &step, action, &later)?
        }
    }
    Ok((posed(job, photos)?, session.finish()))
}

/// The stages that an earlier run recorded after the poses: what they were made from is not known until there are poses.
fn following(run: &Run) -> Vec<Step> {
    let step = |record: &StageRecord| Step {
        related: Vec::new(),
        stage: record.stage,
        fingerprint: record.fingerprint.clone(),
        outputs: record.outputs.keys().cloned().collect(),
    };
    run.stages.iter().filter(|record| record.stage != Stage::POSES).map(step).collect()
}

/// Fails where files that no run recorded are where the lit photographs and COLMAP's files will go: better now than
/// after the search for poses, which takes long.
fn reject_unrecorded_outputs(job: &Job, photos: &Capture, before: Option<&Run>) -> Result<()> {
    let recorded = |stage| before.is_some_and(|run| run.stage(stage).is_some());
    let lit = photos.train.iter().map(|view| job.out.join(names::IMAGES).join(&view.name));
    let lit = lit.filter(|_| !recorded(Stage::ENHANCE));
    let work = [names::POSES, names::COLMAP_LOG].map(|name| job.out.join(name));
    let work = work.into_iter().filter(|_| !recorded(Stage::POSES));
    match lit.chain(work).find(|path| !job.overwrite && std::fs::symlink_metadata(path).is_ok()) {
        Some(present) => Err(Error::Exists(present)),
        None => Ok(()),
    }
}

/// `photos` with the poses in the output folder.
pub(super) fn posed(job: &Job, photos: &Capture) -> Result<Capture> {
    let mut posed = capture::posed(photos, &model(&job.out), job.settings.holdout)?;
    let seen = if posed.holdout.is_empty() { &posed.train } else { &posed.holdout };
    posed.test = spread(seen, RENDERED).map(|view| View { image: None, ..view.clone() }).collect();
    Ok(posed)
}

/// The stage, before there are poses.
fn step(work: &Work<'_>, photos: &Capture) -> Step {
    let origin = Origin::default();
    let (job, inputs, changes) = (work.job, &work.inputs, &[][..]);
    let (capture, posed, origin, before) = (photos, photos, &origin, BTreeMap::new());
    let plan = PlanContext { job, inputs, capture, posed, estimated: true, origin, changes, before };
    Step::of(stages::definition(Stage::POSES), &plan)
}

/// The folder of the model in an output folder.
pub(super) fn model(out: &Path) -> PathBuf {
    out.join(names::MODEL)
}
