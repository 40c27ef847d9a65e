//! The report of a benchmark, as a table and as a file to compare with.

use crate::error::{Error, Result};
use crate::gpu::{Gpu, Timings, Variants};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// The figures of one workload.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The workload.
    pub name: String,
    /// Median of the runs by the clock: of a frame, a sort, a step, a view, a file.
    pub milliseconds: f64,
    /// The shortest run.
    pub fastest: f64,
    /// How many runs there were.
    pub turns: usize,
    /// Dispatches per unit of `milliseconds` (frame, sort, step, …).
    #[serde(default)]
    pub dispatches: f64,
    /// Waits of the host for the device, per the same unit.
    #[serde(default)]
    pub waits: f64,
    /// Milliseconds of each kernel by GPU timestamps; empty where the adapter has none. A software adapter's do not hold
    /// all of a kernel's work.
    #[serde(default, skip_serializing_if = "Timings::is_empty")]
    pub kernels: Timings,
    /// Most bytes of device memory that were held at one time.
    pub device_bytes: u64,
    /// What the work was: splats, pairs, visible splats, views.
    pub facts: BTreeMap<String, f64>,
    /// Why there are no figures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
}

impl Row {
    /// The row with another fact.
    #[must_use]
    pub fn with(mut self, fact: &str, value: f64) -> Self {
        self.facts.insert(fact.into(), value);
        self
    }

    /// Milliseconds of all kernels together.
    pub fn kernel_milliseconds(&self) -> Option<f64> {
        (!self.kernels.is_empty()).then(|| self.kernels.values().sum())
    }
}

/// What was measured on an adapter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The program's version.
    pub version: String,
    /// The adapter's name.
    pub adapter: String,
    /// Its driver.
    pub driver: String,
    /// Optional features in use.
    pub features: Vec<String>,
    /// Variants of kernels in use; unknown of reports from before there were any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variants: Option<Variants>,
    /// Processor cores that the program may use.
    pub cores: usize,
    /// The workloads.
    pub rows: Vec<Row>,
}

impl Report {
    /// No rows yet.
    pub(super) fn of(gpu: &Gpu) -> Self {
        let (info, can) = (gpu.info(), gpu.capabilities());
        let all = [("subgroups", can.subgroups), ("float atomics", can.float_atomics), ("timestamps", can.timestamps)];
        Self {
            version: env!("CARGO_PKG_VERSION").into(),
            adapter: gpu.name().into(),
            driver: format!("{} {}", info.driver, info.driver_info).trim().into(),
            features: all.iter().filter(|(_, has)| *has).map(|(name, _)| (*name).into()).collect(),
            variants: Some(gpu.variants()),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            rows: Vec::new(),
        }
    }

    /// Reads what an earlier measurement printed as JSON.
    ///
    /// # Errors
    /// The file cannot be read, or is no such report.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(Error::io(path))?;
        serde_json::from_str(&text).map_err(|error| {
            let found = format!("is no report of `naka-gs bench` ({error})");
            Error::input(path, found, "measure again with the program to compare with")
        })
    }

    /// The table, with each row's speedup over `earlier`.
    pub fn table(&self, earlier: Option<&Self>) -> String {
        let mut features = self.features.join(", ");
        features += &self.variants.map_or_else(String::new, |variants| format!("; {variants}"));
        let mut lines = vec![
            format!("{} ({}), {features}; {} cores", self.adapter, self.driver, self.cores),
            format!(
                "{:<12}{:>11}{:>11}{:>11}{:>12}{:>7}{:>6}  of",
                "", "median ms", "fastest", "kernels", "dispatches", "waits", "MiB"
            ) + if earlier.is_some() { ", speedup" } else { "" },
        ];
        lines.extend(self.rows.iter().map(|row| row.line(earlier)));
        lines.join("\n")
    }
}

impl Row {
    fn line(&self, earlier: Option<&Report>) -> String {
        if let Some(why) = &self.failed {
            return format!("{:<12}{why}", self.name);
        }
        let kernels = self.kernel_milliseconds().map_or_else(|| "-".into(), |ms| format!("{ms:.2}"));
        let facts: Vec<_> = self.facts.iter().map(|(name, value)| format!("{value:.0} {name}")).collect();
        let mib = match self.device_bytes {
            0 => "-".into(),
            bytes => (bytes >> 20).to_string(),
        };
        let mut line = format!(
            "{:<12}{:>11.2}{:>11.2}{kernels:>11}{:>12.1}{:>7.2}{mib:>6}  {}",
            self.name,
            self.milliseconds,
            self.fastest,
            self.dispatches,
            self.waits,
            facts.join(", ")
        );
        if let Some(report) = earlier {
            let before = report.rows.iter().find(|row| row.name == self.name && row.failed.is_none());
            let ratio = before.map(|row| row.milliseconds / self.milliseconds);
            line += &ratio.map_or_else(|| "  not measured before".into(), |ratio| format!("  {ratio:.2} x"));
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(milliseconds: f64) -> Report {
        let row = Row { name: "sort-1m".into(), milliseconds, fastest: milliseconds, turns: 3, ..Row::default() };
        let failed = Row { name: "frame-5m".into(), failed: Some("out of memory".into()), ..Row::default() };
        Report {
            version: "0".into(),
            adapter: "A".into(),
            driver: "B".into(),
            features: vec!["subgroups".into()],
            variants: None,
            cores: 2,
            rows: vec![row.with("pairs", 1e6), failed],
        }
    }

    #[test]
    fn tables_say_how_many_times_as_fast_and_files_come_back() {
        let table = report(10.0).table(Some(&report(25.0)));
        assert!(table.contains("1000000 pairs  2.50 x") && table.contains("out of memory"), "{table}");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("before.json");
        std::fs::write(&path, serde_json::to_string(&report(25.0)).unwrap()).unwrap();
        assert_eq!(Report::read(&path).unwrap(), report(25.0));
        std::fs::write(&path, "{\"rows\": []}").unwrap();
        let error = Report::read(&path).unwrap_err().to_string();
        assert!(error.contains("before.json") && error.contains("no report"), "{error}");
        let mut none = report(25.0);
        none.rows.clear();
        assert!(report(10.0).table(Some(&none)).contains("not measured before"));
    }
}
