//! Training that is watched from another thread.

use super::watch::Answer;
use super::*;
use crate::capture::{self, Camera, View};
use crate::error::Error;
use crate::gpu::{Choice, Mask};
use crate::progress::{Board, Silent, Stop};
use crate::scenes::{self, Scene};
use crate::splat::{self, Renderer, Workspace};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// Lit views of the tiny scene, points around it, a folder for checkpoints, and a device.
pub(super) struct Bed {
    pub gpu: Gpu,
    pub capture: Capture,
    pub points: PointCloud,
    pub dir: tempfile::TempDir,
}

impl Bed {
    pub fn new() -> Self {
        Self::of(&Scene::load(Path::new("scenes/tiny.toml")).unwrap())
    }

    pub fn of(scene: &Scene) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("capture");
        scenes::generate(scene, &folder, &Silent::default()).unwrap();
        let mut capture = capture::load(&folder, &capture::Options::default()).unwrap();
        let lit = |view: View| View { image: Some(folder.join("truth").join(&view.name)), ..view };
        capture.train = capture.train.into_iter().map(lit).collect();
        let mut rng = StdRng::seed_from_u64(5);
        let positions = (0..300).map(|_| [0.0; 3].map(|_: f32| rng.random_range(-1.0..1.0))).collect();
        let points = PointCloud { positions, colors: vec![[128; 3]; 300], ..PointCloud::default() };
        Self { gpu: Gpu::open(&Choice::Best, Mask::default()).unwrap(), capture, points, dir }
    }

    pub fn checkpoints(&self) -> std::path::PathBuf {
        self.dir.path().join("checkpoints")
    }

    pub fn train(&self, config: &Config, progress: &dyn Progress, watch: &dyn Watch) -> Result<(Splats, Report)> {
        train(&self.gpu, &self.capture, &self.points, config, &self.checkpoints(), progress, Some(watch))
    }

    /// Trains on a thread while `look` has the remote, which is dropped when it returns.
    fn watched<T: Send>(
        &self,
        config: &Config,
        look: impl FnOnce(Remote) -> T + Send,
    ) -> (Result<(Splats, Report)>, T) {
        let board = Board::default();
        let live = Live::new(board.stop().clone());
        let remote = live.remote();
        remote.pause();
        thread::scope(|threads| {
            let looking = threads.spawn(move || look(remote));
            let trained = self.train(config, &board, live.as_ref());
            (trained, looking.join().unwrap())
        })
    }
}

fn config(steps: u32) -> Config {
    Config { steps, sh_degree: 1, sh_interval: 4, ..Config::default() }
}

fn settings(values: Value) -> Map<String, Value> {
    values.as_object().unwrap().clone()
}

/// Waits until `ready` has something.
fn wait_for<T>(what: &str, ready: impl Fn() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        match ready() {
            Some(value) => return value,
            None => assert!(started.elapsed() < Duration::from_secs(60), "{what} never came"),
        }
        thread::sleep(Duration::from_millis(2));
    }
}

fn paused_at(remote: &Remote, step: u32) {
    let there = |seen: &TrainingState| (seen.state == State::Paused && seen.figures.step == step).then_some(());
    wait_for(&format!("a pause at step {step}"), || remote.look(there));
}

#[test]
fn a_pause_holds_and_a_step_is_one() {
    let (trained, ()) = Bed::new().watched(&config(6), |remote| {
        paused_at(&remote, 0);
        assert!(remote.look(|seen| seen.capture.is_some() && seen.points.as_ref().unwrap().positions.len() == 300));
        for step in 1..=3 {
            remote.step();
            paused_at(&remote, step);
        }
        thread::sleep(Duration::from_millis(300));
        paused_at(&remote, 3);
        let steps = remote.look(|seen| seen.losses.iter().map(|(step, _)| *step).collect::<Vec<_>>());
        assert_eq!(steps, [1, 2, 3]);
        remote.resume();
        wait_for("the end", || remote.look(|seen| (seen.state == State::Finished).then_some(())));
        let last = remote.look(|seen| seen.snapshot.clone()).unwrap();
        assert_eq!((last.step, last.sh_degree, remote.look(|seen| seen.curve.len())), (6, 1, 1));
    });
    let (_, report) = trained.unwrap();
    assert_eq!(report.steps, 6);
    assert!(report.seconds > 0.0 && report.changes.is_empty());
}

