//! Runs of several seeds: what is the mean of what, what continues, and what is made again.

use super::record::Status;
use super::test_bed::Bed;
use super::*;
use crate::capture::{Image, read_image};
use crate::train::watch::Command;
use crate::train::{Answer, Config, Start};
use crate::{Silent, Stop, splat};
use std::collections::BTreeMap;
use std::fs;
use std::sync::Mutex;

struct Bench(Bed);

const MODELS: [&str; 3] = ["seeds/splats-1.ply", "seeds/splats-2.ply", "seeds/splats-3.ply"];

impl Bench {
    fn job(&self, out: &str, seeds: u32) -> Job {
        let mut job = self.0.job(out);
        job.settings.seeds = seeds;
        job.settings.train = Config { steps: 40, deterministic: true, ..job.settings.train };
        job
    }

    fn run(&self, job: &Job) -> Result<Outcome> {
        self.run_with(job, &Silent::default())
    }

    fn run_with(&self, job: &Job, progress: &dyn Progress) -> Result<Outcome> {
        self.0.run(job, progress)
    }

    /// What was begun in a run that finished.
    fn begun(&self, job: &Job) -> Vec<String> {
        let heard = Heard::default();
        self.run_with(job, &heard).unwrap();
        heard.begun.into_inner().unwrap()
    }
}

/// Notes what is begun, and stops after so many units of one thing.
#[derive(Default)]
struct Heard {
    begun: Mutex<Vec<String>>,
    stop_in: Option<(&'static str, u64)>,
    stop: Stop,
}

impl Heard {
    fn stopping(stage: &'static str, after: u64) -> Self {
        Self { stop_in: Some((stage, after)), ..Self::default() }
    }
}

impl Progress for Heard {
    fn begin(&self, stage: &str, _: &str, _: u64) {
        self.begun.lock().unwrap().push(stage.into());
    }

    fn set(&self, done: u64, _: &str) {
        let begun = self.begun.lock().unwrap();
        if self.stop_in.is_some_and(|(stage, after)| begun.last().is_some_and(|last| last == stage) && done == after) {
            self.stop.request();
        }
    }

    fn stop(&self) -> &Stop {
        &self.stop
    }
}

fn contents(job: &Job) -> BTreeMap<&'static str, Vec<u8>> {
    let names = MODELS.into_iter().chain([names::SPLATS]);
    names.filter_map(|name| Some((name, fs::read(job.out.join(name)).ok()?))).collect()
}

fn trainings(begun: &[String]) -> Vec<&str> {
    begun.iter().map(String::as_str).filter(|name| name.starts_with("train")).collect()
}

/// Root mean square difference in levels of 255.
fn levels(a: &Image, b: &Image) -> f64 {
    let squares = a.pixels.iter().flatten().zip(b.pixels.iter().flatten()).map(|(a, b)| f64::from(a - b).powi(2));
    255.0 * (squares.sum::<f64>() / (3 * a.pixels.len()) as f64).sqrt()
}

