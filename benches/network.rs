//! Milliseconds of the chroma network: `cargo bench --bench network [-- WEIGHTS [WIDTH HEIGHT [part of the adapter's name]]]`.
//!
//! Every line is the fastest of several runs, which a busy machine disturbs least.

use naka_gs::Result;
use naka_gs::capture::Image;
use naka_gs::enhance::network::Network;
use naka_gs::enhance::weights::Weights;
use naka_gs::gpu::{Choice, Gpu, Mask};
use std::time::Instant;

const RUNS: usize = 10;
const BUILT_IN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/enhance/models/chroma.safetensors");

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let number = |i: usize, default: u32| words.get(i).and_then(|word| word.parse().ok()).unwrap_or(default);
    let weights = Weights::read(words.first().map_or(BUILT_IN, String::as_str))?;
    let gpu = Gpu::open(&words.get(3).map_or(Choice::Best, |name| Choice::Name(name.to_lowercase())), Mask::default())?;
    let (width, height) = (number(1, 441), number(2, 293));
    println!("{}; {}, {width} × {height}", gpu.name(), weights.name);
    let network = Network::new(&gpu, &weights)?;
    let (dark, lit) = (picture(width, height, 0.05), picture(width, height, 0.5));
    let statistics = network.statistics(&[(&dark, &lit)])?;
    let maps = network.maps(&dark, &lit, None)?;
    let flop = operations(&weights, width, height);
    for (what, milliseconds) in [
        ("maps, own statistics", fastest(|| network.maps(&dark, &lit, None).map(drop))?),
        ("maps, given statistics", fastest(|| network.maps(&dark, &lit, Some(&statistics)).map(drop))?),
    ] {
        let rate = flop / milliseconds * 1e-6;
        println!("{what}: {milliseconds:.1} ms, {:.2} GFLOP in convolutions, {rate:.1} GFLOP/s", flop * 1e-9);
    }
    println!("application: {:.1} ms", fastest(|| network.apply(&maps, &lit).map(drop))?);
    let large = picture(4 * width, 4 * height, 0.5);
    let guided = fastest(|| network.apply(&maps, &large).map(drop))?;
    println!("application with guidance to {} × {}: {guided:.1} ms", large.width, large.height);
    println!("most device memory: {} MB", gpu.peak_bytes() / 1_000_000);
    for (kernel, milliseconds) in network.timings(&dark, &lit)? {
        println!("  {kernel}: {milliseconds:.1} ms");
    }
    Ok(())
}

fn fastest(work: impl Fn() -> Result<()>) -> Result<f64> {
    let mut fastest = f64::INFINITY;
    for _ in 0..RUNS {
        let start = Instant::now();
        work()?;
        fastest = fastest.min(start.elapsed().as_secs_f64() * 1e3);
    }
    Ok(fastest)
}

fn picture(width: u32, height: u32, level: f32) -> Image {
    let value = |i: u32| level * (1.0 + (i.wrapping_mul(2_654_435_761) >> 8) as f32 / (1 << 24) as f32);
    let pixels = (0..width * height).map(|i| [value(3 * i), value(3 * i + 1), value(3 * i + 2)]).collect();
    Image { width, height, pixels }
}

/// Multiplications and additions of all convolutions.
fn operations(weights: &Weights, width: u32, height: u32) -> f64 {
    let level = |name: &str| match name.split('.').take(2).collect::<Vec<_>>()[..] {
        ["down1", "down"] | ["down2", "block"] | ["up2", _] => 1,
        ["down2", "down"] | ["down3", "block"] | ["up3", _] => 2,
        ["down3", "down"] | ["bottleneck", _] => 3,
        _ => 0,
    };
    let convolutions = weights.tensors.iter().filter(|(_, tensor)| tensor.shape.ends_with(&[3, 3]));
    let of = |(name, tensor): (&String, &naka_gs::enhance::weights::Tensor)| {
        let pixels = width.div_ceil(1 << level(name)) * height.div_ceil(1 << level(name));
        2.0 * tensor.values.len() as f64 * f64::from(pixels)
    };
    convolutions.map(of).sum()
}
