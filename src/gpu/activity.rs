//! Counters of the host's work for the device, so that tests can assert that a steady state allocates nothing.

use super::{Gpu, lock};
use std::sync::atomic::{AtomicU64, Ordering};

/// Counters of one device.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) dispatches: AtomicU64,
    pub(super) passes: AtomicU64,
    pub(super) bind_groups: AtomicU64,
    pub(super) buffers: AtomicU64,
    pub(super) uploads: AtomicU64,
    pub(super) waits: AtomicU64,
}

/// Counts of recordings, allocations and waits since the device was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Activity {
    /// Kernels recorded.
    pub dispatches: u64,
    /// Compute passes they were recorded in.
    pub passes: u64,
    /// Bind groups created, not counting cache hits.
    pub bind_groups: u64,
    /// Buffers made.
    pub buffers: u64,
    /// Writes of the host to buffers.
    pub uploads: u64,
    /// Waits of the host for all of the device's work.
    pub waits: u64,
    /// Bind groups that are kept: those of living buffers.
    pub kept_bind_groups: u64,
}

impl Gpu {
    /// What was done so far.
    pub fn activity(&self) -> Activity {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let Counters { dispatches, passes, bind_groups, buffers, uploads, waits } = &self.activity;
        Activity {
            dispatches: read(dispatches),
            passes: read(passes),
            bind_groups: read(bind_groups),
            buffers: read(buffers),
            uploads: read(uploads),
            waits: read(waits),
            kept_bind_groups: lock(&self.bind_groups).len() as u64,
        }
    }
}
