//! `train-chroma audit`: does the network look at structure, or at what is easier to have?
//!
//! Three measurements on captures that were kept from training: the network's gain under changes that leave structure
//! alone; how much of its maps a linear function of luma, position or hue explains; and what such a function, put in the
//! network's place, gains by itself.

mod changes;
mod inputs;
mod ridge;

use crate::batch::{Batch, Tensors, pixels};
use crate::network::Network;
use crate::pairs::{self, Capture};
use crate::train::{self, Captures};
use crate::validate::{self, PICTURES, Row, Subject};
use burn::tensor::{Device, Tensor, TensorData};
use changes::{CHANGES, USUAL_RATIO};
use inputs::{COUNT, GROUPS, Group, inputs};
use naka_gs::enhance::Restoration;
use naka_gs::error::Result;
use rayon::prelude::*;
use ridge::{Linear, Products, Sums};
use std::fmt::Write;

/// Settings of an audit.
#[derive(Clone, Debug, clap::Args)]
pub struct Settings {
    #[command(flatten)]
    pub subject: Subject,
}

/// Maps of the network at a pixel: `mul`, and `add` of red, green and blue.
type Mapped = Sums<COUNT, 4>;
/// What the response lacks at a pixel: red, green and blue of the lit picture less those of the response.
type Lacking = Sums<COUNT, 3>;

/// Audits, and prints tables in Markdown.
///
/// # Errors
/// Weights or pictures that cannot be read, too few captures.
pub fn run(settings: &Settings) -> Result<()> {
    print!("{}", report(settings)?);
    Ok(())
}

/// The tables.
///
/// # Errors
/// Those of [`run`].
fn report(settings: &Settings) -> Result<String> {
    let (weights, training, held_out) = settings.subject.read()?;
    let network = Network::new(&weights, &Device::flex());
    let mut text = format!("{} captures held out, {} others\n\n", held_out.len(), training.len());
    text += &changed(&network, &held_out, settings)?;
    let (rows, probed) = without_hidden_layers(&network, &training, &held_out);
    text += &probes(&probed);
    text += &rows;
    Ok(text)
}

/// The table of gains under changes.
fn changed(network: &Network, held_out: &Captures, settings: &Settings) -> Result<String> {
    let folders = pairs::folders(&settings.subject.pairs)?;
    let folders = &folders[folders.len() - held_out.len()..];
    let mut text = header("change");
    for change in CHANGES {
        let mut rows = Vec::new();
        for (original, folder) in held_out.iter().flatten().zip(folders) {
            let changed = change.apply(original, folder, settings.subject.downscale)?;
            for (name, response) in validate::responses(original) {
                let light = |dark: [f32; 3]| changed.light(response, dark);
                let batch = Batch::whole(&changed.capture, light, PICTURES).tensors(&Device::flex());
                let (_, found) = train::predict(network, &batch);
                rows.push(Row::new(original, name, &batch, &found));
            }
        }
        text += &line(&change.name(), &rows);
    }
    let unknown = folders.iter().map(|f| Ok(pairs::camera(f)?.is_none_or(|camera| camera.ratio.is_none())));
    let unknown = unknown.collect::<Result<Vec<_>>>()?.into_iter().filter(|unknown| *unknown).count();
    if unknown > 0 {
        _ = write!(text, "\n{unknown} captures do not say their ratio and count as ×{USUAL_RATIO}.\n");
    }
    Ok(text + "\n")
}

/// The table of models without hidden layers beside the network, and the sums that probes of its maps are fitted to, one
/// for each held-out capture and response.
fn without_hidden_layers(network: &Network, training: &Captures, held_out: &Captures) -> (String, Vec<Mapped>) {
    let of_capture = |capture: &Capture| cases(capture).map(|(_, batch)| lacking(&batch)).collect::<Vec<_>>();
    let sums: Vec<Lacking> = training.par_iter().flatten().flat_map_iter(of_capture).collect();
    let sums = sums.iter().fold(Lacking::default(), |all, sums| all.join(sums));
    let models = GROUPS.each_ref().map(|group| sums.fit(|i| group.inputs.contains(&i)));
    let (mut rows, mut of_network, mut probed) = (models.each_ref().map(|_| Vec::new()), Vec::new(), Vec::new());
    for (capture, (name, batch)) in held_out.iter().flatten().flat_map(|c| cases(c).map(move |case| (c, case))) {
        let (maps, found) = train::predict(network, &batch);
        of_network.push(Row::new(capture, name, &batch, &found));
        let seen = inputs(&batch);
        for (rows, model) in rows.iter_mut().zip(&models) {
            rows.push(Row::new(capture, name, &batch, &corrected(model, &seen, &batch.naka)));
        }
        let maps = pixels::<1>(&maps.mul).into_iter().zip(pixels::<3>(&maps.add));
        probed.push(Mapped::of(seen.iter().zip(maps.map(|([mul], [r, g, b])| [mul, r, g, b]))));
    }
    let mut text = header("model");
    GROUPS.iter().zip(&rows).for_each(|(group, rows)| text += &line(&format!("linear: {}", group.name), rows));
    (text + &line("the network", &of_network), probed)
}