#[test]
fn a_stop_in_a_pause_saves_and_the_next_run_goes_on() {
    let bed = Bed::new();
    let (stopped, state) = bed.watched(&config(8), |remote| {
        remote.step();
        paused_at(&remote, 1);
        remote.stop();
        wait_for("the end", || remote.look(|seen| (seen.state == State::Stopped).then_some(seen.state)))
    });
    assert!(matches!(stopped, Err(Error::Interrupted(words)) if words.contains("step 1 of 8")));
    assert_eq!(state, State::Stopped);
    let (_, report) =
        train(&bed.gpu, &bed.capture, &bed.points, &config(8), &bed.checkpoints(), &Silent::default(), None).unwrap();
    assert_eq!((report.resumed_at, report.steps), (1, 8));
}

#[test]
fn a_snapshot_is_the_model_of_its_step_while_training_goes_on() {
    let bed = Bed::new();
    let splats = splat::from_points(&bed.points, &config(1).init());
    let mut trainer = Trainer::new(&bed.gpu, &bed.capture, &splats, &config(100)).unwrap();
    (0..5).for_each(|_| trainer.step().unwrap());
    let snapshot = trainer.snapshot().unwrap();
    let camera = bed.capture.train[0].camera.clone();
    let own = trainer.render(&camera).unwrap();
    let picture = |camera: &Camera, work: &mut Option<Workspace>| {
        let (renderer, settings) = (Renderer::new(&bed.gpu).unwrap(), snapshot.render_settings([0.0; 3]));
        renderer.render_image(&bed.gpu, &snapshot.splats, camera, &settings, work).unwrap().image
    };
    thread::scope(|threads| {
        let rendering = threads.spawn(|| {
            let mut work = None;
            (0..20).map(|_| picture(&camera, &mut work)).collect::<Vec<_>>()
        });
        (0..20).for_each(|_| trainer.step().unwrap());
        for picture in rendering.join().unwrap() {
            let largest =
                own.pixels.as_flattened().iter().zip(picture.pixels.as_flattened()).map(|(a, b)| (a - b).abs());
            assert!(largest.fold(0.0, f32::max) < 1e-5);
        }
    });
    let later = trainer.render(&camera).unwrap();
    assert!(crate::eval::psnr(&own, &later).unwrap() < 60.0, "training went nowhere");
    bed.gpu.check().unwrap();
}

#[test]
fn what_is_saved_in_a_pause_is_the_snapshot_and_failures_are_told() {
    let bed = Bed::new();
    let (good, bad) = (bed.dir.path().join("new/now.ply"), bed.dir.path().join("capture"));
    let (trained, ()) = bed.watched(&config(4), |remote| {
        remote.step();
        paused_at(&remote, 1);
        remote.want_snapshot();
        let snapshot = wait_for("a snapshot", || remote.look(|seen| seen.snapshot.clone()));
        remote.save(good.clone());
        remote.save(bad.clone());
        remote.change(settings(json!({ "seed": 1 })));
        let mut answers = Vec::new();
        while answers.len() < 3 {
            answers.extend(wait_for("an answer", || Some(remote.answers()).filter(|answers| !answers.is_empty())));
        }
        assert_eq!(answers[0].as_ref().unwrap(), &Answer::Saved(good.clone()));
        assert!(answers[1].as_ref().unwrap_err().to_string().contains("capture"));
        assert!(answers[2].as_ref().unwrap_err().to_string().contains("train.seed"));
        assert_eq!(splat::read(&good).unwrap(), snapshot.splats.to_splats(&bed.gpu).unwrap());
        assert_eq!(snapshot.step, 1);
    });
    assert_eq!(trained.unwrap().1.steps, 4);
}

