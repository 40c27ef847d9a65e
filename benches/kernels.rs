//! Milliseconds of the kernels by GPU timestamps: `cargo bench --bench kernels [-- <part of the adapter's name>]`.
//!
//! Every line is the fastest of several runs, which a busy machine disturbs least.

use naka_gs::Result;
use naka_gs::gpu::{Choice, Gpu, Mask, Recorder, Scan, Sort, Timings};
use naka_gs::splat::{Tensors, plane_len};
use naka_gs::train::{Adam, Loss, Moments, Update};

const RUNS: usize = 20;

fn main() -> Result<()> {
    let adapter = std::env::args().skip(1).find(|a| !a.starts_with('-'));
    let gpu = Gpu::open(&adapter.map_or(Choice::Best, Choice::Name), Mask::default())?;
    println!("{}", gpu.name());
    scan(&gpu, 1 << 20)?;
    for (count, capacity, bits) in [(10_000, 13_000, 29), (200_000, 260_000, 12), (200_000, 1_600_000, 12)] {
        sort(&gpu, count, capacity, bits)?;
    }
    adam(&gpu, 20_000)?;
    for [width, height] in [[441, 293], [880, 585]] {
        loss(&gpu, width, height)?;
    }
    Ok(())
}

fn numbers(count: usize) -> Vec<u32> {
    (0..count as u32).map(|i| (i.wrapping_mul(2_654_435_761) ^ (i >> 3)).wrapping_mul(0x9e37_79b9)).collect()
}

fn scan(gpu: &Gpu, count: usize) -> Result<()> {
    let values = gpu.upload("values", &numbers(count))?;
    let counts = gpu.upload("count", &[count as u32])?;
    let total = gpu.buffer("total", 1)?;
    let scan = Scan::new(gpu, count)?;
    report(gpu, &format!("scan of {count}"), |recorder| scan.record(recorder, &values, (&counts, 0), (&total, 0)))
}

fn sort(gpu: &Gpu, count: usize, capacity: usize, bits: u32) -> Result<()> {
    let random: Vec<u32> = numbers(capacity).iter().map(|n| n >> (32 - bits)).collect();
    let (from, keys) = (gpu.upload("random", &random)?, gpu.buffer("keys", capacity)?);
    let values = gpu.buffer("values", capacity)?;
    let counts = gpu.upload("count", &[count as u32])?;
    let sort = Sort::new(gpu, capacity)?;
    report(gpu, &format!("sort of {count} pairs by {bits} bits, room for {capacity}"), |recorder| {
        recorder.copy(&from, 0, &keys, 0, capacity);
        sort.record(recorder, &keys, &values, (&counts, 0), bits);
    })
}

fn adam(gpu: &Gpu, count: usize) -> Result<()> {
    let tensors = || Tensors::zeros(gpu, "tensors", count, count, 3);
    let (parameters, gradients, first, second) = (tensors()?, tensors()?, tensors()?, tensors()?);
    let adam = Adam::new(gpu)?;
    let moments = Moments { first: &first, second: &second };
    let update = Update { learning_rates: [1e-3; 8], step: 1, sh_degree: 3 };
    report(gpu, &format!("Adam on {count} splats"), |recorder| {
        adam.record(recorder, &parameters, &gradients, moments, update);
    })
}

fn loss(gpu: &Gpu, width: u32, height: u32) -> Result<()> {
    let plane = plane_len(width, height);
    let values: Vec<f32> = numbers(5 * plane).iter().map(|n| (n >> 8) as f32 / (1 << 24) as f32).collect();
    let rendered = gpu.upload("rendered", &values)?;
    let targets = gpu.upload("targets", &numbers(plane))?;
    let v_image = gpu.buffer("v_image", 4 * plane)?;
    let kernels = Loss::new(gpu, false)?;
    let scratch = kernels.scratch(gpu, width, height, 0.2)?;
    report(gpu, &format!("loss and gradient, {width} × {height}"), |recorder| {
        kernels.record(recorder, &scratch, &rendered, &targets, &v_image);
    })
}

/// Prints the fastest run's total and its kernels.
fn report(gpu: &Gpu, what: &str, record: impl Fn(&mut Recorder<'_>)) -> Result<()> {
    let mut runs = Vec::new();
    for _ in 0..RUNS {
        let mut recorder = Recorder::profiled(gpu);
        record(&mut recorder);
        runs.push(recorder.submit_timed()?);
    }
    let total = |timings: &Timings| timings.values().sum::<f64>();
    runs.sort_by(|a, b| total(a).total_cmp(&total(b)));
    println!("{what}: {:.2} ms", total(&runs[0]));
    for (kernel, ms) in &runs[0] {
        println!("    {kernel}: {ms:.2} ms");
    }
    Ok(())
}