/// A capture's pictures under each of its responses.
fn cases(capture: &Capture) -> impl Iterator<Item = (&'static str, Tensors)> {
    let batch = |response: &Restoration| Batch::whole(capture, |dark| response.apply(dark), PICTURES);
    validate::responses(capture).map(move |(name, response)| (name, batch(response).tensors(&Device::flex())))
}

fn lacking(batch: &Tensors) -> Lacking {
    let lacking = pixels::<3>(&(batch.lit.clone() - batch.naka.clone()));
    Lacking::of(inputs(batch).iter().zip(lacking))
}

/// The response with what a model says it lacks.
fn corrected(model: &Linear<COUNT, 3>, seen: &[[f32; COUNT]], naka: &Tensor<4>) -> Tensor<4> {
    let [count, _, height, width] = naka.dims();
    let lacking: Vec<f32> = seen.iter().flat_map(|pixel| model.apply(pixel).map(|v| v as f32)).collect();
    let lacking = Tensor::<4>::from_data(TensorData::new(lacking, [count, height, width, 3]), &naka.device());
    (naka.clone() + lacking.permute([0, 3, 1, 2])).clamp(0.0, 1.0)
}

/// The table of what linear functions explain of the maps.
fn probes(probed: &[Mapped]) -> String {
    let centered: Vec<Products<COUNT, 4>> = probed.iter().map(Mapped::centered).collect();
    let all = centered.iter().fold(Products::default(), |all, one| all.join(one));
    let mut text = String::from(
        "| R² of a linear function of | mul, one for all | add, one for all | mul, one a capture | add, one a capture |\n\
         | --- | --- | --- | --- | --- |\n",
    );
    for Group { name, inputs } in &GROUPS {
        let fit = |products: &Products<COUNT, 4>| products.fit(|i| inputs.contains(&i));
        let explained = |fitted: &[Products<COUNT, 4>], maps: std::ops::Range<usize>| {
            let squares = fitted.iter().map(|products| products.squares(&fit(products), maps.clone()));
            let [total, left] = squares.fold([0.0; 2], |sum, one| [sum[0] + one[0], sum[1] + one[1]]);
            if total > 0.0 { 1.0 - left / total } else { 0.0 }
        };
        let one = std::slice::from_ref(&all);
        let [mul, add] = [0..1, 1..4].map(|maps| [explained(one, maps.clone()), explained(&centered, maps)]);
        _ = writeln!(text, "| {name} | {:.2} | {:.2} | {:.2} | {:.2} |", mul[0], add[0], mul[1], add[1]);
    }
    text + "\n"
}

/// The head of a table of [`line`]s.
pub fn header(first: &str) -> String {
    let columns = ["response", "shown", "gain", "least"].map(|name| format!("{name} | ")).concat();
    format!("| {first} | camera: {columns}quantiles: {}|\n|{}\n", columns.trim_end_matches("| "), " --- |".repeat(9))
}

/// Mean PSNRs under both responses, their difference, and the least difference of a capture.
pub fn line(name: &str, rows: &[Row]) -> String {
    let of = |mean: Row| {
        let (gain, own) = (mean.balanced - mean.naka, rows.iter().filter(|row| row.response == mean.response));
        let least = own.map(|row| row.balanced - row.naka).fold(f64::INFINITY, f64::min);
        format!(" {:.2} | {:.2} | {gain:+.2} | {least:+.2} |", mean.naka, mean.balanced)
    };
    format!("| {name} |{}\n", validate::means(rows).into_iter().map(of).collect::<String>())
}

#[cfg(test)]
mod tests;
