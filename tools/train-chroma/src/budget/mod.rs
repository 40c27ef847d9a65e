//! `train-chroma budget`: the smallest network that is as good, and fits into memory and time.
//!
//! Candidates differ in width (the part of the multiplications in residual blocks that is kept, by the ranking of
//! [`prune`]), in depth and in the bits of their weights; none is trained again. naka-gs reads networks with as many
//! residual blocks as the published one only, so a block is not left out, but narrowed to its most important unit.

mod bits;
mod cost;

use crate::pairs::Capture;
use crate::parameters::{Metadata, Parameters};
use crate::prune::{self, Sampling, Unit};
use crate::train::Captures;
use crate::validate::{self, Subject};
use bits::Bits;
use naka_gs::enhance::weights::Weights;
use naka_gs::error::{Error, Result};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;

/// Settings of the search.
#[derive(Clone, Debug, clap::Args)]
pub struct Settings {
    #[command(flatten)]
    pub subject: Subject,
    /// Most memory: weights as they are stored, and the activations of a pass at 448 pixels a side
    #[arg(long, value_name = "MIB")]
    pub memory: f64,
    /// Longest time of such a pass on this machine, with the kernels of train-chroma
    #[arg(long, value_name = "MS")]
    pub milliseconds: f64,
    /// Most PSNR that may be lost on the captures held out
    #[arg(long, value_name = "DB", default_value_t = 0.05)]
    pub within: f64,
    /// Where the smallest network goes
    #[arg(short, long, default_value = "budget.safetensors")]
    pub output: PathBuf,
    /// Batches that the importance of channels is measured on
    #[arg(long, default_value_t = 64)]
    pub batches: u64,
    /// Seed of crops and projections
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
}

/// Parts of the multiplications in residual blocks that are kept.
const KEEP: [f64; 5] = [1.0, 0.85, 0.7, 0.6, 0.5];
/// Residual blocks that are narrowed to one unit, those of the least importance first.
const NARROWED: [usize; 4] = [0, 2, 4, 6];
const BITS: [Bits; 3] = [Bits::Single, Bits::Half, Bits::Whole];
/// Side of the picture of which memory and time are measured, in pixels, and turns that the median is of.
const PASS: (usize, usize) = (448, 7);

/// A network in some number of bits.
#[derive(Clone, Debug)]
struct Candidate {
    shape: Shape,
    bits: Bits,
    /// What its weights become in these bits.
    weights: Parameters,
    /// PSNR of the captures held out, in the balance of the response, averaged over both responses.
    psnr: f64,
    /// Of the weights as they are stored.
    bytes: u64,
    /// Weights and activations.
    memory: f64,
    milliseconds: f64,
}

/// Width and depth.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Shape {
    /// The part of the multiplications in residual blocks that is left.
    kept: f64,
    /// Blocks of one unit that had more.
    narrowed: usize,
}

/// Most memory in MiB, milliseconds, and least PSNR.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    memory: f64,
    milliseconds: f64,
    psnr: f64,
}

/// Measures all candidates, prints them as a table in Markdown, and writes the smallest that fits.
///
/// # Errors
/// Weights or pictures that cannot be read, bounds that are none or that nothing satisfies, a full disk.
pub fn run(settings: &Settings) -> Result<()> {
    search(settings, PASS)
}

/// As [`run`], with another side of the picture and number of turns.
fn search(settings: &Settings, pass: (usize, usize)) -> Result<()> {
    check(settings)?;
    let (weights, captures, held_out) = settings.subject.read()?;
    let (_, notes) = Parameters::read(&settings.subject.weights)?;
    let captures: Vec<Capture> = captures.into_iter().flatten().collect();
    let units = prune::units(&weights);
    let sampling = Sampling { batches: settings.batches, seed: settings.seed, concepts: &[] };
    let scores = prune::scores(&weights, &units, &captures, sampling)?;
    let candidates = measured(&shapes(&weights, &units, &scores), &held_out, pass);
    let bounds = Bounds {
        memory: settings.memory,
        milliseconds: settings.milliseconds,
        psnr: candidates.first().map_or(0.0, |given| given.psnr) - settings.within,
    };
    print!("{}", table(&candidates, bounds));
    let chosen = smallest(&candidates, bounds, Bits::is_read).ok_or_else(|| nothing_fits(&candidates, bounds))?;
    println!("\nsmallest that fits: {}", chosen.describe());
    if let Some(whole) = smallest(&candidates, bounds, |_| true).filter(|whole| whole.bytes < chosen.bytes) {
        println!("smaller still, but in bits that naka-gs does not read: {}", whole.describe());
    }
    write(settings, chosen, notes)
}

