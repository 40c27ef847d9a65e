//! Peak signal-to-noise ratios on captures that were kept from training.

use crate::batch::{Batch, Tensors, pixels};
use crate::concepts::{Concept, masks};
use crate::network::Network;
use crate::pairs::{self, Capture};
use crate::parameters::{Metadata, Parameters};
use crate::train::{self, Captures};
use burn::tensor::{Device, Tensor};
use naka_gs::capture::Image;
use naka_gs::enhance::{Balance, Restoration};
use naka_gs::error::Result;
use std::num::NonZeroUsize;
use std::path::PathBuf;

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
        Self::at(capture, response, batch, found, &|_| true)
    }

    /// As [`Row::new`], over the pixels that `counts` says yes to by their number in the batch. The balance is that of all.
    fn at(
        capture: &Capture,
        response: &'static str,
        batch: &Tensors,
        found: &Tensor<4>,
        counts: &dyn Fn(usize) -> bool,
    ) -> Self {
        let [naka, lit, enhanced] = [&batch.naka, &batch.lit, found].map(images);
        let balanced = balanced(&naka, &enhanced);
        let [naka, enhanced, balanced] = [naka, enhanced, balanced].map(|found| psnr(&found, &lit, counts));
        Self { name: capture.name.clone(), response, naka, enhanced, balanced }
    }
}

/// A network, and the captures that it is measured on.
#[derive(Clone, Debug, clap::Args)]
pub struct Subject {
    /// Weights of the network (.safetensors)
    pub weights: PathBuf,
    /// Folder of pairs, as for training
    pub pairs: PathBuf,
    /// Factor by which pictures are averaged
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub downscale: u32,
    /// Captures that are measured: the last ones by name; what is fitted or ranked is so on the others
    #[arg(long, default_value = "2")]
    pub holdout: NonZeroUsize,
}

impl Subject {
    /// The network, the other captures, and those that it is measured on.
    ///
    /// # Errors
    /// Weights or pictures that cannot be read, too few captures.
    pub fn read(&self) -> Result<(Parameters, Captures, Captures)> {
        let weights = train::weights(&self.weights)?;
        let captures = pairs::read(&self.pairs, &[self.downscale])?;
        let (others, held_out) = train::split(captures, self.holdout.get())?;
        Ok((weights, others, held_out))
    }
}

/// PSNRs of every capture in `held_out` at its first size under each of its responses: up to four whole pictures,
/// statistics shared by all of them.
pub fn measure(weights: &Parameters, held_out: &[Vec<Capture>]) -> Vec<Row> {
    measure_at(weights, held_out, &[])
}

/// As [`measure`], at the pixels of `concepts` alone unless there are none. Captures without such a pixel have no row.
pub fn measure_at(weights: &Parameters, held_out: &[Vec<Capture>], concepts: &[Concept]) -> Vec<Row> {
    let device = Device::flex();
    let network = Network::new(weights, &device);
    let row = |capture: &Capture, response: &'static str, restoration: &Restoration| {
        let batch = Batch::whole(capture, |dark| restoration.apply(dark), PICTURES).tensors(&device);
        let masks: Vec<bool> = images(&batch.lit).iter().flat_map(|lit| masks::any(concepts, lit)).collect();
        if !concepts.is_empty() && !masks.contains(&true) {
            return None;
        }
        let (_, found) = train::predict(&network, &batch);
        Some(Row::at(capture, response, &batch, &found, &|i| concepts.is_empty() || masks[i]))
    };
    let rows =
        |capture| responses(capture).filter_map(|(name, response)| row(capture, name, response)).collect::<Vec<_>>();
    held_out.iter().filter_map(|sizes| sizes.first()).flat_map(rows).collect()
}

/// The responses that a capture is measured under, with their names in a [`Row`].
pub fn responses(capture: &Capture) -> impl Iterator<Item = (&'static str, &Restoration)> {
    std::iter::once(("camera", capture.response())).chain(capture.quantiles.iter().map(|found| ("quantiles", found)))
}

/// Corrected pictures in the balance of their responses, as naka-gs shows them.
pub fn balanced(naka: &[Image], enhanced: &[Image]) -> Vec<Image> {
    let balance = Balance::between(&naka.iter().zip(enhanced).collect::<Vec<_>>());
    enhanced.iter().map(|image| balance.apply(image.clone())).collect()
}

/// The pictures of a batch, [N, 3, H, W].
pub fn images(batch: &Tensor<4>) -> Vec<Image> {
    let [_, _, height, width] = batch.dims();
    let area = height * width;
    let image = |pixels: &[[f32; 3]]| Image { width: width as u32, height: height as u32, pixels: pixels.to_vec() };
    pixels(batch).chunks_exact(area).map(image).collect()
}

/// In dB, over all pictures together, at the pixels that count.
fn psnr(found: &[Image], truth: &[Image], counts: &dyn Fn(usize) -> bool) -> f64 {
    let pixels = |images| <[Image]>::iter(images).flat_map(|image: &Image| &image.pixels);
    let (mut squares, mut count) = (0.0, 0.0);
    for (_, (a, b)) in pixels(found).zip(pixels(truth)).enumerate().filter(|(i, _)| counts(*i)) {
        squares += a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>();
        count += 3.0;
    }
    -10.0 * (squares / count).max(1e-12).log10()
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

#[cfg(test)]
pub mod tests {
    use super::*;
    use std::path::Path;

    /// The network of `weights` on the last of the captures in `pairs`, at full size.
    pub fn subject(weights: &Path, pairs: &Path) -> Subject {
        Subject { weights: weights.to_path_buf(), pairs: pairs.to_path_buf(), downscale: 1, holdout: NonZeroUsize::MIN }
    }

    #[test]
    fn only_pixels_that_count_are_compared() {
        let image = |value: f32| Image { width: 2, height: 1, pixels: vec![[value; 3], [0.5; 3]] };
        let (found, truth) = ([image(0.6), image(0.4)], [image(0.5), image(0.2)]);
        // Errors of 0.1, 0, 0.2 and 0.
        let expected = |squares: f64, count: f64| -10.0 * (squares / count).log10();
        assert!((psnr(&found, &truth, &|_| true) - expected(0.05, 4.0)).abs() < 1e-4);
        assert!((psnr(&found, &truth, &|i| i == 2) - expected(0.04, 1.0)).abs() < 1e-4);
    }
}
