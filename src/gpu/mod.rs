//! The adapter and everything that talks to it: buffers, kernels, recording, readback, timing.

mod activity;
mod adapter;
mod bind_groups;
mod buffer;
mod kernel;
mod readback;
mod recorder;
mod scan;
pub mod shader;
mod sort;
mod subgroups;
mod surface;
mod variants;

pub use activity::Activity;
pub use adapter::{AdapterReport, Choice, Mask, adapters, set_mask};
pub use buffer::{Binding, Buffer};
use kernel::fold;
pub use kernel::{Kernel, WORKGROUP};
pub use readback::LateReader;
pub use recorder::{Recorder, Timings};
pub use scan::Scan;
pub use sort::Sort;
pub(crate) use subgroups::SubgroupTrial;
pub use surface::Surface;
pub use variants::{RasterBy, SortBy, Variants, Wanted, record as variants_record, remember_variants_in};

use crate::error::{Error, Result};
use crate::sync::lock;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

/// Which optional features the device was opened with. Kernels have a fallback of equal results for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Capabilities {
    /// Subgroup operations in compute shaders, with every subgroup of at least 8 and at most 64 invocations.
    pub subgroups: bool,
    /// `atomicAdd` on `atomic<f32>` in storage buffers.
    pub float_atomics: bool,
    /// GPU timestamps around compute passes.
    pub timestamps: bool,
}

/// Asynchronous errors; the first message of each kind is kept.
#[derive(Debug, Default)]
struct Faults {
    lost: Option<String>,
    out_of_memory: Option<String>,
    other: Option<String>,
}

/// An open device. Cheap to share by reference, also between threads; all kernels and buffers come from it.
pub struct Gpu {
    pub(crate) device: wgpu::Device,
    pub(crate) queue: wgpu::Queue,
    info: wgpu::AdapterInfo,
    capabilities: Capabilities,
    limits: wgpu::Limits,
    faults: Arc<Mutex<Faults>>,
    memory: Arc<buffer::Memory>,
    activity: activity::Counters,
    kernels: kernel::Cache,
    bind_groups: Arc<bind_groups::Shared>,
    variants: Variants,
}

impl Gpu {
    /// Opens the adapter that `choice` names, without the optional features in `mask`.
    ///
    /// # Errors
    /// [`Error::NoAdapter`] where nothing fits, [`Error::Gpu`] where the device does not open.
    pub fn open(choice: &Choice, mask: Mask) -> Result<Self> {
        Self::open_with(choice, mask, &Wanted::default())
    }

    /// As [`Gpu::open`], with the variants of kernels that are `wanted`.
    ///
    /// # Errors
    /// Also [`Error::Setting`] where the adapter cannot run a variant.
    pub fn open_with(choice: &Choice, mask: Mask, wanted: &Wanted) -> Result<Self> {
        Self::with_adapter(&adapter::choose(&adapter::instance(), choice, None)?, mask, wanted)
    }

    fn with_adapter(adapter: &wgpu::Adapter, mask: Mask, wanted: &Wanted) -> Result<Self> {
        let (info, mut capabilities) = (adapter.get_info(), adapter::capabilities(adapter, mask));
        if capabilities.subgroups && !adapter::subgroups_fit([info.subgroup_min_size, info.subgroup_max_size]) {
            if let Some(gpu) = Self::with_tried_subgroups(adapter, mask, wanted)? {
                return Ok(gpu);
            }
            capabilities.subgroups = false;
        }
        if !capabilities.subgroups && !mask.subgroups && info.device_type != wgpu::DeviceType::Cpu {
            tracing::warn!("{} has no usable subgroups of 8 to 64 lanes: slower kernels are used", info.name);
        }
        Self::with_capabilities(adapter, mask, capabilities, wanted)
    }

    fn with_capabilities(
        adapter: &wgpu::Adapter,
        mask: Mask,
        capabilities: Capabilities,
        wanted: &Wanted,
    ) -> Result<Self> {
        let info = adapter.get_info();
        let variants = variants::choose(&info, capabilities, &driver(&info, capabilities), wanted)?;
        let mut features = wgpu::Features::empty();
        features.set(wgpu::Features::SUBGROUP, capabilities.subgroups);
        features.set(wgpu::Features::SHADER_FLOAT32_ATOMIC, capabilities.float_atomics);
        features.set(wgpu::Features::TIMESTAMP_QUERY, capabilities.timestamps);
        // Sizes are raised to what the adapter has; counts (bindings, workgroup size) stay at WebGPU's defaults, so that no
        // kernel can need more than every adapter offers.
        let has = adapter.limits();
        let most = if mask.buffer_bytes == 0 { u64::MAX } else { mask.buffer_bytes };
        let limits = wgpu::Limits {
            max_buffer_size: has.max_buffer_size.min(most),
            max_storage_buffer_binding_size: has.max_storage_buffer_binding_size.min(most),
            ..wgpu::Limits::default()
        };
        let (device, queue) = pollster::block_on(adapter.request_device(&wgpu::DeviceDescriptor {
            label: Some("naka-gs"),
            required_features: features,
            required_limits: limits.clone(),
            // Blocks of 8 to 64 MiB instead of up to 256 MiB: a block is returned only when nothing in it is used any more,
            // and a software adapter takes them from the memory of the host.
            memory_hints: wgpu::MemoryHints::MemoryUsage,
            ..Default::default()
        }))
        .map_err(|error| {
            let found = format!("{} did not open: {error}", info.name);
            // wgpu does not expose the kind of this error.
            let memory = found.contains("Not enough memory");
            if memory { Error::OutOfMemory(found) } else { Error::Gpu(found) }
        })?;
        Ok(Self::of(info, capabilities, limits, variants, device, queue))
    }