#[test]
fn renders_are_the_mean_of_all_models_and_one_file_comes_closest_to_it() {
    let bench = Bench(Bed::new());
    let job = bench.job("out", 3);
    let heard = Heard::default();
    let Outcome { run, metrics } = bench.run_with(&job, &heard).unwrap();
    let begun = heard.begun.into_inner().unwrap();
    assert_eq!(trainings(&begun), ["train, model 1 of 3", "train, model 2 of 3", "train, model 3 of 3"]);
    let capture = capture_of(&job, &Silent::default()).unwrap();
    let models = MODELS.map(|name| splat::read_in(job.out.join(name), &capture.frame).unwrap());
    let file = splat::read_in(job.out.join(names::SPLATS), &capture.frame).unwrap();
    let render = |splats: &splat::Splats, camera: &crate::capture::Camera| {
        let mut image = Painter::new(&bench.0.gpu, splats, false).unwrap().render(camera).unwrap();
        image.pixels.iter_mut().flatten().for_each(|v| *v = v.clamp(0.0, 1.0));
        image
    };
    let (mut single, mut alone) = ([0.0; 3], 0.0);
    for view in &capture.test {
        let renders = models.each_ref().map(|model| render(model, &view.camera));
        let mean = |at: usize| std::array::from_fn(|c| renders.iter().map(|r| r.pixels[at][c]).sum::<f32>() / 3.0);
        let mean = Image { pixels: (0..renders[0].pixels.len()).map(mean).collect(), ..renders[0].clone() };
        let stored = read_image(&job.out.join(names::RENDERS).join(render_name(&view.name))).unwrap();
        let apart = levels(&renders[0], &renders[1]);
        let again = bench.0.dir.path().join("mean.jpg");
        crate::eval::write_jpeg(&again, &mean).unwrap();
        let through_jpeg = levels(&read_image(&again).unwrap(), &stored);
        assert!(through_jpeg < 0.05, "{through_jpeg} of {apart}");
        alone += levels(&render(&file, &view.camera), &mean);
        single.iter_mut().zip(&renders).for_each(|(sum, render)| *sum += levels(render, &mean));
    }
    assert!(single.iter().all(|single| alone < *single), "{alone} of {single:?}");
    assert_eq!(metrics.seeds, Some(3));
    let (mean, distilled) = (metrics.metrics.test.psnr.unwrap(), metrics.distilled.unwrap().test.psnr.unwrap());
    assert!((mean - distilled).abs() < 3.0 && mean != distilled, "{mean}, {distilled}");
    let counts = &run.stage(Stage::TRAIN).unwrap().counts;
    assert_eq!((&counts["seeds"], &counts["steps"]), (&3.into(), &120.into()));
    assert_eq!(counts["models"][MODELS[2]]["seed"], job.settings.train.seed + 2);
    assert!(counts["distilled"]["psnr"].as_f64() > counts["distilled"]["psnr_before"].as_f64());
    assert_eq!(run.stage(Stage::EVAL).unwrap().counts["psnr_distilled"], distilled);

    // A model is that of a run of its seed by itself.
    let mut one = bench.job("one", 1);
    one.settings.train.seed += 1;
    let made = bench.run(&one).unwrap();
    assert!(fs::read(one.out.join(names::SPLATS)).unwrap() == contents(&job)[MODELS[1]]);
    assert!(made.metrics.seeds.is_none() && made.metrics.distilled.is_none());
    assert!(!fs::read_to_string(one.out.join(names::METRICS)).unwrap().contains("seeds"));
    assert!(bench.run(&job).unwrap().run.all_kept());
}

#[test]
fn an_interrupted_run_goes_on_and_damaged_models_are_made_again() {
    let bench = Bench(Bed::new());
    let (whole, mut job) = (bench.job("whole", 3), bench.job("parts", 3));
    bench.run(&whole).unwrap();
    job.settings.train.checkpoint_every = 8;
    let status = || Run::read(&job.out).unwrap().unwrap().stage(Stage::TRAIN).unwrap().status;
    for (stage, after, models) in [("train, model 1 of 3", 5, 0), ("train, model 2 of 3", 21, 1), ("distill", 3, 3)] {
        let stopped = bench.run_with(&job, &Heard::stopping(stage, after)).unwrap_err();
        assert!(matches!(stopped, Error::Interrupted(_)), "{stage}: {stopped}");
        assert_eq!((status(), contents(&job).len()), (Status::Interrupted, models), "{stage}");
    }
    assert_eq!(bench.begun(&job)[..2], ["distill: views of the mean", "distill"], "models were made again");
    assert!(contents(&job) == contents(&whole));
    let run = Run::read(&job.out).unwrap().unwrap();
    assert_eq!(run.stage(Stage::TRAIN).unwrap().counts["models"][MODELS[1]]["resumed_at"], 21);
    assert!(!job.out.join(names::CHECKPOINTS).exists());

    // A model that is damaged or gone.
    let model = job.out.join(MODELS[1]);
    let mut bytes = fs::read(&model).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&model, bytes).unwrap();
    assert_eq!(trainings(&bench.begun(&job)), ["train, model 2 of 3"]);
    assert!(contents(&job) == contents(&whole) && job.out.join("seeds/splats-2.ply.bak").exists());
    fs::remove_file(&model).unwrap();
    assert_eq!(trainings(&bench.begun(&job)), ["train, model 2 of 3"]);
    // Only the file of the mean.
    fs::remove_file(job.out.join(names::SPLATS)).unwrap();
    let begun = bench.begun(&job);
    assert!(trainings(&begun).is_empty() && begun.contains(&"distill".to_string()), "{begun:?}");
    assert!(contents(&job) == contents(&whole) && bench.run(&job).unwrap().run.all_kept());
}

