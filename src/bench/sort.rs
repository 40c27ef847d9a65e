//! The radix sort on random keys. Every turn sorts a fresh copy of them, whose copying counts.

use super::report::Row;
use super::turns::Turns;
use crate::error::Result;
use crate::gpu::{Gpu, Recorder, Sort};
use crate::random::hash;

const BITS: u32 = 32;

pub fn measure(gpu: &Gpu, count: usize, turns: &Turns<'_>) -> Result<Row> {
    let random: Vec<u32> = (0..count as u64).map(|at| hash(1, 0, at) as u32).collect();
    let (from, keys, values) =
        (gpu.upload("random", &random)?, gpu.buffer("keys", count)?, gpu.buffer("values", count)?);
    let (counts, sort) = (gpu.upload("count", &[count as u32])?, Sort::new(gpu, count)?);
    let record = |recorder: &mut Recorder<'_>| {
        recorder.copy(&from, 0, &keys, 0, count);
        sort.record(recorder, &keys, &values, (&counts, 0), BITS);
    };
    Ok(turns.recorded(record)?.with("pairs", count as f64))
}
