//! The order of a Z-shaped curve through space: neighbors in it are mostly neighbors in space, which formats rely on that store
//! bounds for runs of splats, or pictures of them.

use super::Export;
use rayon::slice::ParallelSliceMut;

/// Bits of each coordinate.
const BITS: u32 = 21;

/// Indices of the splats along the curve.
pub fn order(export: &Export) -> Vec<u32> {
    let mut bounds = [[f32::INFINITY; 3], [f32::NEG_INFINITY; 3]];
    for mean in &export.splats.means {
        for axis in 0..3 {
            bounds[0][axis] = bounds[0][axis].min(mean[axis]);
            bounds[1][axis] = bounds[1][axis].max(mean[axis]);
        }
    }
    let code = |mean: &[f32; 3]| -> u64 {
        let cell = |axis: usize| {
            let extent = f64::from(bounds[1][axis]) - f64::from(bounds[0][axis]);
            let part = (f64::from(mean[axis]) - f64::from(bounds[0][axis])) / extent.max(f64::MIN_POSITIVE);
            spread((part * f64::from((1u32 << BITS) - 1)) as u64)
        };
        cell(0) | cell(1) << 1 | cell(2) << 2
    };
    let mut keys: Vec<(u64, u32)> = export.splats.means.iter().map(code).zip(0..).collect();
    keys.par_sort_unstable();
    keys.into_iter().map(|(_, i)| i).collect()
}

/// The bits of a coordinate with two zeros between them.
fn spread(value: u64) -> u64 {
    let step = |v: u64, shift: u32, mask: u64| (v | v << shift) & mask;
    let v = step(value & 0x1f_ffff, 32, 0x001f_0000_0000_ffff);
    let v = step(v, 16, 0x001f_0000_ff00_00ff);
    let v = step(v, 8, 0x100f_00f0_0f00_f00f);
    let v = step(v, 4, 0x10c3_0c30_c30c_30c3);
    step(v, 2, 0x1249_2492_4924_9249)
}

#[cfg(test)]
mod tests {
    use super::spread;

    #[test]
    fn bits_are_spread_to_every_third_place() {
        for value in [0u64, 1, 0b1011, 0x1f_ffff, 0x15_5555] {
            let expected = (0..21).map(|bit| (value >> bit & 1) << (3 * bit)).sum::<u64>();
            assert_eq!(spread(value), expected);
        }
    }
}
