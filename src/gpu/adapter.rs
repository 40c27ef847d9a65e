//! Choice of the adapter and its optional features.

use super::Capabilities;
use crate::error::{Error, Result};
use crate::sync::lock;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Mutex;

/// How the setting `adapter` names an adapter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Choice {
    /// A discrete GPU before an integrated one before a virtual one before software.
    #[default]
    Best,
    /// A software adapter (lavapipe, WARP).
    Cpu,
    /// The position in `naka-gs doctor`'s list.
    Index(usize),
    /// A part of the adapter's name, in any case.
    Name(String),
}

impl FromStr for Choice {
    type Err = std::convert::Infallible;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        Ok(match s {
            "" | "best" => Self::Best,
            "cpu" => Self::Cpu,
            _ => s.parse().map_or_else(|_| Self::Name(s.to_lowercase()), Self::Index),
        })
    }
}

/// Optional features to leave unused, to test the fallbacks, and a memory limit, to test running out of memory; as text
/// `subgroups,float-atomics,timestamps`, `all`, `buffers=MIB`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mask {
    /// Leave subgroup operations unused.
    pub subgroups: bool,
    /// Leave additions to floats in memory unused.
    pub float_atomics: bool,
    /// Leave timestamps unused.
    pub timestamps: bool,
    /// Most bytes of one buffer, where that is less than the adapter allows; 0: as many as it does.
    pub buffer_bytes: u64,
}

impl Mask {
    /// Everything optional is left unused.
    pub const ALL: Self = Self { subgroups: true, float_atomics: true, timestamps: true, buffer_bytes: 0 };

    /// What [`set_mask`] was given; nothing is masked by default.
    pub fn of_process() -> Self {
        *lock(&PROCESS)
    }
}

static PROCESS: Mutex<Mask> =
    Mutex::new(Mask { subgroups: false, float_atomics: false, timestamps: false, buffer_bytes: 0 });

/// Sets what [`Mask::of_process`] returns, which is what stages open their adapters with.
pub fn set_mask(mask: Mask) {
    *lock(&PROCESS) = mask;
}

impl FromStr for Mask {
    type Err = Error;

    fn from_str(s: &str) -> Result<Self> {
        let mut mask = Self::default();
        for word in s.split(',').map(str::trim).filter(|w| !w.is_empty() && *w != "none") {
            match word {
                "all" => mask = Self { buffer_bytes: mask.buffer_bytes, ..Self::ALL },
                "subgroups" => mask.subgroups = true,
                "float-atomics" => mask.float_atomics = true,
                "timestamps" => mask.timestamps = true,
                _ => match word.strip_prefix("buffers=").and_then(|mib| mib.parse::<u32>().ok()) {
                    Some(mib) if mib > 0 => mask.buffer_bytes = u64::from(mib) << 20,
                    _ => {
                        return Err(Error::setting(
                            "mask of features",
                            format!("unknown feature '{word}'"),
                            "use subgroups, float-atomics, timestamps, all, none or buffers=MIB, separated by commas",
                        ));
                    }
                },
            }
        }
        Ok(mask)
    }
}

/// What `doctor` says of one adapter.
#[derive(Clone, Debug, Serialize)]
pub struct AdapterReport {
    /// Its number in the list, from 0.
    pub index: usize,
    /// Its name.
    pub name: String,
    /// Discrete, integrated, virtual or software.
    pub kind: String,
    /// Vulkan, Metal or DX12.
    pub backend: String,
    /// Driver and version.
    pub driver: String,
    /// Fewest and most invocations of a subgroup.
    pub subgroup_size: [u32; 2],
    /// Largest binding, MiB.
    pub max_binding_mib: u64,
    /// Largest buffer, MiB.
    pub max_buffer_mib: u64,
    /// What its device can do. Where only some of the reported subgroup sizes fit, subgroups are listed here and tried when the
    /// device is opened.
    pub capabilities: Capabilities,
}

