//! A scene folder to splats, renders and numbers: `cargo run --release --example train_and_save -- SCENE OUT`.

use naka_gs::pipeline::{Job, Scope, Shared, run};
use naka_gs::progress::Silent;
use naka_gs::settings::Preset;
use naka_gs::{Error, Result};
use std::path::PathBuf;

fn main() -> Result<()> {
    let given: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [scene, out]: [PathBuf; 2] = given
        .try_into()
        .map_err(|given: Vec<_>| Error::setting("arguments", format!("{}", given.len()), "give SCENE and OUT"))?;
    let mut settings = Preset::Preview.settings();
    settings.holdout = Some(8);
    settings.train.steps = 1000;
    let job = Job { scene, out, settings, overwrite: false, scope: Scope::Everything };
    // The same job continues where an earlier one was stopped.
    let outcome = run(&job, &Shared::default(), &Silent::default())?;
    println!("{} splats in {}", outcome.run.splats.unwrap_or_default(), job.out.join("splats.ply").display());
    if let Some(psnr) = outcome.metrics.metrics.holdout.and_then(|group| group.psnr) {
        println!("held-out views: {psnr:.2} dB");
    }
    Ok(())
}
