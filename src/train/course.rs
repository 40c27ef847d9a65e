//! The course of a training run: steps, measurements, checkpoints, and the commands of a watcher in between.

use super::changes::{self, Change};
use super::checkpoint::{self, Keeper};
use super::config::Config;
use super::poses;
use super::trainer::Trainer;
use super::watch::{Answer, Command, Observers, Start, StepInfo, Watch};
use super::{CurvePoint, Report};
use crate::capture::{Capture, Image, SceneFrame, View, resize_area};
use crate::error::{Error, Result};
use crate::eval::{self, Counted};
use crate::gpu::Gpu;
use crate::prior::PointCloud;
use crate::progress::Progress;
use crate::splat::{self, Splats};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Steps between points of the curve.
const CURVE_EVERY: u32 = 100;

/// Steps between pictures for a watcher, where nothing is measured.
const PICTURES_EVERY: u32 = 5 * CURVE_EVERY;

/// A run under way.
pub(super) struct Course<'a> {
    gpu: &'a Gpu,
    trainer: Trainer<'a>,
    frame: SceneFrame,
    /// The settings in force.
    config: Config,
    holdout: Vec<Reference>,
    /// The view that watchers are shown.
    shown: View,
    keeper: Keeper,
    progress: &'a dyn Progress,
    observers: Observers<'a>,
    report: Report,
    /// When the time that `report.seconds` does not have yet began.
    clock: Instant,
}

impl<'a> Course<'a> {
    /// From the start, or from the checkpoint of the same run in `checkpoints`.
    pub fn new(
        gpu: &'a Gpu,
        capture: &Capture,
        points: &PointCloud,
        config: &Config,
        checkpoints: &Path,
        progress: &'a dyn Progress,
        watch: Option<&'a dyn Watch>,
    ) -> Result<Self> {
        config.validate()?;
        let identity = checkpoint::identity(config, capture, points)?;
        let (keeper, resumed) = Keeper::open(gpu, checkpoints, identity, config)?;
        let mut report = Report::default();
        let (trainer, config) = match resumed {
            Some(mut checkpoint) => {
                (report.resumed_at, report.seconds) = (checkpoint.step, checkpoint.seconds);
                report.changes = std::mem::take(&mut checkpoint.changes);
                let config = config.changed(&report.changes)?;
                tracing::info!("continuing at step {}{}", checkpoint.step, words(&report.changes, checkpoints));
                (Trainer::resume(gpu, capture, &config, checkpoint)?, config)
            }
            None => {
                let splats = splat::from_points(points, &config.init());
                (Trainer::new(gpu, capture, &splats, config)?, config.clone())
            }
        };
        let holdout = capture.holdout.iter().map(reference).collect::<Result<Vec<_>>>()?;
        let mut observers = Observers(watch);
        let (changes, step) = (report.changes.as_slice(), trainer.step);
        observers.tell(|watch| watch.begin(&Start { capture, points, config: &config, changes, step }));
        let clock = Instant::now();
        let frame = capture.frame;
        let shown = capture.holdout.first().unwrap_or(&capture.train[0]).clone();
        Ok(Self { gpu, trainer, frame, config, holdout, shown, keeper, progress, observers, report, clock })
    }

    /// Runs to the end.
    ///
    /// # Errors
    /// As [`super::train`].
    pub fn run(mut self) -> Result<(Splats, Report)> {
        let ended = self.steps().and_then(|()| self.finish());
        self.keeper.settle();
        let ended = ended.map_err(|error| with_checkpoint(error, &self.keeper.words()));
        let report = ended.is_ok().then_some(&self.report);
        self.observers.tell(|watch| watch.end(report));
        Ok((ended?, self.report))
    }

    fn steps(&mut self) -> Result<()> {
        self.progress.begin("train", "steps", u64::from(self.config.steps));
        self.clock = Instant::now();
        while self.trainer.step < self.config.steps {
            if self.handle_commands() || self.progress.stop().requested() {
                return Err(self.interrupt()?);
            }
            self.step()?;
        }
        self.progress.end();
        Ok(())
    }

