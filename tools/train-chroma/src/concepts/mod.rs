//! `train-chroma concepts`: which kinds of pixels do the channels of a network tell from others?
//!
//! For every unit that pruning may remove, and every concept, the area under the ROC curve of the unit's activation (the
//! mean of its channels between the two convolutions of a residual block) as a test for the concept's pixels. A unit is
//! named by the concept that it tells best, in either direction. A network of the same shape that has learned nothing
//! goes through the same measurement: what it tells is in the inputs, not learned.

mod area;
mod maps;
pub mod masks;

pub use masks::Concept;

use crate::batch::Batch;
use crate::network::Network;
use crate::pairs::Capture;
use crate::parameters::Parameters;
use crate::prune::{self, Unit};
use crate::validate::{self, PICTURES, Subject};
use area::Ranked;
use burn::tensor::{Device, Tensor};
use maps::Best;
use masks::CONCEPTS;
use naka_gs::capture::{Image, resize_area};
use naka_gs::error::Result;
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;

/// Settings of `train-chroma concepts`.
#[derive(Clone, Debug, clap::Args)]
pub struct Settings {
    #[command(flatten)]
    pub subject: Subject,
    /// Folder for PNGs of lit picture, concept and activation, of the units that tell each concept best
    #[arg(long, value_name = "DIR")]
    pub maps: Option<PathBuf>,
}

/// Distance of the area from 0.5 from which on a unit is named by a concept: areas of at least 0.8, or at most 0.2.
const SELECTIVE: f64 = 0.3;
/// A capture counts for a concept where at least this part of its pixels is of the concept, and of the rest.
const LEAST: f32 = 1e-3;

/// For each concept, the mean area over the captures that count; `None` if none does.
type Areas = [Option<f64>; CONCEPTS.len()];

/// Measures, prints tables in Markdown, and writes maps where they are asked for.
///
/// # Errors
/// Weights or pictures that cannot be read, too few captures, maps that are there already, a full disk.
pub fn run(settings: &Settings) -> Result<()> {
    let (weights, _, held_out) = settings.subject.read()?;
    let held_out: Vec<Capture> = held_out.into_iter().flatten().collect();
    let units = prune::units(&weights);
    let seen: Vec<Seen> = held_out.iter().map(Seen::new).collect();
    let found = areas(&weights, &units, &seen);
    let untrained = areas(&weights.untrained(0), &units, &seen);
    print!("{}", report(&units, &found, &untrained, &seen));
    match &settings.maps {
        Some(folder) => maps::write(folder, &weights, &best(&units, &found), &seen),
        None => Ok(()),
    }
}

/// A capture's pictures as the network sees them, and which pixels are of which concept.
pub struct Seen {
    name: String,
    /// Dark pictures and response, [N, 3, H, W].
    inputs: [Tensor<4>; 2],
    lit: Vec<Image>,
    /// For each concept, for each picture, 1 where the concept is. Empty for concepts that the capture has too little of.
    masks: [Vec<Image>; CONCEPTS.len()],
}

impl Seen {
    fn new(capture: &Capture) -> Self {
        let response = capture.response();
        let batch = Batch::whole(capture, |dark| response.apply(dark), PICTURES).tensors(&Device::flex());
        let lit = validate::images(&batch.lit);
        let masks = CONCEPTS.map(|concept| {
            let of = |lit: &Image| Image {
                pixels: concept.mask(lit).into_iter().map(|is| [f32::from(is); 3]).collect(),
                ..*lit
            };
            let masks: Vec<Image> = lit.iter().map(of).collect();
            let part = mean(&masks);
            if (LEAST..=1.0 - LEAST).contains(&part) { masks } else { Vec::new() }
        });
        Self { name: capture.name.clone(), inputs: [batch.dark, batch.naka], lit, masks }
    }

    /// How much of every pixel of planes [N, _, height, width] is covered by each concept.
    fn parts(&self, [height, width]: [usize; 2]) -> [Vec<f32>; CONCEPTS.len()] {
        self.masks.each_ref().map(|masks| {
            let small = masks.iter().map(|mask| resize_area(mask, width as u32, height as u32));
            small.flat_map(|mask| mask.pixels).map(|pixel| pixel[0]).collect()
        })
    }
}

fn mean(masks: &[Image]) -> f32 {
    let (sum, count) = masks.iter().flat_map(|mask| &mask.pixels).fold((0.0, 0), |(s, n), p| (s + p[0], n + 1));
    sum / count.max(1) as f32
}

/// The mean of the channels of a unit at every pixel of planes [N, C, H, W], picture by picture.
fn activation(planes: &Tensor<4>, unit: &Unit) -> Vec<f32> {
    let channels = planes.clone().narrow(1, unit.channels.start, unit.channels.len());
    channels.mean_dim(1).into_data().try_to_vec().unwrap_or_default()
}

