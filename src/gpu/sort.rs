//! Stable radix sort of (key, value) pairs of `u32`, least significant digit first, with a count on the device.
//!
//! Six bits a pass; two kernels and a scan a pass (reduce-then-scan: no workgroup waits for another, which software
//! adapters do not promise to allow). Work follows the count, not the capacity: all dispatches are indirect.

use super::{Buffer, Gpu, Kernel, Recorder, Scan};
use crate::error::{Error, Result};

/// Pairs that a workgroup sorts.
const BLOCK: usize = 2048;
const DIGIT_BITS: u32 = 6;
const DIGITS: usize = 1 << DIGIT_BITS;

/// Sorts up to `capacity` pairs.
pub struct Sort {
    args_kernel: Kernel,
    histogram: Kernel,
    scatter: Kernel,
    copy: Kernel,
    scan: Scan,
    /// Shift and mask of each pass.
    passes: Vec<Buffer<[u32; 2]>>,
    /// The device's count of the sort in progress, and the capacity.
    count: Buffer<u32>,
    /// Workgroups (x, y, z) and number of pairs.
    args: Buffer<u32>,
    table: Buffer<u32>,
    table_len: Buffer<u32>,
    keys: Buffer<u32>,
    values: Buffer<u32>,
}

impl Sort {
    /// Scratch space for `capacity` pairs.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`] where it does not fit the adapter.
    pub fn new(gpu: &Gpu, capacity: usize) -> Result<Self> {
        let limit = u32::try_from(capacity)
            .map_err(|_| Error::OutOfMemory(format!("a sort of {capacity} pairs is beyond 2^32")))?;
        let entries = capacity.div_ceil(BLOCK) * DIGITS;
        let (block, digits) = (format!("{BLOCK}u"), format!("{DIGITS}u"));
        let sizes = [("BLOCK", block.as_str()), ("DIGITS", digits.as_str())];
        Ok(Self {
            args_kernel: gpu.kernel("gpu/sort_args", &sizes)?,
            histogram: gpu.kernel("gpu/sort_histogram", &sizes)?,
            scatter: gpu.kernel("gpu/sort_scatter", &sizes)?,
            copy: gpu.kernel("gpu/sort_copy", &sizes)?,
            scan: Scan::new(gpu, entries)?,
            passes: (0..32u32.div_ceil(DIGIT_BITS)).map(|_| gpu.buffer("sort pass", 1)).collect::<Result<_>>()?,
            count: gpu.upload("sort count", &[0, limit])?,
            args: gpu.buffer("sort arguments", 4)?,
            table: gpu.buffer("sort counts", entries)?,
            table_len: gpu.buffer("sort counts length", 1)?,
            keys: gpu.buffer("sorted keys", capacity)?,
            values: gpu.buffer("sorted values", capacity)?,
        })
    }

    /// Sorts the first `count.0[count.1]` pairs (cut off at the capacity) of `keys` and `values` (each at least
    /// `capacity` long) by the low `bits` bits of the keys, 1–32. The result is in `keys` and `values`. All sorts of one
    /// submission with the same `Sort` have the same `bits`.
    pub fn record(
        &self,
        gpu: &Gpu,
        recorder: &mut Recorder<'_>,
        keys: &Buffer<u32>,
        values: &Buffer<u32>,
        count: (&Buffer<u32>, usize),
        bits: u32,
    ) {
        recorder.copy(count.0, count.1, &self.count, 0, 1);
        let bindings = [self.count.binding(), self.args.binding(), self.table_len.binding()];
        recorder.dispatch(&self.args_kernel, &bindings, 1);
        self.scan.prepare(recorder, (&self.table_len, 0));
        let bits = bits.clamp(1, 32);
        let mut from = [keys, values];
        let mut to = [&self.keys, &self.values];
        for (pass, uniform) in (0..bits.div_ceil(DIGIT_BITS)).zip(&self.passes) {
            let shift = pass * DIGIT_BITS;
            uniform.write(gpu, 0, &[[shift, u32::MAX >> (32 - (bits - shift).min(DIGIT_BITS))]]);
            self.pass(recorder, uniform, from, to);
            std::mem::swap(&mut from, &mut to);
        }
        if !std::ptr::eq(from[0], keys) {
            let buffers = [&self.args, from[0], from[1], to[0], to[1]];
            recorder.dispatch_indirect(&self.copy, &buffers.map(Buffer::binding), &self.args, 0);
        }
    }