    /// Handles commands of the watcher until one is a step or the end, which it returns. This does not count as training time.
    fn handle_commands(&mut self) -> bool {
        let (asked, mut ended) = (Instant::now(), false);
        let stop = self.progress.stop().clone();
        while !stop.requested() {
            let answer = match self.observers.tell(|watch| watch.next(&stop)) {
                None | Some(Command::Step) => break,
                Some(Command::Stop) => {
                    ended = true;
                    break;
                }
                Some(Command::Snapshot) => match self.show() {
                    Ok(()) => continue,
                    Err(error) => Err(error),
                },
                Some(Command::Save(path)) => self.save(path),
                Some(Command::Change(config)) => self.change(*config),
            };
            self.observers.tell(|watch| watch.answered(answer));
        }
        self.clock += asked.elapsed();
        ended
    }

    fn show(&mut self) -> Result<()> {
        let snapshot = self.trainer.snapshot()?;
        self.observers.tell(|watch| watch.snapshot(snapshot));
        Ok(())
    }

    fn save(&mut self, path: PathBuf) -> Result<Answer> {
        splat::ply::write_in(&path, &self.trainer.splats()?, &self.frame, self.config.antialiased)?;
        Ok(Answer::Saved(path))
    }

    fn change(&mut self, config: Config) -> Result<Answer> {
        let change = self.config.change_to(&config, self.trainer.step)?;
        self.trainer.change(&config)?;
        if config.steps != self.config.steps {
            self.progress.begin("train", "steps", u64::from(config.steps));
        }
        self.config = config;
        changes::note(&mut self.report.changes, &change);
        Ok(Answer::Changed(change))
    }

    /// Writes a checkpoint; the error that the run then ends with.
    fn interrupt(&mut self) -> Result<Error> {
        self.report.seconds += self.clock.elapsed().as_secs_f64();
        let state = self.state(self.report.seconds)?;
        if let Err(source) = self.keeper.write(&state) {
            let (step, source, kept) = (state.step, Box::new(source), self.keeper.words());
            return Ok(Error::NotSaved { step, source, kept });
        }
        Ok(Error::Interrupted(format!(
            "checkpoint at step {} of {} written; run the same command again to continue",
            self.trainer.step, self.config.steps
        )))
    }

    fn state(&mut self, seconds: f64) -> Result<checkpoint::State> {
        self.trainer.state(self.keeper.identity(), seconds, &self.report.changes)
    }

    fn step(&mut self) -> Result<()> {
        let started = Instant::now();
        let compared = self.trainer.poses().due(&self.config, self.trainer.step);
        if !compared.is_empty() {
            self.progress.set(u64::from(self.trainer.step), "comparing photographs with the model");
            let stop = self.progress.stop().clone();
            self.trainer.refine_poses(&compared, &stop)?;
            if stop.requested() {
                // Before the step: a run that resumes from here compares again.
                return Ok(());
            }
        }
        self.trainer.step()?;
        let milliseconds = started.elapsed().as_secs_f64() * 1e3;
        let (step, config) = (self.trainer.step, &self.config);
        let (figures, splats) = (self.trainer.figures, self.trainer.count());
        self.progress.set(u64::from(step), &format!("loss {:.4}, {splats} splats", figures.loss));
        let due = |every: u32| every > 0 && step % every == 0;
        let last = step == config.steps;
        let measured = due(config.eval_every) || (last && config.eval_every > 0);
        let checkpoint = !last && (due(config.checkpoint_every) || self.keeper.due());
        if measured || due(CURVE_EVERY) || last {
            self.measure(measured)?;
        }
        if checkpoint {
            let state = self.state(self.seconds())?;
            self.keeper.begin(state);
        }
        let (gpu, trainer) = (self.gpu, &self.trainer);
        let now = StepInfo {
            step,
            steps: self.config.steps,
            figures: trainer.figures,
            splats,
            milliseconds,
            seconds: self.seconds(),
            timings: &trainer.timings,
            timed_steps: trainer.timed_steps,
            device_bytes: gpu.bytes(),
            peak_device_bytes: gpu.peak_bytes(),
        };
        self.observers.tell(|watch| watch.stepped(&now));
        Ok(())
    }

    fn seconds(&self) -> f64 {
        self.report.seconds + self.clock.elapsed().as_secs_f64()
    }

