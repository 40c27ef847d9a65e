//! A run under way: the data between the stages, taken from memory or from the files of an earlier run.

use super::journal::StageJournal;
use super::output::names;
use super::pictures::{Painter, render_name, render_views};
use super::plan::{Action, Step};
use super::record::{Run, Stage, StageRecord, Status, write_json};
use super::{Job, Scope, Shared, Work, measure, normalization, trained_fingerprint, unposed};
use crate::capture::{Camera, Capture, View};
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::prior::stereo::{self, Kept};
use crate::prior::{Origin, PointCloud};
use crate::progress::Progress;
use crate::splat::Splats;
use crate::{enhance, ppm, prior, settings, splat, train};
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

/// What a stage counted, for `run.json`.
type Counts = Map<String, Value>;

/// A run under way.
pub(super) struct Session<'a> {
    work: &'a Work<'a>,
    job: &'a Job,
    shared: &'a Shared<'a>,
    progress: &'a dyn Progress,
    /// With the poses that the prior leads to.
    capture: Capture,
    origin: Origin,
    gpu: Option<Arc<Gpu>>,
    run: Run,
    lit: Option<Capture>,
    points: Option<PointCloud>,
    /// Whether the prior's points were made from the images.
    made_points: bool,
    splats: Option<Splats>,
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
        Ok(Self { work, job, shared, progress, capture, origin, gpu, run, lit, points, made_points, splats })
    }

    /// Notes that a stage's results are current.
    pub(super) fn keep(&mut self, stage: Stage) -> Result<()> {
        if let Some(mut record) = self.run.stage(stage).cloned() {
            tracing::info!("{}: kept", stage.name());
            record.status = Status::Kept;
            self.run.put(record);
        }
        if stage == Stage::Ppm {
            // The file has them.
            self.points = None;
        }
        self.run.write(&self.job.out)
    }

    /// Makes a stage, with its state in `run.json` from beginning to end. It and the stages `later` are not current from
    /// before the first change on, until they are made or have been looked at again.
    pub(super) fn make(&mut self, step: &Step, action: Action, later: &[Step]) -> Result<()> {
        self.progress.check()?;
        self.invalidate(step, later)?;
        let folder = self.work.folder;
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
        let made = self.stage(step.stage).and_then(|counts| self.check_gpu().map(|()| counts));
        record.seconds = started.elapsed().as_secs_f64();
        record.outputs = step.outputs.iter().map(|name| (name.clone(), folder.written(name))).collect();
        match made {
            Ok(counts) => {
                (record.status, record.counts) = (Status::Done, counts);
                if step.stage == Stage::Train {
                    record.fingerprint = trained_fingerprint(&step.fingerprint, &record.changes());
                }
                self.run.put(record);
                self.run.write(&self.job.out)?;
                // What partial results are for is done, and on record.
                self.discard_partial(step.stage)
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
        self.work.folder.remove(&outdated)?;
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

    fn stage(&mut self, stage: Stage) -> Result<Counts> {
        match stage {
            Stage::Poses => self.poses(),
            Stage::Enhance => self.enhance(),
            Stage::Prior => self.prior(),
            Stage::Ppm => self.ppm(),
            Stage::Train => self.train(),
            Stage::Render => self.render(),
            Stage::Eval => self.eval(),
        }
    }

    fn gpu(&self) -> Result<&Gpu> {
        self.gpu.as_deref().ok_or_else(no_adapter)
    }

    fn check_gpu(&self) -> Result<()> {
        self.gpu()?.check()
    }

    fn journal(&self, stage: Stage) -> StageJournal<'a> {
        StageJournal::new(self.work.folder, &self.run, stage)
    }

    fn out(&self, name: &str) -> PathBuf {
        self.job.out.join(name)
    }

    /// Removes what an earlier run in this folder made in `stage`, as far as it is as that run left it.
    fn remove_earlier(&self, stage: Stage) -> Result<()> {
        let Some(record) = self.run.stage(stage) else { return Ok(()) };
        self.work.folder.remove(&record.outputs)?;
        match stage {
            Stage::Poses => unposed::remove_work(&self.job.out),
            _ => self.discard_partial(stage),
        }
    }

    /// Removes what an unfinished `stage` continues from.
    fn discard_partial(&self, stage: Stage) -> Result<()> {
        match stage {
            Stage::Train => train::discard_checkpoints(&self.out(names::CHECKPOINTS)),
            Stage::Prior => stereo::discard(&self.out(names::STEREO)),
            _ => Ok(()),
        }
    }

    fn enhance(&mut self) -> Result<Counts> {
        let settings = &self.job.settings;
        let (images, journal) = (self.out(names::IMAGES), self.journal(Stage::Enhance));
        let out = enhance::Folders { journal: Some(&journal), ..enhance::Folders::from(&images) };
        let (gpu, capture) = (self.gpu()?, &self.capture);
        let (lit, report) =
            enhance::enhance_capture(gpu, capture, &settings.enhance, settings.downscale, out, self.progress)?;
        self.lit = Some(lit);
        counts(&report)
    }

    fn poses(&mut self) -> Result<Counts> {
        counts(&unposed::estimate(self.job, &self.capture, self.gpu()?, self.progress)?)
    }

    fn prior(&mut self) -> Result<Counts> {
        let lit = self.lit()?.clone();
        let gpu = || self.gpu.clone().ok_or_else(no_adapter);
        let record = self.run.stage(Stage::Prior);
        let identity = record.map(|record| format!("{} {}", record.fingerprint, record.made_from)).unwrap_or_default();
        let kept = Kept::new(&self.out(names::STEREO), identity, stereo::WRITE_EVERY);
        let config = &self.job.settings.prior;
        let (points, report) = prior::prior(gpu, &lit, &self.origin, config, Some(&kept), self.progress)?;
        if self.job.scope != Scope::Everything {
            prior::write_ply_in(self.out(names::POINTS), &points, &self.capture.frame)?;
        }
        self.points = Some(points);
        self.made_points = report.made();
        counts(&report)
    }

    fn ppm(&mut self) -> Result<Counts> {
        let points = self.points.take().unwrap_or_default();
        let normalize = normalization(&self.capture, &points);
        let cameras: Vec<Camera> = self.capture.train.iter().map(|view| view.camera.clone()).collect();
        let config = &self.job.settings.ppm;
        let as_made = self.made_points && !config.thin_made;
        let config = if as_made { config.without_thinning() } else { config.clone() };
        let (points, report) = ppm::run(points, &config, &normalize, &cameras)?;
        prior::write_ply_in(self.out(names::POINTS), &points, &self.capture.frame)?;
        self.points = Some(points);
        counts(&report)
    }

    fn train(&mut self) -> Result<Counts> {
        let mut lit = self.lit()?.clone();
        let exposures = self.exposures();
        lit.train.iter_mut().chain(&mut lit.holdout).for_each(|view| view.gain = exposures.get(&view.name).copied());
        // In another frame they are those of the file, as after an interruption: checkpoints know them to the bit.
        let points = match self.points.take().filter(|_| self.capture.frame.is_identity()) {
            Some(points) => points,
            None => prior::read_in(self.out(names::POINTS), &self.capture.frame)?,
        };
        let folder = self.out(names::CHECKPOINTS);
        let config = &self.job.settings.train;
        let (gpu, watch) = (self.gpu()?, self.shared.watch);
        let (splats, report) = train::train(gpu, &lit, &points, config, &folder, self.progress, watch)?;
        splat::ply::write_in(self.out(names::SPLATS), &splats, &self.capture.frame)?;
        self.run.splats = Some(splats.len() as u64);
        self.run.steps = Some(u64::from(report.steps));
        self.run.steps_per_second = Some(report.steps_per_second);
        self.run.peak_device_bytes = Some(self.gpu()?.peak_bytes());
        self.run.kernel_ms.clone_from(&report.kernel_milliseconds);
        // Scales are rounded where the file has another unit: renders are of the file, now as after an interruption.
        self.splats = Some(splats).filter(|_| self.capture.frame.unit == 1.0);
        counts(&report)
    }

    /// How the lit photographs differ in exposure, as the prior has found.
    fn exposures(&self) -> BTreeMap<String, [f32; 3]> {
        let found = self.run.stage(Stage::Prior).and_then(|record| record.counts.get("exposures"));
        found.and_then(|found| serde_json::from_value(found.clone()).ok()).unwrap_or_default()
    }

    fn render(&mut self) -> Result<Counts> {
        self.load_splats()?;
        let (views, journal) = (&self.capture.test, self.journal(Stage::Render));
        render_views(&mut self.painter()?, views, &self.out(names::RENDERS), Some(&journal), self.progress)?;
        // What was written, so that a picture of another origin is known for one.
        let written = |view: &View| {
            let name = render_name(&view.name);
            self.work.folder.written(&format!("{}/{name}", names::RENDERS)).map(|written| (name, written.sha256))
        };
        let sha256: BTreeMap<_, _> = views.iter().filter_map(written).collect();
        counts(&json!({ "images": sha256.len(), "sha256": sha256 }))
    }

    fn eval(&mut self) -> Result<Counts> {
        let (mut holdout, exposures) = (self.lit()?.holdout.clone(), self.exposures());
        holdout.iter_mut().for_each(|view| view.gain = exposures.get(&view.name).copied());
        self.load_splats()?;
        let mut painter = self.painter()?;
        let metrics =
            measure::measure(&mut painter, &self.capture, &holdout, self.job.settings.downscale, self.progress)?;
        write_json(&self.out(names::METRICS), &metrics)?;
        counts(&json!({ "test": metrics.metrics.test.views.len(), "holdout": holdout.len() }))
    }

    /// The model, read back if an earlier run made it.
    fn load_splats(&mut self) -> Result<()> {
        if self.splats.is_none() {
            self.splats = Some(splat::read_in(self.out(names::SPLATS), &self.capture.frame)?);
        }
        Ok(())
    }

    fn painter(&self) -> Result<Painter<'_>> {
        let none = Splats::default();
        Painter::new(self.gpu()?, self.splats.as_ref().unwrap_or(&none), self.job.settings.train.antialiased)
    }

    /// The capture as it is trained on: lit images, cameras at the training resolution.
    fn lit(&mut self) -> Result<&Capture> {
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
    };
    let [train, holdout] = [&capture.train, &capture.holdout].map(|views| views.iter().map(lit).collect());
    Capture { train, holdout, ..capture.clone() }
}

fn no_adapter() -> Error {
    Error::Gpu("no adapter was opened for a stage that needs one".into())
}

/// A stage's report as counts.
fn counts(report: &impl Serialize) -> Result<Counts> {
    match serde_json::to_value(report) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(other) => Ok(Counts::from_iter([("value".to_string(), other)])),
        Err(error) => Err(Error::io("run.json")(error.into())),
    }
}
