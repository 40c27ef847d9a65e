//! The optimizer: Adam on every tensor of the model, one pass each.

use crate::error::Result;
use crate::gpu::{Buffer, Gpu, Kernel, Recorder};
use crate::splat::{TENSOR_WIDTHS, Tensors, tensor_count};
use bytemuck::{Pod, Zeroable};

const BETA1: f64 = 0.9;
const BETA2: f64 = 0.999;
const EPSILON: f64 = 1e-15;
/// Values per workgroup: 64 invocations of four.
const BLOCK: u32 = 256;

/// Twin of `Rates` in `shaders/train/adam.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Rates {
    step_size: f32,
    second_correction: f32,
    padding: [u32; 2],
}

/// Running means of the gradient and of its square.
#[derive(Clone, Copy)]
pub struct Moments<'a> {
    /// Running means of the gradients.
    pub first: &'a Tensors,
    /// Running means of their squares.
    pub second: &'a Tensors,
}

/// One update of the parameters.
#[derive(Clone, Copy)]
pub struct Update {
    /// Learning rates of [`crate::splat::TENSOR_NAMES`].
    pub learning_rates: [f32; 8],
    /// Its number, from 1.
    pub step: u32,
    /// The highest SH degree that has had gradients. Bands above it are left alone: their moments are zero, and an update
    /// would change nothing.
    pub sh_degree: u32,
}

/// Settings of a tensor, 256 bytes from those of the next: what a binding may begin at.
type Row = [Rates; 16];

/// The Adam kernel and its settings on the device, a row a tensor.
pub struct Adam {
    kernel: Kernel,
    rates: Buffer<Row>,
}

impl Adam {
    /// Compiles the kernel.
    pub fn new(gpu: &Gpu) -> Result<Self> {
        let [beta1, beta2, epsilon] = [BETA1, BETA2, EPSILON].map(|value| format!("{value:?}"));
        let constants = [("BETA1", beta1.as_str()), ("BETA2", beta2.as_str()), ("EPSILON", epsilon.as_str())];
        Ok(Self {
            kernel: gpu.kernel("train/adam", &constants)?,
            rates: gpu.buffer("learning rates", TENSOR_WIDTHS.len())?,
        })
    }

