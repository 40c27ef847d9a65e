//! `train-chroma resolution`: does a network give one set of colors, at whatever size it sees a picture?
//!
//! The same pictures are averaged by several factors, corrected, and averaged again to the smallest size, where the results
//! are compared. One response serves all sizes; averaging before its curve is not averaging after it, so that the response
//! alone differs, too. With `--prune`, channels that matter at one size only go first.

mod rescale;

use crate::audit;
use crate::batch::{Batch, Tensors};
use crate::loss::apart;
use crate::network::Network;
use crate::pairs;
use crate::parameters::Parameters;
use crate::prune::{self, Sampling, Unit};
use crate::train::{self, Captures};
use crate::validate::{self, PICTURES, Row};
use burn::tensor::Device;
use naka_gs::capture::{Image, resize_area};
use naka_gs::error::{Error, Result};
use std::fmt::Write;
use std::num::NonZeroUsize;
use std::path::PathBuf;

/// Settings of `train-chroma resolution`.
#[derive(Clone, Debug, clap::Args)]
pub struct Settings {
    /// Weights to measure (.safetensors)
    pub weights: PathBuf,
    /// Folder of pairs, as for training
    pub pairs: PathBuf,
    /// Factors by which pictures are averaged; the response is that of the first
    #[arg(long, value_delimiter = ',', default_value = "8,4,2", value_parser = clap::value_parser!(u32).range(1..=64))]
    pub downscale: Vec<u32>,
    /// Captures that are measured: the last ones by name
    #[arg(long, default_value = "2")]
    pub holdout: NonZeroUsize,
    /// Keep this part of the multiplications in residual blocks: channels that matter at one size only go first
    #[arg(long, value_name = "KEEP")]
    pub prune: Option<f64>,
    /// Where the pruned weights go
    #[arg(short, long, default_value = "consistent.safetensors", requires = "prune")]
    pub output: PathBuf,
    /// Batches that the importance of channels is measured on, at each size
    #[arg(long, default_value_t = 64)]
    pub batches: u64,
    /// Seed of crops and projections
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
}

/// Measures, prunes where that is asked for, and prints tables in Markdown.
///
/// # Errors
/// Weights or pictures that cannot be read, fewer than two factors, a part to keep that is none, a full disk.
pub fn run(settings: &Settings) -> Result<()> {
    print!("{}", report(settings)?);
    Ok(())
}

/// The tables.
///
/// # Errors
/// Those of [`run`].
fn report(settings: &Settings) -> Result<String> {
    check(settings)?;
    let weights = train::weights(&settings.weights)?;
    let captures = pairs::read(&settings.pairs, &settings.downscale)?;
    let (captures, held_out) = train::split(captures, settings.holdout.get())?;
    let given = Measured::new(&weights, &held_out);
    let mut text = given.tables(&settings.downscale);
    if let Some(keep) = settings.prune {
        let pruned = pruned(&weights, &captures, keep, settings)?;
        text += &comparison(settings, (&given, weights.count()), &pruned, &held_out);
        let (_, mut notes) = Parameters::read(&settings.weights)?;
        notes.retain(|name, _| !name.starts_with("psnr"));
        notes.insert("pruned_to".into(), format!("{keep:.3}"));
        pruned.rescaled.write(&settings.output, &notes)?;
    }
    Ok(text)
}

fn check(settings: &Settings) -> Result<()> {
    let mut factors = settings.downscale.clone();
    factors.sort_unstable();
    factors.dedup();
    if factors.len() < 2 || factors.len() < settings.downscale.len() {
        let found = settings.downscale.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
        return Err(Error::setting("downscale", found, "give two different factors or more, as in 8,4,2"));
    }
    match settings.prune {
        Some(keep) if !(keep > 0.0 && keep <= 1.0) => {
            Err(Error::setting("prune", keep.to_string(), "give a part above 0 and up to 1"))
        }
        _ => Ok(()),
    }
}

