//! A run under way: the data between the stages, taken from memory or from the files of an earlier run.

use super::fingerprint;
use super::journal::StageJournal;
use super::output::{OutputFolder, names};
use super::pictures::Painter;
use super::plan::{Action, Step};
use super::record::{Run, Stage, StageRecord, Status};
use super::stage::Counts;
use super::{Job, Scope, Shared, Work};
use crate::capture::{Capture, View};
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::prior::{Origin, PointCloud};
use crate::progress::Progress;
use crate::splat::Splats;
use crate::{settings, splat};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

/// A run under way.
pub(super) struct Session<'a> {
    pub(super) job: &'a Job,
    pub(super) folder: &'a OutputFolder,
    pub(super) shared: &'a Shared<'a>,
    pub(super) progress: &'a dyn Progress,
    /// With the poses that the prior leads to.
    pub(super) capture: Capture,
    pub(super) origin: Origin,
    gpu: Option<Arc<Gpu>>,
    pub(super) run: Run,
    pub(super) lit: Option<Capture>,
    pub(super) points: Option<PointCloud>,
    /// Whether the prior's points were made from the images.
    pub(super) made_points: bool,
    pub(super) splats: Option<Splats>,
}

impl<'a> Session<'a> {
    /// Begins with what an earlier run in the folder recorded. The resolved settings are written at once, the record when
    /// something changes.
    pub(super) fn new(
        work: &'a Work<'a>,
        shared: &'a Shared<'a>,
        capture: Capture,
        origin: Origin,
        gpu: Option<Arc<Gpu>>,
        earlier: Option<Run>,
        progress: &'a dyn Progress,
    ) -> Result<Self> {
        let (job, folder) = (work.job, work.folder);
        let mut run = Run::new(&job.scene, &job.settings);
        match &earlier {
            Some(earlier) => {
                run.stages.clone_from(&earlier.stages);
                run.files.clone_from(&earlier.files);
                run.adapter.clone_from(&earlier.adapter);
                run.take_training(earlier);
            }
            None => folder.make_way(names::RUN, None)?,
        }
        run.inputs = work.inputs.used();
        run.video.clone_from(&work.video);
        run.frame = Some(capture.frame).filter(|frame| !frame.is_identity());
        if let Some(gpu) = &gpu {
            tracing::info!("adapter: {}", gpu.name());
            run.adapter = Some(gpu.name().into());
        }
        settings::file::write(&folder.join(names::SETTINGS), &job.settings, job.overwrite)?;
        let (lit, points, made_points, splats) = (None, None, false, None);
        Ok(Self { job, folder, shared, progress, capture, origin, gpu, run, lit, points, made_points, splats })
    }

    /// Notes that a stage's results are current.
    pub(super) fn keep(&mut self, stage: Stage) -> Result<()> {
        if let Some(mut record) = self.run.stage(stage).cloned() {
            tracing::info!("{}: kept", stage.name());
            record.status = Status::Kept;
            self.run.put(record);
        }
        stage.definition().keep(self);
        self.run.write(&self.job.out)
    }

    /// Makes a stage, with its state in `run.json` from beginning to end. It and the stages `later` are not current from
    /// before the first change on, until they are made or have been looked at again.
    pub(super) fn make(&mut self, step: &Step, action: Action, later: &[Step]) -> Result<()> {
        self.progress.check()?;
        self.invalidate(step, later)?;
        let folder = self.folder;
        let mut earlier = self.run.stage(step.stage).map(|record| record.outputs.clone()).unwrap_or_default();
        if action == Action::Replace {
            self.remove_earlier(step.stage)?;
            earlier.retain(|name, _| folder.occupied(name));
        }
        for name in &step.outputs {
            folder.make_way(name, earlier.get(name))?;
        }
        let finished = |name: &String| {
            let written = earlier.get(name).cloned().flatten();
            (name.clone(), written.filter(|written| action == Action::Make && folder.unchanged(name, written)))
        };
        let made_from = self.run.made_by(step.builds_on());
        let outputs = step.outputs.iter().map(finished).collect();
        let mut record = StageRecord::beginning(step.stage, &step.fingerprint, made_from, outputs);
        let started = Instant::now();
        self.run.put(record.clone());
        self.run.write(&self.job.out)?;
        let made = step.stage.definition().make(self).and_then(|counts| self.check_gpu().map(|()| counts));
        record.seconds = started.elapsed().as_secs_f64();
        record.outputs = step.outputs.iter().map(|name| (name.clone(), folder.written(name))).collect();
        match made {
            Ok(counts) => {
                (record.status, record.counts) = (Status::Done, counts);
                if step.stage == Stage::TRAIN {
                    record.fingerprint = fingerprint::changed(&step.fingerprint, &record.changes());
                }
                self.run.put(record);
                self.run.write(&self.job.out)?;
                // What partial results are for is done, and on record.
                step.stage.definition().discard_partial(&self.job.out)
            }
            Err(error) => {
                let interrupted = matches!(error, Error::Interrupted(_));
                record.status = if interrupted { Status::Interrupted } else { Status::Failed };
                self.run.put(record);
                if let Err(second) = self.run.write(&self.job.out) {
                    tracing::warn!("{second}");
                }
                Err(error)
            }
        }
    }

