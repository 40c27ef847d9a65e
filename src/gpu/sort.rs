//! Stable radix sort of (key, value) pairs of `u32`, least significant digit first, with a count on the device.

mod blocks;
mod lanes;

use super::{Binding, Buffer, Gpu, Kernel, Recorder, SortBy};
use crate::error::{Error, Result};
use blocks::{Blocks, Shape};
use lanes::Lanes;

/// Sorts up to `capacity` pairs.
pub struct Sort {
    way: Way,
    /// Where every second pass leaves the pairs.
    keys: Buffer<u32>,
    values: Buffer<u32>,
}

/// The kernels of one [`SortBy`].
enum Way {
    Blocks(Box<Blocks>),
    Lanes(Box<Lanes>),
}

/// The values of a sort, and which outputs are needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Values {
    /// Words of the caller. Keys and values are needed.
    Given,
    /// The indices of their keys, which the caller need not write. Only they are needed.
    Places,
}

impl Sort {
    /// Scratch space for `capacity` pairs.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`] where it does not fit the adapter.
    pub fn new(gpu: &Gpu, capacity: usize) -> Result<Self> {
        Self::of(gpu, capacity, Values::Given)
    }

    /// Scratch space for finding the order of `capacity` keys: what `values` hold before a sort does not matter, they come out
    /// as the places that the keys had, and the keys do not come out.
    ///
    /// # Errors
    /// Those of [`Sort::new`].
    pub fn of_places(gpu: &Gpu, capacity: usize) -> Result<Self> {
        Self::of(gpu, capacity, Values::Places)
    }

    fn of(gpu: &Gpu, capacity: usize, values: Values) -> Result<Self> {
        let limit = u32::try_from(capacity)
            .map_err(|_| Error::OutOfMemory(format!("a sort of {capacity} pairs is beyond 2^32")))?;
        let columns = Shape::columns(gpu);
        let blocks = |shape: &Shape| Ok(Way::Blocks(Box::new(Blocks::new(gpu, limit, values, shape)?)));
        let way = match gpu.variants().sort {
            _ if capacity <= columns.few() => blocks(&columns)?,
            SortBy::Columns => blocks(&columns)?,
            SortBy::Ballots => blocks(&Shape::ballots(gpu.info().subgroup_min_size))?,
            SortBy::Lanes => Way::Lanes(Box::new(Lanes::new(gpu, limit, values)?)),
        };
        Self::by(gpu, way, capacity)
    }

    fn by(gpu: &Gpu, way: Way, capacity: usize) -> Result<Self> {
        let [keys, values] = ["sorted keys", "sorted values"].map(|name| gpu.buffer(name, capacity));
        Ok(Self { way, keys: keys?, values: values? })
    }

    /// Sorts the first `count.0[count.1]` pairs (cut off at the capacity) of `keys` and `values` (each at least `capacity`
    /// long) by the low `bits` bits of the keys, 1–32. `count.1` is at most 3. The result is in [`Sort::sorted`]; `keys` and
    /// `values` are scratch afterwards.
    pub fn record(
        &self,
        recorder: &mut Recorder<'_>,
        keys: &Buffer<u32>,
        values: &Buffer<u32>,
        count: (&Buffer<u32>, usize),
        bits: u32,
    ) {
        let (mut from, mut to) = ([keys, values], [&self.keys, &self.values]);
        let bits = bits.clamp(1, 32);
        match &self.way {
            Way::Blocks(blocks) => blocks.prepare(recorder, count),
            Way::Lanes(lanes) => lanes.prepare(recorder, count),
        }
        for pass in 0..self.digits().passes(bits) {
            match &self.way {
                Way::Blocks(blocks) => blocks.pass(recorder, (pass, bits), from, to),
                Way::Lanes(lanes) => lanes.pass(recorder, (pass, bits), from, to),
            }
            std::mem::swap(&mut from, &mut to);
        }
    }

    fn digits(&self) -> &Digits {
        match &self.way {
            Way::Blocks(blocks) => blocks.digits(),
            Way::Lanes(lanes) => lanes.digits(),
        }
    }