fn check(settings: &Settings) -> Result<()> {
    let bounds = [("memory", settings.memory), ("milliseconds", settings.milliseconds)];
    for (name, value) in bounds {
        if !(value > 0.0 && value.is_finite()) {
            return Err(Error::setting(name, value.to_string(), "give a number above 0"));
        }
    }
    if !(settings.within >= 0.0 && settings.within.is_finite()) {
        return Err(Error::setting("within", settings.within.to_string(), "give decibels, 0 or more"));
    }
    Ok(())
}

/// The networks of all widths and depths in 32 bits, first the given one.
fn shapes(weights: &Parameters, units: &[Unit], scores: &[f64]) -> Vec<(Shape, Parameters)> {
    let total = cost(units);
    let mut seen = Vec::<Vec<&Unit>>::new();
    let mut found = Vec::new();
    for (count, keep) in NARROWED.into_iter().flat_map(|count| KEEP.map(|keep| (count, keep))) {
        let (mut removed, narrowed) = narrow(units, scores, count);
        let rest: Vec<usize> = (0..units.len()).filter(|i| !narrowed.contains(&units[*i].block.as_str())).collect();
        let (rest_units, rest_scores): (Vec<Unit>, Vec<f64>) =
            rest.iter().map(|i| (units[*i].clone(), scores[*i])).unzip();
        let [gone, left]: [f64; 2] = [removed.iter().map(|unit| unit.cost).sum(), cost(&rest_units)];
        // What the narrowed blocks already lack need not go from the others.
        let part = if left > 0.0 { (1.0 - ((1.0 - keep) * total - gone).max(0.0) / left).max(0.0) } else { 1.0 };
        let more = prune::least(&rest_units, &rest_scores, part);
        removed.extend(rest.iter().map(|i| &units[*i]).filter(|unit| more.contains(unit)));
        removed.sort_by(|a, b| (&a.block, a.channels.start).cmp(&(&b.block, b.channels.start)));
        if !seen.contains(&removed) {
            let kept = 1.0 - removed.iter().map(|unit| unit.cost).sum::<f64>() / total;
            found.push((Shape { kept, narrowed: narrowed.len() }, prune::without(weights, &removed)));
            seen.push(removed);
        }
    }
    found
}

fn cost(units: &[Unit]) -> f64 {
    units.iter().map(|unit| unit.cost).sum()
}

/// What goes where the `count` blocks of the least importance keep their most important unit alone, and these blocks.
fn narrow<'a>(units: &'a [Unit], scores: &[f64], count: usize) -> (Vec<&'a Unit>, Vec<&'a str>) {
    let mut blocks = BTreeMap::<&str, Vec<usize>>::new();
    units.iter().enumerate().for_each(|(i, unit)| blocks.entry(&unit.block).or_default().push(i));
    let mut blocks: Vec<(&str, Vec<usize>)> = blocks.into_iter().filter(|(_, members)| members.len() > 1).collect();
    let importance = |members: &[usize]| members.iter().map(|i| scores[*i]).sum::<f64>();
    blocks.sort_by(|a, b| importance(&a.1).total_cmp(&importance(&b.1)));
    blocks.truncate(count);
    let mut removed = Vec::new();
    for (_, members) in &blocks {
        let best = members.iter().max_by(|a, b| scores[**a].total_cmp(&scores[**b]));
        removed.extend(members.iter().filter(|i| Some(*i) != best).map(|i| &units[*i]));
    }
    (removed, blocks.into_iter().map(|(block, _)| block).collect())
}

/// All networks in all bits.
fn measured(shapes: &[(Shape, Parameters)], held_out: &Captures, (side, turns): (usize, usize)) -> Vec<Candidate> {
    let networks: Vec<&Parameters> = shapes.iter().map(|(_, weights)| weights).collect();
    let times = cost::milliseconds(&networks, side, turns);
    let of_bits = |(shape, weights): &(Shape, Parameters), milliseconds: f64, bits: Bits| {
        let rounded = bits.rounded(weights);
        let means = validate::means(&validate::measure(&rounded, held_out));
        let psnr = means.iter().map(|row| row.balanced).sum::<f64>() / means.len().max(1) as f64;
        let bytes = bits.bytes(weights);
        let memory = (bytes + cost::activations(weights, side)) as f64 / f64::from(1 << 20);
        Candidate { shape: *shape, bits, weights: rounded, psnr, bytes, memory, milliseconds }
    };
    shapes.iter().zip(times).flat_map(|(shape, time)| BITS.map(|bits| of_bits(shape, time, bits))).collect()
}

