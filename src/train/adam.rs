//! The optimiser: Adam on every tensor of the model, one pass each.

use crate::error::Result;
use crate::gpu::{Buffer, Gpu, Kernel, Recorder};
use crate::splat::{TENSOR_WIDTHS, Tensors};
use bytemuck::{Pod, Zeroable};

const BETA1: f64 = 0.9;
const BETA2: f64 = 0.999;
/// Values per workgroup: 64 invocations of four.
const BLOCK: u32 = 256;

/// Twin of `Rates` in `shaders/train/adam.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Rates {
    step_size: f32,
    second_correction: f32,
    count: u32,
    padding: u32,
}

/// Running means of the gradient and of its square.
#[derive(Clone, Copy)]
pub struct Moments<'a> {
    pub first: &'a Tensors,
    pub second: &'a Tensors,
}

/// The Adam kernel and its settings on the device, one set a tensor.
pub struct Adam {
    kernel: Kernel,
    rates: Vec<Buffer<Rates>>,
}

impl Adam {
    /// Compiles the kernel.
    pub fn new(gpu: &Gpu) -> Result<Self> {
        let rates = TENSOR_WIDTHS.iter().map(|_| gpu.buffer("learning rates", 1)).collect::<Result<_>>()?;
        Ok(Self { kernel: gpu.kernel("train/adam", &[])?, rates })
    }

    /// Records update number `step` (from 1) of `parameters` with the learning rates of
    /// [`crate::splat::TENSOR_NAMES`]. Once a submission: the rates take effect with it.
    pub fn record(
        &self,
        recorder: &mut Recorder<'_>,
        parameters: &Tensors,
        gradients: &Tensors,
        moments: Moments<'_>,
        learning_rates: &[f32; 8],
        step: u32,
    ) {
        let first_correction = 1.0 - BETA1.powi(step as i32);
        let second_correction = (1.0 - BETA2.powi(step as i32)).sqrt();
        let tensors = parameters.all().into_iter().zip(gradients.all());
        let moments = moments.first.all().into_iter().zip(moments.second.all());
        for (i, ((p, g), (m, v))) in tensors.zip(moments).enumerate() {
            if p.is_empty() || parameters.count == 0 {
                continue;
            }
            let values = (parameters.count * TENSOR_WIDTHS[i]) as u32;
            let step_size = (f64::from(learning_rates[i]) / first_correction) as f32;
            let second_correction = second_correction as f32;
            let rates = Rates { step_size, second_correction, count: values.div_ceil(4), padding: 0 };
            self.rates[i].write(recorder.gpu(), 0, &[rates]);
            let bindings = [self.rates[i].binding(), g.binding(), p.binding(), m.binding(), v.binding()];
            recorder.dispatch(&self.kernel, &bindings, values.div_ceil(BLOCK));
        }
    }
}
