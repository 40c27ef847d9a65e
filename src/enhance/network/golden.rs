//! The network against reference data.

use super::{Maps, Network};
use crate::capture::Image;
use crate::enhance::weights::Weights;
use crate::error::Result;
use crate::gpu::Gpu;

/// Side and overlap of the tiles of the outputs `tile48_overlap16.*`.
const TILE: u32 = 48;
const OVERLAP: u32 = 16;
/// Names of the outputs behind their prefix.
const OUTPUTS: [&str; 3] = ["enhanced", "mul_map", "add_map"];

/// The outputs `full.*` (the whole image) and `tile48_overlap16.*` (tile by tile, as published: the last tile is shifted
/// to the border, overlaps are averaged, statistics are the tile's), each by name and in the order [C, H, W].
///
/// # Errors
/// Those of [`Network`].
pub fn outputs(gpu: &Gpu, weights: &Weights, dark: &Image, uncorrected: &Image) -> Result<Vec<(String, Vec<f32>)>> {
    let network = Network::new(gpu, weights)?;
    let whole = run(&network, dark, uncorrected)?;
    let named = |prefix: &str, planes: Vec<Vec<f32>>| {
        let name = |output: &str| format!("{prefix}.{output}");
        OUTPUTS.map(name).into_iter().zip(outputs_of(planes)).collect::<Vec<_>>()
    };
    let mut outputs = named("full", whole);
    outputs.extend(named("tile48_overlap16", tiled(&network, dark, uncorrected)?));
    Ok(outputs)
}

/// The lit image (3 planes), mul (1) and add (3).
fn run(network: &Network<'_>, dark: &Image, uncorrected: &Image) -> Result<Vec<Vec<f32>>> {
    let maps = network.maps(dark, uncorrected, None)?;
    let lit = network.apply(&maps, uncorrected)?;
    let Maps { mul, add, .. } = maps;
    let plane = |pixels: &[[f32; 3]], c: usize| pixels.iter().map(|p| p[c]).collect::<Vec<f32>>();
    let mut planes: Vec<_> = (0..3).map(|c| plane(&lit.pixels, c)).collect();
    planes.push(mul);
    planes.extend((0..3).map(|c| plane(&add, c)));
    Ok(planes)
}

fn outputs_of(planes: Vec<Vec<f32>>) -> [Vec<f32>; 3] {
    [planes[..3].concat(), planes[3].clone(), planes[4..].concat()]
}

fn tiled(network: &Network<'_>, dark: &Image, uncorrected: &Image) -> Result<Vec<Vec<f32>>> {
    let (width, height) = (uncorrected.width as usize, uncorrected.height as usize);
    let mut sums = vec![vec![0.0f32; width * height]; 7];
    let mut counts = vec![0.0f32; width * height];
    for y in starts(uncorrected.height) {
        for x in starts(uncorrected.width) {
            let (dark, uncorrected) = (crop(dark, x, y), crop(uncorrected, x, y));
            let planes = run(network, &dark, &uncorrected)?;
            for i in 0..dark.pixels.len() {
                let (row, column) = (i / dark.width as usize, i % dark.width as usize);
                let at = (y as usize + row) * width + x as usize + column;
                counts[at] += 1.0;
                sums.iter_mut().zip(&planes).for_each(|(sum, plane)| sum[at] += plane[i]);
            }
        }
    }
    for sum in &mut sums {
        sum.iter_mut().zip(&counts).for_each(|(sum, count)| *sum /= count);
    }
    Ok(sums)
}

/// Where tiles begin along a side. More than one may be shifted to the border: each of them counts.
fn starts(size: u32) -> impl Iterator<Item = u32> {
    (0..size).step_by((TILE - OVERLAP) as usize).map(move |start| start.min(size.saturating_sub(TILE)))
}

fn crop(image: &Image, x: u32, y: u32) -> Image {
    let (width, height) = (TILE.min(image.width - x), TILE.min(image.height - y));
    let pixels = (0..width * height).map(|i| image.at(x + i % width, y + i / width)).collect();
    Image { width, height, pixels }
}
