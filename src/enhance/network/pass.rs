//! One pass of a list of images through the network, layer by layer.

use super::Network;
use super::convolution::Fused;
use super::kernels::Channels;
use super::layers::{Block, ConvNorm, Moments, Norm, Residual, STANDARDIZED, Squeeze};
use super::parts::INPUTS;
use super::planes::{Grid, Planes, Pool, View};
use crate::capture::Image;
use crate::error::Result;
use crate::gpu::{Buffer, Gpu, Recorder, Timings};
use crate::sync::lock;

/// Most bytes of free tensors that are kept for the next picture. Larger ones are allocated again: of those the levels do not
/// fit side by side.
const KEPT: u64 = 64 << 20;

/// A dark image and its lit one, of the same size.
pub type Pair<'a> = (&'a Image, &'a Image);

pub struct Pass<'n, 'g> {
    network: &'n Network<'g>,
    grid: Grid,
    pool: Pool,
    recorder: Recorder<'g>,
    statistics: Buffer<Moments>,
    /// Where statistics are given, not measured: (scale, bias) of every channel of every GroupNorm.
    folded: Option<Buffer<[f32; 2]>>,
    partials: Buffer<[f32; 4]>,
    /// Milliseconds per kernel, of a profiled pass.
    timings: Option<Timings>,
}

impl<'n, 'g> Pass<'n, 'g> {
    pub fn new(network: &'n Network<'g>, grid: Grid, fixed: Option<&[Moments]>) -> Result<Self> {
        let gpu = network.gpu;
        let statistics = match fixed {
            Some(values) => gpu.upload("network.statistics", values)?,
            None => gpu.buffer("network.statistics", network.layers.statistics)?,
        };
        let folded = fixed.map(|values| gpu.upload("network.folded", &network.layers.folded(values))).transpose()?;
        let widest = network.layers.widest();
        let partials = widest.iter().enumerate().map(|(level, &channels)| grid.blocks(level) as usize * channels);
        let partials = gpu.buffer("network.partials", partials.max().unwrap_or(0))?;
        let recorder = Recorder::new(gpu);
        let pool = std::mem::take(&mut *lock(&network.pool)).for_grid(&grid);
        Ok(Self { network, grid, pool, recorder, statistics, folded, partials, timings: None })
    }

    /// The same pass, with the time of every kernel.
    pub fn profiled(self) -> Self {
        let recorder = Recorder::profiled(self.network.gpu);
        Self { recorder, timings: Some(Timings::new()), ..self }
    }

    /// What the kernels took so far.
    pub fn timings(&mut self) -> Timings {
        self.timings.take().unwrap_or_default()
    }

    /// Returns its tensors, `features` included, to the pool for the next pass.
    pub fn finish(mut self, features: Planes) {
        self.pool.give(features);
        self.pool.trim(KEPT);
        *lock(&self.network.pool) = self.pool;
    }

