//! Observing and controlling a training run from another thread: commands one way, figures and snapshots the other.
//!
//! [`Live`] is shared by both threads. The training thread holds it as its watcher; an observer takes the [`Remote`]. Without
//! one, nothing is copied and nothing waits: training continues as if it had never been observed, also when an observer leaves
//! during a pause.

use super::changes::Change;
use super::config::Config;
use super::watch::{Answer, Command, Snapshot, Start, StepFigures, StepInfo, Watch};
use super::{CurvePoint, Report};
use crate::capture::Capture;
use crate::error::Result;
use crate::gpu::Timings;
use crate::prior::PointCloud;
use crate::progress::Stop;
use serde_json::{Map, Value};
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Interval at which a pause looks for a stop that did not come by the remote (Ctrl-C only sets the flag).
const STOP_EVERY: Duration = Duration::from_millis(100);

/// How far training is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// Not begun: other stages are being made.
    #[default]
    Waiting,
    /// It goes on.
    Running,
    /// Nothing happens until the remote says so.
    Paused,
    /// All steps are done.
    Finished,
    /// Ended early, by a stop or an error.
    Stopped,
}

/// Figures of the last step.
#[derive(Clone, Copy, Debug, Default)]
pub struct Figures {
    /// Steps done.
    pub step: u32,
    /// Steps to do in all.
    pub steps: u32,
    /// Loss, visible splats and pairs of the last step that is known (two steps late at most).
    pub of_step: StepFigures,
    /// Splats in the model.
    pub splats: usize,
    /// Wall milliseconds of the last step.
    pub milliseconds: f64,
    /// Seconds of training so far, without pauses.
    pub seconds: f64,
    /// Device memory in buffers now, of everyone on the device, bytes.
    pub device_bytes: u64,
    /// The most of it at one time, bytes.
    pub peak_device_bytes: u64,
}

/// What can be seen of a run.
#[derive(Default)]
pub struct TrainingState {
    /// Whether it goes on.
    pub state: State,
    /// The views that are trained on, once training has begun.
    pub capture: Option<Arc<Capture>>,
    /// The points that training started from, once it has begun.
    pub points: Option<Arc<PointCloud>>,
    /// The settings in force, once training has begun.
    pub config: Option<Config>,
    /// How these differ from those of the start.
    pub changes: Vec<Change>,
    /// How far it is.
    pub figures: Figures,
    /// (step, loss) of every step since training began or was resumed.
    pub losses: Vec<(u32, f32)>,
    /// Measurements since training began or was resumed.
    pub curve: Vec<CurvePoint>,
    /// Milliseconds of each kernel in an average step, where the adapter has timestamps.
    pub kernel_milliseconds: Timings,
    /// The last snapshot. Holders of a clone keep its memory.
    pub snapshot: Option<Arc<Snapshot>>,
}

#[derive(Default)]
struct Shared {
    seen: TrainingState,
    timed_steps: u32,
    answers: Vec<Result<Answer>>,
    remotes: usize,
    paused: bool,
    single_steps: u32,
    wants_snapshot: bool,
    saves: VecDeque<PathBuf>,
    /// Settings by name, as they were asked for one after the other.
    changes: VecDeque<Map<String, Value>>,
}

impl Shared {
    /// The next thing to do that is not a step.
    fn request(&mut self) -> Option<Command> {
        if let Some(path) = self.saves.pop_front() {
            return Some(Command::Save(path));
        }
        while let Some(settings) = self.changes.pop_front() {
            // Each is a change of what the one before it has led to.
            match self.seen.config.as_ref().map(|config| with(config, settings)) {
                Some(Ok(config)) => return Some(Command::Change(Box::new(config))),
                Some(Err(error)) => self.answers.push(Err(error)),
                None => {}
            }
        }
        let step = self.seen.figures.step;
        let stale = self.seen.snapshot.as_ref().is_none_or(|snapshot| snapshot.step != step);
        (std::mem::take(&mut self.wants_snapshot) && stale).then_some(Command::Snapshot)
    }
}

/// `config` with these settings in place of its own.
fn with(config: &Config, settings: Map<String, Value>) -> Result<Config> {
    config.changed(&[Change { step: 0, settings }])
}

/// What the training thread and its observers share.
#[derive(Default)]
pub struct Live {
    shared: Mutex<Shared>,
    wake: Condvar,
    stop: Stop,
}

impl Live {
    /// For a run that `stop` stops.
    pub fn new(stop: Stop) -> Arc<Self> {
        Arc::new(Self { stop, ..Self::default() })
    }

