//! At most so many points of a stream, each equally likely.

use crate::error::{Error, Result};
use crate::limits;
use crate::prior::PointCloud;
use crate::prior::point_cloud::retain;
use crate::random::hash;
use std::path::Path;

/// Memory that a point takes: 27 bytes, as much again while the lists grow, and its later forms. So a megabyte
/// may hold four million points.
const POINT_BYTES: u64 = 128;
/// Initial capacity, in points.
const ROOM: usize = 4096;

/// Keeps at most `limit` of the points pushed (all with a normal, or none), those with the smallest hashes of their
/// numbers, in their order: which ones depends on the seed and on how many come, not on the machine. Never holds more than
/// `limit` and a half.
pub struct Sampler<'a> {
    /// The file that the points come from, and its size.
    file: (&'a Path, u64),
    /// Why no more points are taken.
    refused: Option<Error>,
    limit: usize,
    seed: u64,
    /// Points pushed so far.
    seen: u64,
    cloud: PointCloud,
    /// Numbers of the points held, ascending; empty as long as all are held.
    numbers: Vec<u64>,
    /// Largest hash (and its number) that may still belong to the smallest.
    bound: (u64, u64),
}

impl<'a> Sampler<'a> {
    /// For points of `file`, of that many bytes.
    pub fn new(file: (&'a Path, u64), limit: usize, seed: u64) -> Self {
        let bound = (u64::MAX, u64::MAX);
        Self { file, refused: None, limit, seed, seen: 0, cloud: PointCloud::default(), numbers: Vec::new(), bound }
    }

    pub fn push(&mut self, position: [f32; 3], color: [u8; 3], normal: Option<[f32; 3]>) {
        if self.refused.is_some() {
            return;
        }
        let number = self.seen;
        self.seen += 1;
        if number >= self.limit as u64 {
            if self.numbers.is_empty() {
                self.numbers.extend(0..number);
            }
            if self.key(number) > self.bound {
                return;
            }
            self.numbers.push(number);
        }
        if self.cloud.len() == self.cloud.positions.capacity() {
            self.grow(normal.is_some());
        }
        if self.refused.is_some() {
            return;
        }
        self.cloud.positions.push(position);
        self.cloud.colors.push(color);
        self.cloud.normals.extend(normal);
        if self.cloud.len() > self.limit.saturating_add(self.limit / 2) {
            self.shrink();
        }
    }

    /// Doubles the room, if the file may take the memory.
    fn grow(&mut self, normals: bool) {
        let more = self.cloud.len().max(ROOM);
        let room = self.cloud.len() + more;
        let claim = limits::claim(self.file.0, self.file.1, room as u64 * POINT_BYTES, &format!("{room} points"));
        match claim {
            Err(error) => self.refused = self.refused.take().or(Some(error)),
            Ok(()) => {
                self.cloud.positions.reserve_exact(more);
                self.cloud.colors.reserve_exact(more);
                self.cloud.normals.reserve_exact(if normals { more } else { 0 });
            }
        }
    }

    /// The points held.
    ///
    /// # Errors
    /// More points than the file may take memory for.
    pub fn finish(mut self) -> Result<PointCloud> {
        if let Some(error) = self.refused {
            return Err(error);
        }
        self.shrink();
        self.cloud.positions.shrink_to_fit();
        self.cloud.colors.shrink_to_fit();
        self.cloud.normals.shrink_to_fit();
        Ok(self.cloud)
    }

    fn key(&self, number: u64) -> (u64, u64) {
        (hash(self.seed, 1, number), number)
    }

    /// Drops all but the `limit` points with the smallest hashes.
    fn shrink(&mut self) {
        if self.cloud.len() <= self.limit || self.limit == 0 {
            return;
        }
        let mut keys: Vec<_> = self.numbers.iter().map(|&number| self.key(number)).collect();
        self.bound = *keys.select_nth_unstable(self.limit - 1).1;
        let kept: Vec<bool> = self.numbers.iter().map(|&number| self.key(number) <= self.bound).collect();
        retain(&mut self.numbers, &kept);
        self.cloud.retain(&kept);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(n: u32, limit: usize, seed: u64) -> Vec<u32> {
        let mut sampler = Sampler::new((Path::new("points"), 1 << 20), limit, seed);
        (0..n).for_each(|i| {
            let x = [i as f32, 0.0, 0.0];
            sampler.push(x, i.to_le_bytes()[..3].try_into().unwrap(), Some(x));
        });
        let cloud = sampler.finish().unwrap();
        assert_eq!(cloud.normals, cloud.positions);
        for (p, rgb) in cloud.positions.iter().zip(&cloud.colors) {
            assert_eq!(p[0] as u32, u32::from_le_bytes([rgb[0], rgb[1], rgb[2], 0]));
        }
        cloud.positions.iter().map(|p| p[0] as u32).collect()
    }

    /// The definition: sort all by hash.
    fn expected(n: u32, limit: usize, seed: u64) -> Vec<u32> {
        let mut order: Vec<u32> = (0..n).collect();
        order.sort_by_key(|&i| (hash(seed, 1, u64::from(i)), i));
        order.truncate(limit);
        order.sort_unstable();
        order
    }

    #[test]
    fn keeps_those_with_the_smallest_hashes_in_their_order() {
        for (n, limit) in [(0, 3), (1, 1), (3, 3), (4, 3), (5, 3), (5000, 1), (5000, 2), (5000, 777), (777, 5000)] {
            for seed in [1, 42] {
                assert_eq!(sample(n, limit, seed), expected(n, limit, seed), "{n} {limit}");
            }
        }
        assert_eq!(sample(100, usize::MAX, 1).len(), 100);
    }

    #[test]
    fn more_points_than_a_file_can_hold_are_refused() {
        let mut sampler = Sampler::new((Path::new("a.npz"), 1000), usize::MAX, 1);
        (0..5_000_000).for_each(|_| sampler.push([0.0; 3], [0; 3], None));
        assert!(sampler.cloud.len() <= 1 << 22);
        let message = sampler.finish().unwrap_err().to_string();
        assert!(message.contains("a.npz") && message.contains("points") && message.contains("MiB"), "{message}");
    }

    #[test]
    fn each_point_is_equally_likely() {
        let mut times = [0u32; 20];
        for seed in 0..2000 {
            sample(20, 5, seed).iter().for_each(|&i| times[i as usize] += 1);
        }
        // 500 expected, standard deviation 19.
        assert!(times.iter().all(|&t| (400..600).contains(&t)), "{times:?}");
    }
}
