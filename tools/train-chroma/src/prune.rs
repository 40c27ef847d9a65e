//! Structured pruning: the channels between the two convolutions of a residual block that matter least go.
//!
//! Taking channel `c` away changes whatever is computed from it, to first order, by Σ a·∂/∂a over its activations `a`.
//! The second convolution is linear in both its weights and its input, so this is Σ w·∂/∂w over the weights that read
//! the channel: gradients of weights are all that is needed. Two such changes are squared, averaged over batches and
//! joined, each as a part of its sum over all channels: that of the lit image (by random projections of it), and that
//! of the loss, which is the second-order term with Fisher's information for the Hessian (Theis et al. 2018,
//! arXiv 1801.05787). Channels are ranked by this per multiplication they cost.
//!
//! With concepts to keep, only changes at their pixels count: elsewhere the result is taken to be the lit picture already.

use crate::batch::{Batch, Tensors};
use crate::concepts::{Concept, masks};
use crate::network::{Maps, Network, groups};
use crate::pairs::{self, Capture};
use crate::parameters::Parameters;
use crate::{loss, train, validate};
use burn::tensor::{Device, Distribution, Tensor};
use naka_gs::error::{Error, Result};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Settings of pruning.
#[derive(Clone, Debug, clap::Args)]
pub struct Settings {
    /// Weights to prune (.safetensors)
    pub weights: PathBuf,
    /// Folder of pairs, as for training
    pub pairs: PathBuf,
    /// Where the pruned weights go; train them again with `train --init`
    #[arg(short, long, default_value = "pruned.safetensors")]
    pub output: PathBuf,
    /// Part of the multiplications in residual blocks that stays
    #[arg(long, default_value_t = 0.7)]
    pub keep: f64,
    /// Batches that the importance of channels is measured on
    #[arg(long, default_value_t = 64)]
    pub batches: u64,
    /// Factor by which pictures are averaged
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub downscale: u32,
    /// Captures that are measured, not used: the last ones by name
    #[arg(long, default_value_t = 2)]
    pub holdout: usize,
    /// Seed of crops and projections
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Keep what these kinds of pixels need: only changes at them count
    #[arg(long = "for", value_name = "CONCEPT", value_enum, value_delimiter = ',')]
    pub concepts: Vec<Concept>,
}

/// What importance is measured on.
#[derive(Clone, Copy)]
pub struct Sampling<'a> {
    /// How many batches.
    pub batches: u64,
    /// Seed of crops and projections.
    pub seed: u64,
    /// Only pixels of these count; all pixels where there are none.
    pub concepts: &'a [Concept],
}

/// Crops of a batch, and their side in pixels.
pub const CROPS: (usize, u32) = (8, 64);

/// Neighboring channels that GroupNorm takes together: they stay or go together.
#[derive(Clone, Debug, PartialEq)]
pub struct Unit {
    /// The residual block.
    pub block: String,
    /// Its channels among those between the convolutions of the block.
    pub channels: std::ops::Range<usize>,
    /// Multiplications for each pixel of the image.
    pub cost: f64,
}

impl Unit {
    /// Block and channels in words.
    pub fn name(&self) -> String {
        let (block, first, last) = (&self.block, self.channels.start, self.channels.end - 1);
        if first == last { format!("{block}, channel {first}") } else { format!("{block}, channels {first}–{last}") }
    }
}

