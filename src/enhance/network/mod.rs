//! The chroma-correction network (NAKA-GS §3.2): a U-Net that predicts, from a dark image and its response, what the
//! response alone gets wrong locally, as a factor and a summand for its low frequencies.
//!
//! Everything global in it (the standardizer, GroupNorm, the means of squeeze and excitation) is a list of statistics
//! that a pass measures or is given. So an image of any size is cut into bands whose results have no seams, and all
//! views of a capture can share the statistics of a few: the same surface then gets the same colors in every view.

mod apply;
mod convolution;
pub(super) mod golden;
mod kernels;
mod layers;
mod parts;
mod pass;
mod planes;

use crate::capture::{Image, resize_area};
use crate::enhance::weights::Weights;
use crate::error::{Error, Result};
use crate::gpu::{Gpu, Timings};
use apply::Apply;
use convolution::Convolutions;
use kernels::Kernels;
use layers::{Layers, Moments};
use parts::Parts;
use pass::{Pair, Pass};
use planes::{BAND_STEP, Grid, Pool};
use std::ops::Range;
use std::sync::Mutex;

/// Resolutions of the U-Net, each half the one before.
const LEVELS: usize = 4;
/// Rows of the receptive field around a pixel: one row of the level for every convolution and enlargement. Down: 7, 6 of two
/// rows, 8 of four, 5 of eight; up: 1 of eight, 6 of four, 6 of two, 5; fuse 3, heads 1.
const REACH: u32 = 144;
/// Most bytes of tensors in use at one time.
const BUDGET: u64 = 1 << 30;

/// What is global in a pass: mean and population variance of every standardized channel, group of channels, and
/// squeezed channel, in the order of the layers.
#[derive(Clone, Debug, PartialEq)]
pub struct Statistics {
    values: Vec<Moments>,
}

/// What the network predicts for an image: `lit = clamp(low·mul + add + high, 0, 1)`, where `low` is the response
/// smoothed by a Gaussian (5×5, σ = 1) and `high` the rest of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Maps {
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Factor of every pixel, 0.4–1.6.
    pub mul: Vec<f32>,
    /// Summand of every pixel, −0.25–0.25.
    pub add: Vec<[f32; 3]>,
    /// The response that the maps were made from: it guides their enlargement.
    pub guide: Vec<[f32; 3]>,
}

/// The network with its weights on a device.
pub struct Network<'g> {
    gpu: &'g Gpu,
    layers: Layers,
    convolutions: Convolutions,
    kernels: Kernels,
    apply: Apply,
    /// Tensors that the last pass has left.
    pool: Mutex<Pool>,
    /// Most bytes of a buffer.
    binding_limit: u64,
    /// Most rows of a band, whatever would fit.
    band_rows: u32,
    budget: u64,
}

impl<'g> Network<'g> {
    /// Checks and uploads `weights`; the channel widths are read off the tensors' shapes.
    ///
    /// # Errors
    /// [`Error::Input`] that names every tensor that is missing, wrongly shaped or unknown; those of the device.
    pub fn new(gpu: &'g Gpu, weights: &Weights) -> Result<Self> {
        let layers = Layers::new(gpu, &Parts::read(weights)?)?;
        let limits = gpu.limits();
        let binding_limit = limits.max_storage_buffer_binding_size.min(limits.max_buffer_size);
        let (convolutions, kernels, apply) = (Convolutions::new(gpu)?, Kernels::new(gpu)?, Apply::new(gpu)?);
        let pool = Mutex::default();
        Ok(Self { gpu, layers, convolutions, kernels, apply, pool, binding_limit, band_rows: u32::MAX, budget: BUDGET })
    }

    /// The same network in bands of at most `rows` rows (in steps of 8), for tests of the seams.
    #[cfg(test)]
    fn with_bands_of(self, rows: u32) -> Self {
        Self { band_rows: rows, ..self }
    }

    /// The same network with another budget, likewise.
    #[cfg(test)]
    fn with_budget_of(self, bytes: u64) -> Self {
        Self { budget: bytes, ..self }
    }

    /// The same network that applies maps to at most `pixels` pixels at a time, likewise.
    #[cfg(test)]
    fn with_pieces_of(self, pixels: u32) -> Self {
        Self { apply: self.apply.with_pieces_of(pixels), ..self }
    }

    /// The statistics of a capture: those of all `pairs` (dark image, its response) together. Memory grows with the
    /// number of pixels: a dozen images of the working size are enough.
    ///
    /// # Errors
    /// [`Error::Setting`] for pairs of unequal size, [`Error::OutOfMemory`].
    pub fn statistics(&self, pairs: &[(&Image, &Image)]) -> Result<Statistics> {
        let mut pass = self.pass(pairs, None, None)?;
        let features = pass.features(pairs)?;
        let values = pass.statistics()?;
        pass.finish(features);
        Ok(Statistics { values })
    }

