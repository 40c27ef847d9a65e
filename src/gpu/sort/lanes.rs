//! A radix sort for adapters of eight lanes on a few cores: wide digits, few and long runs of pairs.
//!
//! Every lane owns consecutive pairs and a column of the table of counts, which is in device memory. So ten bits a pass cost no
//! more than six: what is cleared and summed is shared by thousands of pairs; after the sums a pair's place is one load away,
//! and a pass is three direct dispatches.

use super::{Digits, Scatter, Values};
use crate::error::Result;
use crate::gpu::{Buffer, Gpu, Kernel, Recorder};

const DIGIT_BITS: u32 = 10;
/// Lanes of a workgroup: a subgroup.
const WORKGROUP: usize = 8;
/// Lanes that sort up to [`STEP`] pairs: enough workgroups for a few cores, few sums.
const LANES: usize = 64;
/// Pairs for which there are as many lanes again: drivers stop a loop after 65 535 turns, and a turn takes four pairs.
const STEP: usize = 1 << 20;

/// Scratch space of sorts of up to `capacity` pairs.
pub(super) struct Lanes {
    histogram: Kernel,
    starts: Kernel,
    scatter: Scatter,
    workgroups: u32,
    digits: Digits,
    /// The capacity, and as the last of four words the number of pairs.
    args: Buffer<u32>,
    table: Buffer<u32>,
}

impl Lanes {
    pub(super) fn new(gpu: &Gpu, limit: u32, values: Values) -> Result<Self> {
        let lanes = LANES * (limit as usize).div_ceil(STEP).max(1);
        let define = format!("{lanes}u");
        let sizes = [("LANES", define.as_str())];
        Ok(Self {
            histogram: gpu.kernel("gpu/lane_histogram", &sizes)?,
            starts: gpu.kernel("gpu/lane_starts", &sizes)?,
            scatter: Scatter::new(gpu, "gpu/lane_scatter", &sizes, values)?,
            workgroups: (lanes / WORKGROUP) as u32,
            digits: Digits::new(gpu, DIGIT_BITS)?,
            args: gpu.upload("sort arguments", &[limit, 0, 0, 0])?,
            table: gpu.buffer("sort counts", lanes << DIGIT_BITS)?,
        })
    }

    /// The digits that it sorts by.
    pub(super) fn digits(&self) -> &Digits {
        &self.digits
    }

    /// Sizes the passes for so many pairs.
    pub(super) fn prepare(&self, recorder: &mut Recorder<'_>, count: (&Buffer<u32>, usize)) {
        recorder.copy(count.0, count.1, &self.args, 3, 1);
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
        let counted = [digit.clone(), self.args.binding(), from[0].binding(), self.table.binding()];
        recorder.dispatch(&self.histogram, &counted, self.workgroups);
        recorder.dispatch(&self.starts, &[digit, self.table.binding()], 1);
        let (scatter, moved) = self.scatter.pass((pass, self.digits.passes(bits)), counted, from, to);
        recorder.dispatch(scatter, &moved, self.workgroups);
    }
}
