//! Kernels that loop over the bands of spherical harmonics of a model.

use super::Tensors;
use crate::error::Result;
use crate::gpu::{Binding, Buffer, Gpu, Kernel, Recorder};

/// One kernel, compiled for models of each SH degree. One for all degrees would go through the bands of degree 3 in any model:
/// adapters that mask lanes do not skip the body of an `if` (docs/kernels.md).
pub(crate) struct ShKernels([Kernel; 4]);

impl ShKernels {
    /// Compiles `shaders/{name}.wgsl` with `BAND_1` to `BAND_k` defined for each degree k.
    ///
    /// # Errors
    /// A kernel does not compile.
    pub fn new(gpu: &Gpu, name: &str) -> Result<Self> {
        Self::with(gpu, name, &[])
    }

    /// The same, with more `switches` than the bands.
    ///
    /// # Errors
    /// A kernel does not compile.
    pub fn with(gpu: &Gpu, name: &str, switches: &[(&str, &str)]) -> Result<Self> {
        let bands = ["BAND_1", "BAND_2", "BAND_3"].map(|band| (band, "true"));
        let [a, b, c, d] = [0, 1, 2, 3].map(|degree| gpu.kernel(name, &[switches, &bands[..degree]].concat()));
        Ok(Self([a?, b?, c?, d?]))
    }

    /// Runs it on `model`, once for each part of its bands: with what kernels need to know of the part bound second, after the
    /// first of `bindings`, and the part's tensors of `bands`, the model's or others of its shape, bound last.
    pub fn dispatch(
        &self,
        recorder: &mut Recorder<'_>,
        model: &Tensors,
        bindings: &[Binding<'_>],
        bands: &[Vec<Buffer<f32>>],
        groups: u32,
    ) {
        let kernel = &self.0[model.sh_degree.min(3) as usize];
        for (at, part) in model.parts().enumerate() {
            let tensors = bands.iter().map(|band| band[at].binding());
            let (first, others) = bindings.split_at(1);
            let all: Vec<Binding<'_>> =
                first.iter().cloned().chain([part]).chain(others.iter().cloned()).chain(tensors).collect();
            recorder.dispatch(kernel, &all, groups);
        }
    }
}
