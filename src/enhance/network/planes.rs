//! Activations on the device: images cut into bands of rows, each in a buffer of its own with one row of its
//! neighbors on either side, and one set of them per level of the U-Net.

use super::LEVELS;
use crate::error::Result;
use crate::gpu::{Buffer, Gpu, Recorder};
use bytemuck::{Pod, Zeroable};
use std::ops::Range;

/// Rows that one workgroup of an elementwise kernel works on, as `shaders/common/planes.wgsl` says.
const ROWS_PER_GROUP: u32 = 4;
/// Rows that an invocation of the convolution makes: buffers hold whole runs of them.
const RUN: u32 = 8;
/// Bands start at rows that every level can halve.
pub const BAND_STEP: u32 = 1 << (LEVELS - 1);

/// Some channels of a band, as kernels take them: twin of `Plane` in `shaders/common/planes.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Plane {
    pub width: u32,
    pub rows: u32,
    channels: u32,
    first: u32,
}

impl Plane {
    /// Blocks of rows of the elementwise kernels.
    pub fn blocks(&self) -> u32 {
        self.rows.div_ceil(ROWS_PER_GROUP)
    }
}

/// Rows of an image at one level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Band {
    pub image: usize,
    /// The first row.
    pub first: u32,
    pub rows: u32,
    /// Size of the whole image.
    pub width: u32,
    pub height: u32,
}

impl Band {
    fn row_len(&self, channels: usize) -> usize {
        channels * (self.width as usize + 2)
    }

    fn len(&self, channels: usize) -> usize {
        (self.rows.next_multiple_of(RUN) as usize + 2) * self.row_len(channels)
    }
}

/// How a list of images is cut, at every level.
#[derive(Clone, PartialEq, Eq)]
pub struct Grid {
    levels: [Vec<Band>; LEVELS],
}

impl Grid {
    /// Bands of at most `rows` rows (at least 8, in steps of 8) of images of these sizes.
    pub fn new(sizes: &[(u32, u32)], rows: u32) -> Self {
        let whole = |&(width, height): &(u32, u32)| (width, height, 0..height);
        Self::of_strips(&sizes.iter().map(whole).collect::<Vec<_>>(), rows)
    }

    /// The same for a strip of each image: width and height of the whole, and the rows of the strip, which begins at a multiple
    /// of 8.
    pub fn of_strips(strips: &[(u32, u32, Range<u32>)], rows: u32) -> Self {
        let step = (rows / BAND_STEP).max(1) * BAND_STEP;
        let bands = |level: usize| {
            let halved = |n: u32| n.div_ceil(1 << level);
            let of_strip = |(image, (width, height, strip)): (usize, &(u32, u32, Range<u32>))| {
                let (width, height, end) = (*width, *height, strip.end);
                strip.clone().step_by(step as usize).map(move |first| Band {
                    image,
                    first: first >> level,
                    rows: halved(end.min(first + step)) - (first >> level),
                    width: halved(width),
                    height: halved(height),
                })
            };
            strips.iter().enumerate().flat_map(of_strip).collect()
        };
        Self { levels: std::array::from_fn(bands) }
    }

    /// Most rows of a band whose tensors of `channels[level]` channels stay within `limit` bytes a buffer.
    pub fn rows_within(limit: u64, width: u32, channels: &[usize; LEVELS]) -> u32 {
        let rows = |level: usize| {
            let row = 4 * channels[level] as u64 * (u64::from(width.div_ceil(1 << level)) + 2);
            let rows = (limit / row).saturating_sub(2) / u64::from(RUN) * u64::from(RUN);
            rows.min(1 << 24) << level
        };
        (0..LEVELS).map(rows).min().unwrap_or(0) as u32
    }

    pub fn bands(&self, level: usize) -> &[Band] {
        &self.levels[level]
    }

    /// Blocks of rows of all bands of a level.
    pub fn blocks(&self, level: usize) -> u32 {
        self.levels[level].iter().map(|band| band.rows.div_ceil(ROWS_PER_GROUP)).sum()
    }
}

/// A tensor: `channels` planes for every band of a level.
pub struct Planes {
    pub level: usize,
    pub channels: usize,
    bands: Vec<Buffer<f32>>,
}

/// Some neighboring channels of a tensor.
#[derive(Clone, Copy)]
pub struct View<'a> {
    pub planes: &'a Planes,
    first: usize,
    pub channels: usize,
}

