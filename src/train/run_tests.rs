//! Runs that diverge, that cannot save, that continue after damage, and that must give the same bytes twice.

use super::checkpoint::{Checkpoint, State as Saved};
use super::densify::Strategy;
use super::watch::Command;
use super::watch_tests::Bed;
use super::*;
use crate::error::Error;
use crate::gpu::{Choice, Mask};
use crate::progress::{Silent, Stop};
use crate::splat;
use crate::storage::faults::{Kind, arm};
use std::sync::atomic::{AtomicU32, Ordering};

fn config(steps: u32) -> Config {
    Config { steps, sh_degree: 1, sh_interval: 4, ..Config::default() }
}

/// Does `command` once so many steps are done.
pub(super) struct At(u32, AtomicU32, Command);

impl At {
    pub fn new(step: u32, command: Command) -> Self {
        Self(step, AtomicU32::new(0), command)
    }
}

impl Watch for At {
    fn next(&self, _: &Stop) -> Command {
        if self.1.fetch_add(1, Ordering::Relaxed) == self.0 { self.2.clone() } else { Command::Step }
    }
}

fn train_with(bed: &Bed, config: &Config, watch: &dyn Watch) -> Result<(Splats, Report)> {
    bed.train(config, &Silent::default(), watch)
}

fn plain(bed: &Bed, config: &Config) -> Result<(Splats, Report)> {
    train(&bed.gpu, &bed.capture, &bed.points, config, &bed.checkpoints(), &Silent::default(), None)
}

#[test]
fn a_training_that_diverges_is_an_error_that_names_step_tensor_and_setting() {
    let bed = Bed::new();
    for (wrong, words) in [
        (Config { lr_quats: 1e38, ..config(70) }, ["quats has", "lower train.lr_quats"]),
        (Config { lr_sh: 1e38, ..config(70) }, ["sh0 has", "lower train.lr_sh"]),
        // Ends before the first check of the way.
        (Config { lr_scales: 1e38, ..config(9) }, ["log_scales has", "lower train.lr_scales"]),
    ] {
        let error = plain(&bed, &wrong).err().unwrap();
        assert!(matches!(error, Error::NotFinite { .. }), "{error}");
        let step = wrong.steps.min(50);
        for words in words.into_iter().chain([&*format!("diverged at step {step}"), "no checkpoint exists"]) {
            assert!(error.to_string().contains(words), "'{words}' is not in: {error}");
        }
    }
    assert!(!bed.checkpoints().exists());
}

#[test]
fn the_last_good_checkpoint_of_a_training_that_diverges_is_kept_and_named() {
    let bed = Bed::new();
    let steady = Config { checkpoint_every: 20, ..config(200) };
    let wild = Command::Change(Box::new(Config { lr_means: 1e38, ..steady.clone() }));
    let error = train_with(&bed, &steady, &At::new(30, wild)).err().unwrap().to_string();
    assert!(
        error.contains("diverged at step 40: means has") && error.contains("checkpoint of step 20 is kept"),
        "{error}"
    );
    let (_, report) = plain(&bed, &Config { steps: 21, ..steady.clone() }).unwrap();
    assert_eq!(report.resumed_at, 0, "another number of steps is another run");
    // What densification would remove without a word.
    let densify = densify::Config { start: 0, every: 5, ..densify::Config::default() };
    let wrong = Config { lr_quats: 1e38, densify, ..config(200) };
    assert!(plain(&bed, &wrong).err().unwrap().to_string().contains("diverged at step 5"));
}

#[test]
fn a_periodic_checkpoint_that_fails_is_a_warning_and_one_at_the_end_an_error() {
    let bed = Bed::new();
    let config = Config { checkpoint_every: 2, ..config(7) };
    // Every change fails, from the first on.
    let full = arm(&bed.checkpoints(), Kind::Kill, 0);
    assert_eq!(plain(&bed, &config).unwrap().1.steps, 7);
    let error = train_with(&bed, &config, &At::new(5, Command::Stop)).err().unwrap();
    assert!(matches!(error, Error::NotSaved { step: 5, .. }), "{error}");
    assert_eq!(error.exit_code(), 1);
    for words in ["step 5 could not be written", "injected", "no checkpoint exists"] {
        assert!(error.to_string().contains(words), "'{words}' is not in: {error}");
    }
    assert!(full.disarm());
    // Later ones fail: the older one is what there is.
    let full = arm(&bed.checkpoints(), Kind::Kill, 6);
    let error = train_with(&bed, &config, &At::new(5, Command::Stop)).err().unwrap().to_string();
    assert!(error.contains("checkpoint of step 2 is kept"), "{error}\n{:?}", full.log());
    assert!(full.disarm());
    assert_eq!(plain(&bed, &config).unwrap().1.resumed_at, 2);
}

