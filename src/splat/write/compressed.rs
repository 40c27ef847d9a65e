//! SuperSplat's compressed PLY (`read/compressed.rs` has its layout). Splats are sorted along a curve, so that the 256 of
//! a chunk are near each other and their bounds are tight; the last chunk may have fewer.
//!
//! An own writer: no crate was found that writes this without a renderer.

use super::super::Splats;
use super::{Cut, Export, largest, median_size, morton, unorm, write_words};
use crate::color::SH_C0;
use crate::ply::{ANTIALIASED, frame_comments};
use crate::storage::Writer;
use std::io::{Result, Write};

const CHUNK: usize = 256;
/// Logarithms of scales beyond these are flat, or larger than any scene; they would only widen the bounds of others.
const LOG_SCALES: [f32; 2] = [-20.0, 20.0];
const HARMONICS: [f32; 2] = [-4.0, 4.0];

/// Bounds of a chunk: minima and maxima of positions, log-scales and colors.
#[derive(Clone, Copy)]
struct Bounds([[f32; 3]; 6]);

/// What is quantized within the bounds of a chunk: position, log-scale, color.
type Values = [[f32; 3]; 3];

pub fn write(out: &mut Writer, export: &Export, cut: &mut Cut) -> Result<()> {
    let order = morton::order(export);
    write_header(out, export)?;
    let chunks: Vec<Bounds> =
        order.chunks(CHUNK).map(|chunk| Bounds::of(chunk.iter().map(|i| values(export, *i as usize, cut)))).collect();
    for (chunk, bounds) in order.chunks(CHUNK).zip(&chunks) {
        let size = median_size(export, chunk.iter().map(|i| *i as usize));
        cut.coarse += if 0.5 * bounds.step() > size { chunk.len() } else { 0 };
    }
    for Bounds(bounds) in &chunks {
        let bounds = bounds.as_flattened().iter().map(|v| v.to_bits());
        write_words(out, &bounds.collect::<Vec<_>>())?;
    }
    for (chunk, bounds) in order.chunks(CHUNK).zip(&chunks) {
        for i in chunk.iter().map(|i| *i as usize) {
            let [position, scale, color] = bounds.parts(values(export, i, cut));
            let [r, g, b] = color.map(|v| unorm(v, 8));
            let color = r << 24 | g << 16 | b << 8 | unorm(export.opacity(i), 8);
            write_words(
                out,
                &[eleven_ten_eleven(position), rotation(export.rotation(i)), eleven_ten_eleven(scale), color],
            )?;
        }
    }
    let coefficients = Splats::coefficients(export.splats.sh_degree);
    let mut row = vec![0; 3 * (coefficients - 1)];
    for i in order.into_iter().map(|i| i as usize) {
        for (k, rgb) in export.harmonics(i)[1..].iter().enumerate() {
            for (channel, value) in rgb.iter().enumerate() {
                let unit = cut.clamp(i, *value, HARMONICS) / 8.0 + 0.5;
                row[channel * (coefficients - 1) + k] = (unit * 256.0).clamp(0.0, 255.0) as u8;
            }
        }
        out.write_all(&row)?;
    }
    Ok(())
}

fn write_header(out: &mut Writer, export: &Export) -> Result<()> {
    let (count, chunks) = (export.len(), export.len().div_ceil(CHUNK));
    write!(out, "ply\nformat binary_little_endian 1.0\n{}", frame_comments(&export.frame))?;
    if export.antialiased {
        writeln!(out, "comment {ANTIALIASED}")?;
    }
    writeln!(out, "element chunk {chunks}")?;
    for (bound, suffixes) in [("", ["x", "y", "z"]), ("scale_", ["x", "y", "z"]), ("", ["r", "g", "b"])] {
        for side in ["min", "max"] {
            suffixes.iter().try_for_each(|suffix| writeln!(out, "property float {side}_{bound}{suffix}"))?;
        }
    }
    writeln!(out, "element vertex {count}")?;
    let words = ["position", "rotation", "scale", "color"];
    words.iter().try_for_each(|word| writeln!(out, "property uint packed_{word}"))?;
    if export.splats.sh_degree > 0 {
        writeln!(out, "element sh {count}")?;
        let rest = 3 * (Splats::coefficients(export.splats.sh_degree) - 1);
        (0..rest).try_for_each(|i| writeln!(out, "property uchar f_rest_{i}"))?;
    }
    writeln!(out, "end_header")
}

fn values(export: &Export, i: usize, cut: &mut Cut) -> Values {
    let [flat, large] = LOG_SCALES;
    // The added thickness of a flat splat is invisible.
    let scale = export.log_scale(i).map(|v| cut.clamp(i, v.max(flat), [flat, large]));
    [export.position(i), scale, export.harmonics(i)[0].map(|v| v * SH_C0 + 0.5)]
}

impl Bounds {
    fn of(splats: impl Iterator<Item = Values>) -> Self {
        let mut bounds = [[f32::INFINITY; 3], [f32::NEG_INFINITY; 3]].repeat(3);
        for values in splats {
            for (kind, value) in values.iter().enumerate() {
                for axis in 0..3 {
                    bounds[2 * kind][axis] = bounds[2 * kind][axis].min(value[axis]);
                    bounds[2 * kind + 1][axis] = bounds[2 * kind + 1][axis].max(value[axis]);
                }
            }
        }
        Self(std::array::from_fn(|i| bounds[i]))
    }

    /// The longest step of a coordinate, but for what single precision cannot tell apart.
    fn step(&self) -> f32 {
        let Self([low, high, ..]) = self;
        let step = |axis: usize| {
            let bits = if axis == 1 { 10 } else { 11 };
            let rounding = f32::EPSILON * low[axis].abs().max(high[axis].abs());
            (high[axis] - low[axis]) / ((1 << bits) - 1) as f32 - rounding
        };
        (0..3).map(step).fold(0.0, f32::max)
    }

    /// Values as parts of the way from the lower to the upper bound.
    fn parts(&self, values: Values) -> Values {
        let part = |kind: usize, axis: usize| {
            let [least, most] = [self.0[2 * kind][axis], self.0[2 * kind + 1][axis]];
            if most > least { (values[kind][axis] - least) / (most - least) } else { 0.0 }
        };
        std::array::from_fn(|kind| std::array::from_fn(|axis| part(kind, axis)))
    }
}

fn eleven_ten_eleven([x, y, z]: [f32; 3]) -> u32 {
    unorm(x, 11) << 21 | unorm(y, 10) << 11 | unorm(z, 11)
}

/// The index of the largest of w, x, y, z in two bits, then the others in ten bits each.
fn rotation(q: [f32; 4]) -> u32 {
    let (index, q) = largest(q);
    let others = (0..4).filter(|i| *i != index);
    others.fold(index as u32, |word, i| word << 10 | unorm(q[i] * std::f32::consts::FRAC_1_SQRT_2 + 0.5, 10))
}
