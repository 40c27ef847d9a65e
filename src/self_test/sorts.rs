//! Sorts and prefix sums beyond the sizes that one workgroup does: by the kernels that trainings run.

use super::Check;
use crate::error::Result;
use crate::gpu::{Gpu, Recorder, Scan, Sort};

/// Few enough to be sorted without a prefix sum on every adapter, and too many for that on any: count, and bits of the keys.
const FEW: (u32, u32) = (5000, 12);
const MANY: (u32, u32) = (120_000, 29);
/// Elements of more blocks than one workgroup scans.
const SCANNED: u32 = 20_000;
/// What there is room for beyond the count on the device.
const SPARE: u32 = 77;

/// Sorts and scans.
///
/// # Errors
/// A device that fails altogether.
pub(super) fn run(gpu: &Gpu) -> Result<Vec<Check>> {
    let room = |(count, _): (u32, u32)| (count + SPARE) as usize;
    Ok(vec![
        sort(gpu, "sort", &Sort::new(gpu, room(FEW))?, FEW, true)?,
        sort(gpu, "large sort", &Sort::new(gpu, room(MANY))?, MANY, true)?,
        sort(gpu, "large argsort", &Sort::of_places(gpu, room(MANY))?, MANY, false)?,
        scan(gpu)?,
    ])
}

/// A key of up to `bits` bits, of which every third has the highest bits alone: many are equal.
fn key(place: u32, bits: u32) -> u32 {
    let key = place.wrapping_mul(2_654_435_761) >> (32 - bits);
    if place.is_multiple_of(3) { key >> (bits - 5) << (bits - 5) } else { key }
}

/// Values are places; with `keys` keys are compared, too.
fn sort(gpu: &Gpu, name: &'static str, sort: &Sort, (count, bits): (u32, u32), keys: bool) -> Result<Check> {
    let all: Vec<u32> = (0..count + SPARE).map(|place| key(place, bits)).collect();
    let mut expected: Vec<u32> = (0..count).collect();
    expected.sort_by_key(|place| all[*place as usize]);
    let device_keys = gpu.upload("keys", &all)?;
    let values = gpu.upload("values", &(0..count + SPARE).collect::<Vec<_>>())?;
    let counts = gpu.upload("count", &[count])?;
    let mut recorder = Recorder::new(gpu);
    sort.record(&mut recorder, &device_keys, &values, (&counts, 0), bits);
    recorder.submit();
    let [found_keys, found] = sort.sorted(&device_keys, &values, bits);
    let (found_keys, found) = (gpu.read(found_keys)?, gpu.read(found)?);
    let is_right =
        |(at, place): &(usize, &u32)| found[*at] == **place && (!keys || found_keys[*at] == all[**place as usize]);
    let right = expected.iter().enumerate().filter(is_right).count();
    let detail = format!("{} of {count} pairs are out of place", count as usize - right);
    Ok(Check { name, pass: right == count as usize, detail })
}

fn scan(gpu: &Gpu) -> Result<Check> {
    let values: Vec<u32> = (0..SCANNED + SPARE).map(|i| i.wrapping_mul(2_654_435_761) >> 20).collect();
    let (buffer, counts) = (gpu.upload("values", &values)?, gpu.upload("count", &[SCANNED])?);
    let (total, scan) = (gpu.buffer("total", 1)?, Scan::new(gpu, values.len())?);
    let mut recorder = Recorder::new(gpu);
    scan.record(&mut recorder, &buffer, (&counts, 0), (&total, 0));
    recorder.submit();
    let mut sum = 0;
    let sums = values.iter().take(SCANNED as usize).map(|value| {
        sum += value;
        sum - value
    });
    // What lies behind the count stays.
    let expected: Vec<u32> = sums.chain(values[SCANNED as usize..].iter().copied()).collect();
    let wrong = gpu.read(&buffer)?.iter().zip(&expected).filter(|(found, expected)| found != expected).count();
    let whole: u32 = values[..SCANNED as usize].iter().sum();
    let pass = wrong == 0 && gpu.read(&total)? == [whole];
    Ok(Check { name: "prefix sum", pass, detail: format!("{wrong} of {SCANNED} sums differ") })
}