#[test]
fn checkpoints_come_by_time_and_a_damaged_one_costs_one_interval() {
    let bed = Bed::new();
    let config = Config { checkpoint_seconds: 0.02, ..config(300) };
    let (_, report) = plain(&bed, &config).unwrap();
    assert_eq!((report.steps, report.resumed_at), (300, 0));
    let latest = bed.checkpoints().join("latest.safetensors");
    let newest = plain(&bed, &config).unwrap().1.resumed_at;
    assert!(newest > 0 && bed.checkpoints().join("previous.safetensors").is_file());
    // How often they come is not what the run is.
    let rare = Config { checkpoint_seconds: 0.0, ..config };
    assert!(plain(&bed, &rare).unwrap().1.resumed_at >= newest);
    let mut bytes = std::fs::read(&latest).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&latest, &bytes).unwrap();
    let older = plain(&bed, &rare).unwrap().1.resumed_at;
    assert!(older > 0);
    std::fs::write(bed.checkpoints().join("previous.safetensors"), &bytes).unwrap();
    let error = plain(&bed, &rare).err().unwrap().to_string();
    assert!(error.contains("latest.safetensors") && error.contains("delete"), "{error}");
}

/// Whatever a step needs is there after the first ones: it makes no buffer and no bind group, and does not wait for the
/// device to be idle (the figures of two steps before pace it).
#[test]
fn a_step_in_the_steady_state_makes_nothing_and_waits_for_nothing() {
    let bed = Bed::new();
    let config = Config { sh_degree: 3, sh_interval: 1, ..config(90) };
    let splats = splat::from_points(&bed.points, &config.init());
    let mut trainer = Trainer::new(&bed.gpu, &bed.capture, &splats, &config).unwrap();
    let mut steps = |until: u32| {
        while trainer.step < until {
            trainer.step().unwrap();
        }
        bed.gpu.activity()
    };
    // Past the profiled step 25, up to the next that checks the model.
    let (before, after) = (steps(30), steps(45));
    assert_eq!(before.buffers, after.buffers);
    assert_eq!(before.bind_groups, after.bind_groups);
    assert_eq!(before.waits, after.waits);
    let dispatches = (after.dispatches - before.dispatches) as f64 / 15.0;
    assert!((25.0..=40.0).contains(&dispatches), "{dispatches} dispatches a step");
    let passes = (after.passes - before.passes) as f64 / 15.0;
    assert!(passes < 10.0, "{passes} passes a step");
    // The view's uniform and the learning rates; photographs are on the device.
    assert_eq!(after.uploads - before.uploads, 2 * 15);
}

/// The whole state after `until` steps, of a run that is interrupted wherever `breaks` says.
fn state_after(gpu: &Gpu, bed: &Bed, config: &Config, breaks: &[u32], until: u32) -> Saved {
    let splats = splat::from_points(&bed.points, &config.init());
    let mut trainer = Trainer::new(gpu, &bed.capture, &splats, config).unwrap();
    for end in breaks.iter().chain([&until]) {
        while trainer.step < *end {
            trainer.step().unwrap();
        }
        let state = trainer.state("run", 0.0, &[]).unwrap();
        if *end == until {
            return state;
        }
        let checkpoint = Checkpoint::upload(gpu, state).unwrap();
        trainer = Trainer::resume(gpu, &bed.capture, config, checkpoint).unwrap();
        // Room for hardly any pair, where the first run has had more for long.
        trainer.pairs = 7;
    }
    trainer.state("run", 0.0, &[]).unwrap()
}

#[test]
fn a_deterministic_training_gives_the_same_bytes_again_and_after_interruptions() {
    let bed = Bed::new();
    for (strategy, mask) in [
        (Strategy::Default, Mask::default()),
        (Strategy::Mcmc, Mask::default()),
        (Strategy::Default, Mask { subgroups: true, ..Mask::default() }),
    ] {
        let gpu = Gpu::open(&Choice::Best, mask).unwrap();
        // Copies of splats have equal depths: their order must not show either.
        let densify = densify::Config { strategy, start: 2, every: 6, grad_threshold: 1e-5, ..Default::default() };
        let config = Config { deterministic: true, densify, opacity_regularizer: 1e-3, ..config(26) };
        let whole = state_after(&gpu, &bed, &config, &[], 26);
        assert!(whole.statistics.len() > 300, "{} splats", whole.statistics.len());
        assert!(whole == state_after(&gpu, &bed, &config, &[], 26), "{strategy:?}: a second run differs");
        let parts = state_after(&gpu, &bed, &config, &[5, 12, 19], 26);
        for (group, name) in ["parameters", "first moments", "second moments"].iter().enumerate() {
            for (tensor, name_of) in splat::TENSOR_NAMES.iter().enumerate() {
                let same = bits(&whole.groups[group][tensor]) == bits(&parts.groups[group][tensor]);
                assert!(same, "{strategy:?} {mask:?}: {name} of {name_of} differ after interruptions");
            }
        }
        assert!(whole == parts);
    }
}

/// What steps share is as if it were made for each of them, whatever sizes their photographs have.
#[test]
fn a_step_finds_nothing_of_a_larger_photograph_before_it() {
    let mut bed = Bed::new();
    bed.capture.train.truncate(2);
    let small = bed.capture.train[1].camera.downscaled(3);
    bed.capture.train[1].camera = small;
    for mask in [Mask::default(), Mask::ALL] {
        let gpu = Gpu::open(&Choice::Best, mask).unwrap();
        // Whatever the order of the views, a small one follows a large one in four steps.
        let config = Config { deterministic: true, ramp: 1, ..config(4) };
        let whole = state_after(&gpu, &bed, &config, &[], 4);
        assert!(whole == state_after(&gpu, &bed, &config, &[1, 2, 3], 4), "{mask:?}");
    }
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}
