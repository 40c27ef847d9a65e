//! `naka-gs doctor`

use super::output;
use super::progress::Reporter;
use super::setting_flags::{AdapterOnly, SettingFlags};
use naka_gs::gpu::{AdapterReport, adapters};
use naka_gs::{Error, Result};

/// List the adapters with their limits, and test one
#[derive(clap::Args)]
pub struct Doctor {
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: SettingFlags<AdapterOnly>,
}

impl Doctor {
    pub fn run(self, _reporter: &Reporter) -> Result<()> {
        let adapters = adapters();
        if self.json {
            return output::json(&adapters);
        }
        adapters.iter().try_for_each(|adapter| output::line(describe(adapter)))?;
        if adapters.is_empty() { Err(Error::NoAdapter("none found".into())) } else { Ok(()) }
    }
}

fn describe(adapter: &AdapterReport) -> String {
    let AdapterReport { index, name, kind, backend, driver, subgroup_size, max_binding_mib, max_buffer_mib, .. } =
        adapter;
    let yes = |has: bool| if has { "yes" } else { "no" };
    let can = adapter.capabilities;
    format!(
        "{index}: {name} ({kind}, {backend}, {driver})\n   buffers to {max_buffer_mib} MiB, bindings to {max_binding_mib} MiB, \
         subgroups {} (size {}-{}), float atomics {}, timestamps {}",
        yes(can.subgroups),
        subgroup_size[0],
        subgroup_size[1],
        yes(can.float_atomics),
        yes(can.timestamps)
    )
}
