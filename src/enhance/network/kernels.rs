//! The network's kernels but the convolution: one function per WGSL file of `shaders/enhance/network/`, for one band each.

use super::layers::{EPSILON, Moments, Norm, Squeeze};
use super::planes::{Band, Plane};
use crate::error::Result;
use crate::gpu::{Buffer, Gpu, Kernel, Recorder, WORKGROUP};
use bytemuck::{Pod, Zeroable};

/// Least standard deviation by which an input channel is divided.
const MIN_DEVIATION: &str = "1e-4";
/// Largest departure of the factor from 1.
pub const MUL_RANGE: f32 = 0.6;
/// Largest summand.
pub const ADD_RANGE: f32 = 0.25;

pub struct Kernels {
    moments: Kernel,
    moments_total: Kernel,
    normalize: Kernel,
    normalize_residual: Kernel,
    dense: Kernel,
    dense_sigmoid: Kernel,
    scale: Kernel,
    resize: Kernel,
    input: Kernel,
    standardize: Kernel,
    heads: Kernel,
}

/// Some channels of a band: where they lie, and the buffer they lie in.
#[derive(Clone, Copy)]
pub struct Channels<'a> {
    pub plane: Plane,
    pub buffer: &'a Buffer<f32>,
}

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct OnePlane {
    plane: Plane,
    numbers: [u32; 4],
}

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub struct TwoPlanes {
    pub source: Plane,
    pub result: Plane,
    pub numbers: [u32; 4],
}

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct ResizeParams {
    planes: TwoPlanes,
    scale: [f32; 2],
    padding: [u32; 2],
}

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct HeadsParams {
    source: Plane,
    bias: [f32; 4],
}

impl Kernels {
    pub fn new(gpu: &Gpu) -> Result<Self> {
        let kernel = |name: &str| gpu.kernel(name, &[]);
        let epsilon = format!("{EPSILON:e}");
        let norm = |residual: &[(&str, &str)]| {
            let defines = [&[("EPSILON", epsilon.as_str())], residual].concat();
            gpu.kernel("enhance/network/normalize", &defines)
        };
        let ranges = [MUL_RANGE, ADD_RANGE].map(|range| format!("{range:?}"));
        let ranges = [("MUL_RANGE", ranges[0].as_str()), ("ADD_RANGE", ranges[1].as_str())];
        Ok(Self {
            moments: kernel("enhance/network/moments")?,
            moments_total: kernel("enhance/network/moments_total")?,
            normalize: norm(&[])?,
            normalize_residual: norm(&[("RESIDUAL", "true")])?,
            dense: kernel("enhance/network/dense")?,
            dense_sigmoid: gpu.kernel("enhance/network/dense", &[("SIGMOID", "true")])?,
            scale: kernel("enhance/network/scale")?,
            resize: kernel("enhance/network/resize")?,
            input: kernel("enhance/network/input")?,
            standardize: gpu.kernel("enhance/network/standardize", &[("MIN_DEVIATION", MIN_DEVIATION)])?,
            heads: gpu.kernel("enhance/network/heads", &ranges)?,
        })
    }

    /// Moments of `groups` groups of `group` channels, per block of rows, to `partials` from block `first_block` on.
    pub fn moments(
        &self,
        recorder: &mut Recorder<'_>,
        source: Channels<'_>,
        [groups, group, first_block]: [u32; 3],
        partials: &Buffer<[f32; 4]>,
    ) -> Result<()> {
        let workgroups = source.plane.blocks() * groups;
        let params = OnePlane { plane: source.plane, numbers: [groups, group, first_block, workgroups] };
        let params = recorder.gpu().upload("network.params", &[params])?;
        let bindings = [params.binding(), source.buffer.binding(), partials.binding()];
        recorder.dispatch(&self.moments, &bindings, workgroups);
        Ok(())
    }

    /// Joins the moments of `blocks` blocks of every group to `statistics` from `first` on.
    pub fn moments_total(
        &self,
        recorder: &mut Recorder<'_>,
        partials: &Buffer<[f32; 4]>,
        [blocks, groups, first]: [u32; 3],
        statistics: &Buffer<Moments>,
    ) -> Result<()> {
        let params = recorder.gpu().upload("network.params", &[[blocks, groups, first, 0]])?;
        let bindings = [params.binding(), partials.binding(), statistics.binding()];
        recorder.dispatch(&self.moments_total, &bindings, groups);
        Ok(())
    }

    /// GroupNorm, plus `residual` where there is one, then GELU, in place.
    pub fn normalize(
        &self,
        recorder: &mut Recorder<'_>,
        values: Channels<'_>,
        channels: usize,
        norm: &Norm,
        statistics: &Buffer<Moments>,
        residual: Option<&Buffer<f32>>,
    ) -> Result<()> {
        let workgroups = values.plane.blocks() * channels as u32;
        let group = (channels / norm.groups) as u32;
        let params = OnePlane { plane: values.plane, numbers: [group, norm.first as u32, workgroups, 0] };
        let params = recorder.gpu().upload("network.params", &[params])?;
        let mut bindings = vec![params.binding(), values.buffer.binding(), statistics.binding(), norm.affine.binding()];
        bindings.extend(residual.map(|r| r.binding()));
        let kernel = if residual.is_some() { &self.normalize_residual } else { &self.normalize };
        recorder.dispatch(kernel, &bindings, workgroups);
        Ok(())
    }