    /// On a device of the embedding program. Optional features are used where it was opened with them. Make one `Gpu` per
    /// device and share it: the device's handlers of loss and of errors that no scope catches are replaced ([`Gpu::check`]
    /// reports both), also those of an earlier `Gpu`. [`Gpu::wait`] waits for the program's own work, too.
    ///
    /// # Errors
    /// [`Error::Gpu`] where its limits are below WebGPU's defaults.
    pub fn on(device: wgpu::Device, queue: wgpu::Queue) -> Result<Self> {
        let (info, has, limits) = (device.adapter_info(), device.features(), device.limits());
        let mut lacking = Vec::new();
        let fail = |name: &'static str, needed: u64, has: u64| lacking.push(format!("{name}: {has} of {needed}"));
        wgpu::Limits::default().check_limits_with_fail_fn(&limits, false, fail);
        if !lacking.is_empty() {
            let lacking = lacking.join(", ");
            return Err(Error::Gpu(format!(
                "the device's limits are below WebGPU's defaults ({lacking}): open it with wgpu::Limits::default() or more"
            )));
        }
        let sizes = [info.subgroup_min_size, info.subgroup_max_size];
        let with = |subgroups: bool| -> Result<Self> {
            let capabilities = Capabilities {
                subgroups,
                float_atomics: has.contains(wgpu::Features::SHADER_FLOAT32_ATOMIC),
                timestamps: has.contains(wgpu::Features::TIMESTAMP_QUERY),
            };
            let variants = variants::choose(&info, capabilities, &driver(&info, capabilities), &Wanted::default())?;
            Ok(Self::of(info.clone(), capabilities, limits.clone(), variants, device.clone(), queue.clone()))
        };
        let (subgroups, fit) = (has.contains(wgpu::Features::SUBGROUP), adapter::subgroups_fit(sizes));
        let uncertain = subgroups && !fit && adapter::subgroups_may_fit(sizes);
        match if uncertain { with(true)?.after_trial(&Wanted::default())? } else { None } {
            Some(gpu) => Ok(gpu),
            None => with(subgroups && fit),
        }
    }

