//! `naka-gs doctor`

use super::output;
use super::progress::Reporter;
use super::setting_flags::{AdapterOnly, SettingFlags};
use naka_gs::golden::{self, GoldenReport};
use naka_gs::gpu::{AdapterReport, Capabilities, Gpu, Mask, Variants, adapters};
use naka_gs::self_test::{self, Check};
use naka_gs::{Error, Progress, Result};
use std::path::{Path, PathBuf};

/// List the adapters with their limits, and test one
#[derive(clap::Args)]
pub struct Doctor {
    /// Compare the kernels with the golden files in a folder
    #[arg(long, value_name = "DIR")]
    golden: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: SettingFlags<AdapterOnly>,
}

#[derive(serde::Serialize)]
struct Report {
    adapters: Vec<AdapterReport>,
    /// The adapter that is tested, and what of it is used after `NAKA_GS_MASK`.
    adapter: String,
    capabilities: Capabilities,
    /// The kernels that it runs, of those of equal results.
    variants: Variants,
    checks: Vec<Check>,
}

impl Doctor {
    pub fn run(self, reporter: &Reporter) -> Result<()> {
        let settings = self.settings.resolve()?;
        let gpu = Gpu::open(&settings.adapter_choice(), Mask::of_process())?;
        match &self.golden {
            Some(folder) => self.check_golden(&gpu, folder, reporter),
            None => self.describe(&gpu),
        }
    }

    fn describe(&self, gpu: &Gpu) -> Result<()> {
        let report = Report {
            adapters: adapters(),
            adapter: gpu.name().into(),
            capabilities: gpu.capabilities(),
            variants: gpu.variants(),
            checks: self_test::run(gpu)?,
        };
        if self.json {
            output::json(&report)?;
        } else {
            print(&report)?;
        }
        let failed: Vec<_> = report.checks.iter().filter(|check| !check.pass).map(|check| check.name).collect();
        if failed.is_empty() {
            return Ok(());
        }
        let (adapter, failed) = (gpu.name(), failed.join(", "));
        Err(Error::CheckFailed(format!(
            "{adapter}: the self-test failed ({failed}); update the driver, try NAKA_GS_MASK=all, or choose another --adapter"
        )))
    }

    fn check_golden(&self, gpu: &Gpu, folder: &Path, reporter: &Reporter) -> Result<()> {
        let mut reports = Vec::new();
        for path in golden::files(folder)? {
            reporter.check()?;
            let report = golden::check(gpu, &path)?;
            if !self.json {
                output::line(summary(&report))?;
            }
            reports.push(report);
        }
        if self.json {
            output::json(&reports)?;
        }
        let failed: Vec<_> = reports.iter().filter(|r| !r.pass).map(|r| r.file.as_str()).collect();
        if failed.is_empty() {
            return Ok(());
        }
        let adapter = gpu.name();
        Err(Error::CheckFailed(format!(
            "{adapter}: {} of {} golden files failed ({}); update the driver, or choose another --adapter",
            failed.len(),
            reports.len(),
            failed.join(", ")
        )))
    }
}

fn print(report: &Report) -> Result<()> {
    report.adapters.iter().try_for_each(|adapter| output::line(describe(adapter)))?;
    let Report { adapter, capabilities, variants, .. } = report;
    output::line(format!("in use: {adapter} ({}; {variants})", features(*capabilities)))?;
    report.checks.iter().try_for_each(|check| {
        output::line(format!("{} {}: {}", if check.pass { "pass" } else { "FAIL" }, check.name, check.detail))
    })
}

/// One line: the file, and its errors, those nearest to or beyond their tolerance first.
fn summary(report: &GoldenReport) -> String {
    let share = |name: &str| report.errors[name] / report.tolerances[name].max(1e-30);
    let mut names: Vec<&String> = report.errors.keys().collect();
    names.sort_by(|a, b| share(b).total_cmp(&share(a)));
    let error = |name: &&String| format!("{name} {:.1e} (max {:.1e})", report.errors[*name], report.max_errors[*name]);
    let worst: Vec<_> = names.iter().take(4).map(error).collect();
    format!("{} {}: {}", if report.pass { "pass" } else { "FAIL" }, report.file, worst.join(", "))
}

fn describe(adapter: &AdapterReport) -> String {
    let AdapterReport { index, name, kind, backend, driver, subgroup_size, max_binding_mib, max_buffer_mib, .. } =
        adapter;
    format!(
        "{index}: {name} ({kind}, {backend}, {driver})\n   buffers to {max_buffer_mib} MiB, bindings to {max_binding_mib} MiB, \
         subgroup size {}-{}, {}",
        subgroup_size[0],
        subgroup_size[1],
        features(adapter.capabilities)
    )
}

fn features(can: Capabilities) -> String {
    let with = |has: bool, name: &str| format!("{} {name}", if has { "with" } else { "without" });
    let all = [(can.subgroups, "subgroups"), (can.float_atomics, "float atomics"), (can.timestamps, "timestamps")];
    all.map(|(has, name)| with(has, name)).join(", ")
}
