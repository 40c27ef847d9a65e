//! `naka-gs doctor`

use super::output;
use super::progress::Reporter;
use super::setting_flags::{AdapterOnly, SettingFlags};
use naka_gs::Result;
use naka_gs::gpu::{AdapterReport, Capabilities, Gpu, Mask, adapters};

/// List the adapters with their limits, and test one
#[derive(clap::Args)]
pub struct Doctor {
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
}

impl Doctor {
    pub fn run(self, _reporter: &Reporter) -> Result<()> {
        let settings = self.settings.resolve(None)?;
        let gpu = Gpu::open(&settings.adapter_choice(), Mask::from_env()?)?;
        let report = Report { adapters: adapters(), adapter: gpu.name().into(), capabilities: gpu.capabilities() };
        if self.json {
            return output::json(&report);
        }
        report.adapters.iter().try_for_each(|adapter| output::line(describe(adapter)))?;
        output::line(format!("in use: {} ({})", report.adapter, features(report.capabilities)))
    }
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
