//! A radix sort in blocks of pairs: two kernels and a scan a pass (reduce-then-scan: no workgroup waits for another, which
//! software adapters do not promise to allow). Work follows the count, not the capacity: all dispatches are indirect.

use super::{Digits, Scatter, Values};
use crate::error::Result;
use crate::gpu::scan::{BLOCK as SCAN_BLOCK, Source, count_sources};
use crate::gpu::{Binding, Buffer, Gpu, Kernel, Recorder, Scan};

/// Pairs of a block that a workgroup of 64 threads sorts by itself.
const BLOCK: usize = 2048;
/// The same where threads are few: twice the pairs share the clearing and summing of a table of counts.
const TALL_BLOCK: usize = 4096;
/// Blocks of which every workgroup adds up the counts on its own, without a prefix sum between the kernels of a pass; that many
/// are always dispatched, full or empty, which saves the kernel that would size the dispatch.
const FEW_BLOCKS: usize = 16;
/// Most threads of a workgroup that ranks keys by ballots, and most subgroups in it: their tables fit WebGPU's 16 KiB of
/// workgroup memory.
const BALLOT_THREADS: u32 = 256;
const BALLOT_SUBGROUPS: u32 = 8;
/// Keys of a thread of such a workgroup. Fourteen would not fit.
const BALLOT_KEYS: u32 = 12;

/// The kernels of a sort in blocks, and the sizes they are compiled for.
pub(super) struct Shape {
    block: usize,
    digit_bits: u32,
    histogram: &'static str,
    scatter: &'static str,
    /// Whether few blocks go without a prefix sum.
    alone: bool,
    defines: Vec<(&'static str, String)>,
}

impl Shape {
    /// Every thread owns consecutive keys and counts them in a column of a table of its own.
    pub(super) fn columns(gpu: &Gpu) -> Self {
        let block = if gpu.tall() { TALL_BLOCK } else { BLOCK };
        let (histogram, scatter) = ("gpu/sort_histogram", "gpu/sort_scatter");
        Self { block, digit_bits: 6, histogram, scatter, alone: true, defines: Vec::new() }
    }

    /// Subgroups of `fewest` or more lanes rank their keys by ballots, and pairs leave the workgroup in order.
    pub(super) fn ballots(fewest: u32) -> Self {
        let threads = (BALLOT_SUBGROUPS * fewest).min(BALLOT_THREADS);
        let (block, digit_bits) = (threads * BALLOT_KEYS, 8);
        let room = block.max((threads / fewest) << digit_bits);
        let sizes = [("THREADS", threads), ("DIGIT_BITS", digit_bits), ("ROOM", room)];
        Self {
            block: block as usize,
            digit_bits,
            histogram: "gpu/ballot_histogram",
            scatter: "gpu/ballot_scatter",
            alone: false,
            defines: sizes.map(|(name, size)| (name, format!("{size}u"))).to_vec(),
        }
    }

    /// As [`Shape::ballots`] would be with subgroups of `lanes`, on any adapter.
    #[cfg(test)]
    pub(super) fn emulated_ballots(lanes: u32) -> Self {
        let mut shape = Self::ballots(lanes);
        shape.defines.extend([("LANES", format!("{lanes}u")), ("EMULATED", "true".into())]);
        shape
    }

    /// Pairs that are sorted without a prefix sum.
    pub(super) fn few(&self) -> usize {
        if self.alone { FEW_BLOCKS * self.block } else { 0 }
    }
}

/// Scratch space of sorts of up to `capacity` pairs.
pub(super) struct Blocks {
    args_kernel: Kernel,
    histogram: Kernel,
    scatter: Scatter,
    /// Workgroups for the whole capacity.
    blocks: u32,
    /// Nothing for few blocks.
    scan: Option<Scan>,
    digits: Digits,
    /// See [`count_sources`].
    sources: Buffer<Source>,
    /// Workgroups (x, y, z) and number of pairs. For few blocks: the capacity, and number of pairs.
    args: Buffer<u32>,
    table: Buffer<u32>,
}

impl Blocks {
    pub(super) fn new(gpu: &Gpu, limit: u32, values: Values, shape: &Shape) -> Result<Self> {
        let capacity = limit as usize;
        let blocks = capacity.div_ceil(shape.block);
        let digit_values = 1 << shape.digit_bits;
        let entries = blocks * digit_values;
        let (block, digits) = (format!("{}u", shape.block), format!("{digit_values}u"));
        let few = capacity <= shape.few();
        let mut sizes: Vec<_> = shape.defines.iter().map(|(name, size)| (*name, size.as_str())).collect();
        sizes.extend([("BLOCK", block.as_str()), ("DIGITS", digits.as_str())]);
        sizes.extend(few.then_some(("FEW", "true")));
        let scan = if few { None } else { Some(Scan::new(gpu, entries)?) };
        let scan_block = format!("{SCAN_BLOCK}u");
        let mut of_args = sizes.clone();
        of_args.push(("SCAN_BLOCK", scan_block.as_str()));
        of_args.extend(scan.as_ref().is_some_and(|scan| scan.levels().len() > 1).then_some(("LEVELS", "true")));
        Ok(Self {
            args_kernel: gpu.kernel("gpu/sort_args", &of_args)?,
            histogram: gpu.kernel(shape.histogram, &sizes)?,
            scatter: Scatter::new(gpu, shape.scatter, &sizes, values)?,
            scan,
            blocks: blocks as u32,
            digits: Digits::new(gpu, shape.digit_bits)?,
            sources: count_sources(gpu, limit)?,
            args: gpu.upload("sort arguments", &[limit, 0, 0, 0])?,
            table: gpu.buffer("sort counts", entries)?,
        })
    }

    /// The digits that it sorts by.
    pub(super) fn digits(&self) -> &Digits {
        &self.digits
    }

    /// Sizes the passes for so many pairs.
    pub(super) fn prepare(&self, recorder: &mut Recorder<'_>, count: (&Buffer<u32>, usize)) {
        let Some(scan) = &self.scan else { return recorder.copy(count.0, count.1, &self.args, 3, 1) };
        let mut bindings = vec![self.sources.element(count.1), count.0.binding(), self.args.binding()];
        bindings.extend(scan.levels().iter().map(Buffer::binding));
        recorder.dispatch(&self.args_kernel, &bindings, 1);
    }

    /// Moves the pairs by the digit of pass `pass` of a sort by `bits` bits.
    pub(super) fn pass(
        &self,
        recorder: &mut Recorder<'_>,
        (pass, bits): (u32, u32),
        from: [&Buffer<u32>; 2],
        to: [&Buffer<u32>; 2],
    ) {
        let digit = self.digits.of(pass, bits);
        let counted = [digit, self.args.binding(), from[0].binding(), self.table.binding()];
        self.blocks(recorder, &self.histogram, &counted);
        if let Some(scan) = &self.scan {
            scan.run(recorder, &self.table);
        }
        let (scatter, moved) = self.scatter.pass((pass, self.digits.passes(bits)), counted, from, to);
        self.blocks(recorder, scatter, &moved);
    }

    /// Runs `kernel` on all blocks with pairs.
    fn blocks(&self, recorder: &mut Recorder<'_>, kernel: &Kernel, bindings: &[Binding<'_>]) {
        match self.scan {
            Some(_) => recorder.dispatch_indirect(kernel, bindings, &self.args, 0),
            None => recorder.dispatch(kernel, bindings, self.blocks),
        }
    }
}