/// Prunes, and writes the weights.
///
/// # Errors
/// Weights or pictures that cannot be read, a part to keep that is none, a full disk.
pub fn run(settings: &Settings) -> Result<()> {
    if !(settings.keep > 0.0 && settings.keep <= 1.0) {
        return Err(Error::setting("keep", settings.keep.to_string(), "give a part above 0 and up to 1"));
    }
    let weights = train::weights(&settings.weights)?;
    let (_, mut notes) = Parameters::read(&settings.weights)?;
    let captures = pairs::read(&settings.pairs, &[settings.downscale])?;
    let (captures, held_out) = train::split(captures, settings.holdout)?;
    let captures: Vec<Capture> = captures.into_iter().flatten().collect();
    let units = units(&weights);
    let sampling = Sampling { batches: settings.batches, seed: settings.seed, concepts: &settings.concepts };
    let scores = scores(&weights, &units, &captures, sampling)?;
    let removed = least(&units, &scores, settings.keep);
    let pruned = without(&weights, &removed);
    println!("{} of {} parameters stay", pruned.count(), weights.count());
    print!("before\n{}", validate::table(&validate::measure(&weights, &held_out)));
    let rows = validate::measure(&pruned, &held_out);
    print!("pruned, not trained again\n{}", validate::table(&rows));
    if !settings.concepts.is_empty() {
        let names = masks::names(&settings.concepts);
        let at = |weights| validate::table(&validate::measure_at(weights, &held_out, &settings.concepts));
        print!("before, at {names}\n{}pruned, at {names}\n{}", at(&weights), at(&pruned));
        notes.insert("pruned_for".into(), names);
    }
    notes.retain(|name, _| !name.starts_with("psnr"));
    notes.extend(validate::notes(&rows));
    notes.insert("pruned_to".into(), format!("{:.3}", settings.keep));
    pruned.write(&settings.output, &notes)
}

/// Everything that may go.
pub fn units(weights: &Parameters) -> Vec<Unit> {
    let blocks =
        weights.0.iter().filter_map(|(name, array)| Some((name.strip_suffix(".conv1.block.0.weight")?, array)));
    let of_block = |(block, array): (&str, &naka_gs::enhance::weights::Tensor)| {
        let (inner, outer) = (array.shape[0], array.shape[1]);
        let size = inner / groups(inner);
        let cost = (size * 2 * 9 * outer) as f64 * area(block);
        let unit = move |start| Unit { block: block.to_string(), channels: start..start + size, cost };
        (0..inner).step_by(size).map(unit).collect::<Vec<_>>()
    };
    blocks.flat_map(of_block).collect()
}

/// Pixels of a block, as a part of the image's.
fn area(block: &str) -> f64 {
    match block.split('.').next() {
        Some("down2" | "up2") => 1.0 / 4.0,
        Some("down3" | "up3") => 1.0 / 16.0,
        Some("bottleneck") => 1.0 / 64.0,
        _ => 1.0,
    }
}

/// The importance of every unit; all together are 2.
///
/// # Errors
/// No pixel of the wanted concepts in any batch.
pub fn scores(
    weights: &Parameters,
    units: &[Unit],
    captures: &[Capture],
    Sampling { batches, seed, concepts }: Sampling<'_>,
) -> Result<Vec<f64>> {
    let device = Device::flex().autodiff();
    let mut random = StdRng::seed_from_u64(seed);
    device.seed(seed);
    let mut sums = [vec![0.0; units.len()], vec![0.0; units.len()]];
    let mut counted = 0;
    for _ in 0..batches {
        let capture = &captures[random.random_range(0..captures.len())];
        let batch = Batch::random(capture, CROPS.0, CROPS.1, &mut random).tensors(&device);
        let mask = (!concepts.is_empty()).then(|| masks::tensor(concepts, &validate::images(&batch.lit), &device));
        if mask.as_ref().is_some_and(|mask| mask.clone().sum().into_scalar::<f32>() == 0.0) {
            continue;
        }
        counted += 1;
        let objective = |of_loss: bool| {
            let network = Network::new(weights, &device);
            let (maps, found) = train::predict(&network, &batch);
            let (maps, found, naka) = match &mask {
                Some(mask) => only_at(mask, &maps, found, &batch),
                None => (maps, found, batch.naka.clone()),
            };
            let value = if of_loss {
                loss::total(&found, &batch.lit, &naka, &maps)
            } else {
                let projection = Tensor::random(found.dims(), Distribution::Normal(0.0, 1.0), &device);
                (found * projection).mean()
            };
            network.gradients(&value.backward())
        };
        for (sums, of_loss) in sums.iter_mut().zip([false, true]) {
            let gradients = objective(of_loss);
            for (sum, unit) in sums.iter_mut().zip(units) {
                *sum += change(weights, &gradients, unit).powi(2);
            }
        }
    }
    if counted == 0 {
        let found = format!("no pixel of {} in {batches} batches", masks::names(concepts));
        return Err(Error::setting("for", found, "name other concepts, raise --batches, or give pairs that show them"));
    }
    let totals = sums.each_ref().map(|sums| sums.iter().sum::<f64>().max(f64::MIN_POSITIVE));
    Ok((0..units.len()).map(|i| sums[0][i] / totals[0] + sums[1][i] / totals[1]).collect())
}