    /// The gates of squeeze and excitation from the channels' means.
    pub fn squeeze(
        &self,
        recorder: &mut Recorder<'_>,
        layer: &Squeeze,
        statistics: &Buffer<Moments>,
    ) -> Result<Buffer<f32>> {
        let gpu = recorder.gpu();
        let hidden = gpu.buffer("network.hidden", layer.hidden.outputs)?;
        let gates = gpu.buffer("network.gates", layer.gates.outputs)?;
        let (means, vector) = (statistics.binding(), hidden.binding());
        for (kernel, dense, [first, step], from, to) in [
            (&self.dense, &layer.hidden, [2 * layer.first as u32, 2], means, &hidden),
            (&self.dense_sigmoid, &layer.gates, [0, 1], vector, &gates),
        ] {
            let params = [dense.inputs as u32, dense.outputs as u32, first, step];
            let params = gpu.upload("network.params", &[params])?;
            let bindings = [params.binding(), from, dense.weights.binding(), dense.bias.binding(), to.binding()];
            recorder.dispatch(kernel, &bindings, (dense.outputs as u32).div_ceil(WORKGROUP));
        }
        Ok(gates)
    }

    /// `source` times `gates` to `result`, another buffer.
    pub fn scale(
        &self,
        recorder: &mut Recorder<'_>,
        source: Channels<'_>,
        channels: usize,
        gates: &Buffer<f32>,
        result: Channels<'_>,
    ) -> Result<()> {
        let workgroups = source.plane.blocks() * channels as u32;
        let numbers = [channels as u32, workgroups, 0, 0];
        let params = TwoPlanes { source: source.plane, result: result.plane, numbers };
        let params = recorder.gpu().upload("network.params", &[params])?;
        let bindings = [params.binding(), source.buffer.binding(), gates.binding(), result.buffer.binding()];
        recorder.dispatch(&self.scale, &bindings, workgroups);
        Ok(())
    }

    /// `source` enlarged to the size of `result`, times `gates`; with each the band it is.
    pub fn resize(
        &self,
        recorder: &mut Recorder<'_>,
        (source, from): (Channels<'_>, &Band),
        channels: usize,
        gates: &Buffer<f32>,
        (result, to): (Channels<'_>, &Band),
    ) -> Result<()> {
        let workgroups = result.plane.blocks() * channels as u32;
        let numbers = [from.first, to.first, from.height, workgroups];
        let ratio = |a: u32, b: u32| (f64::from(a) / f64::from(b)) as f32;
        let params = ResizeParams {
            planes: TwoPlanes { source: source.plane, result: result.plane, numbers },
            scale: [ratio(from.width, to.width), ratio(from.height, to.height)],
            padding: [0; 2],
        };
        let params = recorder.gpu().upload("network.params", &[params])?;
        let bindings = [params.binding(), source.buffer.binding(), gates.binding(), result.buffer.binding()];
        recorder.dispatch(&self.resize, &bindings, workgroups);
        Ok(())
    }

    /// Channels 0–8 of `result` from pixels.
    pub fn input(
        &self,
        recorder: &mut Recorder<'_>,
        [dark, lit]: [&Buffer<f32>; 2],
        result: Channels<'_>,
    ) -> Result<()> {
        let workgroups = result.plane.blocks() * 3;
        let params = OnePlane { plane: result.plane, numbers: [workgroups, 0, 0, 0] };
        let params = recorder.gpu().upload("network.params", &[params])?;
        let bindings = [params.binding(), dark.binding(), lit.binding(), result.buffer.binding()];
        recorder.dispatch(&self.input, &bindings, workgroups);
        Ok(())
    }

    /// Channels 9–17 of `values` from channels 0–8 and their statistics.
    pub fn standardize(
        &self,
        recorder: &mut Recorder<'_>,
        statistics: &Buffer<Moments>,
        values: Channels<'_>,
    ) -> Result<()> {
        let workgroups = values.plane.blocks() * 9;
        let params = OnePlane { plane: values.plane, numbers: [workgroups, 0, 0, 0] };
        let params = recorder.gpu().upload("network.params", &[params])?;
        let bindings = [params.binding(), statistics.binding(), values.buffer.binding()];
        recorder.dispatch(&self.standardize, &bindings, workgroups);
        Ok(())
    }

    /// The maps, (mul, add) a pixel, from the four channels of the heads' convolution.
    pub fn heads(&self, recorder: &mut Recorder<'_>, source: Channels<'_>, bias: [f32; 4]) -> Result<Buffer<[f32; 4]>> {
        let pixels = source.plane.width * source.plane.rows;
        let gpu = recorder.gpu();
        let maps = gpu.buffer("network.maps", pixels as usize)?;
        let params = gpu.upload("network.params", &[HeadsParams { source: source.plane, bias }])?;
        let bindings = [params.binding(), source.buffer.binding(), maps.binding()];
        recorder.dispatch(&self.heads, &bindings, pixels.div_ceil(WORKGROUP));
        Ok(maps)
    }
}
