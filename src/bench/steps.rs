//! Steps of training without growth, SH degree 3 from the first.

use super::report::Row;
use super::scene::Ring;
use super::turns::Turns;
use crate::error::Result;
use crate::gpu::Gpu;
use crate::train::{Config, Trainer, densify};
use std::time::Instant;

/// Kernels of a step are timed by the trainer in one of so many; a turn ends after one.
const TURN: u32 = 25;

pub fn measure(gpu: &Gpu, count: usize, size: [u32; 2], turns: &Turns<'_>) -> Result<Row> {
    let Ring { capture, splats, .. } = &mut Ring::new(gpu, count, size)?;
    // Every color is still to be found.
    splats.sh.fill(0.0);
    let densify = densify::Config { strategy: densify::Strategy::None, ..densify::Config::default() };
    let config = Config { steps: 30_000, sh_degree: 3, sh_interval: 1, densify, ..Config::default() };
    let mut trainer = Trainer::new(gpu, capture, splats, &config)?;
    let mut steps = |count: u32| -> Result<()> {
        for _ in 0..count {
            turns.progress.check()?;
            trainer.step()?;
        }
        trainer.finish()
    };
    // Every photograph is decoded for the first time, and buffers find their size.
    let (started, views) = (Instant::now(), capture.train.len() as u32);
    steps(views)?;
    let first = started.elapsed().as_secs_f64() * 1e3 / f64::from(views);
    steps(TURN)?;
    let mut row = turns.row_of(TURN, || steps(TURN))?;
    let timed = f64::from(trainer.timed_steps.max(1));
    row.kernels = trainer.timings.iter().map(|(name, ms)| (name.clone(), ms / timed)).collect();
    let figures = trainer.figures;
    Ok(row
        .with("splats", splats.len() as f64)
        .with("visible", figures.visible as f64)
        .with("pairs", figures.pairs as f64)
        .with("ms per step while warming up", first))
}
