//! Peak signal-to-noise ratios on captures that were kept from training.

use crate::batch::Batch;
use crate::network::Network;
use crate::pairs::Capture;
use crate::parameters::Parameters;
use crate::train;
use burn::tensor::Device;

/// Pictures of each capture that are measured.
const PICTURES: usize = 4;

/// A capture's PSNR under its response alone and after the network, in dB.
pub struct Row {
    pub name: String,
    pub naka: f64,
    pub enhanced: f64,
}

/// PSNRs of every capture in `held_out` at its first size: up to four whole pictures each, statistics shared by all of them.
pub fn measure(weights: &Parameters, held_out: &[Vec<Capture>]) -> Vec<Row> {
    let device = Device::flex();
    let network = Network::new(weights, &device);
    let row = |capture: &Capture| {
        let batch = Batch::whole(capture, PICTURES).tensors(&device);
        let (_, found) = train::predict(&network, &batch);
        let psnr = |x: burn::tensor::Tensor<4>| {
            let error = x - batch.lit.clone();
            -10.0 * f64::from((error.clone() * error).mean().into_scalar::<f32>()).max(1e-12).log10()
        };
        Row { name: capture.name.clone(), naka: psnr(batch.naka.clone()), enhanced: psnr(found) }
    };
    held_out.iter().filter_map(|sizes| sizes.first()).map(row).collect()
}

/// Mean PSNRs before and after; `None` without captures.
pub fn mean(rows: &[Row]) -> Option<(f64, f64)> {
    let count = rows.len() as f64;
    let sum = |pick: fn(&Row) -> f64| rows.iter().map(pick).sum::<f64>() / count;
    (!rows.is_empty()).then(|| (sum(|row| row.naka), sum(|row| row.enhanced)))
}

/// The rows as text.
pub fn table(rows: &[Row]) -> String {
    let line = |name: &str, naka: f64, enhanced: f64| {
        format!("  {name:24} naka {naka:6.2} dB   enhanced {enhanced:6.2} dB   {:+.2}\n", enhanced - naka)
    };
    let mut text: String = rows.iter().map(|row| line(&row.name, row.naka, row.enhanced)).collect();
    if let Some((naka, enhanced)) = mean(rows) {
        text += &line("mean", naka, enhanced);
    }
    text
}