    /// Records an update of `parameters`. Once a submission: the rates take effect with it.
    pub fn record(
        &self,
        recorder: &mut Recorder<'_>,
        parameters: &Tensors,
        gradients: &Tensors,
        moments: Moments<'_>,
        update: Update,
    ) {
        let Update { learning_rates, step, sh_degree } = update;
        let first_correction = 1.0 - BETA1.powi(step as i32);
        let second_correction = (1.0 - BETA2.powi(step as i32)).sqrt();
        let used = tensor_count(sh_degree);
        let rates = std::array::from_fn::<Row, { TENSOR_WIDTHS.len() }, _>(|i| {
            let mut row = Row::zeroed();
            let step_size = (f64::from(learning_rates[i]) / first_correction) as f32;
            let second_correction = second_correction as f32;
            row[0] = Rates { step_size, second_correction, padding: [0; 2] };
            row
        });
        self.rates.write(recorder.gpu(), 0, &rates);
        for (i, width) in TENSOR_WIDTHS.into_iter().enumerate().take(used) {
            let others = [gradients, moments.first, moments.second].map(|tensors| tensors.all()[i]);
            for (at, (p, [_, rows])) in parameters.used(i).enumerate() {
                let [g, m, v] = others.map(|parts| parts[at].binding());
                let bindings = [self.rates.element(i), g, p.binding(), m, v];
                recorder.dispatch(&self.kernel, &bindings, ((rows * width) as u32).div_ceil(BLOCK));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::{Choice, Mask};
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    const RATES: [f32; 8] = [1e-2, 2e-2, 3e-2, 4e-2, 5e-2, 6e-2, 7e-2, 8e-2];

    /// `torch.optim.Adam`'s update of one value.
    fn twin(p: &mut f64, m: &mut f64, v: &mut f64, gradient: f64, rate: f64, step: i32) {
        if gradient.is_finite() {
            *m = 0.9 * *m + 0.1 * gradient;
            *v = 0.999 * *v + 0.001 * gradient * gradient;
            let denominator = (*v / (1.0 - 0.999f64.powi(step))).sqrt() + 1e-15;
            *p -= rate * (*m / (1.0 - 0.9f64.powi(step))) / denominator;
        }
    }

    /// Values there is room for in each tensor.
    fn lens(tensors: &Tensors) -> [usize; 8] {
        tensors.all().map(|parts| parts.iter().map(Buffer::len).sum())
    }

    fn whole(gpu: &Gpu, parts: &[Buffer<f32>]) -> Vec<f32> {
        parts.iter().flat_map(|part| gpu.read(part).unwrap()).collect()
    }

    fn check(mask: Mask, count: usize, capacity: usize, sh_degree: u32) {
        let gpu = Gpu::open(&Choice::Best, mask).unwrap();
        let tensors = || Tensors::zeros(&gpu, "test", count, capacity, sh_degree).unwrap();
        let (parameters, gradients, first, second) = (tensors(), tensors(), tensors(), tensors());
        let adam = Adam::new(&gpu).unwrap();
        let mut rng = StdRng::seed_from_u64(count as u64);
        let mut expected: Vec<Vec<[f64; 3]>> = lens(&parameters).iter().map(|len| vec![[0.0; 3]; *len]).collect();
        for step in 1..=4 {
            for (i, len) in lens(&gradients).into_iter().enumerate() {
                let used = count * TENSOR_WIDTHS[i];
                let values: Vec<f32> = (0..len)
                    .map(|at| match rng.random_range(0..20) {
                        _ if at >= used => 0.0,
                        0 => f32::NAN,
                        1 => f32::INFINITY,
                        2 => f32::NEG_INFINITY,
                        3 => 0.0,
                        4 => 1e-12,
                        _ => rng.random::<f32>() - 0.5,
                    })
                    .collect();
                gradients.write(&gpu, i, &values);
                for (value, [p, m, v]) in values.iter().zip(&mut expected[i]) {
                    twin(p, m, v, f64::from(*value), f64::from(RATES[i]), step);
                }
            }
            let mut recorder = Recorder::new(&gpu);
            let moments = Moments { first: &first, second: &second };
            let update = Update { learning_rates: RATES, step: step as u32, sh_degree };
            adam.record(&mut recorder, &parameters, &gradients, moments, update);
            recorder.submit();
        }
        for (i, expected) in expected.iter().enumerate() {
            for (part, tensors) in [&parameters, &first, &second].into_iter().enumerate() {
                for (at, (found, want)) in whole(&gpu, tensors.all()[i]).iter().zip(expected).enumerate() {
                    let (found, want) = (f64::from(*found), want[part]);
                    let tolerance = 1e-5 * f64::from(RATES[i]).max(want.abs());
                    assert!((found - want).abs() <= tolerance, "tensor {i} part {part} [{at}]: {found} not {want}");
                }
            }
        }
    }

    #[test]
    fn matches_torch_and_leaves_values_without_a_finite_gradient() {
        check(Mask::default(), 1, 1, 3);
        check(Mask::ALL, 67, 67, 3);
        check(Mask::ALL, 131, 200, 1);
        // 48 rows of band 3 in each of 5 buffers.
        check(Mask { buffer_bytes: 4 << 10, ..Mask::ALL }, 131, 200, 3);
    }

    /// A band that becomes active later ends as if it had been updated without a gradient before.
    #[test]
    fn bands_without_a_gradient_so_far_are_left_alone() {
        let gpu = Gpu::open(&Choice::Best, Mask::ALL).unwrap();
        let adam = Adam::new(&gpu).unwrap();
        let train = |degrees: [u32; 3]| {
            let tensors = || Tensors::zeros(&gpu, "test", 9, 9, 3).unwrap();
            let (parameters, gradients, first, second) = (tensors(), tensors(), tensors(), tensors());
            parameters.write(&gpu, 7, &[0.3; 9 * 21]);
            let before = gpu.activity().dispatches;
            for (step, sh_degree) in (1..).zip(degrees) {
                let size = if step == 3 { 0.5 } else { 0.0 };
                gradients.write(&gpu, 7, &[size; 9 * 21]);
                gradients.write(&gpu, 4, &[0.1 * step as f32; 9 * 3]);
                let mut recorder = Recorder::new(&gpu);
                let update = Update { learning_rates: RATES, step, sh_degree };
                adam.record(&mut recorder, &parameters, &gradients, Moments { first: &first, second: &second }, update);
                recorder.submit();
            }
            let dispatches = gpu.activity().dispatches - before;
            (dispatches, [&parameters, &first, &second].map(|t| t.all().map(|parts| whole(&gpu, parts))))
        };
        let (all, expected) = train([3, 3, 3]);
        let (fewer, found) = train([0, 1, 3]);
        assert_eq!((all, fewer), (24, 19));
        assert_eq!(found, expected);
        assert!(found[0][7].iter().all(|v| *v < 0.3), "the band moves once it has a gradient");
    }

    #[test]
    fn no_splats_are_no_work() {
        check(Mask::ALL, 0, 5, 2);
        check(Mask::ALL, 0, 0, 0);
    }
}
