//! Finds the fastest variants of kernels on an adapter.
//!
//! Variants take turns on the workloads that they matter to; the one with the least product of times is chosen. The raster
//! kernels come first, and sorts are measured with the choice made there.

use super::{Config, WORKLOADS, Work, measure};
use crate::error::{Error, Result};
use crate::gpu::{Gpu, RasterBy, SortBy, Variants, Wanted, variants_record};
use crate::progress::Progress;
use crate::storage;
use serde::Serialize;
use std::path::PathBuf;

/// How often variants take turns; the shortest median of each counts.
const ROUNDS: usize = 3;

/// What was measured, and what is chosen.
#[derive(Clone, Debug, Serialize)]
pub struct Tuning {
    /// The adapter's name.
    pub adapter: String,
    /// The times.
    pub trials: Vec<Trial>,
    /// The fastest.
    pub chosen: Variants,
    /// The file that holds the choice; nothing where the environment names no folder for it.
    pub recorded: Option<PathBuf>,
}

/// One variant and one workload.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Trial {
    /// The variant, as text that [`Wanted`] reads.
    pub variant: String,
    /// The workload.
    pub workload: &'static str,
    /// Median of the turns, the shortest of [`ROUNDS`]; nothing where memory did not suffice.
    pub milliseconds: Option<f64>,
}

impl Tuning {
    /// The times, and what is chosen.
    pub fn table(&self) -> String {
        let mut lines = vec![self.adapter.clone()];
        let time = |t: &Trial| t.milliseconds.map_or_else(|| "out of memory".into(), |ms| format!("{ms:>10.2} ms"));
        let line = |t: &Trial| format!("{:<16}{:<12}{}", t.variant, t.workload, time(t));
        lines.extend(self.trials.iter().map(line));
        lines.push(format!("fastest: {}", self.chosen));
        lines.push(match &self.recorded {
            Some(path) => format!("used from now on with this adapter and driver ({})", path.display()),
            None => {
                "not recorded: the environment names no folder for it (HOME, XDG_CACHE_HOME or LOCALAPPDATA)".into()
            }
        });
        lines.join("\n")
    }
}

/// Measures the variants that the adapter of `config` can run, and records the fastest of them for later devices.
///
/// # Errors
/// The adapter does not open or fails; the record cannot be written; an interrupt.
pub fn tune(config: &Config, progress: &dyn Progress) -> Result<Tuning> {
    let gpu = Gpu::open(&config.adapter, config.mask)?;
    let (draws, sorts) = match gpu.is_software() {
        true => (workloads(&["frame-100k", "step-6k"]), workloads(&["sort-1m"])),
        false => (workloads(&["frame-1m", "step-150k"]), workloads(&["sort-1m", "sort-10m"])),
    };
    let (info, capabilities, driver) = (gpu.info().clone(), gpu.capabilities(), gpu.driver());
    drop(gpu);
    let rasters: Vec<_> = RasterBy::ALL.into_iter().filter(|by| by.runs_on(&info, capabilities)).collect();
    let orders: Vec<_> = SortBy::ALL.into_iter().filter(|by| by.runs_with(capabilities)).collect();
    // A single variant takes no turns.
    let turns = |variants: usize, works: usize| if variants > 1 { ROUNDS * variants * works } else { 0 };
    let all = turns(rasters.len(), draws.len()) + turns(orders.len(), sorts.len());
    progress.begin("bench", "turns", all as u64);
    let mut turns = Turns { config, progress, done: 0, trials: Vec::new() };
    let named = |by: RasterBy| (format!("raster={}", by.name()), Wanted { raster: Some(by), sort: None });
    let fastest = turns.fastest(&rasters.iter().map(|by| named(*by)).collect::<Vec<_>>(), &draws)?;
    let raster = rasters[fastest];
    let named = |by: SortBy| (format!("sort={}", by.name()), Variants { raster, sort: by }.into());
    let fastest = turns.fastest(&orders.iter().map(|by| named(*by)).collect::<Vec<_>>(), &sorts)?;
    let chosen = Variants { raster, sort: orders[fastest] };
    progress.end();
    let recorded = match variants_record(&driver, chosen) {
        Some((path, content)) => {
            path.parent().map_or(Ok(()), storage::create_folder)?;
            storage::write_bytes(&path, content.as_bytes())?;
            Some(path)
        }
        None => None,
    };
    Ok(Tuning { adapter: info.name, trials: turns.trials, chosen, recorded })
}

