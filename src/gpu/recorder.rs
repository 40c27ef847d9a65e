//! Recording of kernels into a command buffer, and what they cost.

use super::{Binding, Buffer, Gpu, Kernel, fold};
use crate::error::{Error, Result};
use bytemuck::Pod;
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

/// Milliseconds per kernel, summed over a recording.
pub type Timings = BTreeMap<String, f64>;

/// Most kernels that one profiled recording can hold.
const MAX_TIMED: u32 = 256;

struct Profile {
    queries: wgpu::QuerySet,
    names: Vec<String>,
}

/// Collects dispatches and copies; [`Recorder::submit`] runs them in this order. Consecutive dispatches share a compute
/// pass: a pass costs two command buffers, and the device orders dispatches within one as well.
pub struct Recorder<'g> {
    gpu: &'g Gpu,
    /// The pass that is open. Before `encoder`, which cannot end before it.
    pass: Option<wgpu::ComputePass<'static>>,
    encoder: wgpu::CommandEncoder,
    profile: Option<Profile>,
}

impl<'g> Recorder<'g> {
    /// An empty recording.
    pub fn new(gpu: &'g Gpu) -> Self {
        let encoder = gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: None });
        Self { gpu, pass: None, encoder, profile: None }
    }

    /// An empty recording that takes the time of every kernel, where the device has timestamps.
    pub fn profiled(gpu: &'g Gpu) -> Self {
        let mut recorder = Self::new(gpu);
        if gpu.capabilities().timestamps {
            let queries = gpu.device.create_query_set(&wgpu::QuerySetDescriptor {
                label: Some("kernel times"),
                ty: wgpu::QueryType::Timestamp,
                count: 2 * MAX_TIMED,
            });
            recorder.profile = Some(Profile { queries, names: Vec::new() });
        }
        recorder
    }

    /// The device that will run the recording.
    pub fn gpu(&self) -> &'g Gpu {
        self.gpu
    }

    /// Runs `kernel` on `groups` workgroups (folded to two dimensions; 0 records nothing).
    /// `bindings[i]` is `@binding(i)` of group 0.
    pub fn dispatch(&mut self, kernel: &Kernel, bindings: &[Binding<'_>], groups: u32) {
        if groups > 0 {
            let [x, y, z] = fold(groups);
            self.pass(kernel, bindings, |pass| pass.dispatch_workgroups(x, y, z));
        }
    }

    /// Runs `kernel` on as many workgroups as `arguments[offset..offset + 3]` says on the device.
    pub fn dispatch_indirect(
        &mut self,
        kernel: &Kernel,
        bindings: &[Binding<'_>],
        arguments: &Buffer<u32>,
        offset: usize,
    ) {
        self.pass(kernel, bindings, |pass| pass.dispatch_workgroups_indirect(arguments.raw(), offset as u64 * 4));
    }

    fn pass(&mut self, kernel: &Kernel, bindings: &[Binding<'_>], dispatch: impl FnOnce(&mut wgpu::ComputePass<'_>)) {
        let group = self.gpu.bind_group(kernel, bindings);
        self.gpu.activity.dispatches.fetch_add(1, Ordering::Relaxed);
        if let Some(mut timed) = self.timed_pass(kernel) {
            timed.set_pipeline(&kernel.pipeline);
            timed.set_bind_group(0, &group, &[]);
            return dispatch(&mut timed);
        }
        let pass = self.pass.get_or_insert_with(|| {
            self.gpu.activity.passes.fetch_add(1, Ordering::Relaxed);
            let descriptor = wgpu::ComputePassDescriptor { label: None, timestamp_writes: None };
            self.encoder.begin_compute_pass(&descriptor).forget_lifetime()
        });
        pass.set_pipeline(&kernel.pipeline);
        pass.set_bind_group(0, &group, &[]);
        dispatch(pass);
    }

    /// A pass of one kernel whose time is taken, while there is room for times.
    fn timed_pass(&mut self, kernel: &Kernel) -> Option<wgpu::ComputePass<'static>> {
        let profile = self.profile.as_mut().filter(|p| p.names.len() < MAX_TIMED as usize)?;
        let first = 2 * profile.names.len() as u32;
        profile.names.push(kernel.name.clone());
        let timestamp_writes = Some(wgpu::ComputePassTimestampWrites {
            query_set: &profile.queries,
            beginning_of_pass_write_index: Some(first),
            end_of_pass_write_index: Some(first + 1),
        });
        self.gpu.activity.passes.fetch_add(1, Ordering::Relaxed);
        let descriptor = wgpu::ComputePassDescriptor { label: Some(&kernel.name), timestamp_writes };
        Some(self.encoder.begin_compute_pass(&descriptor).forget_lifetime())
    }

    /// The encoder between passes.
    fn encoder(&mut self) -> &mut wgpu::CommandEncoder {
        self.pass = None;
        &mut self.encoder
    }

    /// Copies `count` elements between buffers.
    pub fn copy<T: Pod>(
        &mut self,
        from: &Buffer<T>,
        from_offset: usize,
        to: &Buffer<T>,
        to_offset: usize,
        count: usize,
    ) {
        let size = size_of::<T>() as u64;
        self.copy_raw(from.raw(), from_offset as u64 * size, to.raw(), to_offset as u64 * size, count as u64 * size);
    }

    pub(super) fn copy_raw(
        &mut self,
        from: &wgpu::Buffer,
        from_offset: u64,
        to: &wgpu::Buffer,
        to_offset: u64,
        bytes: u64,
    ) {
        self.encoder().copy_buffer_to_buffer(from, from_offset, to, to_offset, bytes);
    }

    /// Sets a whole buffer to zero.
    pub fn clear<T: Pod>(&mut self, buffer: &Buffer<T>) {
        self.encoder().clear_buffer(buffer.raw(), 0, None);
    }

    /// Hands the recording to the device and returns at once.
    pub fn submit(mut self) -> wgpu::SubmissionIndex {
        self.pass = None;
        self.gpu.queue.submit([self.encoder.finish()])
    }

    /// Hands the recording to the device, waits, and returns the milliseconds per kernel
    /// (empty if the recording is not [`Recorder::profiled`]).
    pub fn submit_timed(mut self) -> Result<Timings> {
        let gpu = self.gpu;
        let Some(profile) = self.profile.take().filter(|p| !p.names.is_empty()) else {
            self.submit();
            gpu.wait()?;
            return Ok(Timings::new());
        };
        let count = 2 * profile.names.len() as u32;
        let bytes = u64::from(count) * 8;
        let usage = wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC;
        let descriptor =
            wgpu::BufferDescriptor { label: Some("kernel times"), size: bytes, usage, mapped_at_creation: false };
        let resolved = gpu.device.create_buffer(&descriptor);
        let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
        let staging = gpu.device.create_buffer(&wgpu::BufferDescriptor { usage, ..descriptor });
        self.encoder().resolve_query_set(&profile.queries, 0..count, &resolved, 0);
        self.copy_raw(&resolved, 0, &staging, 0, bytes);
        self.submit();
        let data = gpu.map(&staging)?;
        let ticks: &[u64] = bytemuck::try_cast_slice(&data).map_err(|e| Error::Gpu(e.to_string()))?;
        let period = f64::from(gpu.queue.get_timestamp_period());
        let mut timings = Timings::new();
        for (name, times) in profile.names.into_iter().zip(ticks.chunks_exact(2)) {
            *timings.entry(name).or_default() += times[1].saturating_sub(times[0]) as f64 * period * 1e-6;
        }
        Ok(timings)
    }
}
