//! Enhances a folder of dark photographs: `cargo run --release --example enhance_folder -- IN OUT`.

use naka_gs::gpu::{Choice, Gpu, Mask};
use naka_gs::progress::Silent;
use naka_gs::{Error, Result, capture, enhance};
use std::path::PathBuf;

fn main() -> Result<()> {
    let [input, out] = arguments()?;
    let photographs = capture::photos(&input)?;
    let gpu = Gpu::open(&Choice::Best, Mask::default())?;
    // At full size; 2 would halve it.
    let downscale = 1;
    let config = enhance::Config::default();
    let (_, report) = enhance::enhance_capture(&gpu, &photographs, &config, downscale, &out, &Silent::default())?;
    println!("{} photographs by the response {}", report.images, report.response);
    Ok(())
}

fn arguments() -> Result<[PathBuf; 2]> {
    let given: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    given.try_into().map_err(|given: Vec<_>| Error::setting("arguments", format!("{}", given.len()), "give IN and OUT"))
}