#[test]
fn changed_settings_are_in_force_recorded_and_survive_an_interruption() {
    let bed = Bed::new();
    let changed = Config { ssim_weight: 0.5, steps: 7, eval_every: 3, ..config(40) };
    let (stopped, ()) = bed.watched(&config(40), |remote| {
        remote.step();
        remote.step();
        paused_at(&remote, 2);
        remote.change(settings(json!({ "ssim_weight": 0.5, "steps": 7, "eval_every": 3 })));
        wait_for("an answer", || remote.answers().pop()).unwrap();
        assert_eq!(remote.look(|seen| seen.config.clone()).unwrap(), changed);
        remote.step();
        paused_at(&remote, 3);
        remote.stop();
    });
    assert!(matches!(stopped, Err(Error::Interrupted(words)) if words.contains("step 3 of 7")));
    let (goes_on, seen) = bed.watched(&config(40), |remote| {
        paused_at(&remote, 3);
        remote.look(|seen| (seen.config.clone().unwrap(), seen.changes.clone()))
    });
    let (_, report) = goes_on.unwrap();
    assert_eq!((report.resumed_at, report.steps), (3, 7));
    assert_eq!(seen, (changed, report.changes.clone()));
    assert_eq!(report.changes.len(), 1);
    assert_eq!(report.changes[0].step, 2);
    assert_eq!(report.changes[0].settings["ssim_weight"], 0.5);
}

#[test]
fn changes_within_one_step_are_all_in_force() {
    let (live, old, capture, points) =
        (Live::new(Stop::default()), config(40), Capture::default(), PointCloud::default());
    let remote = live.remote();
    live.begin(&watch::Start { capture: &capture, points: &points, config: &old, changes: &[], step: 2 });
    remote.change(settings(json!({ "lr_quats": 0.009 })));
    remote.change(settings(json!({ "lr_sh": "many" })));
    remote.change(settings(json!({ "lr_scales": 0.05 })));
    let wanted = Config { lr_quats: 0.009, lr_scales: 0.05, ..old.clone() };
    assert_eq!(remote.settings().unwrap(), wanted);
    let mut now = old;
    for _ in 0..2 {
        let watch::Command::Change(next) = live.next(&Stop::default()) else { panic!("no change") };
        let change = now.change_to(&next, 2).unwrap();
        assert_eq!(change.settings.len(), 1);
        live.answered(Ok(Answer::Changed(change)));
        now = *next;
    }
    assert_eq!((live.next(&Stop::default()), now), (watch::Command::Step, wanted));
    let answers = remote.answers();
    assert!(answers.len() == 3 && answers[1].is_err(), "{answers:?}");
}

#[test]
fn who_vanishes_or_panics_does_not_hang_training() {
    let bed = Bed::new();
    let (trained, ()) = bed.watched(&config(3), |remote| {
        paused_at(&remote, 0);
        let died = thread::spawn(move || {
            remote.look(|_| panic!("the window is gone"));
        });
        assert!(died.join().is_err());
    });
    assert_eq!(trained.unwrap().1.steps, 3);

    struct Clumsy;
    impl Watch for Clumsy {
        fn next(&self, _: &crate::Stop) -> watch::Command {
            panic!("a bug of the window")
        }
    }
    assert_eq!(bed.train(&config(4), &Silent::default(), &Clumsy).unwrap().1.steps, 4);
}

#[test]
fn the_device_is_shared_by_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Gpu>();
    shared::<Arc<Live>>();
    shared::<Snapshot>();
}

#[test]
fn a_model_after_another_has_figures_of_its_own() {
    let bed = Bed::new();
    let live = Live::new(Stop::default());
    for (seed, steps) in [(1, 12), (2, 7)] {
        let config = Config { seed, ..config(steps) };
        bed.train(&config, &Silent::default(), live.as_ref()).unwrap();
        let remote = live.remote();
        let (losses, curve, figures) = remote.look(|seen| (seen.losses.len(), seen.curve.len(), seen.figures));
        assert_eq!((losses, curve, figures.step, figures.steps), (steps as usize, 1, steps, steps));
    }
}
