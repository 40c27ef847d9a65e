//! Fixed, seeded workloads that time a frame, a sort, a training step and the work on a view on an adapter.
//!
//! Every workload opens the adapter for itself, so that its device memory is its own, makes its inputs from formulas
//! ([`scene`]), does the work once to warm up, and then repeats it for a set time. Figures are medians of the turns by
//! the clock; kernels are timed in turns of their own, since timestamps cost passes.

mod files;
mod frame;
mod report;
mod scene;
mod sort;
mod steps;
mod tune;
mod turns;
mod views;

pub use report::{Report, Row};
pub use tune::{Trial, Tuning, tune};

use crate::error::{Error, Result};
use crate::gpu::{Choice, Gpu, Mask, Wanted};
use crate::progress::Progress;
use std::time::Duration;

/// A size of picture, `[width, height]`.
type Size = [u32; 2];

/// What one workload does.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Work {
    /// Draws a ball of this many splats of SH degree 3 as the window does.
    Frame(usize, Size),
    /// Sorts this many pairs by 32 bits.
    Sort(usize),
    /// Trains this many splats of SH degree 3 on views of this size.
    Steps(usize, Size),
    /// Predicts the network's maps at the first size and applies them at the second.
    Network(Size, Size),
    /// Finds the depth maps of views of this size.
    Stereo(Size),
    /// Reads a JPEG file of this size.
    Decode(Size),
    /// Makes a JPEG file of this size.
    Encode(Size),
}

/// Name of each workload, what it does, and whether a software adapter runs it by default: the others take it minutes.
const WORKLOADS: [(&str, Work, bool); 13] = [
    ("frame-100k", Work::Frame(100_000, [640, 360]), true),
    ("frame-1m", Work::Frame(1_000_000, [1920, 1080]), false),
    ("frame-5m", Work::Frame(5_000_000, [3840, 2160]), false),
    ("sort-1m", Work::Sort(1_000_000), true),
    ("sort-10m", Work::Sort(10_000_000), false),
    ("step-6k", Work::Steps(6_000, [441, 293]), true),
    ("step-150k", Work::Steps(150_000, [1764, 1172]), false),
    ("step-1m", Work::Steps(1_000_000, [1600, 1060]), false),
    ("step-3m", Work::Steps(3_000_000, [1600, 1060]), false),
    ("network", Work::Network([441, 293], [1764, 1172]), true),
    ("stereo", Work::Stereo([441, 293]), true),
    ("decode", Work::Decode([1764, 1172]), true),
    ("encode", Work::Encode([1764, 1172]), true),
];

/// What is measured, and for how long.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The adapter.
    pub adapter: Choice,
    /// Optional features that are left unused.
    pub mask: Mask,
    /// Variants of kernels to run; the default for the rest.
    pub variants: Wanted,
    /// Names of workloads; empty: all, or on a software adapter those that take it seconds.
    pub only: Vec<String>,
    /// Time to repeat each workload for; it runs at least three times.
    pub time: Duration,
}

/// The names that [`Config::only`] takes.
pub fn names() -> impl Iterator<Item = &'static str> {
    WORKLOADS.iter().map(|(name, ..)| *name)
}

/// Measures the workloads of `config`. A workload that does not fit the adapter's memory becomes a row that says so.
///
/// # Errors
/// [`Error::Setting`] for an unknown name; an adapter that does not open or fails; an interrupt.
pub fn run(config: &Config, progress: &dyn Progress) -> Result<Report> {
    if let Some(unknown) = config.only.iter().find(|name| !names().any(|known| known == **name)) {
        let known = names().collect::<Vec<_>>().join(", ");
        return Err(Error::setting("only", format!("unknown workload '{unknown}'"), format!("use {known}")));
    }
    let first = Gpu::open_with(&config.adapter, config.mask, &config.variants)?;
    let software = first.info().device_type == wgpu::DeviceType::Cpu;
    let chosen = |name: &str, light: bool| match &config.only[..] {
        [] => light || !software,
        only => only.iter().any(|wanted| wanted == name),
    };
    let workloads: Vec<_> = WORKLOADS.iter().filter(|(name, _, light)| chosen(name, *light)).collect();
    let mut report = Report::of(&first);
    drop(first);
    progress.begin("bench", "workloads", workloads.len() as u64);
    for (name, work, _) in workloads {
        progress.check()?;
        let gpu = Gpu::open_with(&config.adapter, config.mask, &config.variants)?;
        let measured = measure(&gpu, *work, config.time, progress).and_then(|row| gpu.check().map(|()| row));
        report.rows.push(match measured {
            Ok(row) => Row { name: (*name).into(), device_bytes: gpu.peak_bytes(), ..row },
            Err(error @ Error::OutOfMemory(_)) => {
                Row { name: (*name).into(), failed: Some(error.to_string()), ..Row::default() }
            }
            Err(error) => return Err(error),
        });
        progress.set(report.rows.len() as u64, name);
    }
    progress.end();
    Ok(report)
}

