//! SPZ (`read/spz/` has its layout): version 3, one gzip stream, or version 4, a Zstandard frame for each attribute. Every
//! reader takes the former, which is also smaller: of `ruzstd` 0.9, the encoder without C, only the fastest level is there.
//!
//! An own writer: the crate `spz` 0.0.6 depends on tokio, and `wgpu-3dgs-core` on wgpu and wesl.
//!
//! Harmonics are rounded to five bits (degree 1) and four (above), as its library does.

use super::super::axes::{Axes, Signs};
use super::{Cut, Export, gzip, largest, median_size, ranked};
use crate::storage::Writer;
use rayon::prelude::*;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use std::f32::consts::FRAC_1_SQRT_2;
use std::io::{Result, Write};

const ANTIALIASED: u8 = 1;
/// Bytes before the table of contents of version 4.
const LONG_HEADER: u32 = 32;
/// Fractional bits of coordinates where nothing asks for others.
const USUAL_BITS: i32 = 12;
const MOST_BITS: i32 = 24;
/// The largest coordinate in 24 bits with a sign.
const MOST: f32 = ((1 << 23) - 1) as f32;
/// Fewest steps of a position within a splat's size, where the extent of the scene allows it.
const STEPS_PER_SIZE: f32 = 8.0;
/// Below this number of steps, the positions of splats far from all others are sacrificed.
const FEWEST_STEPS_PER_SIZE: f32 = 4.0;
/// Steps of this part of the median distance are fair however small splats are.
const FAIR_PART: f32 = 1.0 / (1 << 16) as f32;
/// One splat of so many may be given up.
const ONE_OF: usize = 1000;
const COLOR_SCALE: f32 = 0.15;

/// Version 3.
pub fn write(out: &mut Writer, export: &Export, cut: &mut Cut) -> Result<()> {
    let bits = fractional_bits(export);
    let mut packed = header(export, 3, bits, 0);
    attributes(export, bits, cut).iter().for_each(|attribute| packed.extend(attribute));
    gzip::write(out, &packed)
}

/// Version 4.
pub fn write_frames(out: &mut Writer, export: &Export, cut: &mut Cut) -> Result<()> {
    let bits = fractional_bits(export);
    let attributes = attributes(export, bits, cut);
    // Attributes without bytes have no frame.
    let attributes: Vec<&Vec<u8>> = attributes.iter().filter(|attribute| !attribute.is_empty()).collect();
    let frames: Vec<Vec<u8>> = attributes
        .par_iter()
        .map(|attribute| compress_to_vec(attribute.as_slice(), CompressionLevel::Fastest))
        .collect();
    out.write_all(&header(export, 4, bits, frames.len() as u8))?;
    out.write_all(&LONG_HEADER.to_le_bytes())?;
    out.write_all(&[0; 12])?;
    for (frame, attribute) in frames.iter().zip(attributes) {
        [frame.len(), attribute.len()].iter().try_for_each(|size| out.write_all(&(*size as u64).to_le_bytes()))?;
    }
    frames.iter().try_for_each(|frame| out.write_all(frame))
}

fn header(export: &Export, version: u32, bits: i32, streams: u8) -> Vec<u8> {
    let mut bytes = b"NGSP".to_vec();
    bytes.extend(version.to_le_bytes());
    bytes.extend((export.len() as u32).to_le_bytes());
    let flags = if export.antialiased { ANTIALIASED } else { 0 };
    bytes.extend([export.splats.sh_degree as u8, bits as u8, flags, streams]);
    bytes
}

/// Positions, opacities, colors, scales, rotations and harmonics.
fn attributes(export: &Export, bits: i32, cut: &mut Cut) -> [Vec<u8>; 6] {
    let Signs { position, rotation, harmonics } = Axes::RUB.signs();
    let (count, unit) = (export.len(), (bits as f32).exp2());
    let mut positions = Vec::with_capacity(9 * count);
    for i in 0..count {
        for (v, sign) in export.position(i).into_iter().zip(position) {
            let fixed = cut.clamp_position(i, (v * sign * unit).round(), [-MOST, MOST]) as i32;
            positions.extend(&fixed.to_le_bytes()[..3]);
        }
    }
    let opacities = (0..count).map(|i| (export.opacity(i) * 255.0).round() as u8).collect();
    let (mut colors, mut scales) = (Vec::with_capacity(3 * count), Vec::with_capacity(3 * count));
    let (mut rotations, mut bands) = (Vec::with_capacity(4 * count), Vec::new());
    for i in 0..count {
        colors.extend(export.harmonics(i)[0].map(|v| byte(cut, i, (v * COLOR_SCALE + 0.5) * 255.0)));
        scales.extend(export.log_scale(i).map(|v| byte(cut, i, (v + 10.0) * 16.0)));
        let [w, x, y, z]: [f32; 4] = std::array::from_fn(|k| export.rotation(i)[k] * rotation[k]);
        rotations.extend(smallest_three([x, y, z, w]).to_le_bytes());
        for (k, rgb) in export.harmonics(i).iter().enumerate().skip(1) {
            let step = if k < 4 { 8.0 } else { 16.0 };
            bands.extend(rgb.map(|v| coefficient(cut, i, v * harmonics[k], step)));
        }
    }
    [positions, opacities, colors, scales, rotations, bands]
}

