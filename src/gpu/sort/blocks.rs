//! A radix sort in blocks of pairs: six bits a pass; two kernels and a scan a pass (reduce-then-scan: no workgroup waits for
//! another, which software adapters do not promise to allow). Work follows the count, not the capacity: all dispatches are indirect.

use super::{Scatter, Values};
use crate::error::Result;
use crate::gpu::{Binding, Buffer, Gpu, Kernel, Recorder, Scan};

/// Pairs that a workgroup sorts.
const BLOCK: usize = 2048;
/// The same where threads are few: twice the pairs share the clearing and summing of a table of counts.
const TALL_BLOCK: usize = 4096;
/// Blocks of which every workgroup adds up the counts on its own, without a prefix sum between the kernels of a pass; so few are
/// dispatched whether there is something in them or not, which saves the kernel that says so.
const FEW_BLOCKS: usize = 16;
/// Pairs of so few blocks where threads are few.
pub(super) const FEW_TALL: usize = FEW_BLOCKS * TALL_BLOCK;
pub(super) const DIGIT_BITS: u32 = 6;
const DIGITS: usize = 1 << DIGIT_BITS;

/// Scratch space of sorts of up to `capacity` pairs.
pub(super) struct Blocks {
    args_kernel: Kernel,
    histogram: Kernel,
    scatter: Scatter,
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
}

impl Blocks {
    pub(super) fn new(gpu: &Gpu, limit: u32, values: Values) -> Result<Self> {
        let capacity = limit as usize;
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
            scatter: Scatter::new(gpu, "gpu/sort_scatter", sizes, values)?,
            scan: if few { None } else { Some(Scan::new(gpu, entries)?) },
            blocks: blocks as u32,
            passes: gpu.upload("sort passes", &passes)?,
            count: gpu.upload("sort count", &[0, limit])?,
            args: gpu.upload("sort arguments", &[limit, 0, 0, 0])?,
            table: gpu.buffer("sort counts", entries)?,
            table_len: gpu.buffer("sort counts length", 4)?,
        })
    }

    /// Sizes the passes for so many pairs.
    pub(super) fn prepare(&self, recorder: &mut Recorder<'_>, count: (&Buffer<u32>, usize)) {
        let Some(scan) = &self.scan else { return recorder.copy(count.0, count.1, &self.args, 3, 1) };
        recorder.copy(count.0, count.1, &self.count, 0, 1);
        let table_len = scan.own_count().unwrap_or(&self.table_len);
        let bindings = [self.count.binding(), self.args.binding(), table_len.binding()];
        recorder.dispatch(&self.args_kernel, &bindings, 1);
        if scan.own_count().is_none() {
            scan.prepare(recorder, (&self.table_len, 3));
        }
    }

    /// Moves the pairs by the digit of pass `pass` of `passes` of a sort by `bits` bits.
    pub(super) fn pass(
        &self,
        recorder: &mut Recorder<'_>,
        (pass, passes): (u32, u32),
        bits: u32,
        from: [&Buffer<u32>; 2],
        to: [&Buffer<u32>; 2],
    ) {
        let looked_at = (bits - pass * DIGIT_BITS).min(DIGIT_BITS);
        let digit = self.passes.element((pass * DIGIT_BITS + looked_at - 1) as usize);
        let (args, table) = (self.args.binding(), self.table.binding());
        let bindings = [digit.clone(), args.clone(), from[0].binding(), table.clone()];
        self.blocks(recorder, &self.histogram, &bindings);
        if let Some(scan) = &self.scan {
            scan.run(recorder, &self.table);
        }
        let (scatter, bindings) = self.scatter.pass((pass, passes), [digit, args, from[0].binding(), table], from, to);
        self.blocks(recorder, scatter, &bindings);
    }

    /// Runs `kernel` on all blocks with pairs.
    fn blocks(&self, recorder: &mut Recorder<'_>, kernel: &Kernel, bindings: &[Binding<'_>]) {
        match self.scan {
            Some(_) => recorder.dispatch_indirect(kernel, bindings, &self.args, 0),
            None => recorder.dispatch(kernel, bindings, self.blocks),
        }
    }
}
