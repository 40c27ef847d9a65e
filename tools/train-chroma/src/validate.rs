//! Peak signal-to-noise ratios on captures that were kept from training.

use crate::batch::Batch;
use crate::network::Network;
use crate::pairs::Capture;
use crate::parameters::Parameters;
use crate::train;
use burn::tensor::{Device, Tensor};
use naka_gs::enhance::Restoration;

/// Pictures of each capture that are measured.
const PICTURES: usize = 4;

/// A capture's PSNR under a response alone, after the network, and in the balance of the response, in dB.
pub struct Row {
    pub name: String,
    /// `camera` (without one, the Naka–Rushton response), or `quantiles`.
    pub response: &'static str,
    pub naka: f64,
    pub enhanced: f64,
    /// With the mean and the deviation per channel that the response has, as naka-gs shows it.
    pub balanced: f64,
}

/// PSNRs of every capture in `held_out` at its first size under each of its responses: up to four whole pictures,
/// statistics shared by all of them.
pub fn measure(weights: &Parameters, held_out: &[Vec<Capture>]) -> Vec<Row> {
    let device = Device::flex();
    let network = Network::new(weights, &device);
    let row = |capture: &Capture, response: &'static str, restoration: &Restoration| {
        let batch = Batch::whole(capture, restoration, PICTURES).tensors(&device);
        let (_, found) = train::predict(&network, &batch);
        let psnr = |x: Tensor<4>| {
            let error = x - batch.lit.clone();
            -10.0 * f64::from((error.clone() * error).mean().into_scalar::<f32>()).max(1e-12).log10()
        };
        Row {
            name: capture.name.clone(),
            response,
            naka: psnr(batch.naka.clone()),
            balanced: psnr(balance(&found, &batch.naka)),
            enhanced: psnr(found),
        }
    };
    let rows = |capture: &Capture| {
        let own = row(capture, "camera", capture.response());
        let matched = capture.quantiles.as_ref().map(|quantiles| row(capture, "quantiles", quantiles));
        std::iter::once(own).chain(matched).collect::<Vec<_>>()
    };
    held_out.iter().filter_map(|sizes| sizes.first()).flat_map(rows).collect()
}

/// `found` with the mean and standard deviation of `response` per channel.
fn balance(found: &Tensor<4>, response: &Tensor<4>) -> Tensor<4> {
    let moments = |x: &Tensor<4>| {
        let mean = |x: Tensor<4>| x.mean_dim(0).mean_dim(2).mean_dim(3);
        let x = x.clone().clamp(0.0, 1.0);
        let middle = mean(x.clone());
        let difference = x - middle.clone();
        (middle, mean(difference.clone() * difference).sqrt())
    };
    let ((from, spread), (to, wanted)) = (moments(found), moments(response));
    ((found.clone() - from) * (wanted / spread.clamp_min(1e-3)).clamp(0.5, 2.0) + to).clamp(0.0, 1.0)
}

/// The mean of the rows of each response, named `mean`.
pub fn means(rows: &[Row]) -> Vec<Row> {
    let mean = |response: &'static str| {
        let rows: Vec<&Row> = rows.iter().filter(|row| row.response == response).collect();
        let of = |pick: fn(&Row) -> f64| rows.iter().map(|row| pick(row)).sum::<f64>() / rows.len() as f64;
        let [naka, enhanced, balanced] = [of(|row| row.naka), of(|row| row.enhanced), of(|row| row.balanced)];
        (!rows.is_empty()).then(|| Row { name: "mean".into(), response, naka, enhanced, balanced })
    };
    ["camera", "quantiles"].into_iter().filter_map(mean).collect()
}

/// The rows and their means as text.
pub fn table(rows: &[Row]) -> String {
    let line = |row: &Row| {
        let Row { name, response, naka, enhanced, balanced } = row;
        let gain = balanced - naka;
        format!(
            "  {name:20} {response:9} {naka:6.2} dB   enhanced {enhanced:6.2}   balanced {balanced:6.2} {gain:+.2}\n"
        )
    };
    rows.iter().chain(&means(rows)).map(line).collect()
}
