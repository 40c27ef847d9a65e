//! Exclusive prefix sums whose length is known on the device.
//!
//! Reduce-then-scan over blocks of 1024 elements: block sums upward, one block at the top, offsets downward. There is no
//! decoupled look-back, which needs forward progress between workgroups that software adapters and some GPUs don't give.

use super::{Buffer, Gpu, Kernel, Recorder};
use crate::error::{Error, Result};

/// Elements per workgroup.
pub(super) const BLOCK: usize = 1024;
/// Elements that one workgroup scans block by block: fewer dispatches save more time than a single workgroup costs.
const TOP: usize = 8 * BLOCK;
/// Levels that `u32` counts can need: 1024³ elements.
const MAX_LEVELS: usize = 3;

/// Places in a buffer that can hold a count.
const PLACES: usize = 4;
/// Twin of `Source` in `shaders/common/count_source.wgsl`, 256 bytes from the next: what a binding may begin at.
pub(super) type Source = [u32; 64];

/// A [`Source`] for each place that a count can have in its buffer; `limit` is the most that it may be.
pub(super) fn count_sources(gpu: &Gpu, limit: u32) -> Result<Buffer<Source>> {
    let sources: [Source; PLACES] = std::array::from_fn(|place| {
        let mut source = [0; 64];
        source[..2].copy_from_slice(&[place as u32, limit]);
        source
    });
    gpu.upload("places of counts", &sources)
}

/// Exclusive prefix sums over `u32` buffers of up to `capacity` elements. Sums
/// stop at 2³² − 1.
///
/// One recording may use the same `Scan` any number of times.
pub struct Scan {
    args: Kernel,
    reduce: Kernel,
    block: Kernel,
    top: Kernel,
    /// See [`count_sources`].
    sources: Buffer<Source>,
    /// Per level: workgroups (x, y, z) and number of elements. Of a single level: the capacity, and number of elements.
    levels: [Buffer<u32>; MAX_LEVELS],
    /// Block sums of the levels below the top one.
    sums: Vec<Buffer<u32>>,
    total: Buffer<u32>,
}

impl Scan {
    /// Scratch space for scans of up to `capacity` elements.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`] where the scratch space (1/1024 of the values) does not fit.
    pub fn new(gpu: &Gpu, capacity: usize) -> Result<Self> {
        let limit = u32::try_from(capacity)
            .map_err(|_| Error::OutOfMemory(format!("a prefix sum of {capacity} elements is beyond 2^32")))?;
        let block_define = format!("{BLOCK}u");
        let block_size = [("BLOCK", block_define.as_str())];
        let args_size = [("SCAN_BLOCK", block_define.as_str())];
        let mut sums = Vec::new();
        let mut rows = capacity;
        while rows > TOP {
            rows = rows.div_ceil(BLOCK);
            sums.push(gpu.buffer("scan block sums", rows)?);
        }
        let level = || gpu.upload("scan level", &[limit, 0, 0, 0]);
        let top: &[_] = if sums.is_empty() { &[("TOP", "true"), ("ROOM", "true")] } else { &[("TOP", "true")] };
        Ok(Self {
            args: gpu.kernel("gpu/scan_args", &args_size)?,
            reduce: gpu.kernel("gpu/scan_reduce", &block_size)?,
            block: gpu.kernel("gpu/scan_block", &block_size)?,
            top: gpu.kernel("gpu/scan_block", top)?,
            sources: count_sources(gpu, limit)?,
            levels: [level()?, level()?, level()?],
            sums,
            total: gpu.buffer("scan total", 1)?,
        })
    }

    /// Replaces the first `count[index]` elements of `values` (cut off at the capacity) by the sums of all elements
    /// before them, and writes the sum of all of them to `total`: a buffer and an element of it. Elements from the
    /// count on are left as they are. `values` holds at least `capacity` elements; `index` is at most 3.
    pub fn record(
        &self,
        recorder: &mut Recorder<'_>,
        values: &Buffer<u32>,
        count: (&Buffer<u32>, usize),
        total: (&Buffer<u32>, usize),
    ) {
        self.prepare(recorder, count);
        self.run(recorder, values);
        recorder.copy(&self.total, 0, total.0, total.1, 1);
    }

    /// Whether one dispatch scans all elements.
    fn single(&self) -> bool {
        self.sums.is_empty()
    }

    /// What a kernel can write instead of [`Scan::prepare`]: the number of elements as the last word of a single level, else
    /// all of the levels.
    pub(super) fn levels(&self) -> &[Buffer<u32>] {
        if self.single() { &self.levels[..1] } else { &self.levels }
    }

