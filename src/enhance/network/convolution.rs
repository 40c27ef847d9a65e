//! The 3×3 convolution (`shaders/enhance/network/conv3x3.wgsl`), alone or fused with the following operations.

use super::kernels::{Channels, TwoPlanes};
use super::layers::Conv;
use crate::error::Result;
use crate::gpu::{Buffer, Gpu, Kernel, Recorder, WORKGROUP};
use bytemuck::{Pod, Zeroable};

/// Columns in a row that eight lanes own.
const LANES: u32 = 8;

/// The convolutions of both strides.
pub struct Convolutions {
    stride_1: Variants,
    stride_2: Variants,
}

/// The convolution of one stride: alone, with normalization and GELU, and with a residual as well.
struct Variants {
    plain: Kernel,
    fused: Kernel,
    residual: Kernel,
}

/// GroupNorm by known statistics, a residual where there is one, and GELU, at the end of a convolution.
#[derive(Clone, Copy)]
pub struct Fused<'a> {
    /// (scale, bias) of all channels of the network.
    pub affine: &'a Buffer<[f32; 2]>,
    /// Place of the layer's first channel among them.
    pub first: usize,
    /// A tensor of the result's shape.
    pub residual: Option<&'a Buffer<f32>>,
}

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct ConvParams {
    planes: TwoPlanes,
    affine: u32,
    padding: [u32; 3],
}

impl Variants {
    fn new(gpu: &Gpu, stride: &[(&str, &str)]) -> Result<Self> {
        let fused = [stride, &[("FUSED", "true")]].concat();
        let residual = [fused.as_slice(), &[("RESIDUAL", "true")]].concat();
        let kernel = |defines: &[(&str, &str)]| gpu.kernel("enhance/network/conv3x3", defines);
        Ok(Self { plain: kernel(stride)?, fused: kernel(&fused)?, residual: kernel(&residual)? })
    }

    fn choose(&self, fused: bool, residual: bool) -> &Kernel {
        match (fused, residual) {
            (false, _) => &self.plain,
            (true, false) => &self.fused,
            (true, true) => &self.residual,
        }
    }
}

impl Convolutions {
    pub fn new(gpu: &Gpu) -> Result<Self> {
        Ok(Self { stride_1: Variants::new(gpu, &[])?, stride_2: Variants::new(gpu, &[("STRIDE_2", "true")])? })
    }

    /// 3×3 convolution of stride 1, or 2 where the result is half as large, with the operations `fused` with it.
    pub fn record(
        &self,
        recorder: &mut Recorder<'_>,
        source: Channels<'_>,
        (layer, stride): (&Conv, u32),
        fused: Option<Fused<'_>>,
        result: Channels<'_>,
    ) -> Result<()> {
        let (kernels, rows) = if stride == 2 { (&self.stride_2, 4) } else { (&self.stride_1, 8) };
        let runs = result.plane.width.next_multiple_of(LANES) * result.plane.rows.div_ceil(rows);
        let of_block = runs.div_ceil(WORKGROUP);
        let groups = of_block * (layer.outputs as u32).div_ceil(8);
        let numbers = [layer.inputs as u32, layer.outputs as u32, of_block, groups];
        let planes = TwoPlanes { source: source.plane, result: result.plane, numbers };
        let affine = fused.map_or(0, |fused| fused.first as u32);
        let params = recorder.gpu().upload("network.params", &[ConvParams { planes, affine, padding: [0; 3] }])?;
        let (from, to) = (source.buffer.binding(), result.buffer.binding());
        let mut bindings = vec![params.binding(), from, layer.weights.binding(), to];
        bindings.extend(fused.map(|fused| fused.affine.binding()));
        let residual = fused.and_then(|fused| fused.residual);
        bindings.extend(residual.map(|residual| residual.binding()));
        recorder.dispatch(kernels.choose(fused.is_some(), residual.is_some()), &bindings, groups);
        Ok(())
    }
}