impl Planes {
    /// Zeros.
    pub fn new(gpu: &Gpu, grid: &Grid, level: usize, channels: usize) -> Result<Self> {
        let buffer = |band: &Band| gpu.buffer("network.planes", band.len(channels));
        let bands = grid.bands(level).iter().map(buffer).collect::<Result<_>>()?;
        Ok(Self { level, channels, bands })
    }

    pub fn buffer(&self, band: usize) -> &Buffer<f32> {
        &self.bands[band]
    }

    fn bytes(&self) -> u64 {
        self.bands.iter().map(|band| 4 * band.len() as u64).sum()
    }

    /// All channels.
    pub fn all(&self) -> View<'_> {
        self.part(0, self.channels)
    }

    pub fn part(&self, first: usize, channels: usize) -> View<'_> {
        View { planes: self, first, channels }
    }

    /// Gives every band the nearest rows of its neighbors.
    pub fn exchange(&self, recorder: &mut Recorder<'_>, grid: &Grid) {
        let bands = grid.bands(self.level);
        for i in 1..bands.len() {
            let (above, below) = (&bands[i - 1], &bands[i]);
            if above.image == below.image {
                let row = above.row_len(self.channels);
                let last = above.rows as usize * row;
                recorder.copy(&self.bands[i - 1], last, &self.bands[i], 0, row);
                recorder.copy(&self.bands[i], row, &self.bands[i - 1], last + row, row);
            }
        }
    }
}

impl<'a> View<'a> {
    pub fn plane(&self, grid: &Grid, band: usize) -> Plane {
        let Band { width, rows, .. } = grid.bands(self.planes.level)[band];
        Plane { width, rows, channels: self.planes.channels as u32, first: self.first as u32 }
    }

    pub fn buffer(&self, band: usize) -> &'a Buffer<f32> {
        self.planes.buffer(band)
    }
}

/// Tensors that are free to be used again, all of one grid. Their borders stay zero: no kernel writes to them.
#[derive(Default)]
pub struct Pool {
    grid: Option<Grid>,
    free: Vec<Planes>,
}

impl Pool {
    /// The same pool for images that are cut by `grid`: tensors of another one are dropped.
    pub fn for_grid(mut self, grid: &Grid) -> Self {
        if self.grid.as_ref() != Some(grid) {
            self.free.clear();
            self.grid = Some(grid.clone());
        }
        self
    }

    pub fn take(&mut self, gpu: &Gpu, grid: &Grid, level: usize, channels: usize) -> Result<Planes> {
        match self.free.iter().position(|p| (p.level, p.channels) == (level, channels)) {
            Some(found) => Ok(self.free.swap_remove(found)),
            None => Planes::new(gpu, grid, level, channels),
        }
    }

    pub fn give(&mut self, planes: Planes) {
        self.free.push(planes);
    }

    /// Drops free tensors, the largest first, until the rest takes at most `bytes`.
    pub fn trim(&mut self, bytes: u64) {
        let held = |free: &[Planes]| free.iter().map(Planes::bytes).sum::<u64>();
        while held(&self.free) > bytes {
            let largest = (0..self.free.len()).max_by_key(|&i| self.free[i].bytes());
            let Some(largest) = largest else { return };
            self.free.swap_remove(largest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bands_cover_every_row_of_every_level_once() {
        for (height, rows) in [(1, 8), (7, 8), (8, 8), (9, 8), (75, 16), (293, 40), (293, 1000), (64, 1)] {
            let grid = Grid::new(&[(5, height), (33, 3)], rows);
            for level in 0..LEVELS {
                let mut next = 0;
                for band in grid.bands(level).iter().filter(|b| b.image == 0) {
                    assert_eq!((band.first, band.height), (next, height.div_ceil(1 << level)));
                    assert!(band.rows > 0);
                    next += band.rows;
                }
                assert_eq!(next, height.div_ceil(1 << level), "{height} rows in {rows}, level {level}");
                assert_eq!(grid.bands(level).len(), grid.bands(0).len());
            }
        }
    }

    #[test]
    fn bands_stay_within_the_limit() {
        let channels = [96, 192, 384, 256];
        let rows = Grid::rows_within(128 << 20, 1764, &channels);
        let grid = Grid::new(&[(1764, 1172)], rows);
        for (level, count) in channels.into_iter().enumerate() {
            assert!(grid.bands(level).iter().all(|b| b.len(count) * 4 <= 128 << 20));
        }
        assert!(rows >= 128, "{rows}");
    }
}