    /// Sizes the following [`Scan::run`]s for `count[index]` elements.
    pub(super) fn prepare(&self, recorder: &mut Recorder<'_>, count: (&Buffer<u32>, usize)) {
        if self.single() {
            return recorder.copy(count.0, count.1, &self.levels[0], 3, 1);
        }
        let [l0, l1, l2] = &self.levels;
        let source = self.sources.element(count.1);
        recorder.dispatch(&self.args, &[source, count.0.binding(), l0.binding(), l1.binding(), l2.binding()], 1);
    }

    /// Scans as many elements as the last [`Scan::prepare`] said.
    pub(super) fn run(&self, recorder: &mut Recorder<'_>, values: &Buffer<u32>) {
        let data = |level: usize| if level == 0 { values } else { &self.sums[level - 1] };
        let top = self.sums.len();
        for (level, sums) in self.sums.iter().enumerate() {
            let args = &self.levels[level];
            let bindings = [args.binding(), data(level).binding(), sums.binding()];
            recorder.dispatch_indirect(&self.reduce, &bindings, args, 0);
        }
        let bindings = [self.levels[top].binding(), data(top).binding(), self.total.binding()];
        recorder.dispatch(&self.top, &bindings, 1);
        for level in (0..top).rev() {
            let args = &self.levels[level];
            let bindings = [args.binding(), data(level).binding(), self.sums[level].binding()];
            recorder.dispatch_indirect(&self.block, &bindings, args, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::{Choice, Mask};

    fn check(gpu: &Gpu, (scan, capacity): (&Scan, usize), count: usize) {
        let values: Vec<u32> = (0..capacity as u32).map(|i| i.wrapping_mul(2_654_435_761) >> 24).collect();
        let buffer = gpu.upload("values", &values).unwrap();
        let counts = gpu.upload("count", &[7, count as u32]).unwrap();
        let total = gpu.upload("total", &[5u32, 6, 7]).unwrap();
        let mut recorder = Recorder::new(gpu);
        scan.record(&mut recorder, &buffer, (&counts, 1), (&total, 2));
        recorder.submit();
        let got = gpu.read(&buffer).unwrap();
        let used = count.min(capacity);
        let mut sum = 0u32;
        for i in 0..used {
            assert_eq!(got[i], sum, "element {i} of {count}, capacity {capacity}");
            sum = sum.saturating_add(values[i]);
        }
        assert_eq!(got[used..], values[used..], "elements past the count");
        assert_eq!(gpu.read(&total).unwrap(), [5, 6, sum]);
    }

    #[test]
    fn matches_a_serial_sum() {
        let gpu = Gpu::open(&Choice::Best, Mask::default()).unwrap();
        for capacity in [1, 5, 1023, 1024, 1025, 5000, 8192, 8200] {
            let scan = Scan::new(&gpu, capacity).unwrap();
            for count in [0, 1, 3, capacity / 2, capacity - 1, capacity, capacity + 9] {
                check(&gpu, (&scan, capacity), count);
            }
        }
    }

    #[test]
    fn three_levels_and_no_optional_features() {
        let gpu = Gpu::open(&Choice::Best, Mask::ALL).unwrap();
        let capacity = 8 * 1024 * 1024 + 3000;
        let scan = Scan::new(&gpu, capacity).unwrap();
        for count in [0, 1000, 70_001, 8 * 1024 * 1024, 8 * 1024 * 1024 + 2999] {
            check(&gpu, (&scan, capacity), count);
        }
    }

    #[test]
    fn sums_stop_at_the_largest_number() {
        let gpu = Gpu::open(&Choice::Best, Mask::ALL).unwrap();
        for capacity in [3, 1025, 9000] {
            let scan = Scan::new(&gpu, capacity).unwrap();
            let mut values = vec![0u32; capacity];
            (values[0], values[capacity / 2], values[capacity - 1]) = (7, u32::MAX - 3, 9);
            let buffer = gpu.upload("values", &values).unwrap();
            let count = gpu.upload("count", &[capacity as u32]).unwrap();
            let total = gpu.upload("total", &[0u32]).unwrap();
            let mut recorder = Recorder::new(&gpu);
            scan.record(&mut recorder, &buffer, (&count, 0), (&total, 0));
            recorder.submit();
            let got = gpu.read(&buffer).unwrap();
            assert_eq!((got[capacity / 2], got[capacity - 1]), (7, u32::MAX), "capacity {capacity}");
            assert_eq!(gpu.read(&total).unwrap(), [u32::MAX], "capacity {capacity}");
        }
    }
}