    /// The maps of one image, with its own statistics (as published) or given ones. An image whose tensors would take more than
    /// 1 GiB is made in strips that overlap by the receptive field, so they have no seams; its own statistics are then those of
    /// a smaller copy.
    ///
    /// # Errors
    /// [`Error::Setting`] for images of unequal size or statistics of another network, [`Error::OutOfMemory`].
    pub fn maps(&self, dark: &Image, lit: &Image, statistics: Option<&Statistics>) -> Result<Maps> {
        let mut maps = Maps { width: lit.width, height: lit.height, guide: lit.pixels.clone(), ..Maps::default() };
        let most = self.rows_in_budget(lit.width);
        if lit.height <= most {
            self.strip((dark, lit), 0..lit.height, statistics, &mut maps)?;
            return Ok(maps);
        }
        let own = if statistics.is_none() { Some(self.statistics_of_copy(dark, lit, most)?) } else { None };
        let step = (most.saturating_sub(2 * REACH) / BAND_STEP).max(1) * BAND_STEP;
        for first in (0..lit.height).step_by(step as usize) {
            let rows = first..(first + step).min(lit.height);
            self.strip((dark, lit), rows, statistics.or(own.as_ref()), &mut maps)?;
        }
        Ok(maps)
    }

    /// Milliseconds per kernel of the maps of one image with its own statistics, where the device has timestamps.
    ///
    /// # Errors
    /// As [`Network::maps`].
    pub fn timings(&self, dark: &Image, lit: &Image) -> Result<Timings> {
        let pairs = [(dark, lit)];
        let mut pass = self.pass(&pairs, None, None)?.profiled();
        let features = pass.features(&pairs)?;
        pass.maps(&features)?;
        let timings = pass.timings();
        pass.finish(features);
        Ok(timings)
    }

    /// Appends the maps of some rows, made from them and what they depend on around them.
    fn strip(&self, pair: Pair<'_>, rows: Range<u32>, statistics: Option<&Statistics>, maps: &mut Maps) -> Result<()> {
        let pairs = [pair];
        let seen = rows.start.saturating_sub(REACH)..(rows.end + REACH).min(pair.1.height);
        let mut pass = self.pass(&pairs, Some(seen.clone()), statistics)?;
        let features = pass.features(&pairs)?;
        let width = pair.1.width as usize;
        let (skip, count) = ((rows.start - seen.start) as usize * width, rows.len() * width);
        let mut values = Vec::with_capacity(seen.len() * width);
        for band in pass.maps(&features)? {
            values.extend(self.gpu.read(&band)?);
        }
        pass.finish(features);
        for &[mul, r, g, b] in &values[skip..skip + count] {
            maps.mul.push(mul);
            maps.add.push([r, g, b]);
        }
        Ok(())
    }

    /// Rows of an image that fit the budget: at the peak the widest tensor of full size and three more are in use.
    fn rows_in_budget(&self, width: u32) -> u32 {
        let channels = self.layers.widest()[0] + 3 * self.layers.stem.conv.outputs;
        let row = 5 * channels as u64 * (u64::from(width) + 2);
        u32::try_from(self.budget / row).unwrap_or(u32::MAX)
    }

    /// The statistics of a copy that is small enough to be processed as a whole.
    fn statistics_of_copy(&self, dark: &Image, lit: &Image, rows: u32) -> Result<Statistics> {
        let scale = (f64::from(rows) / f64::from(lit.height)).sqrt();
        let size = |n: u32| ((f64::from(n) * scale) as u32).max(1);
        let small = |image: &Image| resize_area(image, size(lit.width), size(lit.height));
        self.statistics(&[(&small(dark), &small(lit))])
    }

    /// The lit image from its response and maps, which may be smaller: they are then enlarged, guided by the response.
    /// Values are 0–1, and never NaN.
    ///
    /// # Errors
    /// [`Error::Setting`] for maps without pixels, [`Error::OutOfMemory`].
    pub fn apply(&self, maps: &Maps, lit: &Image) -> Result<Image> {
        if maps.mul.is_empty() && !lit.pixels.is_empty() {
            return Err(Error::setting("maps", "no pixels", "predict them from an image that has some"));
        }
        self.apply.run(self.gpu, maps, lit)
    }

    /// A pass over whole images, or over the same strip of each.
    fn pass(
        &self,
        pairs: &[Pair<'_>],
        strip: Option<Range<u32>>,
        statistics: Option<&Statistics>,
    ) -> Result<Pass<'_, 'g>> {
        let sizes: Vec<_> = pairs.iter().map(|(dark, _)| (dark.width, dark.height)).collect();
        if let Some((dark, lit)) = pairs.iter().find(|(d, l)| (d.width, d.height) != (l.width, l.height)) {
            let found = format!("{} × {} and {} × {}", dark.width, dark.height, lit.width, lit.height);
            return Err(Error::setting("chroma network", found, "give both images the same size"));
        }
        let fixed = statistics.map(|s| s.values.as_slice());
        if fixed.is_some_and(|values| values.len() != self.layers.statistics) {
            let remedy = "measure them with the same network";
            return Err(Error::setting("chroma network", "statistics of another network", remedy));
        }
        let width = sizes.iter().map(|(width, _)| *width).max().unwrap_or(0);
        let rows = Grid::rows_within(self.binding_limit, width, &self.layers.widest()).min(self.band_rows);
        let grid = match strip {
            Some(strip) => {
                let strips: Vec<_> = sizes.iter().map(|&(width, height)| (width, height, strip.clone())).collect();
                Grid::of_strips(&strips, rows)
            }
            None => Grid::new(&sizes, rows),
        };
        Pass::new(self, grid, fixed)
    }
}

#[cfg(test)]
mod reference;
#[cfg(test)]
pub(super) mod tests;