    /// Adds a point to the curve, with the held-out views' PSNR where `measured`; that takes no training time.
    fn measure(&mut self, measured: bool) -> Result<()> {
        self.trainer.finish()?;
        self.report.seconds = self.seconds();
        let psnr = if measured { mean_psnr(&mut self.trainer, &self.holdout)? } else { None };
        let (step, loss, splats) = (self.trainer.step, self.trainer.figures.loss, self.trainer.count());
        let point = CurvePoint { step, seconds: self.report.seconds, loss, splats, psnr };
        self.report.curve.push(point);
        self.observers.tell(|watch| watch.measured(&point));
        let due = measured || step.is_multiple_of(PICTURES_EVERY) || step == self.config.steps;
        if due && self.observers.tell(|watch| watch.wants_pictures()) == Some(true) {
            let picture = self.trainer.render(&self.shown.camera)?;
            self.observers.tell(|watch| watch.rendered(step, &self.shown.name, &picture));
        }
        self.clock = Instant::now();
        Ok(())
    }

    fn finish(&mut self) -> Result<Splats> {
        let splats = self.trainer.splats()?;
        self.report.seconds = self.seconds();
        if self.observers.0.is_some()
            && let Err(error) = self.show()
        {
            // Losing this picture does not affect the model.
            self.observers.tell(|watch| watch.answered(Err(error)));
        }
        let (report, trainer) = (&mut self.report, &self.trainer);
        report.steps = trainer.step;
        report.moved = trainer.poses().moved(&self.frame);
        poses::tell(&report.moved, trainer.poses().cameras().len());
        report.steps_per_second = f64::from(report.steps) / report.seconds.max(1e-9);
        report.splats = splats.len();
        (report.visible, report.pairs) = (trainer.figures.visible, trainer.figures.pairs);
        (report.overflows, report.image_waits) = (trainer.overflows, trainer.targets.waits);
        let timed = f64::from(trainer.timed_steps.max(1));
        report.kernel_milliseconds = trainer.timings.iter().map(|(name, ms)| (name.clone(), ms / timed)).collect();
        Ok(splats)
    }
}

fn words(changes: &[Change], checkpoints: &Path) -> String {
    if changes.is_empty() {
        return String::new();
    }
    let list: Vec<String> = changes
        .iter()
        .flat_map(|change| change.settings.iter().map(|(name, value)| format!("{name} {value} since {}", change.step)))
        .collect();
    format!(
        " with settings changed while training ({}); delete {} to start over",
        list.join(", "),
        checkpoints.display()
    )
}

/// `error` with the words for what is left of the work, where the error ended it.
fn with_checkpoint(error: Error, words: &str) -> Error {
    match error {
        Error::DeviceLost(what) => Error::DeviceLost(format!("{what}; {words}")),
        Error::OutOfMemory(what) => Error::OutOfMemory(format!("{what}; {words}")),
        Error::NotFinite { what, found, remedy } => {
            Error::NotFinite { what, found, remedy: format!("{remedy}; {words}") }
        }
        other => other,
    }
}

/// A held-out view with its picture, and which of its pixels count.
struct Reference {
    view: View,
    image: Image,
    counted: Option<Counted>,
}

fn reference(view: &View) -> Result<Reference> {
    let image = view.read()?;
    let (width, height) = (view.camera.width, view.camera.height);
    let fits = image.width == width && image.height == height;
    let image = if fits { image } else { resize_area(&image, width, height) };
    let counted = view.read_weights(width, height)?.map(|weights| Counted::new(width, height, &weights));
    Ok(Reference { view: view.clone(), image, counted })
}

/// `None` without views, or where a picture is identical to its reference.
fn mean_psnr(trainer: &mut Trainer<'_>, references: &[Reference]) -> Result<Option<f64>> {
    let mut values = Vec::new();
    for Reference { view, image, counted } in references {
        let mut render = trainer.render(&view.camera)?;
        eval::as_exposed(&mut render, view);
        values.extend(match counted {
            Some(counted) => eval::psnr(&counted.only(&render), &counted.only(image)),
            None => eval::psnr(&render, image),
        });
    }
    Ok((!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64))
}
