//! Looks on while a scene is trained, and stops after 600 steps; the same command goes on: `cargo run --release --example
//! watch_training -- SCENE OUT`.

use naka_gs::pipeline::{Job, Scope, Shared, run};
use naka_gs::progress::{Silent, Stop};
use naka_gs::settings::Preset;
use naka_gs::train::{Command, StepInfo, Watch};
use naka_gs::{Error, Result};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

/// Prints every hundredth step, and stops after six hundred of its own.
#[derive(Default)]
struct SixHundredSteps {
    seen: AtomicU32,
}

impl Watch for SixHundredSteps {
    fn next(&self, _stop: &Stop) -> Command {
        if self.seen.load(Ordering::Relaxed) < 600 { Command::Step } else { Command::Stop }
    }

    fn stepped(&self, now: &StepInfo<'_>) {
        self.seen.fetch_add(1, Ordering::Relaxed);
        if now.step.is_multiple_of(100) {
            println!("step {} of {}: {} splats, loss {:.4}", now.step, now.steps, now.splats, now.figures.loss);
        }
    }
}

fn main() -> Result<()> {
    let given: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [scene, out]: [PathBuf; 2] = given
        .try_into()
        .map_err(|given: Vec<_>| Error::setting("arguments", format!("{}", given.len()), "give SCENE and OUT"))?;
    let job = Job { scene, out, settings: Preset::Preview.settings(), overwrite: false, scope: Scope::Everything };
    let watch = SixHundredSteps::default();
    match run(&job, &Shared { watch: Some(&watch), ..Shared::default() }, &Silent::default()) {
        Err(Error::Interrupted(checkpoint)) => println!("stopped: {checkpoint}"),
        other => println!("finished: {} splats", other?.run.splats.unwrap_or_default()),
    }
    Ok(())
}
