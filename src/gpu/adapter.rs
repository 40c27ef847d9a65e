//! Which adapter runs, and with which optional features.

use super::Capabilities;
use crate::error::{Error, Result};
use serde::Serialize;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};

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

/// Optional features to leave unused, to test the fallbacks; as text `subgroups,float-atomics,timestamps` or `all`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mask {
    /// Leave subgroup operations unused.
    pub subgroups: bool,
    /// Leave additions to floats in memory unused.
    pub float_atomics: bool,
    /// Leave timestamps unused.
    pub timestamps: bool,
}

impl Mask {
    /// Everything optional is left unused.
    pub const ALL: Self = Self { subgroups: true, float_atomics: true, timestamps: true };

    /// What [`set_mask`] was given; nothing is masked by default.
    pub fn of_process() -> Self {
        *PROCESS.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

static PROCESS: Mutex<Mask> = Mutex::new(Mask { subgroups: false, float_atomics: false, timestamps: false });

/// Sets what [`Mask::of_process`] returns, which is what stages open their adapters with.
pub fn set_mask(mask: Mask) {
    *PROCESS.lock().unwrap_or_else(PoisonError::into_inner) = mask;
}

impl FromStr for Mask {
    type Err = Error;

    fn from_str(s: &str) -> Result<Self> {
        let mut mask = Self::default();
        for word in s.split(',').map(str::trim).filter(|w| !w.is_empty() && *w != "none") {
            match word {
                "all" => mask = Self::ALL,
                "subgroups" => mask.subgroups = true,
                "float-atomics" => mask.float_atomics = true,
                "timestamps" => mask.timestamps = true,
                _ => {
                    return Err(Error::setting(
                        "mask of features",
                        format!("unknown feature '{word}'"),
                        "use subgroups, float-atomics, timestamps, all or none, separated by commas",
                    ));
                }
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
    /// What its device can do.
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

/// The optional features of an adapter that are not masked.
pub(super) fn capabilities(adapter: &wgpu::Adapter, mask: Mask) -> Capabilities {
    let (has, info) = (adapter.features(), adapter.get_info());
    // The raster kernels address pixels by subgroup: sizes beyond their workgroup of 64 (or below 8) take the fallback.
    let size_fits = info.subgroup_min_size >= 8 && info.subgroup_max_size <= 64;
    Capabilities {
        subgroups: has.contains(wgpu::Features::SUBGROUP) && size_fits && !mask.subgroups,
        float_atomics: has.contains(wgpu::Features::SHADER_FLOAT32_ATOMIC) && !mask.float_atomics,
        timestamps: has.contains(wgpu::Features::TIMESTAMP_QUERY) && !mask.timestamps,
    }
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
        Some(index) => Ok(adapters.swap_remove(index)),
        None if all.is_empty() => Err(Error::NoAdapter(format!("`adapter` {choice:?} matches none of: {names}"))),
        None => Err(Error::NoWindow(format!("`adapter` {choice:?} cannot draw to it; the adapters are {names}"))),
    }
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
        flags: wgpu::InstanceFlags::from_env_or_default(),
        ..wgpu::InstanceDescriptor::new_without_display_handle()
    })
}

fn enumerate(instance: &wgpu::Instance) -> Vec<wgpu::Adapter> {
    pollster::block_on(instance.enumerate_adapters(BACKENDS))
}
