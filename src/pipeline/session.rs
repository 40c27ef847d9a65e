//! A run under way: the data between the stages, taken from memory or from the files of an earlier run.

use super::measure;
use super::pictures::{Painter, render_name, render_views};
use super::plan::{Action, Step};
use super::record::{Run, Stage, StageRecord, Status, write_json};
use super::{Job, Scope, Shared, fingerprint, normalization, trained_fingerprint, unposed};
use crate::capture::{Camera, Capture, View};
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::prior::{Origin, PointCloud};
use crate::progress::Progress;
use crate::splat::Splats;
use crate::{enhance, ppm, prior, splat, storage, train};
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
    job: &'a Job,
    shared: &'a Shared<'a>,
    progress: &'a dyn Progress,
    /// With the poses that the prior leads to.
    capture: Capture,
    origin: Origin,
    gpu: Option<Arc<Gpu>>,
    earlier: Option<Run>,
    run: Run,
    lit: Option<Capture>,
    points: Option<PointCloud>,
    /// Whether the prior's points were made from the images.
    made_points: bool,
    splats: Option<Splats>,
}

impl<'a> Session<'a> {
    /// Creates the output folder with the resolved settings in it.
    pub(super) fn new(
        job: &'a Job,
        shared: &'a Shared<'a>,
        capture: Capture,
        origin: Origin,
        gpu: Option<Arc<Gpu>>,
        earlier: Option<Run>,
        progress: &'a dyn Progress,
    ) -> Result<Self> {
        let mut run = Run::new(&job.scene, &job.settings);
        if let Some(earlier) = &earlier {
            run.stages.clone_from(&earlier.stages);
            run.adapter.clone_from(&earlier.adapter);
            run.take_training(earlier);
        }
        if let Some(gpu) = &gpu {
            tracing::info!("adapter: {}", gpu.name());
            run.adapter = Some(gpu.name().into());
        }
        storage::write_bytes(job.out.join("settings.toml"), job.settings.to_toml()?.as_bytes())?;
        Ok(Self {
            job,
            shared,
            progress,
            capture,
            origin,
            gpu,
            earlier,
            run,
            lit: None,
            points: None,
            made_points: false,
            splats: None,
        })
    }

    /// Notes that a stage's results are current.
    pub(super) fn keep(&mut self, step: &Step) -> Result<()> {
        if let Some(mut record) = self.run.stage(step.stage).cloned() {
            tracing::info!("{}: kept", step.stage.name());
            record.status = Status::Kept;
            self.run.put(record);
        }
        self.run.write(&self.job.out)
    }

