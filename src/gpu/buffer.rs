//! Typed device buffers.

use super::{Gpu, bind_groups, lock};
use crate::error::{Error, Result};
use bytemuck::Pod;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Device memory in use and its maximum, in bytes.
#[derive(Debug, Default)]
pub(super) struct Memory {
    now: AtomicU64,
    peak: AtomicU64,
}

impl Memory {
    pub(super) fn now(&self) -> u64 {
        self.now.load(Ordering::Relaxed)
    }

    pub(super) fn peak(&self) -> u64 {
        self.peak.load(Ordering::Relaxed)
    }
}

/// `len` elements of `T` in device memory, usable as storage, uniform, indirect arguments and copy source or target.
pub struct Buffer<T> {
    raw: wgpu::Buffer,
    len: usize,
    memory: Arc<Memory>,
    bind_groups: Arc<bind_groups::Shared>,
    element: PhantomData<T>,
}

/// A buffer as one entry of a kernel's bind group.
pub type Binding<'a> = wgpu::BindingResource<'a>;

impl<T: Pod> Buffer<T> {
    /// Number of elements.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The whole buffer, as a kernel's dispatch takes it.
    pub fn binding(&self) -> Binding<'_> {
        self.raw.as_entire_binding()
    }

    /// One element, as a kernel's dispatch takes it; elements of a multiple of 256 bytes can be bound so.
    pub(crate) fn element(&self, index: usize) -> Binding<'_> {
        let bytes = size_of::<T>() as u64;
        let size = std::num::NonZeroU64::new(bytes);
        wgpu::BindingResource::Buffer(wgpu::BufferBinding { buffer: &self.raw, offset: index as u64 * bytes, size })
    }

    /// The buffer itself, for passes of the embedding program ([`Gpu::device`]).
    pub fn raw(&self) -> &wgpu::Buffer {
        &self.raw
    }

    /// Writes `data` from element `offset` on, before the next submission.
    pub fn write(&self, gpu: &Gpu, offset: usize, data: &[T]) {
        gpu.activity.uploads.fetch_add(1, Ordering::Relaxed);
        gpu.queue.write_buffer(&self.raw, (offset * size_of::<T>()) as u64, bytemuck::cast_slice(data));
    }
}

impl<T> Drop for Buffer<T> {
    fn drop(&mut self) {
        self.memory.now.fetch_sub(self.raw.size(), Ordering::Relaxed);
        lock(&self.bind_groups).forget(&self.raw);
    }
}

impl Gpu {
    /// The most bytes that a buffer can have and be bound whole: a multiple of 16, as the sizes of all buffers are.
    pub(crate) fn max_buffer_bytes(&self) -> u64 {
        self.limits.max_buffer_size.min(self.limits.max_storage_buffer_binding_size) / 16 * 16
    }

    /// The most elements of so many bytes that a buffer can have.
    pub(crate) fn most_elements(&self, bytes: usize) -> usize {
        usize::try_from(self.max_buffer_bytes()).unwrap_or(usize::MAX) / bytes
    }

    /// A buffer of `len` zeros (at least one element is allocated, so that it can be bound).
    ///
    /// # Errors
    /// [`Error::OutOfMemory`] where it does not fit the adapter's limits or memory.
    pub fn buffer<T: Pod>(&self, label: &str, len: usize) -> Result<Buffer<T>> {
        let bytes = ((len.max(1) * size_of::<T>()) as u64).next_multiple_of(16);
        let limit = self.max_buffer_bytes();
        if bytes > limit {
            return Err(Error::OutOfMemory(format!(
                "'{label}' needs {} MiB in one buffer, {} allows {} MiB",
                bytes >> 20,
                self.name(),
                limit >> 20
            )));
        }
        let scope = self.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let raw = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some(label),
            size: bytes,
            usage: wgpu::BufferUsages::STORAGE
                | wgpu::BufferUsages::UNIFORM
                | wgpu::BufferUsages::INDIRECT
                | wgpu::BufferUsages::COPY_SRC
                | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        if let Some(error) = pollster::block_on(scope.pop()) {
            let held = self.memory.now.load(Ordering::Relaxed) >> 20;
            return Err(Error::OutOfMemory(format!(
                "'{label}' needs {} MiB more than the {held} MiB in use: {error}",
                bytes >> 20
            )));
        }
        let now = self.memory.now.fetch_add(bytes, Ordering::Relaxed) + bytes;
        self.memory.peak.fetch_max(now, Ordering::Relaxed);
        self.activity.buffers.fetch_add(1, Ordering::Relaxed);
        let bind_groups = Arc::clone(&self.bind_groups);
        Ok(Buffer { raw, len, memory: Arc::clone(&self.memory), bind_groups, element: PhantomData })
    }

    /// A buffer that holds `data`.
    pub fn upload<T: Pod>(&self, label: &str, data: &[T]) -> Result<Buffer<T>> {
        let buffer = self.buffer(label, data.len())?;
        buffer.write(self, 0, data);
        Ok(buffer)
    }
}

#[cfg(test)]
mod tests {
    use crate::gpu::{Choice, Gpu, Mask};

    #[test]
    fn the_most_elements_fit_whatever_the_limit() {
        let gpu = Gpu::open(&Choice::Best, Mask { buffer_bytes: (4 << 10) - 4, ..Mask::ALL }).unwrap();
        gpu.buffer::<u32>("words", gpu.most_elements(4)).unwrap();
        gpu.buffer::<[u32; 10]>("sums", gpu.most_elements(40)).unwrap();
    }
}