/// The candidate of the fewest bytes among those that fit and whose bits `may` be.
fn smallest(candidates: &[Candidate], bounds: Bounds, may: impl Fn(Bits) -> bool) -> Option<&Candidate> {
    let fits = candidates.iter().filter(|candidate| may(candidate.bits) && candidate.exceeds(bounds).is_empty());
    fits.min_by(|a, b| a.bytes.cmp(&b.bytes).then(b.psnr.total_cmp(&a.psnr)))
}

impl Candidate {
    /// The settings that it does not satisfy, each with what would be enough and how many times the bound that is.
    fn exceeds(&self, bounds: Bounds) -> Vec<(&'static str, f64, f64)> {
        let lost = (bounds.psnr - self.psnr).max(0.0);
        [
            ("memory", self.memory, self.memory / bounds.memory),
            ("milliseconds", self.milliseconds, self.milliseconds / bounds.milliseconds),
            // A decibel more counts as twice the bound.
            ("within", lost, 1.0 + lost),
        ]
        .into_iter()
        .filter(|(_, _, times)| *times > 1.0)
        .collect()
    }

    fn describe(&self) -> String {
        let Shape { kept, narrowed } = self.shape;
        format!(
            "{kept:.2} of the multiplications, {narrowed} blocks narrowed, {} bits: {:.2} dB, {} bytes, {:.2} MiB, {:.1} ms",
            self.bits.count(),
            self.psnr,
            self.bytes,
            self.memory,
            self.milliseconds
        )
    }
}

/// The error where no network that naka-gs reads satisfies all bounds; it names the one that needs the least of a change.
fn nothing_fits(candidates: &[Candidate], bounds: Bounds) -> Error {
    let read = candidates.iter().filter(|candidate| candidate.bits.is_read());
    let worst = |candidate: &Candidate| candidate.exceeds(bounds).iter().map(|e| e.2).fold(0.0, f64::max);
    let Some(closest) = read.min_by(|a, b| worst(a).total_cmp(&worst(b))) else {
        return Error::setting("memory", "no candidate", "report this bug");
    };
    let exceeded = closest.exceeds(bounds);
    let settings = exceeded.iter().map(|e| e.0).collect::<Vec<_>>().join(", ");
    let up = |value: f64| (value * 100.0).ceil() / 100.0;
    let enough = |(name, value, _): &(&str, f64, f64)| match *name {
        "within" => format!("raise --within by {:.2}", up(*value)),
        name => format!("raise --{name} to {:.2}", up(*value)),
    };
    let remedy = exceeded.iter().map(enough).collect::<Vec<_>>().join(" and ");
    Error::setting(settings, format!("no network fits; closest is {}", closest.describe()), remedy)
}

/// The table of all candidates.
fn table(candidates: &[Candidate], bounds: Bounds) -> String {
    let mut text = String::from(
        "| multiplications | narrowed blocks | bits | shown | change | parameters | bytes | MiB | ms | fits |\n\
         | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    let given = candidates.first().map_or(0.0, |given| given.psnr);
    for candidate in candidates {
        let Candidate { shape, bits, weights, psnr, bytes, memory, milliseconds } = candidate;
        let (Shape { kept, narrowed }, bits, count) = (shape, bits.count(), weights.count());
        let fits = if candidate.exceeds(bounds).is_empty() { "yes" } else { "" };
        _ = writeln!(
            text,
            "| {kept:.2} | {narrowed} | {bits} | {psnr:.2} | {:+.3} | {count} | {bytes} | {memory:.2} | {milliseconds:.1} | \
             {fits} |",
            psnr - given,
        );
    }
    text
}

/// Writes the network, in 16 bits where it is measured so.
fn write(settings: &Settings, chosen: &Candidate, mut notes: Metadata) -> Result<()> {
    notes.retain(|name, _| !name.starts_with("psnr"));
    notes.insert("psnr".into(), format!("{:.3}", chosen.psnr));
    notes.insert("bits".into(), chosen.bits.count().to_string());
    let weights = Weights { tensors: chosen.weights.0.clone(), metadata: notes, ..Weights::default() };
    match chosen.bits {
        Bits::Half => weights.write_half(&settings.output),
        Bits::Single | Bits::Whole => weights.write(&settings.output),
    }
}

#[cfg(test)]
mod tests;