/// Those of the workloads that `names` has.
fn workloads(names: &[&str]) -> Vec<(&'static str, Work)> {
    WORKLOADS.iter().filter(|(name, ..)| names.contains(name)).map(|(name, work, _)| (*name, *work)).collect()
}

struct Turns<'a> {
    config: &'a Config,
    progress: &'a dyn Progress,
    done: u64,
    trials: Vec<Trial>,
}

impl Turns<'_> {
    /// The number of the variant that takes the least time for `workloads`. Workloads that fit no variant's memory do not
    /// count.
    fn fastest(&mut self, variants: &[(String, Wanted)], workloads: &[(&'static str, Work)]) -> Result<usize> {
        if variants.len() == 1 {
            return Ok(0);
        }
        let mut products = vec![1.0; variants.len()];
        for (name, work) in workloads {
            let mut shortest = vec![f64::INFINITY; variants.len()];
            for turn in 0..ROUNDS * variants.len() {
                let at = turn % variants.len();
                shortest[at] = shortest[at].min(self.time(*work, &variants[at].1)?.unwrap_or(f64::INFINITY));
                self.done += 1;
                self.progress.set(self.done, &variants[at].0);
            }
            if shortest.iter().all(|time| time.is_infinite()) {
                continue;
            }
            for ((product, milliseconds), (variant, _)) in products.iter_mut().zip(shortest).zip(variants) {
                *product *= milliseconds;
                let milliseconds = Some(milliseconds).filter(|time| time.is_finite());
                self.trials.push(Trial { variant: variant.clone(), workload: name, milliseconds });
            }
        }
        Ok((0..products.len()).min_by(|a, b| products[*a].total_cmp(&products[*b])).unwrap_or(0))
    }

    /// Milliseconds of one measurement; nothing where memory does not suffice.
    fn time(&self, work: Work, wanted: &Wanted) -> Result<Option<f64>> {
        self.progress.check()?;
        let gpu = Gpu::open_with(&self.config.adapter, self.config.mask, wanted)?;
        match measure(&gpu, work, self.config.time, self.progress).and_then(|row| gpu.check().map(|()| row)) {
            Ok(row) => Ok(Some(row.milliseconds)),
            Err(Error::OutOfMemory(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::{Choice, Mask};
    use crate::progress::Silent;
    use std::time::Duration;

    #[test]
    fn the_fastest_variant_is_found_on_what_there_is_memory_for() {
        let (adapter, mask) = (Choice::Best, Mask { buffer_bytes: 4 << 20, ..Mask::default() });
        let config = Config { adapter, mask, variants: Wanted::default(), only: Vec::new(), time: Duration::ZERO };
        let progress = Silent::default();
        let mut turns = Turns { config: &config, progress: &progress, done: 0, trials: Vec::new() };
        let variants = ["sort=columns", "sort=lanes"].map(|text| (text.to_string(), text.parse().unwrap()));
        // Ten million pairs are beyond 4 MiB.
        let works = [("large", Work::Sort(10_000_000)), ("small", Work::Sort(200_000))];
        let fastest = turns.fastest(&variants, &works).unwrap();
        assert_eq!((turns.trials.len(), turns.done), (2, 12));
        let times = [0, 1].map(|at| turns.trials[at].milliseconds.unwrap());
        assert!(turns.trials.iter().all(|t| t.workload == "small") && times[fastest] <= times[1 - fastest]);
        assert_eq!(workloads(&["sort-1m", "sort-10m"]).len(), 2);
    }
}
