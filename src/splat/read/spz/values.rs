//! The numbers of SPZ.

use super::super::super::Splats;
use super::{Header, Packed};
use half::f16;
use std::f32::consts::FRAC_1_SQRT_2;

/// Colors are 0.5 + 0.15 `f_dc`: with room below black and above white.
const COLOR_SCALE: f32 = 0.15;

/// The splats in the frame of the file. Each attribute is given back as soon as it is unpacked.
pub fn unpack(header: &Header, [positions, opacities, colors, scales, rotations, harmonics]: Packed) -> Splats {
    let mut splats = Splats::with_capacity(header.count, header.sh_degree);
    if header.version == 1 {
        splats.means.extend(positions.as_chunks::<2>().0.as_chunks::<3>().0.iter().map(|v| v.map(half_float)));
    } else {
        let unit = ((1u32 << header.fractional_bits) as f32).recip();
        let fixed = |bytes: &[u8; 3]| (i32::from_le_bytes([0, bytes[0], bytes[1], bytes[2]]) >> 8) as f32 * unit;
        splats.means.extend(positions.as_chunks::<3>().0.as_chunks::<3>().0.iter().map(|v| v.each_ref().map(fixed)));
    }
    drop(positions);
    splats.logit_opacities.extend(opacities.iter().map(|byte| logit(f32::from(*byte) / 255.0)));
    splats.log_scales.extend(scales.as_chunks::<3>().0.iter().map(|v| v.map(|byte| f32::from(byte) / 16.0 - 10.0)));
    if header.version < 3 {
        splats.quats.extend(rotations.as_chunks::<3>().0.iter().map(first_three));
    } else {
        splats.quats.extend(rotations.as_chunks::<4>().0.iter().map(|word| smallest_three(u32::from_le_bytes(*word))));
    }
    drop(rotations);
    let rest = harmonics.len().checked_div(header.count).unwrap_or(0);
    for (i, color) in colors.as_chunks::<3>().0.iter().enumerate() {
        splats.sh.extend(color.map(|byte| (f32::from(byte) / 255.0 - 0.5) / COLOR_SCALE));
        splats.sh.extend(harmonics[i * rest..][..rest].iter().map(|byte| (f32::from(*byte) - 128.0) / 128.0));
    }
    splats
}

fn half_float(bytes: [u8; 2]) -> f32 {
    f16::from_le_bytes(bytes).to_f32()
}

fn logit(opacity: f32) -> f32 {
    (opacity / (1.0 - opacity)).ln()
}

/// x, y and z in a byte each; w, which is not negative, from their length.
fn first_three(bytes: &[u8; 3]) -> [f32; 4] {
    let [x, y, z] = bytes.map(|byte| f32::from(byte) / 127.5 - 1.0);
    [(1.0 - (x * x + y * y + z * z)).max(0.0).sqrt(), x, y, z]
}

/// The index of the largest of x, y, z, w in two bits, then the others in order, each as a sign and nine bits.
fn smallest_three(word: u32) -> [f32; 4] {
    const MOST: u32 = (1 << 9) - 1;
    let largest = (word >> 30) as usize;
    let mut xyzw = [0.0; 4];
    let others = [3, 2, 1, 0].into_iter().filter(|i| *i != largest);
    for (i, shift) in others.zip([0, 10, 20]) {
        let magnitude = FRAC_1_SQRT_2 * (word >> shift & MOST) as f32 / MOST as f32;
        xyzw[i] = if word >> shift & (MOST + 1) == 0 { magnitude } else { -magnitude };
    }
    xyzw[largest] = (1.0 - xyzw.iter().map(|v| v * v).sum::<f32>()).max(0.0).sqrt();
    let [x, y, z, w] = xyzw;
    [w, x, y, z]
}