/// So many that the farthest splat is representable, and steps are small compared with tiny splats. Where both is impossible,
/// one splat in [`ONE_OF`] may be clamped.
pub fn fractional_bits(export: &Export) -> i32 {
    let mut distances: Vec<f32> = (0..export.len()).map(|i| distance(export, i)).collect();
    let within_reach = |distance: f32| (MOST / distance.max(f32::MIN_POSITIVE)).log2().floor() as i32;
    let farthest = within_reach(distances.iter().copied().fold(0.0, f32::max));
    let fine = (STEPS_PER_SIZE / size(export)).log2().ceil() as i32;
    let bits = fine.max(USUAL_BITS).min(farthest);
    let fair = (1.0 / fair_step(export, &mut distances)).log2().ceil() as i32;
    if bits >= fair {
        return bits.clamp(0, MOST_BITS);
    }
    // Only as many bits as needed, so that no splat is clamped without need.
    let near = ranked(&mut distances, |last| last - (last + 1) / ONE_OF);
    fair.min(within_reach(near)).clamp(0, MOST_BITS)
}

/// The warning about quantized positions whose steps are coarse compared with the splats.
pub fn coarse_steps(export: &Export) -> Option<String> {
    let mut distances: Vec<f32> = (0..export.len()).map(|i| distance(export, i)).collect();
    let (step, fair) = ((-fractional_bits(export) as f32).exp2(), fair_step(export, &mut distances));
    if step <= fair {
        return None;
    }
    let far = distances.iter().filter(|distance| **distance > MOST * fair).count();
    if far == 0 {
        return Some(format!(
            "positions are rounded to steps of {step}, the finest that SPZ has; splats of {:.2e}, half of all, are \
             smaller than four of these: choose .ply, or scale the scene",
            size(export)
        ));
    }
    Some(format!(
        "positions are rounded to steps of {step}, since {far} of {} splats are farther than {:.2e} from the origin; \
         splats of {:.2e}, half of all, are displaced visibly: remove what is far away first (`box`, `sphere`), or choose \
         .ply",
        export.len(),
        MOST * fair,
        size(export)
    ))
}

/// The step of positions that the splats with these `distances` get regardless of outliers.
fn fair_step(export: &Export, distances: &mut [f32]) -> f32 {
    let middle = ranked(distances, |last| last / 2);
    (size(export) / FEWEST_STEPS_PER_SIZE).max(middle * FAIR_PART).max(f32::MIN_POSITIVE)
}

/// The largest coordinate of a splat.
fn distance(export: &Export, i: usize) -> f32 {
    export.position(i).into_iter().fold(0.0, |most: f32, v| most.max(v.abs()))
}

/// The median of the splats' sizes.
fn size(export: &Export) -> f32 {
    // Some thousands tell as much as all.
    median_size(export, (0..export.len()).step_by(export.len().div_ceil(10_000).max(1)))
}

fn byte(cut: &mut Cut, i: usize, value: f32) -> u8 {
    cut.clamp(i, value.round(), [0.0, 255.0]) as u8
}

fn coefficient(cut: &mut Cut, i: usize, value: f32, step: f32) -> u8 {
    let value = cut.clamp(i, value, [-1.0, 1.0]);
    ((value * 128.0 / step).round() * step + 128.0).clamp(0.0, 255.0) as u8
}

/// The index of the largest of x, y, z, w in two bits, then the others, each as a sign and nine bits.
fn smallest_three(q: [f32; 4]) -> u32 {
    const MOST: f32 = 511.0;
    let (index, q) = largest(q);
    let others = (0..4).filter(|i| *i != index);
    others.fold(index as u32, |word, i| {
        let magnitude = (q[i].abs() / FRAC_1_SQRT_2 * MOST).round().min(MOST) as u32;
        word << 10 | u32::from(q[i] < 0.0) << 9 | magnitude
    })
}