    /// Where [`Sort::record`] by `bits` bits leaves the sorted keys and values: where they were, or here.
    pub fn sorted<'a>(&'a self, keys: &'a Buffer<u32>, values: &'a Buffer<u32>, bits: u32) -> [&'a Buffer<u32>; 2] {
        let stay = self.digits().passes(bits.clamp(1, 32)).is_multiple_of(2);
        if stay { [keys, values] } else { [&self.keys, &self.values] }
    }
}

/// The digits of keys: a sort's passes share its bits evenly, since the fewer values a digit has, the fewer counts.
struct Digits {
    most_bits: u32,
    /// Shift and mask of each pass of a sort by 1 to 32 bits, 256 bytes apart.
    uniforms: Buffer<[u32; 64]>,
}

impl Digits {
    /// Digits of up to `most_bits` bits.
    fn new(gpu: &Gpu, most_bits: u32) -> Result<Self> {
        let most_passes = 32u32.div_ceil(most_bits);
        let uniform = |bits: u32, pass: u32| {
            let width = bits.div_ceil(bits.div_ceil(most_bits));
            let shift = pass * width;
            let mut uniform = [0; 64];
            if shift < bits {
                uniform[..2].copy_from_slice(&[shift, u32::MAX >> (32 - width.min(bits - shift))]);
            }
            uniform
        };
        let uniforms: Vec<_> =
            (1..=32).flat_map(|bits| (0..most_passes).map(move |pass| uniform(bits, pass))).collect();
        Ok(Self { most_bits, uniforms: gpu.upload("sort digits", &uniforms)? })
    }

    /// How many there are in `bits` bits.
    fn passes(&self, bits: u32) -> u32 {
        bits.div_ceil(self.most_bits)
    }

    /// The uniform of digit `pass` of `bits` bits.
    fn of(&self, pass: u32, bits: u32) -> Binding<'_> {
        let most_passes = self.passes(32);
        self.uniforms.element(((bits - 1) * most_passes + pass) as usize)
    }
}

/// The kernels that move pairs, by pass.
struct Scatter {
    first: Kernel,
    between: Kernel,
    last: Kernel,
    values: Values,
}

impl Scatter {
    fn new(gpu: &Gpu, name: &str, defines: &[(&str, &str)], values: Values) -> Result<Self> {
        let kernel = |switch: &str| match values {
            Values::Given => gpu.kernel(name, defines),
            Values::Places => gpu.kernel(name, &[defines, &[(switch, "true")][..]].concat()),
        };
        Ok(Self { first: kernel("FIRST")?, between: gpu.kernel(name, defines)?, last: kernel("LAST")?, values })
    }

