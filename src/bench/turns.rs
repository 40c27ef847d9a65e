//! Work done again and again, by the clock.

use super::report::Row;
use crate::capture::median;
use crate::error::Result;
use crate::gpu::{Gpu, Recorder, Timings};
use crate::progress::{Progress, Stop};
use std::time::{Duration, Instant};

/// Fewest turns that a median is taken of, and most.
const LEAST: usize = 3;
const MOST: usize = 200;
/// Recordings whose kernels are timed; the one of median time is reported.
const TIMED: usize = 5;

/// How long work is repeated.
pub struct Turns<'a> {
    pub gpu: &'a Gpu,
    pub time: Duration,
    pub progress: &'a dyn Progress,
}

impl Turns<'_> {
    /// A row with the times of `work`, which ends when the device has; the first turn warms up and is not counted.
    pub fn row(&self, mut work: impl FnMut() -> Result<()>) -> Result<Row> {
        work()?;
        self.row_of(1, work)
    }

    /// A row of what `record` records, from its submission to its end, and with the times of its kernels.
    pub fn recorded(&self, record: impl Fn(&mut Recorder<'_>)) -> Result<Row> {
        let row = self.row(|| {
            let mut recorder = Recorder::new(self.gpu);
            record(&mut recorder);
            recorder.submit();
            self.gpu.wait()
        })?;
        let timed = || {
            let mut recorder = Recorder::profiled(self.gpu);
            record(&mut recorder);
            recorder.submit_timed()
        };
        let kernels = middle((0..TIMED).map(|_| timed()).collect::<Result<_>>()?);
        Ok(Row { kernels, ..row })
    }

    /// As [`Turns::row`], for warm work that makes `count` units per turn.
    pub fn row_of(&self, count: u32, mut work: impl FnMut() -> Result<()>) -> Result<Row> {
        let (started, mut times, before) = (Instant::now(), Vec::new(), self.gpu.activity());
        while times.len() < LEAST || (started.elapsed() < self.time && times.len() < MOST) {
            self.progress.check()?;
            let turn = Instant::now();
            work()?;
            times.push(turn.elapsed().as_secs_f64() * 1e3 / f64::from(count));
        }
        let fastest = times.iter().copied().fold(f64::INFINITY, f64::min);
        let (turns, after) = (times.len(), self.gpu.activity());
        let each = |total: u64| total as f64 / (turns as f64 * f64::from(count));
        let (dispatches, waits) = (each(after.dispatches - before.dispatches), each(after.waits - before.waits));
        Ok(Row { milliseconds: median(times), fastest, turns, dispatches, waits, ..Row::default() })
    }
}

/// Of several timings, the one whose sum is the median.
fn middle(mut timings: Vec<Timings>) -> Timings {
    let total = |timings: &Timings| timings.values().sum::<f64>();
    timings.sort_by(|a, b| total(a).total_cmp(&total(b)));
    timings.swap_remove(timings.len() / 2)
}

/// Passes on the request to stop and nothing else: stages within a workload report to nobody.
pub struct Quiet<'a>(pub &'a dyn Progress);

impl Progress for Quiet<'_> {
    fn stop(&self) -> &Stop {
        self.0.stop()
    }
}
