//! `naka-gs bench`

use super::output;
use super::progress::Reporter;
use super::setting_flags::{AdapterOnly, SettingFlags};
use naka_gs::bench::{self, Config, Report};
use naka_gs::gpu::{Mask, Wanted};
use naka_gs::{Error, Result};
use std::path::PathBuf;
use std::time::Duration;

/// Measure what an adapter takes for frames, sorts, steps of training and the work on a view
#[derive(clap::Args)]
#[command(after_help = "Examples:
  naka-gs bench                                   everything; on a software adapter what takes seconds
  naka-gs bench --only step-150k,frame-1m         some workloads
  naka-gs bench --variants sort=columns           the same with other kernels
  naka-gs bench --tune                            which kernels are the fastest here, for all runs to come
  naka-gs bench --json > before.json              to compare with later: naka-gs bench --compare before.json
What is measured and how: docs/benchmarks.md")]
pub struct Bench {
    /// Only these workloads, separated by commas
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = clap::builder::PossibleValuesParser::new(bench::names()))]
    only: Vec<String>,
    /// Seconds to repeat each workload for; it runs at least three times
    #[arg(long, value_name = "S", default_value_t = 5.0)]
    seconds: f64,
    /// Print the speedup of each workload over this report of `bench --json`
    #[arg(long, value_name = "FILE.json")]
    compare: Option<PathBuf>,
    /// Run these variants of kernels whose results differ by rounding at most: raster=wide or tall, sort=columns, ballots or
    /// lanes, separated by commas
    #[arg(long, value_name = "LIST", default_value = "", hide_default_value = true)]
    variants: String,
    /// Measure every variant that the adapter can run, and let all commands run the fastest from now on
    #[arg(long, conflicts_with_all = ["only", "compare", "variants"])]
    tune: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: SettingFlags<AdapterOnly>,
}

impl Bench {
    pub fn run(self, reporter: &Reporter) -> Result<()> {
        let time = Duration::try_from_secs_f64(self.seconds)
            .map_err(|_| Error::setting("--seconds", self.seconds.to_string(), "give a number of seconds from 0 on"))?;
        let earlier = self.compare.as_deref().map(Report::read).transpose()?;
        let adapter = self.settings.resolve()?.adapter_choice();
        let variants: Wanted = self.variants.parse()?;
        let config = Config { adapter, mask: Mask::of_process(), variants, only: self.only, time };
        if self.tune {
            let tuning = bench::tune(&config, reporter)?;
            return if self.json { output::json(&tuning) } else { output::line(tuning.table()) };
        }
        let report = bench::run(&config, reporter)?;
        if let Some(earlier) = earlier.as_ref().filter(|earlier| earlier.adapter != report.adapter) {
            tracing::warn!("compared with another adapter, {}", earlier.adapter);
        }
        if self.json { output::json(&report) } else { output::line(report.table(earlier.as_ref())) }
    }
}
