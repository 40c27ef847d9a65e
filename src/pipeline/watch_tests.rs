//! Runs whose settings were changed while training: what their records say, and what they may stand for.

use super::*;
use crate::scenes::Scene;
use crate::train::watch::Command;
use crate::train::{Config, Watch};
use crate::{Silent, Stop};
use std::sync::atomic::{AtomicU32, Ordering};

/// Changes a setting after so many steps.
struct Meddler {
    config: Config,
    at: u32,
    asked: AtomicU32,
}

impl Watch for Meddler {
    fn next(&self, _: &Stop) -> Command {
        match self.asked.fetch_add(1, Ordering::Relaxed) {
            asked if asked == self.at => Command::Change(Box::new(self.config.clone())),
            _ => Command::Step,
        }
    }
}

#[test]
fn a_run_with_changed_settings_is_finished_but_stands_for_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let scene = Scene::load(Path::new("scenes/tiny.toml")).unwrap();
    let capture = demo::photograph(&scene, dir.path(), false, &Silent::default()).unwrap();
    let mut settings = Settings { adapter: "cpu".into(), ..Settings::default() };
    settings.train = Config { steps: 6, ..settings.train };
    settings.prior.make_points = 500;
    let config = Config { ssim_weight: 0.5, steps: 8, ..settings.train.clone() };
    let mut job =
        Job { scene: capture, out: dir.path().join("out"), settings, overwrite: false, scope: Scope::Everything };
    let gpu = Arc::new(Gpu::open(&job.settings.adapter_choice(), Mask::default()).unwrap());
    let meddler = Meddler { config, at: 3, asked: AtomicU32::new(0) };
    let quiet = Silent::default();
    let shared = Shared { gpu: Some(Arc::clone(&gpu)), watch: Some(&meddler), ..Shared::default() };
    let trained = run_until(&job, Stage::TRAIN, &shared, &quiet).unwrap();
    assert_eq!((trained.steps, trained.adapter.as_deref()), (Some(8), Some(gpu.name())));
    assert_eq!(trained.variants, Some(gpu.variants()));
    let fingerprint = |run: &Run, stage| run.stage(stage).unwrap().fingerprint.clone();
    let changes = trained.stage(Stage::TRAIN).unwrap().changes();
    assert_eq!((changes.len(), changes[0].step), (1, 3));

    // What comes after training is made of the changed model, also by a later call.
    let alone = Shared { gpu: Some(gpu), ..Shared::default() };
    let whole = run(&job, &alone, &quiet).unwrap().run;
    let status = |run: &Run, stage| run.stage(stage).unwrap().status;
    assert_eq!(status(&whole, Stage::TRAIN), record::Status::Kept);
    assert_eq!(status(&whole, Stage::EVAL), record::Status::Done);
    assert_eq!(fingerprint(&whole, Stage::TRAIN), fingerprint(&trained, Stage::TRAIN));
    let test = load(&job).unwrap().test;
    let rendered = render_fingerprint(&fingerprint(&whole, Stage::TRAIN), &test);
    assert_eq!(fingerprint(&whole, Stage::RENDER), rendered);

    // It is not what these settings give: that is another run.
    let refused = run(&job, &alone, &quiet).unwrap_err();
    assert!(matches!(&refused, Error::Exists(path) if path.ends_with("splats.ply")), "{refused}");
    job.overwrite = true;
    let plain = run(&job, &alone, &quiet).unwrap().run;
    for stage in [Stage::TRAIN, Stage::RENDER, Stage::EVAL] {
        assert_eq!(status(&plain, stage), record::Status::Done);
        assert_ne!(fingerprint(&plain, stage), fingerprint(&whole, stage));
    }
    assert_eq!((plain.steps, plain.stage(Stage::TRAIN).unwrap().changes().len()), (Some(6), 0));
    job.overwrite = false;
    assert!(run(&job, &alone, &quiet).unwrap().run.all_kept());
}
