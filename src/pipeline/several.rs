//! Several models of the same photographs with different seeds, and one distilled from the mean of their renders.
//!
//! Models are files in `seeds/`, which the record lists one by one as they are finished: an interrupted run continues with the
//! next, and within a model from its checkpoint, whose identity includes the seed. `splats.ply` is distilled from them at the
//! end.

use super::output::names;
use super::record::{Counts, Stage, StageRecord};
use super::session::{Session, counts};
use crate::capture::{Camera, Capture, Image, View};
use crate::compress::{self, Cameras, Distillation, Distilled};
use crate::error::{Error, Result};
use crate::prior::PointCloud;
use crate::progress::{Progress, Stop};
use crate::train::watch::{Answer, Command, Snapshot, Start, StepInfo};
use crate::train::{Config, CurvePoint, Report, Watch};
use crate::{splat, train};
use serde_json::{Value, json};
use std::time::Instant;

/// The count in the record of training that has one entry for each model, by the name of its file.
const MODELS: &str = "models";

/// Steps of the distillation, as a share of those of a training: more fit better, at the same cost per step (docs/usage.md).
const DISTILL_SHARE: f32 = 0.25;
/// Steps of the distillation at least.
const DISTILL_STEPS: u32 = 100;

/// Trains the models that are not finished, from the pictures `lit`, and distills `splats.ply`.
pub(super) fn make(session: &mut Session<'_>, lit: &Capture, points: &PointCloud) -> Result<Counts> {
    let all = session.job.settings.seeds;
    for index in 0..all {
        match session.is_finished(Stage::TRAIN, &names::model(index)) {
            true => {
                tracing::info!("train: model {} of {all} is kept", index + 1);
                // A run that was killed before it could.
                let (config, checkpoints) = (config_of(session, index), session.out(names::CHECKPOINTS));
                train::discard_checkpoints_of(&config, lit, points, &checkpoints)?;
            }
            false => train_model(session, lit, points, index)?,
        }
    }
    let began = Instant::now();
    let Distilled { splats, views, psnr, psnr_before } = distill(session, lit)?;
    tracing::info!(
        "{} shows the mean of {all} models at {psnr:.2} dB (PSNR), the first of them at {psnr_before:.2} dB",
        names::SPLATS
    );
    let seconds = began.elapsed().as_secs_f64();
    let (frame, antialiased) = (&session.capture.frame, session.job.settings.train.antialiased);
    splat::ply::write_in(session.out(names::SPLATS), &splats, frame, antialiased)?;
    let models = session.run.stage(Stage::TRAIN).map(models_of).unwrap_or_default();
    let sum = |name: &str| models.values().filter_map(|model| model.get(name)?.as_f64()).sum::<f64>();
    let (steps, trained) = (sum("steps") as u64, sum("seconds"));
    let peak = session.gpu()?.peak_bytes();
    let run = &mut session.run;
    (run.splats, run.steps) = (Some(splats.len() as u64), Some(steps));
    (run.steps_per_second, run.peak_device_bytes) = (Some(steps as f64 / trained.max(1e-9)), Some(peak));
    let distilled = json!({
        "steps": distill_steps(&session.job.settings.train), "seconds": seconds, "views": views, "psnr": psnr,
        "psnr_before": psnr_before,
    });
    let curve = models.get(&names::model(0)).and_then(|model| model.get("curve")).cloned();
    let mut all = counts(&json!({
        "seeds": all, "steps": steps, "seconds": trained, "splats": splats.len(), "distilled": distilled,
        "curve": curve.unwrap_or_default(),
    }))?;
    all.insert(MODELS.into(), Value::Object(models));
    session.splats = Some(splats).filter(|_| session.capture.frame.unit == 1.0);
    Ok(all)
}

/// What a run of several seeds continues with of the record `earlier`, its files as it leaves them, where that is of the same
/// run, or (`other`) of one of more or fewer seeds: the only model of a run of one seed is the first of several. Files that are
/// not this run's are removed.
pub(super) fn resume(session: &mut Session<'_>, earlier: &StageRecord, other: bool) -> Result<StageRecord> {
    let (mut record, all, first) = (earlier.clone(), session.job.settings.seeds, names::model(0));
    let mut models = models_of(earlier);
    let folder = session.folder;
    let is_model = |name: &str| (0..all).any(|index| name == names::model(index));
    let single = !earlier.outputs.keys().any(|name| *name != first && name != names::SPLATS);
    if other && single && !folder.occupied(&first) {
        let written = earlier.outputs.get(names::SPLATS).cloned().flatten();
        if let Some(written) = written.filter(|written| folder.unchanged(names::SPLATS, written)) {
            let mut report = earlier.counts.clone();
            report.insert("seed".into(), session.job.settings.train.seed.into());
            models.insert(first.clone(), Value::Object(report));
            record.outputs.insert(first.clone(), Some(written));
            record.counts.insert(MODELS.into(), Value::Object(models.clone()));
            // Recorded before it exists, so that it never counts as the user's.
            session.run.put(record.clone());
            session.run.write(&session.job.out)?;
            folder.rename(names::SPLATS, &first)?;
        }
    }
    if other {
        let strange = record.outputs.iter().filter(|(name, _)| !is_model(name));
        folder.remove(&strange.map(|(name, written)| (name.clone(), written.clone())).collect())?;
        record.outputs.retain(|name, _| is_model(name));
    }
    models.retain(|name, _| is_model(name));
    record.counts = Counts::from_iter([(MODELS.to_string(), Value::Object(models))]);
    Ok(record)
}