fn measure(gpu: &Gpu, work: Work, time: Duration, progress: &dyn Progress) -> Result<Row> {
    let turns = turns::Turns { gpu, time, progress };
    match work {
        Work::Frame(count, size) => frame::measure(gpu, count, size, &turns),
        Work::Sort(count) => sort::measure(gpu, count, &turns),
        Work::Steps(count, size) => steps::measure(gpu, count, size, &turns),
        Work::Network(small, large) => views::network(gpu, small, large, &turns),
        Work::Stereo(size) => views::stereo(gpu, size, &turns),
        Work::Decode(size) => files::decode(size, &turns),
        Work::Encode(size) => files::encode(size, &turns),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Silent;
    use std::collections::BTreeSet;

    fn of(only: &[&str]) -> Config {
        let only = only.iter().map(|name| (*name).into()).collect();
        Config { adapter: Choice::Best, mask: Mask::default(), variants: Wanted::default(), only, time: Duration::ZERO }
    }

    #[test]
    fn variants_are_run_as_asked_and_reported() {
        let config = Config { variants: "raster=wide,sort=columns".parse().unwrap(), ..of(&["encode"]) };
        let variants = run(&config, &Silent::default()).unwrap().variants.unwrap();
        assert_eq!((variants.raster.name(), variants.sort.name()), ("wide", "columns"));
    }

    #[test]
    fn names_differ_and_unknown_ones_are_refused() {
        assert_eq!(names().collect::<BTreeSet<_>>().len(), WORKLOADS.len());
        let error = run(&of(&["frame-1g"]), &Silent::default()).unwrap_err().to_string();
        assert!(error.contains("frame-1g") && error.contains("frame-100k"), "{error}");
    }

    /// Small sizes of every kind of work: they run, their figures are those of what was asked for.
    #[test]
    fn every_kind_of_work_is_measured() {
        let small = [64, 48];
        let gpu = Gpu::open(&Choice::Best, Mask::default()).unwrap();
        let measure = |work| measure(&gpu, work, Duration::ZERO, &Silent::default()).unwrap();
        let frame = measure(Work::Frame(500, small));
        assert!(frame.milliseconds > 0.0 && frame.facts["pairs"] >= frame.facts["visible"]);
        assert_eq!((frame.facts["splats"], frame.waits), (500.0, 1.0));
        assert!((10.0..60.0).contains(&frame.dispatches), "{}", frame.dispatches);
        let steps = measure(Work::Steps(300, small));
        assert!(steps.facts["visible"] > 100.0 && steps.milliseconds > 0.0, "{:?}", steps.facts);
        if gpu.capabilities().timestamps {
            assert!(frame.kernels.keys().any(|name| name.contains("raster_forward")), "{:?}", frame.kernels);
            assert!(steps.kernels.keys().any(|name| name.contains("raster_backward")), "{:?}", steps.kernels);
        }
        for work in [Work::Sort(3000), Work::Network(small, [128, 96]), Work::Decode(small), Work::Encode(small)] {
            assert!(measure(work).milliseconds > 0.0, "{work:?}");
        }
        assert!(measure(Work::Stereo(small)).facts["views"] > 1.0);
    }
}