/// Every adapter of this machine, in the order of [`Choice::Index`].
pub fn adapters() -> Vec<AdapterReport> {
    let report = |(index, adapter): (usize, &wgpu::Adapter)| {
        let (info, limits) = (adapter.get_info(), adapter.limits());
        AdapterReport {
            index,
            kind: format!("{:?}", info.device_type),
            backend: info.backend.to_string(),
            driver: format!("{} {}", info.driver, info.driver_info),
            subgroup_size: [info.subgroup_min_size, info.subgroup_max_size],
            max_binding_mib: limits.max_storage_buffer_binding_size >> 20,
            max_buffer_mib: limits.max_buffer_size >> 20,
            capabilities: capabilities(adapter, Mask::default()),
            name: info.name,
        }
    };
    enumerate(&instance()).iter().enumerate().map(report).collect()
}

/// The optional features of an adapter that are not masked; subgroups count as available if at least some of
/// their sizes fit.
pub(super) fn capabilities(adapter: &wgpu::Adapter, mask: Mask) -> Capabilities {
    let (has, info) = (adapter.features(), adapter.get_info());
    let may_fit = subgroups_may_fit([info.subgroup_min_size, info.subgroup_max_size]);
    Capabilities {
        subgroups: has.contains(wgpu::Features::SUBGROUP) && may_fit && !mask.subgroups,
        float_atomics: has.contains(wgpu::Features::SHADER_FLOAT32_ATOMIC) && !mask.float_atomics,
        timestamps: has.contains(wgpu::Features::TIMESTAMP_QUERY) && !mask.timestamps,
    }
}

/// Whether subgroups of all these sizes do. The raster kernels address pixels by subgroup: sizes beyond their workgroup
/// of 64 (or below 8) take the fallback.
pub(super) fn subgroups_fit([least, most]: [u32; 2]) -> bool {
    least >= 8 && most <= 64
}

/// Whether some of these sizes fit. Metal reports 4 to 64 for every device, though Apple's have 32.
pub(super) fn subgroups_may_fit([least, most]: [u32; 2]) -> bool {
    least <= 64 && most >= 8
}

/// The adapter that `choice` names, of those that can draw to `surface` where there is one.
pub(super) fn choose(
    instance: &wgpu::Instance,
    choice: &Choice,
    surface: Option<&wgpu::Surface<'_>>,
) -> Result<wgpu::Adapter> {
    let mut adapters = enumerate(instance);
    if adapters.is_empty() {
        return Err(Error::NoAdapter(
            "none found; install a Vulkan driver (Debian/Ubuntu: `sudo apt-get install mesa-vulkan-drivers`, \
             or run tools/setup.sh), which also works without a GPU"
                .into(),
        ));
    }
    let names =
        adapters.iter().enumerate().map(|(i, a)| format!("{i}: {}", a.get_info().name)).collect::<Vec<_>>().join(", ");
    let shows = |adapter: &wgpu::Adapter| surface.is_none_or(|surface| adapter.is_surface_supported(surface));
    let named = |index: usize, adapter: &wgpu::Adapter| match choice {
        Choice::Best => true,
        Choice::Cpu => adapter.get_info().device_type == wgpu::DeviceType::Cpu,
        Choice::Index(wanted) => index == *wanted,
        Choice::Name(name) => adapter.get_info().name.to_lowercase().contains(name),
    };
    let all: Vec<usize> = (0..adapters.len()).filter(|&i| named(i, &adapters[i])).collect();
    let able = all.iter().copied().filter(|&i| shows(&adapters[i]));
    let found = if *choice == Choice::Best { able.min_by_key(|&i| rank(&adapters[i])) } else { able.min() };
    match found {
        Some(index) => {
            let adapter = adapters.swap_remove(index);
            let software = adapter.get_info().device_type == wgpu::DeviceType::Cpu;
            if software
                && *choice == Choice::Best
                && let Some(device) = hardware(Path::new("/dev"))
            {
                let remedy = if device.ends_with("dxg") {
                    "WSL has no conformant Vulkan driver for it: use the program for Windows, or try Mesa's dzn with \
                     WGPU_ALLOW_UNDERLYING_NONCOMPLIANT_ADAPTER=1"
                } else {
                    "install its Vulkan driver, and let this user open it (groups render and video; in a container, pass \
                     the GPU on)"
                };
                tracing::warn!(
                    "{} is a software adapter, but this machine seems to have a GPU ({}): {remedy}. \
                     `adapter = \"cpu\"` chooses software on purpose",
                    adapter.get_info().name,
                    device.display()
                );
            }
            Ok(adapter)
        }
        None if all.is_empty() => Err(Error::NoAdapter(format!("`adapter` {choice:?} matches none of: {names}"))),
        None => Err(Error::NoWindow(format!("`adapter` {choice:?} cannot draw to it; the adapters are {names}"))),
    }
}

