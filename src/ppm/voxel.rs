//! Voxel pooling: points with equal `floor(p / v)` become one, their mean.

use crate::prior::PointCloud;
use glam::Vec3;
use rayon::prelude::*;

/// One point per occupied voxel of edge `size`, with the mean position, the rounded mean color and the mean normal,
/// ordered by voxel coordinate x, then y, then z. `size` 0 returns the points as they are. Positions must be finite.
pub fn pool(cloud: PointCloud, size: f64) -> PointCloud {
    if size == 0.0 || cloud.is_empty() {
        return cloud;
    }
    match Grid::of(&cloud.positions, size) {
        Some(grid) => pool_by(&cloud, |p| grid.key(p)),
        None => pool_by(&cloud, |p| cell(p, size).map(ordered)),
    }
}

/// The voxel of a point, in whole numbers that a float holds without overflow, however far away it is.
fn cell(p: [f32; 3], size: f64) -> [f64; 3] {
    // 0 is added to make −0 the same as 0.
    p.map(|v| (f64::from(v) / size).floor() + 0.0)
}

/// An integer that is ordered like the float.
fn ordered(value: f64) -> i64 {
    let bits = value.to_bits().cast_signed();
    bits ^ ((bits >> 63).cast_unsigned() >> 1).cast_signed()
}

/// Voxels of a cloud whose extent allows their coordinates to be packed into one number.
struct Grid {
    size: f64,
    first: [f64; 3],
    /// Bits of y and of z in a key.
    bits: [u32; 2],
}

impl Grid {
    fn of(positions: &[[f32; 3]], size: f64) -> Option<Self> {
        let merge = |a: [[f32; 3]; 2], b: [[f32; 3]; 2]| {
            [std::array::from_fn(|i| a[0][i].min(b[0][i])), std::array::from_fn(|i| a[1][i].max(b[1][i]))]
        };
        let nothing = || [[f32::INFINITY; 3], [f32::NEG_INFINITY; 3]];
        let [low, high] = positions.par_iter().fold(nothing, |ends, &p| merge(ends, [p, p])).reduce(nothing, merge);
        let (first, last) = (cell(low, size), cell(high, size));
        // Up to here every whole number is a float of its own.
        let exact = first.iter().chain(&last).all(|v| v.abs() < (1u64 << 53) as f64);
        let bits: [u32; 3] = std::array::from_fn(|i| u64::BITS - ((last[i] - first[i]) as u64).leading_zeros());
        (exact && bits.iter().sum::<u32>() <= u64::BITS).then_some(Self { size, first, bits: [bits[1], bits[2]] })
    }

    fn key(&self, p: [f32; 3]) -> u64 {
        let cell = cell(p, self.size);
        let [x, y, z] = std::array::from_fn(|i| (cell[i] - self.first[i]) as u64);
        let packed = x.checked_shl(self.bits[0]).unwrap_or(0) | y;
        packed.checked_shl(self.bits[1]).unwrap_or(0) | z
    }
}

fn pool_by<K: Copy + Ord + Send + Sync>(cloud: &PointCloud, key: impl Fn([f32; 3]) -> K + Sync) -> PointCloud {
    // The index makes the order, and with it the rounding of the means, independent of the threads.
    let mut order: Vec<(K, u32)> =
        cloud.positions.par_iter().enumerate().map(|(index, &p)| (key(p), index as u32)).collect();
    order.par_sort_unstable();
    let starts_voxel = |i: usize| i == 0 || order[i - 1].0 != order[i].0;
    let count = (0..order.len()).into_par_iter().filter(|&i| starts_voxel(i)).count();
    let mut starts: Vec<u32> = Vec::with_capacity(count);
    starts.extend((0..order.len()).filter(|&i| starts_voxel(i)).map(|i| i as u32));
    let members = |i: usize| {
        let end = starts.get(i + 1).map_or(order.len(), |&end| end as usize);
        order[starts[i] as usize..end].iter().map(|&(_, index)| index as usize)
    };
    let mut pooled = PointCloud::default();
    let voxels = (0..starts.len()).into_par_iter();
    voxels.clone().map(|i| mean(cloud, members(i))).unzip_into_vecs(&mut pooled.positions, &mut pooled.colors);
    if !cloud.normals.is_empty() {
        voxels.map(|i| mean_normal(cloud, members(i))).collect_into_vec(&mut pooled.normals);
    }
    pooled
}

fn mean(cloud: &PointCloud, members: impl ExactSizeIterator<Item = usize>) -> ([f32; 3], [u8; 3]) {
    let count = members.len() as f64;
    let mut position = [0.0; 3];
    let mut color = [0u64; 3];
    for index in members {
        for axis in 0..3 {
            position[axis] += f64::from(cloud.positions[index][axis]);
            color[axis] += u64::from(cloud.colors[index][axis]);
        }
    }
    (position.map(|sum| (sum / count) as f32), color.map(|sum| (sum as f64 / count).round_ties_even() as u8))
}

/// The direction of the sum; zero where there is none.
fn mean_normal(cloud: &PointCloud, members: impl Iterator<Item = usize>) -> [f32; 3] {
    members.map(|index| Vec3::from(cloud.normals[index])).sum::<Vec3>().normalize_or_zero().to_array()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_of_key_order_alike() {
        let positions: Vec<[f32; 3]> =
            (0..2000u64).map(|i| [0, 1, 2].map(|a| crate::random::uniform(1, a, i) as f32 - 0.5)).collect();
        let cloud = PointCloud { colors: vec![[7; 3]; positions.len()], positions, ..PointCloud::default() };
        let grid = Grid::of(&cloud.positions, 0.05).unwrap();
        let packed = pool_by(&cloud, |p| grid.key(p));
        assert!(packed.len() > 1500 / 2 && packed.len() < 2000);
        assert_eq!(packed, pool_by(&cloud, |p| cell(p, 0.05).map(ordered)));
    }

    /// Cells of 10³⁰ / 0.01 are beyond every integer, and must neither be one nor change the others.
    #[test]
    fn far_points_stay_apart() {
        let positions = vec![[1e30, 0.0, 0.0], [2e30, 0.0, 0.0], [-1e30, 0.0, 0.0], [0.001; 3], [0.002; 3], [1e8; 3]];
        let cloud = PointCloud { colors: vec![[7; 3]; positions.len()], positions, ..PointCloud::default() };
        let pooled = pool(cloud, 0.01);
        let x: Vec<f32> = pooled.positions.iter().map(|p| p[0]).collect();
        assert_eq!(x, [-1e30, 0.0015, 1e8, 1e30, 2e30]);
    }

    #[test]
    fn a_grid_uses_every_bit() {
        // 2³² × 2³² × 1 cells.
        let ends = [[0.0, 0.0, 0.5], [4_294_967_040.0, 4_294_967_040.0, 0.5]];
        let grid = Grid::of(&ends, 1.0).unwrap();
        assert_eq!(grid.key(ends[1]), 4_294_967_040 << 32 | 4_294_967_040);
        assert!(Grid::of(&[ends[0], [4_294_967_040.0, 4_294_967_040.0, 2.0]], 1.0).is_none());
    }
}