/// PSNRs at every size, and how much results of one size differ from those of another.
struct Measured {
    /// For each size, the rows of all captures.
    rows: Vec<Vec<Row>>,
    /// For each pair of sizes, by their indices, what the results of response and network differ by.
    differences: Vec<([usize; 2], [Difference; 2])>,
}

/// Mean absolute differences in levels of 255.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Difference {
    luma: f64,
    /// Of blue and red from luma.
    color: f64,
}

impl Measured {
    fn new(weights: &Parameters, held_out: &Captures) -> Self {
        let network = Network::new(weights, &Device::flex());
        let count = held_out.first().map_or(0, Vec::len);
        let mut rows: Vec<Vec<Row>> = (0..count).map(|_| Vec::new()).collect();
        let each = |b: usize| (0..b).map(move |a| [a, b]);
        let mut differences: Vec<_> =
            (0..count).flat_map(each).map(|pair| (pair, [Difference::default(); 2])).collect();
        let mut cases = 0.0;
        for sizes in held_out {
            for (name, response) in validate::responses(&sizes[0]) {
                let mut results = Vec::new();
                for (capture, rows) in sizes.iter().zip(&mut rows) {
                    let dark = |dark: [f32; 3]| response.apply(dark);
                    let batch = Batch::whole(capture, dark, PICTURES).tensors(&Device::flex());
                    let (_, found) = train::predict(&network, &batch);
                    rows.push(Row::new(capture, name, &batch, &found));
                    let [naka, enhanced] = [&batch.naka, &found].map(validate::images);
                    results.push([validate::balanced(&naka, &enhanced), naka]);
                }
                cases += 1.0;
                let small = smallest(&results);
                for ([a, b], [network, response]) in &mut differences {
                    network.add(&Difference::between(&small[*a][0], &small[*b][0]));
                    response.add(&Difference::between(&small[*a][1], &small[*b][1]));
                }
            }
        }
        let mean = |d: Difference| Difference { luma: d.luma / cases, color: d.color / cases };
        differences.iter_mut().for_each(|(_, both)| *both = both.map(mean));
        Self { rows, differences }
    }

    /// Gain at each size, and differences between sizes.
    fn tables(&self, factors: &[u32]) -> String {
        let mut text = audit::header("averaged by");
        factors.iter().zip(&self.rows).for_each(|(factor, rows)| text += &audit::line(&factor.to_string(), rows));
        text += "\n| between | luma: response | luma: network | color: response | color: network |\n\
                 | --- | --- | --- | --- | --- |\n";
        for ([a, b], [network, response]) in &self.differences {
            let (a, b) = (factors[*a], factors[*b]);
            let (luma, color) = ([response.luma, network.luma], [response.color, network.color]);
            _ = writeln!(text, "| {a} and {b} | {:.2} | {:.2} | {:.2} | {:.2} |", luma[0], luma[1], color[0], color[1]);
        }
        text + "\n"
    }

    /// Mean gains at each size over both responses, and the mean differences of the network's results, as cells.
    fn cells(&self) -> String {
        let gain = |rows: &Vec<Row>| rows.iter().map(|row| row.balanced - row.naka).sum::<f64>() / rows.len() as f64;
        let gains = self.rows.iter().map(|rows| format!(" {:+.2} |", gain(rows))).collect::<String>();
        let count = self.differences.len() as f64;
        let mean = |of: fn(&Difference) -> f64| self.differences.iter().map(|(_, [d, _])| of(d)).sum::<f64>() / count;
        format!("{gains} {:.2} | {:.2} |", mean(|d| d.luma), mean(|d| d.color))
    }
}

/// Both results of every size, averaged to the smallest of all pictures.
fn smallest(results: &[[Vec<Image>; 2]]) -> Vec<[Vec<Image>; 2]> {
    let images = || results.iter().flatten().flatten();
    let width = images().map(|image| image.width).min().unwrap_or(1);
    let height = images().map(|image| image.height).min().unwrap_or(1);
    let small = |images: &Vec<Image>| images.iter().map(|image| resize_area(image, width, height)).collect();
    results.iter().map(|both| both.each_ref().map(small)).collect()
}

