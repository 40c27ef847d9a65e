//! SPZ of version 3 (`read/spz/` has its layout): `splat-transform`, which has the newest library of the format, reads it as
//! well as version 4. That one needs Zstandard, of which `ruzstd` 0.9 encodes the fastest level only.
//!
//! An own writer: the crate `spz` 0.0.6 depends on tokio, and `wgpu-3dgs-core` on wgpu and wesl.
//!
//! Harmonics are rounded to five bits (degree 1) and four (above), as its library does.

use super::super::Splats;
use super::super::axes::{Axes, Signs};
use super::{Cut, Export, gzip, largest};
use crate::storage::Writer;
use std::f32::consts::FRAC_1_SQRT_2;
use std::io::Result;

const VERSION: u32 = 3;
const ANTIALIASED: u8 = 1;
/// Fractional bits of coordinates where nothing asks for others.
const USUAL_BITS: i32 = 12;
const MOST_BITS: i32 = 24;
/// The largest coordinate in 24 bits with a sign.
const MOST: f32 = ((1 << 23) - 1) as f32;
/// Steps of a position that a splat's size takes at least, where the extent of the scene lets it.
const STEPS_PER_SIZE: f32 = 8.0;
const COLOR_SCALE: f32 = 0.15;

pub fn write(out: &mut Writer, export: &Export, cut: &mut Cut) -> Result<()> {
    let bits = fractional_bits(export);
    let packed = pack(export, bits, cut);
    gzip::write(out, &packed)
}

/// The header and the attributes, one after the other.
fn pack(export: &Export, bits: i32, cut: &mut Cut) -> Vec<u8> {
    let (count, degree) = (export.len(), export.splats.sh_degree);
    let Signs { position, rotation, harmonics } = Axes::RUB.signs();
    let mut bytes = Vec::with_capacity(16 + count * (20 + 3 * (Splats::coefficients(degree) - 1)));
    bytes.extend(*b"NGSP");
    bytes.extend(VERSION.to_le_bytes());
    bytes.extend((count as u32).to_le_bytes());
    bytes.extend([degree as u8, bits as u8, if export.antialiased { ANTIALIASED } else { 0 }, 0]);
    let unit = (bits as f32).exp2();
    for i in 0..count {
        for (v, sign) in export.position(i).into_iter().zip(position) {
            let fixed = cut.clamp(i, (v * sign * unit).round(), [-MOST, MOST]) as i32;
            bytes.extend(&fixed.to_le_bytes()[..3]);
        }
    }
    bytes.extend((0..count).map(|i| (export.opacity(i) * 255.0).round() as u8));
    for i in 0..count {
        bytes.extend(export.harmonics(i)[0].map(|v| byte(cut, i, (v * COLOR_SCALE + 0.5) * 255.0)));
    }
    for i in 0..count {
        bytes.extend(export.log_scale(i).map(|v| byte(cut, i, (v + 10.0) * 16.0)));
    }
    for i in 0..count {
        let [w, x, y, z]: [f32; 4] = std::array::from_fn(|k| export.rotation(i)[k] * rotation[k]);
        bytes.extend(smallest_three([x, y, z, w]).to_le_bytes());
    }
    for i in 0..count {
        for (k, rgb) in export.harmonics(i).iter().enumerate().skip(1) {
            let step = if k < 4 { 8.0 } else { 16.0 };
            bytes.extend(rgb.map(|v| coefficient(cut, i, v * harmonics[k], step)));
        }
    }
    bytes
}

/// So many that the farthest splat is within reach, and that steps are small beside splats where those are tiny.
pub fn fractional_bits(export: &Export) -> i32 {
    let farthest = (0..export.len()).flat_map(|i| export.position(i)).fold(0.0, |most: f32, v| most.max(v.abs()));
    let within_reach = (MOST / farthest.max(f32::MIN_POSITIVE)).log2().floor() as i32;
    // Some thousands tell as much as all.
    let some = (0..export.len()).step_by(export.len().div_ceil(10_000));
    let mut sizes: Vec<f32> = some.map(|i| export.log_scale(i).iter().sum::<f32>() / 3.0).collect();
    let middle = sizes.len() / 2;
    let (_, size, _) = sizes.select_nth_unstable_by(middle, f32::total_cmp);
    let fine_enough = (STEPS_PER_SIZE / size.exp()).log2().ceil() as i32;
    fine_enough.max(USUAL_BITS).min(within_reach).clamp(0, MOST_BITS)
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