/// A device file of a GPU in `dev`, such as `/dev`; that of WSL first, where the others are of no hardware.
fn hardware(dev: &Path) -> Option<PathBuf> {
    let known = ["dxg", "nvidia0"].map(|name| dev.join(name));
    let nodes = std::fs::read_dir(dev.join("dri")).into_iter().flatten().flatten().map(|entry| entry.path());
    let renders = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("renderD"));
    known.into_iter().find(|path| path.exists()).or_else(|| nodes.filter(renders).min())
}

fn rank(adapter: &wgpu::Adapter) -> u8 {
    match adapter.get_info().device_type {
        wgpu::DeviceType::DiscreteGpu => 0,
        wgpu::DeviceType::IntegratedGpu => 1,
        wgpu::DeviceType::VirtualGpu => 2,
        wgpu::DeviceType::Other => 3,
        wgpu::DeviceType::Cpu => 4,
    }
}

const BACKENDS: wgpu::Backends = wgpu::Backends::VULKAN.union(wgpu::Backends::METAL).union(wgpu::Backends::DX12);

/// What adapters and surfaces come from.
pub(super) fn instance() -> wgpu::Instance {
    wgpu::Instance::new(wgpu::InstanceDescriptor {
        backends: BACKENDS,
        flags: super::flags(),
        ..wgpu::InstanceDescriptor::new_without_display_handle()
    })
}

fn enumerate(instance: &wgpu::Instance) -> Vec<wgpu::Adapter> {
    pollster::block_on(instance.enumerate_adapters(BACKENDS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mask_reads_features_and_a_limit() {
        let mask: Mask = "subgroups, buffers=3".parse().unwrap();
        assert_eq!(mask, Mask { subgroups: true, buffer_bytes: 3 << 20, ..Mask::default() });
        assert_eq!("buffers=1,all".parse::<Mask>().unwrap(), Mask { buffer_bytes: 1 << 20, ..Mask::ALL });
        for wrong in ["buffers=0", "buffers=", "buffers=x", "buffer=1"] {
            let message = wrong.parse::<Mask>().unwrap_err().to_string();
            assert!(message.contains(wrong) && message.contains("buffers=MIB"), "{message}");
        }
    }

    #[test]
    fn ranges_of_sizes_fit_may_fit_or_do_not() {
        let all = [[8, 8], [32, 32], [8, 64], [4, 64], [64, 128], [4, 4], [128, 128], [0, 0]];
        assert_eq!(all.map(subgroups_fit), [true, true, true, false, false, false, false, false]);
        assert_eq!(all.map(subgroups_may_fit), [true, true, true, true, true, false, false, false]);
    }

    #[test]
    fn device_files_of_gpus_are_found() {
        let dev = tempfile::tempdir().unwrap();
        assert_eq!(hardware(dev.path()), None);
        std::fs::create_dir(dev.path().join("dri")).unwrap();
        std::fs::write(dev.path().join("dri/card0"), "").unwrap();
        assert_eq!(hardware(dev.path()), None, "a screen is no renderer");
        std::fs::write(dev.path().join("dri/renderD128"), "").unwrap();
        assert_eq!(hardware(dev.path()), Some(dev.path().join("dri/renderD128")));
        std::fs::write(dev.path().join("nvidia0"), "").unwrap();
        assert_eq!(hardware(dev.path()), Some(dev.path().join("nvidia0")));
        std::fs::write(dev.path().join("dxg"), "").unwrap();
        assert_eq!(hardware(dev.path()), Some(dev.path().join("dxg")));
    }
}
