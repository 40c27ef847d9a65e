//! Devices that are lost or have too little memory, in the middle of every stage that uses one: one message that names the
//! stage, exit code 3, and a run that goes on where it was.

use super::*;
use crate::Stop;
use crate::scenes::Scene;
use crate::{Progress, Silent};
use std::sync::Mutex;

/// Takes the device away once a stage has done so many of its units; at its beginning for 0.
struct Saboteur {
    gpu: Arc<Gpu>,
    stage: &'static str,
    after: u64,
    now: Mutex<String>,
    stop: Stop,
}

impl Progress for Saboteur {
    fn begin(&self, stage: &str, _: &str, _: u64) {
        *self.now.lock().unwrap() = stage.into();
        self.set(0, "");
    }

    fn set(&self, done: u64, _: &str) {
        if *self.now.lock().unwrap() == self.stage && done == self.after {
            self.gpu.device.destroy();
        }
    }

    fn stop(&self) -> &Stop {
        &self.stop
    }
}

fn open(mask: Mask) -> Arc<Gpu> {
    Arc::new(Gpu::open(&"cpu".parse().unwrap(), mask).unwrap())
}

fn job(folder: &Path) -> Job {
    let scene = Scene::load(Path::new("scenes/tiny.toml")).unwrap();
    let capture = demo::photograph(&scene, folder, false, &Silent::default()).unwrap();
    let mut settings = Settings { adapter: "cpu".into(), downscale: 2, ..Settings::default() };
    settings.prior.make_points = 200;
    (settings.train.steps, settings.train.checkpoint_every) = (20, 10);
    Job { scene: capture, out: folder.join("out"), settings, overwrite: false, scope: Scope::Everything }
}

fn status(job: &Job, stage: &str) -> record::Status {
    Run::read(&job.out).unwrap().unwrap().stage(Stage::named(stage).unwrap()).unwrap().status
}

#[test]
fn a_device_that_is_lost_ends_any_stage_and_the_next_run_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let job = job(dir.path());
    // All pictures may be rendered before the first is written.
    for (stage, after) in [("enhance", 1), ("prior", 1), ("train", 15), ("render", 0)] {
        let gpu = open(Mask::default());
        let shared = Shared { gpu: Some(Arc::clone(&gpu)), ..Shared::default() };
        let saboteur = Saboteur { gpu, stage, after, now: Mutex::default(), stop: Stop::default() };
        let error = run(&job, &shared, &saboteur).unwrap_err();
        let message = error.to_string();
        assert!(matches!(error, Error::DeviceLost(_)), "{stage}: {message}");
        assert_eq!(error.exit_code(), 3);
        assert!(message.contains(&format!("stage {stage}")) && message.contains("again"), "{message}");
        assert_eq!(message.contains("checkpoint"), stage == "train", "{message}");
        assert_eq!(status(&job, stage), record::Status::Failed);
        let mut noted = Run::read(&job.out).unwrap().unwrap();
        noted.stage_mut(Stage::named(stage).unwrap()).unwrap().seconds = 1000.0;
        noted.write(&job.out).unwrap();
    }
    let shared = Shared { gpu: Some(open(Mask::default())), ..Shared::default() };
    let run = run(&job, &shared, &Silent::default()).unwrap().run;
    let counts = &run.stage(Stage::TRAIN).unwrap().counts;
    assert_eq!(counts["resumed_at"], 10, "training did not go on from its checkpoint");
    for stage in [Stage::ENHANCE, Stage::PRIOR, Stage::TRAIN, Stage::RENDER] {
        let seconds = run.stage(stage).unwrap().seconds;
        assert!(seconds > 1000.0, "{}: {seconds} s, without the attempt before", stage.name());
    }
}

#[test]
fn a_device_with_too_little_memory_names_the_stage_and_the_remedy() {
    let dir = tempfile::tempdir().unwrap();
    let mut job = job(dir.path());
    job.settings.prior.make_points = 2000;
    // For anything; for more than a tile of an image; for the gradients of more than 1024 splats.
    let [scarce, one_tile, few_splats] =
        [4, 16, 40].map(|kib| open(Mask { buffer_bytes: kib << 10, ..Mask::default() }));
    let run_on = |gpu: &Arc<Gpu>, last| {
        let shared = Shared { gpu: Some(Arc::clone(gpu)), ..Shared::default() };
        run_until(&job, last, &shared, &Silent::default())
    };
    // Before anything is made.
    let message = run_on(&one_tile, Stage::EVAL).unwrap_err().to_string();
    assert!(
        message.contains("pictures of 32 x 24 pixels take") && message.contains("use `downscale = 4`, or"),
        "{message}"
    );
    assert!(!job.out.join(names::IMAGES).exists());
    let plenty = open(Mask::default());
    for (stage, gpu) in [("enhance", &scarce), ("prior", &scarce), ("train", &few_splats), ("render", &scarce)] {
        let last = if stage == "prior" { Stage::PPM } else { Stage::named(stage).unwrap() };
        let error = run_on(gpu, last).unwrap_err();
        let message = error.to_string();
        assert!(matches!(error, Error::OutOfMemory(_)), "{stage}: {message}");
        assert_eq!(error.exit_code(), 3);
        let words = [&format!("stage {stage}"), "downscale", "max_splats", "MiB"];
        assert!(words.iter().all(|word| message.contains(*word)), "{message}");
        assert_eq!(status(&job, stage), record::Status::Failed);
        run_on(&plenty, last).unwrap();
    }
}