    /// Notes in `run.json` that `step`, the stages `later` and the files of no stage are not current, then removes what of
    /// the later ones will certainly be replaced.
    fn invalidate(&mut self, step: &Step, later: &[Step]) -> Result<()> {
        let mut outdated = std::mem::take(&mut self.run.files);
        for other in later.iter().chain([step]) {
            let Some(mut record) = self.run.stage(other.stage).cloned() else { continue };
            if record.status.finished() {
                record.status = Status::Stale;
            }
            if other.stage != step.stage && record.fingerprint != other.fingerprint {
                outdated.append(&mut record.outputs.clone());
            }
            self.run.put(record);
        }
        if self.run.stages.iter().all(|record| record.status != Status::Stale) && outdated.is_empty() {
            return Ok(());
        }
        self.run.files.clone_from(&outdated);
        self.run.write(&self.job.out)?;
        self.folder.remove(&outdated)?;
        self.run.files.clear();
        Ok(())
    }

    /// The record so far.
    pub(super) fn run(&self) -> &Run {
        &self.run
    }

    /// The record of the run.
    pub(super) fn finish(self) -> Run {
        self.run
    }

    pub(super) fn gpu(&self) -> Result<&Gpu> {
        self.gpu.as_deref().ok_or_else(no_adapter)
    }

    pub(super) fn shared_gpu(&self) -> Result<Arc<Gpu>> {
        self.gpu.clone().ok_or_else(no_adapter)
    }

    fn check_gpu(&self) -> Result<()> {
        self.gpu()?.check()
    }

    pub(super) fn journal(&self, stage: Stage) -> StageJournal<'a> {
        StageJournal::new(self.folder, &self.run, stage)
    }

    pub(super) fn out(&self, name: &str) -> PathBuf {
        self.job.out.join(name)
    }

    /// Removes what an earlier run in this folder made in `stage`, as far as it is as that run left it.
    fn remove_earlier(&self, stage: Stage) -> Result<()> {
        let Some(record) = self.run.stage(stage) else { return Ok(()) };
        self.folder.remove(&record.outputs)?;
        stage.definition().discard_partial(&self.job.out)
    }

    /// How the lit photographs differ in exposure, as the prior has found.
    pub(super) fn exposures(&self) -> BTreeMap<String, [f32; 3]> {
        let found = self.run.stage(Stage::PRIOR).and_then(|record| record.counts.get("exposures"));
        found.and_then(|found| serde_json::from_value(found.clone()).ok()).unwrap_or_default()
    }

    /// The model, read back if an earlier run made it.
    pub(super) fn load_splats(&mut self) -> Result<()> {
        if self.splats.is_none() {
            self.splats = Some(splat::read_in(self.out(names::SPLATS), &self.capture.frame)?);
        }
        Ok(())
    }

    pub(super) fn painter(&self) -> Result<Painter<'_>> {
        let none = Splats::default();
        Painter::new(self.gpu()?, self.splats.as_ref().unwrap_or(&none), self.job.settings.train.antialiased)
    }

    /// The capture as it is trained on: lit images, cameras at the training resolution.
    pub(super) fn lit(&mut self) -> Result<&Capture> {
        let lit = match self.lit.take() {
            Some(lit) => lit,
            None => lit_from_files(self.job, &self.capture),
        };
        Ok(self.lit.insert(lit))
    }
}

/// `capture` as [`Session::lit`] has it, from what an earlier run wrote.
pub(super) fn lit_from_files(job: &Job, capture: &Capture) -> Capture {
    let images = (job.scope == Scope::Everything).then(|| job.out.join(names::IMAGES));
    let lit = |view: &View| View {
        name: view.name.clone(),
        image: images.as_ref().map(|folder| folder.join(&view.name)).or_else(|| view.image.clone()),
        camera: view.camera.downscaled(job.settings.downscale),
        lens: view.lens.filter(|_| images.is_none()),
        mask: if images.is_some() { view.undistorted_mask() } else { view.mask.clone() },
        gain: None,
        shots: if images.is_some() { Vec::new() } else { view.shots.clone() },
    };
    let [train, holdout] = [&capture.train, &capture.holdout].map(|views| views.iter().map(lit).collect());
    Capture { train, holdout, ..capture.clone() }
}

fn no_adapter() -> Error {
    Error::Gpu("no adapter was opened for a stage that needs one".into())
}

/// A stage's report as counts.
pub(super) fn counts(report: &impl Serialize) -> Result<Counts> {
    match serde_json::to_value(report) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(other) => Ok(Counts::from_iter([("value".to_string(), other)])),
        Err(error) => Err(Error::io("run.json")(error.into())),
    }
}
