//! Stable radix sort of (key, value) pairs of `u32`, least significant digit first.
//!
//! Four bits a pass, two kernels and a scan a pass (reduce-then-scan: no workgroup waits for another, which software
//! adapters do not promise to allow).

use super::{Buffer, Gpu, Kernel, Recorder, Scan};
use crate::error::Result;

/// Keys that a workgroup sorts (`shaders/common/sort_block.wgsl`).
const BLOCK: usize = 1024;
const DIGIT_BITS: u32 = 4;
const DIGITS: usize = 1 << DIGIT_BITS;

/// Sorts up to `capacity` pairs.
pub struct Sort {
    histogram: Kernel,
    scatter: Kernel,
    scan: Scan,
    blocks: usize,
    passes: Vec<Buffer<[u32; 4]>>,
    counts: Buffer<u32>,
    counts_len: Buffer<u32>,
    total: Buffer<u32>,
    keys: Buffer<u32>,
    values: Buffer<u32>,
}

impl Sort {
    /// Scratch space for `capacity` pairs.
    ///
    /// # Errors
    /// [`crate::Error::OutOfMemory`] where it does not fit the adapter.
    pub fn new(gpu: &Gpu, capacity: usize) -> Result<Self> {
        let blocks = capacity.div_ceil(BLOCK).max(1);
        Ok(Self {
            histogram: gpu.kernel("gpu/sort_histogram", &[])?,
            scatter: gpu.kernel("gpu/sort_scatter", &[])?,
            scan: Scan::new(gpu, blocks * DIGITS)?,
            blocks,
            passes: (0..32 / DIGIT_BITS).map(|_| gpu.buffer("sort pass", 1)).collect::<Result<_>>()?,
            counts: gpu.buffer("sort counts", blocks * DIGITS)?,
            counts_len: gpu.upload("sort counts length", &[(blocks * DIGITS) as u32])?,
            total: gpu.buffer("sort total", 1)?,
            keys: gpu.buffer("sorted keys", capacity)?,
            values: gpu.buffer("sorted values", capacity)?,
        })
    }

    /// Sorts the first `count.0[count.1]` pairs of `keys` and `values` (each at least `capacity` long) by the low
    /// `bits` bits of the keys. The result is in `keys` and `values`.
    pub fn record(
        &self,
        gpu: &Gpu,
        recorder: &mut Recorder<'_>,
        keys: &Buffer<u32>,
        values: &Buffer<u32>,
        count: (&Buffer<u32>, usize),
        bits: u32,
    ) {
        // An even number of passes ends where it began.
        let passes = bits.clamp(1, 32).div_ceil(2 * DIGIT_BITS) * 2;
        for pass in 0..passes {
            let shift = pass * DIGIT_BITS;
            let mask =
                if shift >= bits { 0 } else { (DIGITS as u32 - 1) & (u32::MAX >> (32 - (bits - shift).min(32))) };
            let uniform = &self.passes[pass as usize];
            uniform.write(gpu, 0, &[[shift, self.blocks as u32, count.1 as u32, mask]]);
            let (from, to) = if pass % 2 == 0 {
                ([keys, values], [&self.keys, &self.values])
            } else {
                ([&self.keys, &self.values], [keys, values])
            };
            let bindings = [uniform.binding(), count.0.binding(), from[0].binding(), self.counts.binding()];
            recorder.dispatch(&self.histogram, &bindings, self.blocks as u32);
            self.scan.record(recorder, &self.counts, (&self.counts_len, 0), (&self.total, 0));
            let bindings = [
                uniform.binding(),
                count.0.binding(),
                from[0].binding(),
                from[1].binding(),
                self.counts.binding(),
                to[0].binding(),
                to[1].binding(),
            ];
            recorder.dispatch(&self.scatter, &bindings, self.blocks as u32);
        }
    }
}