/// Maps, result and response that are neutral, and the lit picture, where `mask` [N, 1, H, W] is 0: nothing that the
/// network does there changes what is computed from them.
fn only_at(mask: &Tensor<4>, maps: &Maps, found: Tensor<4>, batch: &Tensors) -> (Maps, Tensor<4>, Tensor<4>) {
    let elsewhere = batch.lit.clone() * (mask.clone().neg() + 1.0);
    let mul = (maps.mul.clone() - 1.0) * mask.clone() + 1.0;
    let maps = Maps { mul, add: maps.add.clone() * mask.clone() };
    (maps, found * mask.clone() + elsewhere.clone(), batch.naka.clone() * mask.clone() + elsewhere)
}

/// Σ w·∂/∂w over the weights that read the unit.
fn change(weights: &Parameters, gradients: &Parameters, unit: &Unit) -> f64 {
    let name = format!("{}.conv2.block.0.weight", unit.block);
    let (weight, gradient) = (&weights.0[&name], &gradients.0[&name]);
    let inner = weight.shape[1];
    let products = weight.values.iter().zip(&gradient.values).map(|(w, g)| f64::from(w * g));
    products.enumerate().filter(|(i, _)| unit.channels.contains(&(i / 9 % inner))).map(|(_, product)| product).sum()
}

/// The units of the least score per cost, until only `keep` of the cost is left. Every block keeps one unit.
pub fn least<'a>(units: &'a [Unit], scores: &[f64], keep: f64) -> Vec<&'a Unit> {
    let mut order: Vec<(&Unit, f64)> =
        units.iter().zip(scores).map(|(unit, score)| (unit, score / unit.cost)).collect();
    order.sort_by(|a, b| a.1.total_cmp(&b.1));
    let mut left = BTreeMap::<&str, usize>::new();
    units.iter().for_each(|unit| *left.entry(&unit.block).or_default() += 1);
    let mut surplus = (1.0 - keep) * units.iter().map(|unit| unit.cost).sum::<f64>();
    let mut removed = Vec::new();
    for (unit, _) in order {
        let Some(left) = left.get_mut(unit.block.as_str()) else { continue };
        if *left > 1 && unit.cost <= surplus {
            *left -= 1;
            surplus -= unit.cost;
            removed.push(unit);
        }
    }
    removed
}

/// `weights` without the channels of `removed`.
pub fn without(weights: &Parameters, removed: &[&Unit]) -> Parameters {
    let mut pruned = weights.clone();
    for (name, array) in &mut pruned.0 {
        let Some((block, rest)) = name.split_once(".conv1.").or_else(|| name.split_once(".conv2.")) else { continue };
        let first = name.contains(".conv1.");
        if !first && rest != "block.0.weight" {
            continue;
        }
        let goes = |c: usize| removed.iter().any(|unit| unit.block == block && unit.channels.contains(&c));
        // Channels are rows of the first convolution and its norm, columns of the second convolution.
        let dimension = usize::from(!first);
        let inner = array.shape[dimension];
        let length: usize = array.shape[dimension + 1..].iter().product();
        let kept = array.values.chunks_exact(length).enumerate().filter(|(i, _)| !goes(i % inner));
        array.values = kept.flat_map(|(_, values)| values).copied().collect();
        array.shape[dimension] = (0..inner).filter(|c| !goes(*c)).count();
    }
    pruned
}

#[cfg(test)]
mod tests;
