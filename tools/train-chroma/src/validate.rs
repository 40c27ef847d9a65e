//! Peak signal-to-noise ratios on captures that were kept from training.

use crate::batch::{Batch, Tensors, pixels};
use crate::network::Network;
use crate::pairs::Capture;
use crate::parameters::{Metadata, Parameters};
use crate::train;
use burn::tensor::{Device, Tensor};
use naka_gs::capture::Image;
use naka_gs::enhance::{Balance, Restoration};

/// Pictures of each capture that are measured.
pub const PICTURES: usize = 4;

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

impl Row {
    /// PSNRs of a capture's pictures `batch` that were corrected to `found`.
    pub fn new(capture: &Capture, response: &'static str, batch: &Tensors, found: &Tensor<4>) -> Self {
        let [naka, lit, enhanced] = [&batch.naka, &batch.lit, found].map(images);
        let balance = Balance::between(&naka.iter().zip(&enhanced).collect::<Vec<_>>());
        let balanced: Vec<Image> = enhanced.iter().map(|image| balance.apply(image.clone())).collect();
        let [naka, enhanced, balanced] = [naka, enhanced, balanced].map(|found| psnr(&found, &lit));
        Self { name: capture.name.clone(), response, naka, enhanced, balanced }
    }
}

/// PSNRs of every capture in `held_out` at its first size under each of its responses: up to four whole pictures,
/// statistics shared by all of them.
pub fn measure(weights: &Parameters, held_out: &[Vec<Capture>]) -> Vec<Row> {
    let device = Device::flex();
    let network = Network::new(weights, &device);
    let row = |capture: &Capture, response: &'static str, restoration: &Restoration| {
        let batch = Batch::whole(capture, |dark| restoration.apply(dark), PICTURES).tensors(&device);
        let (_, found) = train::predict(&network, &batch);
        Row::new(capture, response, &batch, &found)
    };
    let rows = |capture| responses(capture).map(|(name, response)| row(capture, name, response)).collect::<Vec<_>>();
    held_out.iter().filter_map(|sizes| sizes.first()).flat_map(rows).collect()
}

/// The responses that a capture is measured under, with their names in a [`Row`].
pub fn responses(capture: &Capture) -> impl Iterator<Item = (&'static str, &Restoration)> {
    std::iter::once(("camera", capture.response())).chain(capture.quantiles.iter().map(|found| ("quantiles", found)))
}

/// The pictures of a batch, [N, 3, H, W].
fn images(batch: &Tensor<4>) -> Vec<Image> {
    let [_, _, height, width] = batch.dims();
    let area = height * width;
    let image = |pixels: &[[f32; 3]]| Image { width: width as u32, height: height as u32, pixels: pixels.to_vec() };
    pixels(batch).chunks_exact(area).map(image).collect()
}

/// In dB, over all pictures together.
fn psnr(found: &[Image], truth: &[Image]) -> f64 {
    let values =
        |images: &[Image]| -> Vec<f32> { images.iter().flat_map(|i| i.pixels.iter().flatten()).copied().collect() };
    let (found, truth) = (values(found), values(truth));
    let squares = found.iter().zip(&truth).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>();
    -10.0 * (squares / found.len() as f64).max(1e-12).log10()
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

/// The means as notes in a file of weights.
pub fn notes(rows: &[Row]) -> Metadata {
    let of = |mean: Row| {
        let note = |what: &str, psnr: f64| (format!("psnr_{}{what}", mean.response), format!("{psnr:.3}"));
        [note("", mean.naka), note("_enhanced", mean.balanced)]
    };
    means(rows).into_iter().flat_map(of).collect()
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
