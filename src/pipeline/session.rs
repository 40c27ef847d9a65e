//! The state of a run: the data between the stages, in memory or from the files of an earlier run.

use super::journal::StageJournal;
use super::output::{OutputFolder, names};
use super::pictures::Painter;
use super::record::{self, Counts, Run, Stage};
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

/// A run under way.
pub(super) struct Session<'a> {
    pub(super) job: &'a Job,
    pub(super) folder: &'a OutputFolder,
    pub(super) shared: &'a Shared<'a>,
    pub(super) progress: &'a dyn Progress,
    /// With the poses that the prior leads to.
    pub(super) capture: Capture,
    /// As loaded; `None` where it came without poses.
    pub(super) given: Option<Capture>,
    pub(super) origin: Origin,
    gpu: Option<Arc<Gpu>>,
    pub(super) run: Run,
    pub(super) lit: Option<Capture>,
    pub(super) points: Option<PointCloud>,
    /// Whether the prior's points were made from the images.
    pub(super) made_points: bool,
    /// What is in `splats.ply`.
    pub(super) splats: Option<Splats>,
    /// The models of several seeds, once they are loaded; none of a run of one.
    pub(super) models: Vec<Splats>,
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
                run.variants = earlier.variants;
                run.take_training(earlier);
            }
            None => folder.make_way(names::RUN, None)?,
        }
        run.inputs = work.inputs.used();
        run.video = work.video.as_ref().map(|frames| frames.source.clone());
        run.frame = Some(capture.frame).filter(|frame| !frame.is_identity());
        if let Some(gpu) = &gpu {
            tracing::info!("adapter: {} ({})", gpu.name(), gpu.variants());
            run.adapter = Some(gpu.name().into());
            run.variants = Some(gpu.variants());
        }
        settings::file::write(&folder.join(names::SETTINGS), &job.settings, job.overwrite)?;
        Ok(Self {
            job,
            folder,
            shared,
            progress,
            capture,
            given: None,
            origin,
            gpu,
            run,
            lit: None,
            points: None,
            made_points: false,
            splats: None,
            models: Vec::new(),
        })
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

    pub(super) fn check_gpu(&self) -> Result<()> {
        self.gpu()?.check()
    }

    pub(super) fn journal(&self, stage: Stage) -> StageJournal<'a> {
        StageJournal::new(self.folder, &self.run, stage)
    }

    pub(super) fn out(&self, name: &str) -> PathBuf {
        self.job.out.join(name)
    }

    /// How the lit photographs differ in exposure, as the prior has found.
    pub(super) fn exposures(&self) -> BTreeMap<String, [f32; 3]> {
        self.run.exposures()
    }

    /// The model, read back if an earlier run made it.
    pub(super) fn load_splats(&mut self) -> Result<()> {
        if self.splats.is_none() {
            self.splats = Some(splat::read_in(self.out(names::SPLATS), &self.capture.frame)?);
        }
        Ok(())
    }

    /// The models of several seeds, as their files have them.
    pub(super) fn load_models(&mut self) -> Result<()> {
        let several = 0..if self.job.settings.seeds > 1 { self.job.settings.seeds } else { 0 };
        let read = |index| splat::read_in(self.out(&names::model(index)), &self.capture.frame);
        if self.models.is_empty() {
            self.models = several.map(read).collect::<Result<_>>()?;
        }
        Ok(())
    }

    /// Of what a run shows: its model, or the mean of its models.
    pub(super) fn painter(&self) -> Result<Painter<'_>> {
        match self.models.as_slice() {
            [] => self.painter_of_file(),
            models => Painter::mean(self.gpu()?, models, self.job.settings.train.antialiased),
        }
    }

    /// Of what is in `splats.ply`.
    pub(super) fn painter_of_file(&self) -> Result<Painter<'_>> {
        let splats = self.splats.as_ref().ok_or_else(|| Error::Gpu("no splats were read for a picture".into()))?;
        Painter::new(self.gpu()?, splats, self.job.settings.train.antialiased)
    }

    /// Whether a stage under way has finished the file `name`, and it is as it was written.
    pub(super) fn is_finished(&self, stage: Stage, name: &str) -> bool {
        let written = self.run.stage(stage).and_then(|record| record.outputs.get(name)?.as_ref());
        written.is_some_and(|written| self.folder.unchanged(name, written))
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

/// The result of [`Session::lit`] for `capture`, from the files of an earlier run.
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
    match record::to_value(report) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(other) => Ok(Counts::from_iter([("value".to_string(), other)])),
        Err(error) => Err(Error::io("run.json")(error.into())),
    }
}