    /// A way to observe and control the training.
    pub fn remote(self: &Arc<Self>) -> Remote {
        self.lock().remotes += 1;
        Remote(Arc::clone(self))
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        // A thread that panicked while it held the lock left each value valid by itself.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watch for Live {
    fn begin(&self, start: &Start<'_>) {
        let mut shared = self.lock();
        shared.timed_steps = 0;
        let seen = &mut shared.seen;
        // Of a model before this one.
        seen.losses.clear();
        seen.curve.clear();
        seen.state = State::Running;
        seen.capture = Some(Arc::new(start.capture.clone()));
        seen.points = Some(Arc::new(start.points.clone()));
        seen.config = Some(start.config.clone());
        seen.changes = start.changes.to_vec();
        (seen.figures.step, seen.figures.steps) = (start.step, start.config.steps);
    }

    fn next(&self, stop: &Stop) -> Command {
        let mut shared = self.lock();
        loop {
            if stop.requested() {
                return Command::Stop;
            }
            if shared.remotes == 0 {
                shared.seen.state = State::Running;
                return Command::Step;
            }
            if let Some(command) = shared.request() {
                return command;
            }
            if !shared.paused {
                shared.seen.state = State::Running;
                return Command::Step;
            }
            if shared.single_steps > 0 {
                shared.single_steps -= 1;
                return Command::Step;
            }
            shared.seen.state = State::Paused;
            shared = self.wake.wait_timeout(shared, STOP_EVERY).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn stepped(&self, now: &StepInfo<'_>) {
        let mut shared = self.lock();
        if now.timed_steps != shared.timed_steps {
            shared.timed_steps = now.timed_steps;
            let steps = f64::from(now.timed_steps);
            let average = now.timings.iter().map(|(name, ms)| (name.clone(), ms / steps));
            shared.seen.kernel_milliseconds = average.collect();
        }
        shared.seen.losses.push((now.step, now.figures.loss));
        shared.seen.figures = Figures {
            step: now.step,
            steps: now.steps,
            of_step: now.figures,
            splats: now.splats,
            milliseconds: now.milliseconds,
            seconds: now.seconds,
            device_bytes: now.device_bytes,
            peak_device_bytes: now.peak_device_bytes,
        };
    }

    fn measured(&self, point: &CurvePoint) {
        self.lock().seen.curve.push(*point);
    }

    fn snapshot(&self, snapshot: Snapshot) {
        let mut shared = self.lock();
        shared.seen.snapshot = (shared.remotes > 0).then(|| Arc::new(snapshot));
    }

    fn answered(&self, answer: Result<Answer>) {
        let mut shared = self.lock();
        if let Ok(Answer::Changed(change)) = &answer {
            let seen = &mut shared.seen;
            let changed = seen.config.as_ref().map(|config| config.changed(std::slice::from_ref(change)));
            if let Some(Ok(config)) = changed {
                seen.figures.steps = config.steps;
                seen.config = Some(config);
            }
            super::changes::note(&mut seen.changes, change);
        }
        shared.answers.push(answer);
    }

    fn end(&self, report: Option<&Report>) {
        self.lock().seen.state = if report.is_some() { State::Finished } else { State::Stopped };
    }
}

/// Observes and controls a training run. When the last one is dropped, a pause is over and requests are forgotten.
pub struct Remote(Arc<Live>);

impl Remote {
    /// Looks at the run. Training waits meanwhile: copy only what is needed, and do not call the remote.
    pub fn look<T>(&self, look: impl FnOnce(&TrainingState) -> T) -> T {
        look(&self.0.lock().seen)
    }

    /// The answers to requests since the last call, in order.
    pub fn answers(&self) -> Vec<Result<Answer>> {
        std::mem::take(&mut self.0.lock().answers)
    }

    /// Training waits after the step under way.
    pub fn pause(&self) {
        self.0.lock().paused = true;
    }

    /// Training goes on.
    pub fn resume(&self) {
        self.ask(|shared| (shared.paused, shared.single_steps) = (false, 0));
    }

    /// One step, then a pause.
    pub fn step(&self) {
        self.ask(|shared| {
            shared.paused = true;
            shared.single_steps += 1;
        });
    }

    /// Training writes a checkpoint and ends; a stage before it ends where it can be continued.
    pub fn stop(&self) {
        self.0.stop.request();
        self.0.wake.notify_all();
    }

    /// Asks for a snapshot of the model; it appears in [`TrainingState::snapshot`] before the next step.
    pub fn want_snapshot(&self) {
        self.ask(|shared| shared.wants_snapshot = true);
    }

    /// Asks for the splats as a PLY file, which replaces one of that name.
    pub fn save(&self, path: PathBuf) {
        self.ask(|shared| shared.saves.push_back(path));
    }

    /// Asks for other values of these settings, by name, from the next step on. The others stay as they are then.
    pub fn change(&self, settings: Map<String, Value>) {
        self.ask(|shared| shared.changes.push_back(settings));
    }

    /// The settings in force, with the changes that were asked for and are still to come; `None` before training begins.
    pub fn settings(&self) -> Option<Config> {
        let shared = self.0.lock();
        let now = shared.seen.config.clone()?;
        // Invalid requests are answered when their turn comes.
        Some(shared.changes.iter().fold(now, |config, change| with(&config, change.clone()).unwrap_or(config)))
    }

    fn ask(&self, request: impl FnOnce(&mut Shared)) {
        request(&mut self.0.lock());
        self.0.wake.notify_all();
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        let mut shared = self.0.lock();
        shared.remotes -= 1;
        if shared.remotes == 0 {
            let (seen, timed_steps) = (std::mem::take(&mut shared.seen), shared.timed_steps);
            *shared = Shared { seen: TrainingState { snapshot: None, ..seen }, timed_steps, ..Shared::default() };
        }
        drop(shared);
        self.0.wake.notify_all();
    }
}
