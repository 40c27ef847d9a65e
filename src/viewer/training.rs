//! A training run in the background of the window: started, observed and ended with it.

use super::scene::{self, Model, Photo, Scene, title};
use crate::capture::SceneFrame;
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::pipeline::output::names;
use crate::pipeline::{self, Job, Outcome, SettingsFor, Shared};
use crate::progress::{Board, Both, Progress, Stop};
use crate::train::{Answer, CurvePoint, Live, Remote, Snapshot, State};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};

/// Least time between two snapshots, and as a multiple of the time to draw one, so that the window takes a small share of the
/// device.
const SNAPSHOT_EVERY: Duration = Duration::from_secs(1);
const SNAPSHOT_SHARE: u32 = 15;
/// Most points of the curve of losses that are drawn.
const CURVE: usize = 600;

/// A run, as the window holds it.
pub struct Training<'scope> {
    pub job: Job,
    pub remote: Remote,
    pub board: Arc<Board>,
    stop: Stop,
    thread: Option<ScopedJoinHandle<'scope, Result<Outcome>>>,
    /// Whether its cameras and points are shown.
    set_up: bool,
    /// The step of the model that is shown.
    shown: Option<u32>,
    asked: Instant,
    pub figures: Figures,
    /// Edits in the panel's settings that are not yet requested, by name.
    pub edits: BTreeMap<String, String>,
}

/// What the panel tells of the run.
#[derive(Clone, Default)]
pub struct Figures {
    pub state: State,
    pub of: crate::train::Figures,
    /// Losses by step, thinned out.
    pub losses: Vec<[f64; 2]>,
    pub curve: Vec<CurvePoint>,
    /// Milliseconds of each kernel in a step, the longest first.
    pub kernels: Vec<(String, f64)>,
}

/// What a run has new for the window.
pub enum News {
    /// Its cameras and points.
    Begun(Box<Scene>),
    /// A later state of its model.
    Model(Arc<Snapshot>),
}