    /// The kernel of pass `pass` of `passes`, and what it is bound to: `sizes` and then what it needs of the pairs.
    fn pass<'a>(
        &self,
        (pass, passes): (u32, u32),
        sizes: [Binding<'a>; 4],
        from: [&'a Buffer<u32>; 2],
        to: [&'a Buffer<u32>; 2],
    ) -> (&Kernel, Vec<Binding<'a>>) {
        let first = pass == 0 && self.values == Values::Places;
        let last = !first && pass + 1 == passes && self.values == Values::Places;
        let mut bindings = Vec::from(sizes);
        bindings.push(to[1].binding());
        bindings.extend((!first).then(|| from[1].binding()));
        bindings.extend((!last).then(|| to[0].binding()));
        let kernel = if pass == 0 { &self.first } else { &self.between };
        (if last { &self.last } else { kernel }, bindings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::{Choice, Mask, Wanted};
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    /// Sorts `count` of `capacity` random pairs by `bits` bits and compares with a stable sort of the standard library.
    /// Values are positions, so that the order of equal keys shows.
    fn check(gpu: &Gpu, sort: &Sort, capacity: usize, count: usize, bits: u32, spread: u32) {
        let [keys, expected] = sorted(gpu, sort, capacity, count, bits, spread);
        for (i, (pair, expected)) in keys.into_iter().zip(expected).enumerate() {
            assert_eq!(pair, expected, "pair {i} of {count}, capacity {capacity}, {bits} bits");
        }
    }

    /// The pairs that `sort` makes of `count` of `capacity` random ones, and those that it should.
    fn sorted(gpu: &Gpu, sort: &Sort, capacity: usize, count: usize, bits: u32, spread: u32) -> [Vec<(u32, u32)>; 2] {
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
        expected.truncate(used);
        [keys.into_iter().zip(values).take(used).collect(), expected]
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

    #[test]
    fn lanes_sort_as_blocks_do() {
        let gpu = Gpu::open(&Choice::Best, Mask::default()).unwrap();
        for capacity in [300, 131_072, (1 << 20) + 4] {
            let lanes = Lanes::new(&gpu, capacity as u32, Values::Given).unwrap();
            let sort = Sort::by(&gpu, Way::Lanes(Box::new(lanes)), capacity).unwrap();
            for (count, bits) in [(0, 10), (1, 29), (250, 1), (capacity, 13), (capacity - 3, 32), (capacity + 9, 10)] {
                check(&gpu, &sort, capacity, count, bits, u32::MAX);
            }
            check(&gpu, &sort, capacity, capacity, 29, 0x10_0401);
        }
    }

    /// Ballots of this adapter, and of subgroups that it does not have.
    #[test]
    fn ballots_sort_in_subgroups_of_any_size() {
        let gpu = Gpu::open(&Choice::Best, Mask::default()).unwrap();
        let mut shapes: Vec<Shape> = [8, 16, 32, 64].map(Shape::emulated_ballots).into();
        if gpu.capabilities().subgroups {
            shapes.push(Shape::ballots(gpu.info().subgroup_min_size));
        }
        for (shape, values) in shapes.iter().flat_map(|shape| [(shape, Values::Given), (shape, Values::Places)]) {
            for capacity in [1, 767, 3073, 40_000] {
                let blocks = Blocks::new(&gpu, capacity as u32, values, shape).unwrap();
                let sort = Sort::by(&gpu, Way::Blocks(Box::new(blocks)), capacity).unwrap();
                for (count, bits) in [(0, 8), (1, 29), (7, 8), (capacity / 2, 1), (capacity, 13), (capacity + 9, 32)] {
                    let spread = if bits == 13 { 0x1003 } else { u32::MAX };
                    let [pairs, expected] = sorted(&gpu, &sort, capacity, count, bits, spread);
                    // Keys do not come out of a sort of places.
                    let same = |((key, value), wanted): (&(u32, u32), &(u32, u32))| {
                        *value == wanted.1 && (values == Values::Places || *key == wanted.0)
                    };
                    let all_same = pairs.iter().zip(&expected).all(same);
                    assert!(all_same, "{count} of {capacity}, {bits} bits, {values:?}");
                }
            }
        }
    }

    /// As many as a capture of millions of splats makes.
    #[test]
    #[ignore = "takes half a minute on a software adapter"]
    fn every_way_sorts_20_million_pairs() {
        let gpu = Gpu::open(&Choice::Best, Mask::default()).unwrap();
        let count = 20_000_000;
        for sort in SortBy::ALL.into_iter().filter(|by| by.runs_with(gpu.capabilities())) {
            let wanted = Wanted { sort: Some(sort), ..Wanted::default() };
            let gpu = Gpu::open_with(&Choice::Best, Mask::default(), &wanted).unwrap();
            check(&gpu, &Sort::new(&gpu, count + 1).unwrap(), count + 1, count, 29, u32::MAX);
        }
    }

    #[test]
    fn places_need_not_be_written() {
        for gpu in Gpu::every_layout() {
            for capacity in [1000, 70_000] {
                let keys: Vec<u32> = (0..capacity as u32).map(|i| i.wrapping_mul(2_654_435_761) >> 17).collect();
                let (device_keys, values) =
                    (gpu.upload("keys", &keys).unwrap(), gpu.upload("values", &vec![7; capacity]).unwrap());
                let (counts, sort) =
                    (gpu.upload("counts", &[capacity as u32]).unwrap(), Sort::of_places(&gpu, capacity).unwrap());
                for bits in [4, 15, 29] {
                    device_keys.write(&gpu, 0, &keys);
                    let mut recorder = Recorder::new(&gpu);
                    sort.record(&mut recorder, &device_keys, &values, (&counts, 0), bits);
                    recorder.submit();
                    let mut expected: Vec<u32> = (0..capacity as u32).collect();
                    expected.sort_by_key(|place| keys[*place as usize] & (u32::MAX >> (32 - bits)));
                    let found = gpu.read(sort.sorted(&device_keys, &values, bits)[1]).unwrap();
                    assert!(found == expected, "{capacity} keys, {bits} bits");
                }
            }
        }
    }
}
