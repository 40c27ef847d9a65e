//! Stable radix sort of (key, value) pairs of `u32`, least significant digit first, with a count on the device.
//!
//! Six bits a pass; two kernels and a scan a pass (reduce-then-scan: no workgroup waits for another, which software
//! adapters do not promise to allow). Work follows the count, not the capacity: all dispatches are indirect.

use super::{Binding, Buffer, Gpu, Kernel, Recorder, Scan};
use crate::error::{Error, Result};

/// Pairs that a workgroup sorts.
const BLOCK: usize = 2048;
/// The same where threads are few: twice the pairs share the clearing and summing of a table of counts.
const TALL_BLOCK: usize = 4096;
/// Blocks of which every workgroup adds up the counts on its own, without a prefix sum between the kernels of a pass; so few are
/// dispatched whether there is something in them or not, which saves the kernel that says so.
const FEW_BLOCKS: usize = 16;
const DIGIT_BITS: u32 = 6;
const DIGITS: usize = 1 << DIGIT_BITS;

/// Sorts up to `capacity` pairs.
pub struct Sort {
    args_kernel: Kernel,
    histogram: Kernel,
    scatter: Kernel,
    /// Workgroups for the whole capacity.
    blocks: u32,
    /// Nothing for few blocks.
    scan: Option<Scan>,
    /// Shift and mask of each pass, for each number of bits that a pass can look at, 256 bytes apart.
    passes: Buffer<[u32; 64]>,
    /// The device's count of the sort in progress, and the capacity.
    count: Buffer<u32>,
    /// Workgroups (x, y, z) and number of pairs. For few blocks: the capacity, and number of pairs.
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
        let block = if gpu.tall() { TALL_BLOCK } else { BLOCK };
        let blocks = capacity.div_ceil(block);
        let entries = blocks * DIGITS;
        let (block, digits) = (format!("{block}u"), format!("{DIGITS}u"));
        let few = blocks <= FEW_BLOCKS;
        let sizes = [("BLOCK", block.as_str()), ("DIGITS", digits.as_str()), ("FEW", "true")];
        let sizes = &sizes[..if few { 3 } else { 2 }];
        let mut passes = Vec::new();
        for (pass, bits) in (0..32u32.div_ceil(DIGIT_BITS)).flat_map(|pass| (1..=DIGIT_BITS).map(move |b| (pass, b))) {
            let mut uniform = [0; 64];
            uniform[..2].copy_from_slice(&[pass * DIGIT_BITS, u32::MAX >> (32 - bits)]);
            passes.push(uniform);
        }
        Ok(Self {
            args_kernel: gpu.kernel("gpu/sort_args", sizes)?,
            histogram: gpu.kernel("gpu/sort_histogram", sizes)?,
            scatter: gpu.kernel("gpu/sort_scatter", sizes)?,
            scan: if few { None } else { Some(Scan::new(gpu, entries)?) },
            blocks: blocks as u32,
            passes: gpu.upload("sort passes", &passes)?,
            count: gpu.upload("sort count", &[0, limit])?,
            args: gpu.upload("sort arguments", &[limit, 0, 0, 0])?,
            table: gpu.buffer("sort counts", entries)?,
            table_len: gpu.buffer("sort counts length", 4)?,
            keys: gpu.buffer("sorted keys", capacity)?,
            values: gpu.buffer("sorted values", capacity)?,
        })
    }

    /// Sorts the first `count.0[count.1]` pairs (cut off at the capacity) of `keys` and `values` (each at least
    /// `capacity` long) by the low `bits` bits of the keys, 1–32. The result is in [`Sort::sorted`]; what `keys` and
    /// `values` hold then is of no use.
    pub fn record(
        &self,
        recorder: &mut Recorder<'_>,
        keys: &Buffer<u32>,
        values: &Buffer<u32>,
        count: (&Buffer<u32>, usize),
        bits: u32,
    ) {
        self.prepare(recorder, count);
        let mut from = [keys, values];
        let mut to = [&self.keys, &self.values];
        let bits = bits.clamp(1, 32);
        for pass in 0..bits.div_ceil(DIGIT_BITS) {
            let looked_at = (bits - pass * DIGIT_BITS).min(DIGIT_BITS);
            let uniform = self.passes.element((pass * DIGIT_BITS + looked_at - 1) as usize);
            self.pass(recorder, uniform, from, to);
            std::mem::swap(&mut from, &mut to);
        }
    }

    /// Sizes the passes for so many pairs.
    fn prepare(&self, recorder: &mut Recorder<'_>, count: (&Buffer<u32>, usize)) {
        let Some(scan) = &self.scan else { return recorder.copy(count.0, count.1, &self.args, 3, 1) };
        recorder.copy(count.0, count.1, &self.count, 0, 1);
        let table_len = scan.own_count().unwrap_or(&self.table_len);
        let bindings = [self.count.binding(), self.args.binding(), table_len.binding()];
        recorder.dispatch(&self.args_kernel, &bindings, 1);
        if scan.own_count().is_none() {
            scan.prepare(recorder, (&self.table_len, 3));
        }
    }

    /// Where [`Sort::record`] by `bits` bits leaves the sorted keys and values: where they were, or here.
    pub fn sorted<'a>(&'a self, keys: &'a Buffer<u32>, values: &'a Buffer<u32>, bits: u32) -> [&'a Buffer<u32>; 2] {
        let passes = bits.clamp(1, 32).div_ceil(DIGIT_BITS);
        if passes.is_multiple_of(2) { [keys, values] } else { [&self.keys, &self.values] }
    }

    fn pass(&self, recorder: &mut Recorder<'_>, uniform: Binding<'_>, from: [&Buffer<u32>; 2], to: [&Buffer<u32>; 2]) {
        let (args, table) = (self.args.binding(), self.table.binding());
        let bindings = [uniform.clone(), args.clone(), from[0].binding(), table.clone()];
        self.blocks(recorder, &self.histogram, &bindings);
        if let Some(scan) = &self.scan {
            scan.run(recorder, &self.table);
        }
        let [[keys, values], [keys_out, values_out]] = [from, to].map(|pair| pair.map(Buffer::binding));
        self.blocks(recorder, &self.scatter, &[uniform, args, keys, values, table, keys_out, values_out]);
    }

    /// Runs `kernel` on all blocks with pairs.
    fn blocks(&self, recorder: &mut Recorder<'_>, kernel: &Kernel, bindings: &[Binding<'_>]) {
        match self.scan {
            Some(_) => recorder.dispatch_indirect(kernel, bindings, &self.args, 0),
            None => recorder.dispatch(kernel, bindings, self.blocks),
        }
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
        sort.record(&mut recorder, &device_keys, &device_values, (&counts, 1), bits);
        recorder.submit();
        gpu.check().unwrap();
        let used = count.min(capacity);
        expected[..used].sort_by_key(|(key, _)| key & (u32::MAX >> (32 - bits)));
        let (keys, values) = sort.sorted(&device_keys, &device_values, bits).map(|b| gpu.read(b).unwrap()).into();
        for i in 0..used {
            assert_eq!((keys[i], values[i]), expected[i], "pair {i} of {count}, capacity {capacity}, {bits} bits");
        }
    }

    #[test]
    fn matches_a_stable_sort_at_any_size() {
        let gpu = Gpu::open(&Choice::Best, Mask::default()).unwrap();
        for capacity in [1, 2, 63, 2048, 4097, 65_537] {
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