/// The areas of every unit.
fn areas(weights: &Parameters, units: &[Unit], seen: &[Seen]) -> Vec<Areas> {
    let network = Network::new(weights, &Device::flex());
    let mut sums = vec![[(0.0, 0.0); CONCEPTS.len()]; units.len()];
    for capture in seen {
        let mut blocks = BTreeMap::new();
        let [dark, naka] = &capture.inputs;
        network.forward_watched(dark, naka, &mut |block, inner| {
            blocks.insert(block.to_string(), inner.clone());
        });
        let mut parts = BTreeMap::new();
        for inner in blocks.values() {
            let [_, _, height, width] = inner.dims();
            parts.entry([height, width]).or_insert_with(|| capture.parts([height, width]));
        }
        sums.par_iter_mut().zip(units).for_each(|(sums, unit)| {
            let Some(inner) = blocks.get(&unit.block) else { return };
            let [_, _, height, width] = inner.dims();
            for ((sum, count), area) in sums.iter_mut().zip(of_unit(inner, unit, &parts[&[height, width]])) {
                *sum += area.unwrap_or_default();
                *count += f64::from(u8::from(area.is_some()));
            }
        });
    }
    sums.into_iter().map(|sums| sums.map(|(sum, count)| (count > 0.0).then(|| sum / count))).collect()
}

/// The areas of a unit in one capture.
fn of_unit(inner: &Tensor<4>, unit: &Unit, parts: &[Vec<f32>; CONCEPTS.len()]) -> Areas {
    let values = activation(inner, unit);
    let ranked = Ranked::new(&values);
    parts.each_ref().map(|parts| if parts.len() == values.len() { ranked.area(parts) } else { None })
}

/// How far an area is from saying nothing.
fn strength(area: Option<f64>) -> f64 {
    area.map_or(0.0, |area| (area - 0.5).abs())
}

/// The concept that a unit tells best, by its index, if it does.
fn name(areas: &Areas) -> Option<usize> {
    let best = (0..areas.len()).max_by(|a, b| strength(areas[*a]).total_cmp(&strength(areas[*b])))?;
    (strength(areas[best]) >= SELECTIVE).then_some(best)
}

/// Units from the one that tells a concept best on.
fn ranking(found: &[Areas], concept: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..found.len()).filter(|unit| found[*unit][concept].is_some()).collect();
    order.sort_by(|a, b| strength(found[*b][concept]).total_cmp(&strength(found[*a][concept])));
    order
}

/// The units whose maps are written.
fn best<'a>(units: &'a [Unit], found: &[Areas]) -> Vec<Best<'a>> {
    let of = |concept: usize| {
        let first = ranking(found, concept).into_iter().take(maps::UNITS).enumerate();
        first.map(move |(rank, unit)| Best { concept, rank: rank + 1, unit: &units[unit] })
    };
    (0..CONCEPTS.len()).flat_map(of).collect()
}

/// The tables.
fn report(units: &[Unit], found: &[Areas], untrained: &[Areas], seen: &[Seen]) -> String {
    let columns = CONCEPTS.map(|concept| format!(" {concept} |")).concat();
    let mut text = format!("| units named in |{columns} none | all |\n|{}\n", " --- |".repeat(CONCEPTS.len() + 3));
    let mut line = |title: &str, areas: &[&Areas]| {
        let count = |wanted| areas.iter().filter(|areas| name(areas) == wanted).count();
        let named = (0..CONCEPTS.len()).map(|concept| format!(" {} |", count(Some(concept)))).collect::<String>();
        _ = writeln!(text, "| {title} |{named} {} | {} |", count(None), areas.len());
    };
    for same in units.chunk_by(|a, b| a.block == b.block) {
        let of: Vec<&Areas> =
            units.iter().zip(found).filter(|(u, _)| u.block == same[0].block).map(|(_, a)| a).collect();
        line(&same[0].block, &of);
    }
    line("all blocks", &found.iter().collect::<Vec<_>>());
    line("all blocks, untrained", &untrained.iter().collect::<Vec<_>>());
    text + "\n" + &selective(units, found, untrained, seen)
}

/// The table of the most selective unit of each concept.
fn selective(units: &[Unit], found: &[Areas], untrained: &[Areas], seen: &[Seen]) -> String {
    let mut text = String::from(
        "| concept | captures | pixels | best unit | area | best area, untrained |\n| --- | --- | --- | --- | --- | --- |\n",
    );
    for (index, concept) in CONCEPTS.into_iter().enumerate() {
        let parts: Vec<f32> = seen.iter().map(|s| &s.masks[index]).filter(|m| !m.is_empty()).map(|m| mean(m)).collect();
        let best = |found: &[Areas]| ranking(found, index).first().and_then(|i| Some((*i, found[*i][index]?)));
        let Some(((unit, area), (_, plain))) = best(found).zip(best(untrained)) else {
            _ = writeln!(text, "| {concept} | 0 | | | | |");
            continue;
        };
        let part = 100.0 * parts.iter().sum::<f32>() / parts.len() as f32;
        let (unit, count) = (units[unit].name(), parts.len());
        _ = writeln!(text, "| {concept} | {count} | {part:.1} % | {unit} | {area:.2} | {plain:.2} |");
    }
    text
}

#[cfg(test)]
mod tests;