    /// Makes a stage, with its state in `run.json` from beginning to end.
    pub(super) fn make(&mut self, step: &Step, action: Action) -> Result<()> {
        self.progress.check()?;
        if action == Action::Replace {
            self.remove_earlier(step.stage)?;
        }
        let started = Instant::now();
        let mut record = StageRecord {
            stage: step.stage,
            status: Status::Running,
            seconds: 0.0,
            counts: Counts::new(),
            fingerprint: step.fingerprint.clone(),
        };
        self.run.put(record.clone());
        self.run.write(&self.job.out)?;
        let made = self.stage(step.stage).and_then(|counts| self.gpu()?.check().map(|()| counts));
        record.seconds = started.elapsed().as_secs_f64();
        match made {
            Ok(counts) => {
                (record.status, record.counts) = (Status::Done, counts);
                if step.stage == Stage::Train {
                    record.fingerprint = trained_fingerprint(&step.fingerprint, &record.changes());
                }
                self.run.put(record);
                self.run.write(&self.job.out)
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

    fn out(&self, name: &str) -> PathBuf {
        self.job.out.join(name)
    }

    /// Removes what an earlier run in this folder made in `stage`. Files without a record of their making are not
    /// removed, only replaced where a new one has the same name.
    fn remove_earlier(&self, stage: Stage) -> Result<()> {
        let recorded = self.earlier.as_ref().is_some_and(|run| run.stage(stage).is_some());
        let folders = match stage {
            Stage::Poses => vec![self.out("poses"), self.out("sparse")],
            Stage::Enhance => vec![self.out("images")],
            Stage::Train => vec![self.out("checkpoints")],
            Stage::Render => vec![self.out("renders")],
            Stage::Prior | Stage::Ppm | Stage::Eval => Vec::new(),
        };
        for folder in folders.iter().filter(|folder| recorded && folder.exists()) {
            std::fs::remove_dir_all(folder).map_err(Error::io(folder))?;
        }
        Ok(())
    }

    fn enhance(&mut self) -> Result<Counts> {
        let settings = &self.job.settings;
        let (lit, report) = enhance::enhance_capture(
            self.gpu()?,
            &self.capture,
            &settings.enhance,
            settings.downscale,
            &self.out("images"),
            self.progress,
        )?;
        self.lit = Some(lit);
        counts(&report)
    }

    fn poses(&mut self) -> Result<Counts> {
        counts(&unposed::estimate(self.job, &self.capture, self.gpu()?, self.progress)?)
    }

    fn prior(&mut self) -> Result<Counts> {
        let lit = self.lit()?.clone();
        let gpu = || self.gpu.clone().ok_or_else(no_adapter);
        let (points, report) = prior::prior(gpu, &lit, &self.origin, &self.job.settings.prior, self.progress)?;
        if self.job.scope != Scope::Everything {
            prior::write_ply(self.out("points.ply"), &points)?;
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
        prior::write_ply(self.out("points.ply"), &points)?;
        self.points = Some(points);
        counts(&report)
    }

    fn train(&mut self) -> Result<Counts> {
        let lit = self.lit()?.clone();
        let points = match self.points.take() {
            Some(points) => points,
            None => prior::read(self.out("points.ply"))?,
        };
        let folder = self.out("checkpoints");
        let config = &self.job.settings.train;
        let (gpu, watch) = (self.gpu()?, self.shared.watch);
        let (splats, report) = train::train(gpu, &lit, &points, config, &folder, self.progress, watch)?;
        splat::ply::write(self.out("splats.ply"), &splats)?;
        self.run.splats = Some(splats.len() as u64);
        self.run.steps = Some(u64::from(report.steps));
        self.run.steps_per_second = Some(report.steps_per_second);
        self.run.peak_device_bytes = Some(self.gpu()?.peak_bytes());
        self.run.kernel_ms.clone_from(&report.kernel_milliseconds);
        self.splats = Some(splats);
        counts(&report)
    }

    fn render(&mut self) -> Result<Counts> {
        self.load_splats()?;
        render_views(&mut self.painter()?, &self.capture.test, &self.out("renders"), self.progress)?;
        let file = |view: &View| {
            let name = render_name(&view.name);
            let path = self.out("renders").join(&name);
            Ok((name, fingerprint::of_bytes(&std::fs::read(&path).map_err(Error::io(&path))?)))
        };
        // What was written, so that a picture of another origin is known for one.
        let sha256 = self.capture.test.iter().map(file).collect::<Result<BTreeMap<_, _>>>()?;
        counts(&json!({ "images": sha256.len(), "sha256": sha256 }))
    }

    fn eval(&mut self) -> Result<Counts> {
        let holdout = self.lit()?.holdout.clone();
        self.load_splats()?;
        let mut painter = self.painter()?;
        let metrics =
            measure::measure(&mut painter, &self.capture, &holdout, self.job.settings.downscale, self.progress)?;
        write_json(&self.out(measure::METRICS_FILE), &metrics)?;
        counts(&json!({ "test": metrics.metrics.test.views.len(), "holdout": holdout.len() }))
    }

    /// The model, read back if an earlier run made it.
    fn load_splats(&mut self) -> Result<()> {
        if self.splats.is_none() {
            self.splats = Some(splat::ply::read(self.out("splats.ply"))?);
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
    let images = (job.scope == Scope::Everything).then(|| job.out.join("images"));
    let lit = |view: &View| View {
        name: view.name.clone(),
        image: images.as_ref().map(|folder| folder.join(&view.name)).or_else(|| view.image.clone()),
        camera: view.camera.downscaled(job.settings.downscale),
        lens: view.lens.filter(|_| images.is_none()),
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
