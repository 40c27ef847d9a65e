//! Reading back: whole buffers at once, and small figures (counters, losses) some submissions late, without a wait.

use super::{Buffer, Gpu, Recorder};
use crate::error::{Error, Result};
use bytemuck::Pod;
use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, TryRecvError, channel};

impl Gpu {
    /// Reads a whole buffer back. Waits for the device, so the steady state of training must not use it.
    pub fn read<T: Pod>(&self, buffer: &Buffer<T>) -> Result<Vec<T>> {
        self.read_part(buffer, 0, buffer.len())
    }

    /// Reads `len` elements from `offset` on back, as [`Gpu::read`]. Elements are of four bytes, or of a multiple.
    pub fn read_part<T: Pod>(&self, buffer: &Buffer<T>, offset: usize, len: usize) -> Result<Vec<T>> {
        let bytes = (len * size_of::<T>()) as u64;
        if bytes == 0 {
            return Ok(Vec::new());
        }
        let staging = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("readback"),
            size: bytes.next_multiple_of(4),
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        self.activity.buffers.fetch_add(1, Ordering::Relaxed);
        let mut recorder = Recorder::new(self);
        let from = (offset * size_of::<T>()) as u64;
        recorder.copy_raw(buffer.raw(), from, &staging, 0, bytes.next_multiple_of(4));
        recorder.submit();
        let bytes = self.map(&staging)?;
        Ok(bytemuck::pod_collect_to_vec(&bytes[..len * size_of::<T>()]))
    }
}

struct Pending {
    slot: usize,
    submission: wgpu::SubmissionIndex,
    mapped: Receiver<Result<(), wgpu::BufferAsyncError>>,
}

/// A ring of staging buffers. It also bounds how far the host runs ahead of the device: a [`LateReader::submit`] that
/// finds the ring full waits for the oldest submission.
pub struct LateReader {
    staging: Vec<wgpu::Buffer>,
    pending: VecDeque<Pending>,
    next: usize,
    words: usize,
}

impl LateReader {
    /// Reads `words` 32-bit words a submission, at most `depth` submissions late.
    pub fn new(gpu: &Gpu, words: usize, depth: usize) -> Self {
        let descriptor = wgpu::BufferDescriptor {
            label: Some("late read-back"),
            size: (words * 4) as u64,
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        };
        let staging = (0..depth.max(1)).map(|_| gpu.device.create_buffer(&descriptor)).collect();
        Self { staging, pending: VecDeque::new(), next: 0, words }
    }

    /// Submits `recorder` with a copy of the first words of `sources` (their counts add up to `words`). Returns the
    /// words of an earlier submission once the ring is full.
    pub fn submit(
        &mut self,
        gpu: &Gpu,
        mut recorder: Recorder<'_>,
        sources: &[(&Buffer<u32>, usize)],
    ) -> Result<Option<Vec<u32>>> {
        let oldest = if self.pending.len() == self.staging.len() { self.take(gpu)? } else { None };
        let slot = self.next;
        let mut at = 0;
        for (buffer, count) in sources {
            recorder.copy_raw(buffer.raw(), 0, &self.staging[slot], at * 4, *count as u64 * 4);
            at += *count as u64;
        }
        let submission = recorder.submit();
        let (sender, mapped) = channel();
        self.staging[slot].map_async(wgpu::MapMode::Read, .., move |result| {
            let _ = sender.send(result);
        });
        self.pending.push_back(Pending { slot, submission, mapped });
        self.next = (slot + 1) % self.staging.len();
        Ok(oldest)
    }

    /// The words of the oldest submission if it is done, without waiting for it.
    pub fn try_take(&mut self, gpu: &Gpu) -> Result<Option<Vec<u32>>> {
        let polled = gpu.device.poll(wgpu::PollType::Poll);
        gpu.check()?;
        polled.map_err(|error| Error::DeviceLost(error.to_string()))?;
        let Some(Pending { mapped, .. }) = self.pending.front() else { return Ok(None) };
        match mapped.try_recv() {
            Err(TryRecvError::Empty) => return Ok(None),
            Ok(result) => result.map_err(|e| failed(e.to_string()))?,
            Err(TryRecvError::Disconnected) => return Err(failed("its callback is gone".into())),
        }
        self.pending.pop_front().map(|Pending { slot, .. }| self.unpack(slot)).transpose()
    }

    /// Waits for the oldest submission and returns its words; `None` if none is under way.
    pub fn take(&mut self, gpu: &Gpu) -> Result<Option<Vec<u32>>> {
        let Some(Pending { slot, submission, mapped }) = self.pending.pop_front() else { return Ok(None) };
        let wait = wgpu::PollType::Wait { submission_index: Some(submission), timeout: None };
        if let Err(error) = gpu.device.poll(wait) {
            gpu.check()?;
            return Err(Error::DeviceLost(error.to_string()));
        }
        gpu.check()?;
        mapped.recv().map_err(|e| failed(e.to_string()))?.map_err(|e| failed(e.to_string()))?;
        self.unpack(slot).map(Some)
    }

    /// The words of a mapped staging buffer, which is free again then.
    fn unpack(&self, slot: usize) -> Result<Vec<u32>> {
        let staging = &self.staging[slot];
        let words = {
            let view = staging.get_mapped_range(..).map_err(|e| failed(e.to_string()))?;
            bytemuck::pod_collect_to_vec(&view[..self.words * 4])
        };
        staging.unmap();
        Ok(words)
    }
}

fn failed(what: String) -> Error {
    Error::Gpu(format!("read-back failed: {what}"))
}