fn models_of(record: &StageRecord) -> Counts {
    record.counts.get(MODELS).and_then(Value::as_object).cloned().unwrap_or_default()
}

/// The settings of a model: its seed is its own.
fn config_of(session: &Session<'_>, index: u32) -> Config {
    let config = &session.job.settings.train;
    Config { seed: config.seed.wrapping_add(u64::from(index)), ..config.clone() }
}

fn train_model(session: &mut Session<'_>, lit: &Capture, points: &PointCloud, index: u32) -> Result<()> {
    let (settings, name) = (&session.job.settings, names::model(index));
    let config = config_of(session, index);
    let progress = Numbered { inner: session.progress, name: format!("model {} of {}", index + 1, settings.seeds) };
    let watch = session.shared.watch.map(|inner| OneOfSeveral { inner, seeds: settings.seeds });
    let watch = watch.as_ref().map(|watch| watch as &dyn Watch);
    let checkpoints = session.out(names::CHECKPOINTS);
    let (splats, report) = train::train(session.gpu()?, lit, points, &config, &checkpoints, &progress, watch)?;
    splat::ply::write_in(session.out(&name), &splats, &session.capture.frame, config.antialiased)?;
    session.run.kernel_ms.clone_from(&report.kernel_milliseconds);
    let mut said = counts(&report)?;
    said.insert("seed".into(), config.seed.into());
    let written = session.folder.content(&name);
    if let Some(record) = session.run.stage_mut(Stage::TRAIN) {
        record.outputs.insert(name.clone(), written);
        let models = record.counts.entry(MODELS).or_insert_with(|| json!({}));
        models[name.as_str()] = Value::Object(said);
    }
    session.run.write(&session.job.out)?;
    // The checkpoints are of a model that is safe and on record.
    train::discard_checkpoints(&checkpoints)
}

fn distill_steps(config: &Config) -> u32 {
    ((config.steps as f32 * DISTILL_SHARE) as u32).max(DISTILL_STEPS)
}

/// Fits the first model to the mean of all: from the cameras of training, those of the test views, and halfway between.
fn distill(session: &mut Session<'_>, lit: &Capture) -> Result<Distilled> {
    session.load_models()?;
    let settings = &session.job.settings;
    let camera = |view: &View| view.camera.clone();
    let trained: Vec<Camera> = lit.train.iter().map(camera).collect();
    let test = session.capture.test.iter().map(|view| view.camera.downscaled(settings.downscale));
    let between = compress::between(&trained);
    let cameras = Cameras { needed: trained.into_iter().chain(test).collect(), between };
    let Config { antialiased, deterministic, .. } = settings.train;
    let how = Distillation { antialiased, deterministic, steps: distill_steps(&settings.train) };
    compress::distill(session.gpu()?, &session.models, cameras, how, session.progress)
}

/// Progress that says which model it is of.
struct Numbered<'a> {
    inner: &'a dyn Progress,
    name: String,
}

impl Progress for Numbered<'_> {
    fn begin(&self, stage: &str, unit: &str, total: u64) {
        self.inner.begin(&format!("{stage}, {}", self.name), unit, total);
    }

    fn set(&self, done: u64, note: &str) {
        self.inner.set(done, note);
    }

    fn end(&self) {
        self.inner.end();
    }

    fn stop(&self) -> &Stop {
        self.inner.stop()
    }
}

/// Observes each model in turn, without changes of settings: all models must have the same.
struct OneOfSeveral<'a> {
    inner: &'a dyn Watch,
    seeds: u32,
}

impl Watch for OneOfSeveral<'_> {
    fn begin(&self, start: &Start<'_>) {
        self.inner.begin(start);
    }

    fn next(&self, stop: &Stop) -> Command {
        loop {
            match self.inner.next(stop) {
                Command::Change(_) => {
                    let found = format!("{} models are trained, all with the same settings", self.seeds);
                    let remedy = "train one (`seeds = 1`) to change settings meanwhile";
                    self.inner.answered(Err(Error::setting("seeds", found, remedy)));
                }
                command => return command,
            }
        }
    }

    fn stepped(&self, now: &StepInfo<'_>) {
        self.inner.stepped(now);
    }

    fn measured(&self, point: &CurvePoint) {
        self.inner.measured(point);
    }

    fn wants_pictures(&self) -> bool {
        self.inner.wants_pictures()
    }

    fn rendered(&self, step: u32, view: &str, picture: &Image) {
        self.inner.rendered(step, view, picture);
    }

    fn snapshot(&self, snapshot: Snapshot) {
        self.inner.snapshot(snapshot);
    }

    fn answered(&self, answer: Result<Answer>) {
        self.inner.answered(answer);
    }

    fn end(&self, report: Option<&Report>) {
        self.inner.end(report);
    }
}
