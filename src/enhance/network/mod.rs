//! The chroma-correction network (NAKA-GS §3.2): a U-Net that predicts, from a dark image and its response, what the
//! response alone gets wrong locally, as a factor and a summand for its low frequencies.
//!
//! Everything global in it (the standardiser, GroupNorm, the means of squeeze and excitation) is a list of statistics
//! that a pass measures or is given. So an image of any size is cut into bands whose results have no seams, and all
//! views of a capture can share the statistics of a few: the same surface then gets the same colours in every view.

mod apply;
pub(super) mod golden;
mod kernels;
mod layers;
mod parts;
mod pass;
mod planes;

use crate::capture::Image;
use crate::enhance::weights::Weights;
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use apply::Apply;
use kernels::{Kernels, Moments};
use layers::Layers;
use parts::Parts;
use pass::{Pair, Pass};
use planes::Grid;

/// Resolutions of the U-Net, each half the one before.
const LEVELS: usize = 4;

/// What is global in a pass: mean and population variance of every standardised channel, group of channels, and
/// squeezed channel, in the order of the layers.
#[derive(Clone, Debug, PartialEq)]
pub struct Statistics {
    values: Vec<Moments>,
}

/// What the network predicts for an image: `lit = clamp(low·mul + add + high, 0, 1)`, where `low` is the response
/// smoothed by a Gaussian (5×5, σ = 1) and `high` the rest of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Maps {
    pub width: u32,
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
    kernels: Kernels,
    apply: Apply,
    /// Most bytes of a buffer.
    binding_limit: u64,
    /// Most rows of a band, whatever would fit.
    band_rows: u32,
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
        let (kernels, apply) = (Kernels::new(gpu)?, Apply::new(gpu)?);
        Ok(Self { gpu, layers, kernels, apply, binding_limit, band_rows: u32::MAX })
    }

    /// The same network in bands of at most `rows` rows (in steps of 8), for tests of the seams.
    #[cfg(test)]
    fn with_bands_of(self, rows: u32) -> Self {
        Self { band_rows: rows, ..self }
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
        let mut pass = self.pass(pairs, None)?;
        pass.features(pairs)?;
        Ok(Statistics { values: pass.statistics()? })
    }

    /// The maps of one image, with its own statistics (as published) or given ones.
    ///
    /// # Errors
    /// [`Error::Setting`] for images of unequal size or statistics of another network, [`Error::OutOfMemory`].
    pub fn maps(&self, dark: &Image, lit: &Image, statistics: Option<&Statistics>) -> Result<Maps> {
        let mut maps = Maps { width: lit.width, height: lit.height, guide: lit.pixels.clone(), ..Maps::default() };
        let pairs = [(dark, lit)];
        let mut pass = self.pass(&pairs, statistics)?;
        let features = pass.features(&pairs)?;
        for band in pass.maps(&features)? {
            for [mul, r, g, b] in self.gpu.read(&band)? {
                maps.mul.push(mul);
                maps.add.push([r, g, b]);
            }
        }
        Ok(maps)
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

    fn pass(&self, pairs: &[Pair<'_>], statistics: Option<&Statistics>) -> Result<Pass<'_, 'g>> {
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
        Pass::new(self, Grid::new(&sizes, rows), fixed)
    }
}

#[cfg(test)]
mod reference;
#[cfg(test)]
pub(super) mod tests;