impl Difference {
    fn between(a: &[Image], b: &[Image]) -> Self {
        let pixels = |images| <[Image]>::iter(images).flat_map(|image: &Image| &image.pixels).map(|p| apart(*p));
        let (mut sum, mut count) = (Self::default(), 0.0);
        for (a, b) in pixels(a).zip(pixels(b)) {
            let [luma, blue, red] = std::array::from_fn(|i| f64::from((a[i] - b[i]).abs()));
            sum.add(&Self { luma, color: (blue + red) / 2.0 });
            count += 1.0;
        }
        Self { luma: 255.0 * sum.luma / count, color: 255.0 * sum.color / count }
    }

    fn add(&mut self, other: &Self) {
        self.luma += other.luma;
        self.color += other.color;
    }
}

/// A network with fewer channels, three ways.
struct Pruned {
    /// By the importance at the first size, as `prune` does it.
    plain: Parameters,
    /// By the least importance over all sizes.
    least: Parameters,
    /// The same, its heads rescaled.
    rescaled: Parameters,
    /// What the outputs of `mul_head` and `add_head` are multiplied by.
    factors: [f64; 2],
}

fn pruned(weights: &Parameters, captures: &Captures, keep: f64, settings: &Settings) -> Result<Pruned> {
    let units = prune::units(weights);
    let sampling = Sampling { batches: settings.batches, seed: settings.seed, concepts: &[] };
    let at_size = |size: usize| {
        let captures: Vec<_> = captures.iter().map(|sizes| sizes[size].clone()).collect();
        prune::scores(weights, &units, &captures, sampling)
    };
    let scores = (0..settings.downscale.len()).map(at_size).collect::<Result<Vec<_>>>()?;
    let of = |units: &[Unit], scores: &[f64]| prune::without(weights, &prune::least(units, scores, keep));
    let [plain, least] = [of(&units, &scores[0]), of(&units, &worst(&scores))];
    let factors = rescale::factors(weights, &least, captures, settings.batches, settings.seed);
    let rescaled = rescale::rescaled(&least, factors);
    Ok(Pruned { plain, least, rescaled, factors })
}

/// The least of the scores of every unit; those of a size are normalized already.
fn worst(scores: &[Vec<f64>]) -> Vec<f64> {
    let count = scores.first().map_or(0, Vec::len);
    (0..count).map(|unit| scores.iter().map(|scores| scores[unit]).fold(f64::INFINITY, f64::min)).collect()
}

/// The table of the given network with so many parameters, and of the pruned ones.
fn comparison(settings: &Settings, (given, count): (&Measured, usize), pruned: &Pruned, held_out: &Captures) -> String {
    let gains = settings.downscale.iter().map(|factor| format!(" gain, by {factor} |")).collect::<String>();
    let mut text = format!("| network | parameters |{gains} luma | color |\n");
    text += &format!("|{}\n", " --- |".repeat(4 + settings.downscale.len()));
    let weights = [&pruned.plain, &pruned.least, &pruned.rescaled];
    let titles = [format!("pruned at {} alone", settings.downscale[0]), "pruned at all".into(), "rescaled".into()];
    _ = writeln!(text, "| given | {count} |{}", given.cells());
    for (title, weights) in titles.iter().zip(weights) {
        let cells = Measured::new(weights, held_out).cells();
        _ = writeln!(text, "| {title} | {} |{cells}", weights.count());
    }
    let [mul, add] = pruned.factors;
    text + &format!("\nheads rescaled: mul by {mul:.3}, add by {add:.3}\n")
}

/// The pictures that the factors of rescaling are fitted to, one batch.
fn sample(captures: &Captures, index: u64, random: &mut impl rand::Rng) -> Tensors {
    use rand::RngExt;
    let sizes = &captures[random.random_range(0..captures.len())];
    let capture = &sizes[index as usize % sizes.len()];
    Batch::random(capture, prune::CROPS.0, prune::CROPS.1, random).tensors(&Device::flex())
}

#[cfg(test)]
mod tests;