    fn pass(
        &self,
        recorder: &mut Recorder<'_>,
        uniform: &Buffer<[u32; 2]>,
        from: [&Buffer<u32>; 2],
        to: [&Buffer<u32>; 2],
    ) {
        let (uniform, args, table) = (uniform.binding(), self.args.binding(), self.table.binding());
        let bindings = [uniform.clone(), args.clone(), from[0].binding(), table.clone()];
        recorder.dispatch_indirect(&self.histogram, &bindings, &self.args, 0);
        self.scan.run(recorder, &self.table);
        let [[keys, values], [keys_out, values_out]] = [from, to].map(|pair| pair.map(Buffer::binding));
        let bindings = [uniform, args, keys, values, table, keys_out, values_out];
        recorder.dispatch_indirect(&self.scatter, &bindings, &self.args, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::{Choice, Mask};
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    /// Sorts `count` of `capacity` random pairs by `bits` bits and compares with a stable sort of the standard library.
    /// Values are positions, so that the order of equal keys shows.
    fn check(gpu: &Gpu, sort: &Sort, capacity: usize, count: usize, bits: u32, spread: u32) {
        let mut rng = StdRng::seed_from_u64(count as u64 * 33 + u64::from(bits));
        let keys: Vec<u32> = (0..capacity).map(|_| rng.random::<u32>() & spread).collect();
        let mut expected: Vec<(u32, u32)> = keys.iter().copied().zip(0..).collect();
        let device_keys = gpu.upload("keys", &keys).unwrap();
        let device_values = gpu.upload("values", &(0..capacity as u32).collect::<Vec<_>>()).unwrap();
        let counts = gpu.upload("counts", &[9, count as u32]).unwrap();
        let mut recorder = Recorder::new(gpu);
        sort.record(gpu, &mut recorder, &device_keys, &device_values, (&counts, 1), bits);
        recorder.submit();
        gpu.check().unwrap();
        let used = count.min(capacity);
        expected[..used].sort_by_key(|(key, _)| key & (u32::MAX >> (32 - bits)));
        let (keys, values) = (gpu.read(&device_keys).unwrap(), gpu.read(&device_values).unwrap());
        for i in 0..used {
            assert_eq!((keys[i], values[i]), expected[i], "pair {i} of {count}, capacity {capacity}, {bits} bits");
        }
    }

    #[test]
    fn matches_a_stable_sort_at_any_size() {
        let gpu = Gpu::open(&Choice::Best, Mask::default()).unwrap();
        for capacity in [1, 2, 63, 1024, 1025, 5003] {
            let sort = Sort::new(&gpu, capacity).unwrap();
            for count in [0, 1, capacity / 2, capacity - 1, capacity, capacity + 5] {
                check(&gpu, &sort, capacity, count, 32, u32::MAX);
                check(&gpu, &sort, capacity, count, 12, 0xfff);
            }
        }
    }

    #[test]
    fn looks_at_the_low_bits_alone_and_keeps_the_order_of_equal_keys() {
        let gpu = Gpu::open(&Choice::Best, Mask::ALL).unwrap();
        let sort = Sort::new(&gpu, 3000).unwrap();
        for bits in [1, 3, 4, 5, 7, 8, 9, 13, 29, 31] {
            check(&gpu, &sort, 3000, 2999, bits, u32::MAX);
            check(&gpu, &sort, 3000, 2500, bits, 3);
        }
        check(&gpu, &sort, 3000, 3000, 32, 0);
    }

    #[test]
    fn more_blocks_than_a_scan_block_holds() {
        let gpu = Gpu::open(&Choice::Best, Mask::ALL).unwrap();
        let sort = Sort::new(&gpu, 200_000).unwrap();
        check(&gpu, &sort, 200_000, 199_999, 12, 0xfff);
        check(&gpu, &sort, 200_000, 70, 29, u32::MAX);
    }
}