    /// All layers but the heads.
    pub fn features(&mut self, pairs: &[Pair<'_>]) -> Result<Planes> {
        let layers = &self.network.layers;
        let input = self.input(pairs)?;
        let mut x = self.conv_act(&layers.stem, input.all(), 1)?;
        // The input is the largest tensor, and nothing after the stem needs it.
        self.pool.give(input);
        self.submit()?;
        let mut skips = Vec::new();
        for ((block, down), up) in layers.downs.iter().zip(&layers.ups) {
            let first = self.conv_act(&block.first, x.all(), 1)?;
            self.pool.give(x);
            let (deep, gates) = self.rest(block, first)?;
            // The skip is written after the place of the upsampled features, so that no concatenation is needed later.
            let joined = self.take(deep.level, up.first.conv.inputs)?;
            let skip = joined.part(joined.channels - deep.channels, deep.channels);
            self.scale(&deep, &gates, skip)?;
            self.pool.give(deep);
            x = self.conv_act(down, skip, 2)?;
            skips.push(joined);
            self.submit()?;
        }
        let first = self.conv_act(&layers.bottleneck.first, x.all(), 1)?;
        let (mut x, mut gates) = self.rest(&layers.bottleneck, first)?;
        for (up, joined) in layers.ups.iter().rev().zip(skips.into_iter().rev()) {
            self.resize(&x, &gates, &joined)?;
            self.pool.give(x);
            let first = self.conv_act(&up.first, joined.all(), 1)?;
            self.pool.give(joined);
            (x, gates) = self.rest(up, first)?;
            self.submit()?;
        }
        let scaled = self.take(0, x.channels)?;
        self.scale(&x, &gates, scaled.all())?;
        self.pool.give(x);
        let first = self.conv_act(&layers.fuse.0, scaled.all(), 1)?;
        self.pool.give(scaled);
        self.residual(&layers.fuse.1, first)
    }

    /// The maps, (mul, add) a pixel, of every band.
    pub fn maps(&mut self, features: &Planes) -> Result<Vec<Buffer<[f32; 4]>>> {
        let layers = &self.network.layers;
        let heads = self.take(0, 4)?;
        let bands = self.grid.bands(0).len();
        let mut maps = Vec::with_capacity(bands);
        for band in 0..bands {
            let (from, to) = (self.channels(features.all(), band), self.channels(heads.all(), band));
            self.network.convolutions.record(&mut self.recorder, from, (&layers.heads, 1), None, to)?;
            maps.push(self.network.kernels.heads(&mut self.recorder, to, layers.heads_bias)?);
        }
        self.pool.give(heads);
        self.submit()?;
        Ok(maps)
    }

    /// The statistics of the pass.
    pub fn statistics(&mut self) -> Result<Vec<Moments>> {
        self.submit()?;
        self.network.gpu.read(&self.statistics)
    }

    /// The 18 input channels.
    fn input(&mut self, pairs: &[Pair<'_>]) -> Result<Planes> {
        let input = self.take(0, INPUTS)?;
        for (i, band) in self.grid.bands(0).iter().enumerate() {
            let pixels = |image: &Image| {
                let first = band.first as usize * band.width as usize;
                let rows = &image.pixels[first..first + band.rows as usize * band.width as usize];
                self.network.gpu.upload("network.pixels", rows.as_flattened())
            };
            let (dark, lit) = pairs[band.image];
            let pixels = [pixels(dark)?, pixels(lit)?];
            let to = Channels { plane: input.all().plane(&self.grid, i), buffer: input.buffer(i) };
            self.network.kernels.input(&mut self.recorder, pixels.each_ref(), to)?;
        }
        self.measure(input.part(0, STANDARDIZED), STANDARDIZED, 0)?;
        for band in 0..self.grid.bands(0).len() {
            let values = self.channels(input.all(), band);
            self.network.kernels.standardize(&mut self.recorder, &self.statistics, values)?;
        }
        input.exchange(&mut self.recorder, &self.grid);
        Ok(input)
    }

    /// Residual blocks and the gates of squeeze and excitation.
    fn rest(&mut self, block: &Block, mut x: Planes) -> Result<(Planes, Buffer<f32>)> {
        for residual in &block.residuals {
            x = self.residual(residual, x)?;
        }
        let gates = self.squeeze(&block.squeeze, &x)?;
        Ok((x, gates))
    }

    fn conv_act(&mut self, layer: &ConvNorm, source: View<'_>, stride: u32) -> Result<Planes> {
        self.conv_norm_act(layer, source, stride, None)
    }

    fn residual(&mut self, layer: &Residual, x: Planes) -> Result<Planes> {
        let inner = self.conv_act(&layer.first, x.all(), 1)?;
        let result = self.conv_norm_act(&layer.second, inner.all(), 1, Some(&x))?;
        self.pool.give(inner);
        self.pool.give(x);
        Ok(result)
    }

    /// Convolution, GroupNorm, a residual where there is one, GELU: in one kernel where statistics are given.
    fn conv_norm_act(
        &mut self,
        layer: &ConvNorm,
        source: View<'_>,
        stride: u32,
        residual: Option<&Planes>,
    ) -> Result<Planes> {
        let level = source.planes.level + usize::from(stride == 2);
        let result = self.take(level, layer.conv.outputs)?;
        for band in 0..self.grid.bands(level).len() {
            let residual = residual.map(|r| r.buffer(band));
            let fused = self.folded.as_ref().map(|affine| Fused { affine, first: layer.norm.folded, residual });
            let (from, to) = (self.channels(source, band), self.channels(result.all(), band));
            self.network.convolutions.record(&mut self.recorder, from, (&layer.conv, stride), fused, to)?;
        }
        if self.folded.is_none() {
            self.normalize(&layer.norm, &result, residual)?;
        }
        result.exchange(&mut self.recorder, &self.grid);
        Ok(result)
    }

    fn normalize(&mut self, norm: &Norm, values: &Planes, residual: Option<&Planes>) -> Result<()> {
        self.measure(values.all(), norm.groups, norm.first)?;
        for band in 0..self.grid.bands(values.level).len() {
            let to = self.channels(values.all(), band);
            let residual = residual.map(|r| r.buffer(band));
            let kernels = &self.network.kernels;
            kernels.normalize(&mut self.recorder, to, values.channels, norm, &self.statistics, residual)?;
        }
        Ok(())
    }

    /// Measures the moments of `groups` groups of channels over all images, unless they are given.
    fn measure(&mut self, view: View<'_>, groups: usize, first: usize) -> Result<()> {
        if self.folded.is_some() {
            return Ok(());
        }
        let (groups, group, first) = (groups as u32, (view.channels / groups) as u32, first as u32);
        let kernels = &self.network.kernels;
        let mut blocks = 0;
        for band in 0..self.grid.bands(view.planes.level).len() {
            let from = self.channels(view, band);
            kernels.moments(&mut self.recorder, from, [groups, group, blocks], &self.partials)?;
            blocks += from.plane.blocks();
        }
        kernels.moments_total(&mut self.recorder, &self.partials, [blocks, groups, first], &self.statistics)
    }

    fn squeeze(&mut self, layer: &Squeeze, x: &Planes) -> Result<Buffer<f32>> {
        self.measure(x.all(), x.channels, layer.first)?;
        self.network.kernels.squeeze(&mut self.recorder, layer, &self.statistics)
    }

    fn scale(&mut self, source: &Planes, gates: &Buffer<f32>, result: View<'_>) -> Result<()> {
        for band in 0..self.grid.bands(source.level).len() {
            let (from, to) = (self.channels(source.all(), band), self.channels(result, band));
            self.network.kernels.scale(&mut self.recorder, from, source.channels, gates, to)?;
        }
        result.planes.exchange(&mut self.recorder, &self.grid);
        Ok(())
    }

    /// Enlarges `source` to the first channels of `result`.
    fn resize(&mut self, source: &Planes, gates: &Buffer<f32>, result: &Planes) -> Result<()> {
        let (sources, results) = (self.grid.bands(source.level), self.grid.bands(result.level));
        for (band, (from, to)) in sources.iter().zip(results).enumerate() {
            let small = Channels { plane: source.all().plane(&self.grid, band), buffer: source.buffer(band) };
            let large = Channels { plane: result.all().plane(&self.grid, band), buffer: result.buffer(band) };
            let kernels = &self.network.kernels;
            kernels.resize(&mut self.recorder, (small, from), source.channels, gates, (large, to))?;
        }
        result.exchange(&mut self.recorder, &self.grid);
        Ok(())
    }

    fn channels<'a>(&self, view: View<'a>, band: usize) -> Channels<'a> {
        Channels { plane: view.plane(&self.grid, band), buffer: view.buffer(band) }
    }

    fn take(&mut self, level: usize, channels: usize) -> Result<Planes> {
        self.pool.take(self.network.gpu, &self.grid, level, channels)
    }

    /// Submits the recording, and frees unused tensors beyond [`KEPT`]. Waits: the device keeps the tensors of pending
    /// recordings, so that without a wait those of all levels would exist at once.
    fn submit(&mut self) -> Result<()> {
        let gpu: &'g Gpu = self.network.gpu;
        if let Some(timings) = &mut self.timings {
            let recorder = std::mem::replace(&mut self.recorder, Recorder::profiled(gpu));
            for (kernel, milliseconds) in recorder.submit_timed()? {
                *timings.entry(kernel).or_default() += milliseconds;
            }
        } else {
            std::mem::replace(&mut self.recorder, Recorder::new(gpu)).submit();
        }
        self.pool.trim(KEPT);
        gpu.wait()
    }
}