#[test]
fn other_numbers_of_seeds_keep_the_models_that_they_have_in_common() {
    let bench = Bench(Bed::new());
    let job = |seeds: u32, overwrite: bool| Job { overwrite, ..bench.job("out", seeds) };
    let whole = bench.job("whole", 3);
    bench.run(&whole).unwrap();
    bench.run(&job(1, false)).unwrap();
    let single = contents(&job(1, false));
    for (seeds, made) in [(2, vec!["train, model 2 of 2"]), (3, vec!["train, model 3 of 3"]), (2, vec![])] {
        let before = contents(&job(1, false));
        let refused = bench.run(&job(seeds, false)).unwrap_err();
        assert!(matches!(refused, Error::Exists(_)), "{refused}");
        assert!(contents(&job(1, false)) == before);
        assert_eq!(trainings(&bench.begun(&job(seeds, true))), made, "of {seeds}");
        assert!(bench.run(&job(seeds, false)).unwrap().run.all_kept());
        let there = contents(&job(1, false));
        assert_eq!(there.len(), seeds as usize + 1);
        assert!(MODELS.iter().take(seeds as usize).all(|name| there[name] == contents(&whole)[name]));
        assert!(seeds == 2 || there == contents(&whole));
        let run = Run::read(&job(1, false).out).unwrap().unwrap();
        assert_eq!(run.stage(Stage::TRAIN).unwrap().counts["models"].as_object().unwrap().len(), seeds as usize);
    }
    // A single one is trained anew, and of the others nothing is left, nor moved aside.
    assert_eq!(trainings(&bench.begun(&job(1, true))), ["train"]);
    assert!(contents(&job(1, false)) == single);
    assert!(!job(1, false).out.join(names::SEEDS).exists());
    let left = fs::read_dir(job(1, false).out).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(left.filter(|name| name.to_string_lossy().contains(".bak")).count() == 0);
}

/// Asks for another setting at each model's first step.
#[derive(Default)]
struct Meddler {
    asked: Mutex<bool>,
    answers: Mutex<Vec<String>>,
    models: Mutex<Vec<u64>>,
    steps: u32,
}

impl Watch for Meddler {
    fn begin(&self, start: &Start<'_>) {
        self.models.lock().unwrap().push(start.config.seed);
        *self.asked.lock().unwrap() = false;
    }

    fn next(&self, _: &Stop) -> Command {
        match std::mem::replace(&mut *self.asked.lock().unwrap(), true) {
            true => Command::Step,
            false => Command::Change(Box::new(Config { steps: self.steps, ..Config::default() })),
        }
    }

    fn answered(&self, answer: Result<Answer>) {
        self.answers.lock().unwrap().push(answer.unwrap_err().to_string());
    }
}

#[test]
fn who_watches_sees_every_model_and_changes_none() {
    let bench = Bench(Bed::new());
    let job = bench.job("out", 2);
    let meddler = Meddler { steps: 9, ..Meddler::default() };
    let shared = Shared { gpu: Some(Arc::clone(&bench.0.gpu)), watch: Some(&meddler), ..Shared::default() };
    let run = run_until(&job, Stage::TRAIN, &shared, &Silent::default()).unwrap();
    assert_eq!((run.steps, run.stage(Stage::TRAIN).unwrap().changes()), (Some(80), Vec::new()));
    let seed = job.settings.train.seed;
    assert_eq!(*meddler.models.lock().unwrap(), [seed, seed + 1]);
    let answers = meddler.answers.into_inner().unwrap();
    assert!(answers.len() == 2 && answers[0].starts_with("seeds: 2 models"), "{answers:?}");
}

#[test]
fn a_training_that_diverges_names_what_it_always_names() {
    let bench = Bench(Bed::new());
    let mut job = bench.job("out", 2);
    job.settings.train.lr_sh = 1e38;
    let error = bench.run(&job).unwrap_err();
    assert!(matches!(&error, Error::NotFinite { .. }) && error.to_string().contains("train.lr_sh"), "{error}");
    assert!(contents(&job).is_empty());
}