impl<'scope> Training<'scope> {
    /// Starts the run of `job` on `gpu`, on a thread of `threads`. It reports to `progress` too; `settings` are those for
    /// the frames of a video, `finished` is called with what it made, and `wake` whenever the window should look.
    pub fn start<'env>(
        threads: &'scope Scope<'scope, 'env>,
        job: Job,
        gpu: Arc<Gpu>,
        progress: &'env dyn Progress,
        settings: SettingsFor<'env>,
        finished: &'env (dyn Fn(&Job, &Outcome) + Sync),
        wake: impl Fn() + Send + 'scope,
    ) -> Self {
        let stop = Stop::default();
        let (live, board) = (Live::new(stop.clone()), Arc::new(Board::new(stop.clone())));
        let remote = live.remote();
        let (of, to) = (job.clone(), Arc::clone(&board));
        let thread = threads.spawn(move || {
            let shared = Shared { gpu: Some(gpu), watch: Some(&*live), settings: Some(settings) };
            let outcome = pipeline::run(&of, &shared, &Both(&*to, progress));
            if let Ok(outcome) = &outcome {
                finished(&of, outcome);
            }
            wake();
            outcome
        });
        Self {
            job,
            remote,
            board,
            stop,
            thread: Some(thread),
            set_up: false,
            shown: None,
            asked: Instant::now(),
            figures: Figures::default(),
            edits: BTreeMap::new(),
        }
    }

    /// Asks it to end in a state that the same command continues.
    pub fn stop(&self) {
        self.stop.request();
        self.remote.stop();
    }

    /// Whether its thread is at work.
    pub fn at_work(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| !thread.is_finished())
    }

    /// Whether more is to come from it. A thread that has reported its end may still be running.
    pub fn pending(&self) -> bool {
        self.thread.is_some()
    }

    /// What came of it, once, when it is over.
    pub fn outcome(&mut self) -> Option<Result<Outcome>> {
        let thread = self.thread.take_if(|thread| thread.is_finished())?;
        Some(thread.join().unwrap_or_else(|_| Err(Error::Gpu("the run ended by a bug of the program".into()))))
    }

    /// Waits for its end.
    pub fn join(mut self) -> Option<Result<Outcome>> {
        while self.at_work() {
            std::thread::sleep(Duration::from_millis(20));
        }
        self.outcome()
    }

    /// Takes over what is new, and asks for the next snapshot when it is time; a picture takes `drawing`.
    ///
    /// # Errors
    /// Points that do not fit the device.
    pub fn look(&mut self, gpu: &Gpu, drawing: Duration) -> Result<Option<News>> {
        let (snapshot, points) = self.remote.look(|seen| {
            self.figures.state = seen.state;
            self.figures.of = seen.figures;
            // The first steps' losses are not known yet.
            let known = &seen.losses[seen.losses.iter().take_while(|(_, loss)| *loss == 0.0).count()..];
            let means = known.chunks(known.len().div_ceil(CURVE).max(1)).map(|part| {
                let mean = part.iter().map(|(_, loss)| f64::from(*loss)).sum::<f64>() / part.len() as f64;
                [f64::from(part[part.len() / 2].0), mean]
            });
            self.figures.losses = means.collect();
            self.figures.curve.clone_from(&seen.curve);
            self.figures.kernels = seen.kernel_milliseconds.iter().map(|(name, ms)| (name.clone(), *ms)).collect();
            (seen.snapshot.clone(), seen.points.clone())
        });
        self.figures.kernels.sort_by(|a, b| b.1.total_cmp(&a.1));
        if let Some(points) = points.filter(|_| !self.set_up) {
            self.set_up = true;
            let mut begun = Scene { path: self.job.scene.clone(), ..Scene::empty() };
            begun.file = Some(self.job.out.join(names::SPLATS));
            begun.points = Some(Model::of_points(gpu, &points)?);
            begun.antialiased = self.job.settings.train.antialiased;
            (begun.photos, begun.frame) = self.photos(&mut begun.notes);
            self.remote.want_snapshot();
            return Ok(Some(News::Begun(Box::new(begun))));
        }
        let running = matches!(self.figures.state, State::Running | State::Paused);
        if running && self.asked.elapsed() > SNAPSHOT_EVERY.max(drawing * SNAPSHOT_SHARE) {
            self.asked = Instant::now();
            self.remote.want_snapshot();
        }
        Ok(snapshot.filter(|snapshot| self.shown != Some(snapshot.step)).map(|snapshot| {
            self.shown = Some(snapshot.step);
            News::Model(snapshot)
        }))
    }

    fn photos(&self, notes: &mut Vec<String>) -> (Vec<Photo>, SceneFrame) {
        scene::photos(&self.job).unwrap_or_else(|error| {
            notes.push(format!("the cameras are not shown: {error}"));
            (Vec::new(), SceneFrame::IDENTITY)
        })
    }

    /// Messages about its answers to requests.
    pub fn answers(&self) -> Vec<Result<String>> {
        let words = |answer: Answer| match answer {
            Answer::Saved(path) => format!("Saved {}", path.display()),
            Answer::Changed(change) if change.settings.is_empty() => "no setting has changed".into(),
            Answer::Changed(change) => {
                let all: Vec<String> =
                    change.settings.iter().map(|(name, value)| format!("{name} = {value}")).collect();
                format!("from step {} on: {}", change.step + 1, all.join(", "))
            }
        };
        self.remote.answers().into_iter().map(|answer| answer.map(words)).collect()
    }

    /// A file for the splats of this step, in the output folder.
    pub fn ply(&self) -> PathBuf {
        let step = self.figures.of.step;
        let names = (1..).map(|n| if n == 1 { format!("splats-{step}.ply") } else { format!("splats-{step}-{n}.ply") });
        names.map(|name| self.job.out.join(name)).find(|path| !path.exists()).unwrap_or_default()
    }
}

/// What a run is called.
pub fn name(job: &Job) -> String {
    title(&job.scene)
}

/// Whether a path is a capture to train on, rather than a scene to view.
pub fn is_capture(path: &Path) -> bool {
    use crate::capture::{holds_images, is_scene};
    if crate::video::is_video(path) {
        return true;
    }
    path.is_dir() && !path.join(crate::pipeline::record::RUN_FILE).exists() && (is_scene(path) || holds_images(path))
}