    fn of(
        info: wgpu::AdapterInfo,
        capabilities: Capabilities,
        limits: wgpu::Limits,
        variants: Variants,
        device: wgpu::Device,
        queue: wgpu::Queue,
    ) -> Self {
        let faults = Arc::new(Mutex::new(Faults::default()));
        let on_lost = Arc::clone(&faults);
        device.set_device_lost_callback(move |_, message| {
            lock(&on_lost).lost.get_or_insert(message);
        });
        let on_error = Arc::clone(&faults);
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
            let mut faults = lock(&on_error);
            let (wgpu::Error::OutOfMemory { .. } | wgpu::Error::Validation { .. } | wgpu::Error::Internal { .. }) =
                &error;
            let slot = if matches!(error, wgpu::Error::OutOfMemory { .. }) {
                &mut faults.out_of_memory
            } else {
                &mut faults.other
            };
            slot.get_or_insert_with(|| error.to_string());
        }));
        Self {
            device,
            queue,
            info,
            capabilities,
            limits,
            faults,
            memory: Arc::default(),
            activity: activity::Counters::default(),
            kernels: kernel::Cache::default(),
            bind_groups: Arc::default(),
            variants,
        }
    }

    /// The device itself.
    pub fn device(&self) -> &wgpu::Device {
        &self.device
    }

    /// Its queue.
    pub fn queue(&self) -> &wgpu::Queue {
        &self.queue
    }

    /// The variants of kernels that it runs.
    pub fn variants(&self) -> Variants {
        self.variants
    }

    /// Whether the raster kernels are [`RasterBy::Tall`].
    pub fn tall(&self) -> bool {
        self.variants.raster == RasterBy::Tall
    }

    /// Devices with the layout that suits the adapter, with four pixels in a row and sorts by ballots, and without optional
    /// features.
    #[cfg(test)]
    pub(crate) fn every_layout() -> [Self; 3] {
        let open = |mask, wanted| Self::open_with(&Choice::Best, mask, &wanted).unwrap();
        let wide = Wanted { raster: Some(RasterBy::Wide), sort: Some(SortBy::Ballots) };
        let has = open(Mask::default(), Wanted::default());
        let wide = if has.capabilities.subgroups { wide } else { Wanted::default() };
        [has, open(Mask::default(), wide), open(Mask::ALL, Wanted::default())]
    }

    /// The adapter's own name, as `--adapter` takes it.
    pub fn name(&self) -> &str {
        &self.info.name
    }

    /// The adapter's description.
    pub fn info(&self) -> &wgpu::AdapterInfo {
        &self.info
    }

    /// A key of everything that its kernels depend on: this program, the adapter, its driver and the features in use.
    pub fn driver(&self) -> String {
        driver(&self.info, self.capabilities)
    }

    /// The optional features in use.
    pub fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    /// The limits the device was opened with.
    pub fn limits(&self) -> &wgpu::Limits {
        &self.limits
    }

    /// Bytes of device memory that buffers hold now.
    pub fn bytes(&self) -> u64 {
        self.memory.now()
    }

    /// Largest number of bytes of device memory that buffers held at one time.
    pub fn peak_bytes(&self) -> u64 {
        self.memory.peak()
    }

    /// Bytes of device memory that the driver has given, read-back and staging buffers and unused parts of blocks included;
    /// `None` where the backend does not say.
    pub fn reserved_bytes(&self) -> Option<u64> {
        self.device.generate_allocator_report().map(|report| report.total_reserved_bytes)
    }

    /// Whether it is a software adapter, whose memory is that of the host.
    pub fn is_software(&self) -> bool {
        self.info.device_type == wgpu::DeviceType::Cpu
    }

    /// Fails if the device was lost, ran out of memory or reported an error since the start.
    pub fn check(&self) -> Result<()> {
        let faults = lock(&self.faults);
        if let Some(message) = &faults.lost {
            return Err(Error::DeviceLost(message.clone()));
        }
        if let Some(message) = &faults.out_of_memory {
            return Err(Error::OutOfMemory(message.clone()));
        }
        match &faults.other {
            Some(message) => Err(Error::Gpu(message.clone())),
            None => Ok(()),
        }
    }

    /// Waits until all submitted work is done.
    pub fn wait(&self) -> Result<()> {
        self.activity.waits.fetch_add(1, Ordering::Relaxed);
        if let Err(error) = self.device.poll(wgpu::PollType::wait_indefinitely()) {
            self.check()?;
            return Err(Error::DeviceLost(error.to_string()));
        }
        self.check()
    }

    /// Maps a read-back buffer and copies it out.
    pub(crate) fn map(&self, staging: &wgpu::Buffer) -> Result<Vec<u8>> {
        let (sender, receiver) = std::sync::mpsc::channel();
        staging.map_async(wgpu::MapMode::Read, .., move |result| {
            let _ = sender.send(result);
        });
        self.wait()?;
        receiver
            .recv()
            .map_err(|e| Error::Gpu(e.to_string()))?
            .map_err(|e| Error::Gpu(format!("read-back failed: {e}")))?;
        let view = staging.get_mapped_range(..).map_err(|e| Error::Gpu(e.to_string()))?;
        Ok(view.to_vec())
    }
}

fn driver(info: &wgpu::AdapterInfo, capabilities: Capabilities) -> String {
    let wgpu::AdapterInfo { name, backend, driver, driver_info, .. } = info;
    format!("naka-gs {}\n{name}, {backend}, {driver} {driver_info}\n{capabilities:?}\n", env!("CARGO_PKG_VERSION"))
}

/// What wgpu checks. Arguments of indirect dispatches are made by kernels of ours, which stay within the limits: checking them
/// costs a dispatch each, so release builds leave that out (unless `WGPU_VALIDATION_INDIRECT_CALL` says otherwise).
fn flags() -> wgpu::InstanceFlags {
    let mut flags = wgpu::InstanceFlags::default();
    if !cfg!(debug_assertions) {
        flags.remove(wgpu::InstanceFlags::VALIDATION_INDIRECT_CALL);
    }
    flags.with_env()
}

#[cfg(test)]
mod tests {
    use super::{Buffer, Capabilities, Choice, Gpu, Kernel, adapter};

    #[test]
    fn a_device_of_another_program_runs_kernels_with_what_it_was_opened_with() {
        let adapter = adapter::choose(&adapter::instance(), &Choice::Best, None).unwrap();
        let on = |required_limits| {
            let descriptor = wgpu::DeviceDescriptor { required_limits, ..Default::default() };
            let (device, queue) = pollster::block_on(adapter.request_device(&descriptor)).unwrap();
            Gpu::on(device, queue)
        };
        let gpu = on(wgpu::Limits::default()).unwrap();
        assert_eq!(gpu.capabilities(), Capabilities { subgroups: false, float_atomics: false, timestamps: false });
        assert!(crate::self_test::run(&gpu).unwrap().iter().all(|check| check.pass));
        let low = wgpu::Limits { max_storage_buffers_per_shader_stage: 4, ..wgpu::Limits::default() };
        let error = on(low).err().unwrap().to_string();
        assert!(error.contains("max_storage_buffers_per_shader_stage: 4 of 8"), "{error}");
    }

    #[test]
    fn devices_kernels_and_buffers_are_shared_between_threads() {
        fn shared<T: Send + Sync>() {}
        shared::<Gpu>();
        shared::<Kernel>();
        shared::<Buffer<f32>>();
    }
}
