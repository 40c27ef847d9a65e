//! Kernels that go through the bands of spherical harmonics that a model has.

use crate::error::Result;
use crate::gpu::{Binding, Buffer, Gpu, Kernel, Recorder};

/// One kernel, compiled for models of each SH degree. One for all degrees would go through the bands of degree 3 in any model:
/// adapters that mask lanes do not jump over what an `if` encloses (docs/kernels.md).
pub(crate) struct ShKernels([Kernel; 4]);

impl ShKernels {
    /// Compiles `shaders/{name}.wgsl` with `BAND_1` to `BAND_k` defined for each degree k.
    ///
    /// # Errors
    /// A kernel does not compile.
    pub fn new(gpu: &Gpu, name: &str) -> Result<Self> {
        let bands = ["BAND_1", "BAND_2", "BAND_3"].map(|band| (band, "true"));
        let [a, b, c, d] = [0, 1, 2, 3].map(|degree| gpu.kernel(name, &bands[..degree]));
        Ok(Self([a?, b?, c?, d?]))
    }

    /// Runs it on a model of `degree`, with the tensors of its `bands` bound last.
    pub fn dispatch(
        &self,
        recorder: &mut Recorder<'_>,
        degree: u32,
        bindings: &[Binding<'_>],
        bands: &[Buffer<f32>],
        groups: u32,
    ) {
        let degree = degree.min(3) as usize;
        let all: Vec<Binding<'_>> = bindings.iter().cloned().chain(bands.iter().map(Buffer::binding)).collect();
        recorder.dispatch(&self.0[degree], &all, groups);
    }
}
