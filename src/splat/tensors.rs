//! The model's parameters in device memory, one buffer a tensor.

use super::Splats;
use crate::error::Result;
use crate::gpu::{Buffer, Gpu, Recorder};

/// Names of the tensors, in the order of [`Tensors::all`].
pub const TENSOR_NAMES: [&str; 8] = ["means", "quats", "log_scales", "logit_opacities", "sh0", "sh1", "sh2", "sh3"];

/// Floats per Gaussian of each tensor, in the order of [`Tensors::all`]. SH bands are separate tensors, so that
/// no single binding grows beyond 21 floats a Gaussian (1.6 million Gaussians in a binding of 128 MiB).
pub const TENSOR_WIDTHS: [usize; 8] = [3, 4, 3, 1, 3, 9, 15, 21];

/// One value for every parameter of `count` Gaussians: the parameters themselves, their gradients, or the moments
/// of an optimizer. Buffers are flat and row-major: `means[3 * i + axis]`, `sh1[9 * i + 3 * coefficient + channel]`.
/// Bands above `sh_degree` are empty.
pub struct Tensors {
    /// Gaussians in use; buffers may be longer.
    pub count: usize,
    /// Gaussians the buffers have room for.
    pub capacity: usize,
    /// Highest SH band that is allocated, 0–3.
    pub sh_degree: u32,
    /// World positions `[capacity, 3]`.
    pub means: Buffer<f32>,
    /// Quaternions (w, x, y, z) `[capacity, 4]`.
    pub quats: Buffer<f32>,
    /// Log standard deviations `[capacity, 3]`.
    pub log_scales: Buffer<f32>,
    /// Logit opacities `[capacity]`.
    pub logit_opacities: Buffer<f32>,
    /// SH bands 0–3: `[capacity, 2·band + 1, 3]`.
    pub sh: [Buffer<f32>; 4],
}

impl Tensors {
    /// Zeros for `count` Gaussians with room for `capacity`.
    pub fn zeros(gpu: &Gpu, what: &str, count: usize, capacity: usize, sh_degree: u32) -> Result<Self> {
        let tensor = |index: usize| {
            let rows = if index >= 4 && index - 4 > sh_degree as usize { 0 } else { capacity };
            gpu.buffer(&format!("{what} {}", TENSOR_NAMES[index]), rows * TENSOR_WIDTHS[index])
        };
        Ok(Self {
            count,
            capacity,
            sh_degree,
            means: tensor(0)?,
            quats: tensor(1)?,
            log_scales: tensor(2)?,
            logit_opacities: tensor(3)?,
            sh: [tensor(4)?, tensor(5)?, tensor(6)?, tensor(7)?],
        })
    }

    /// The parameters of `splats`, with room for `capacity` (at least as many as there are).
    pub fn from_splats(gpu: &Gpu, splats: &Splats, capacity: usize) -> Result<Self> {
        let tensors = Self::zeros(gpu, "splat", splats.len(), capacity.max(splats.len()), splats.sh_degree)?;
        tensors.means.write(gpu, 0, splats.means.as_flattened());
        tensors.quats.write(gpu, 0, splats.quats.as_flattened());
        tensors.log_scales.write(gpu, 0, splats.log_scales.as_flattened());
        tensors.logit_opacities.write(gpu, 0, &splats.logit_opacities);
        let row = 3 * Splats::coefficients(splats.sh_degree);
        for band in 0..=splats.sh_degree as usize {
            let (from, to) = (3 * band * band, 3 * (band + 1) * (band + 1));
            let values: Vec<f32> = splats.sh.chunks_exact(row).flat_map(|sh| &sh[from..to]).copied().collect();
            tensors.sh[band].write(gpu, 0, &values);
        }
        Ok(tensors)
    }

    /// A copy within the device, of the Gaussians in use, as of all that was submitted before.
    ///
    /// # Errors
    /// [`crate::Error::OutOfMemory`] where it does not fit.
    pub fn duplicate(&self, gpu: &Gpu, what: &str) -> Result<Self> {
        let copy = Self::zeros(gpu, what, self.count, self.count, self.sh_degree)?;
        let mut recorder = Recorder::new(gpu);
        for (from, to) in self.all().into_iter().zip(copy.all()).filter(|(_, to)| !to.is_empty()) {
            recorder.copy(from, 0, to, 0, to.len());
        }
        recorder.submit();
        Ok(copy)
    }

    /// Reads the `count` Gaussians back.
    pub fn to_splats(&self, gpu: &Gpu) -> Result<Splats> {
        let read = |index: usize| -> Result<Vec<f32>> {
            let mut values = gpu.read(self.all()[index])?;
            values.truncate(self.count * TENSOR_WIDTHS[index]);
            Ok(values)
        };
        let bands = (0..=self.sh_degree as usize).map(|band| read(4 + band)).collect::<Result<Vec<_>>>()?;
        let mut sh = Vec::with_capacity(self.count * 3 * Splats::coefficients(self.sh_degree));
        for i in 0..self.count {
            for (values, width) in bands.iter().zip(&TENSOR_WIDTHS[4..]) {
                sh.extend_from_slice(&values[i * width..(i + 1) * width]);
            }
        }
        Ok(Splats {
            means: rows(&read(0)?),
            quats: rows(&read(1)?),
            log_scales: rows(&read(2)?),
            logit_opacities: read(3)?,
            sh,
            sh_degree: self.sh_degree,
        })
    }

    /// SH bands 0 to `sh_degree`.
    pub fn bands(&self) -> &[Buffer<f32>] {
        &self.sh[..=self.sh_degree.min(3) as usize]
    }

    /// All tensors in the order of [`TENSOR_NAMES`].
    pub fn all(&self) -> [&Buffer<f32>; 8] {
        let [sh0, sh1, sh2, sh3] = &self.sh;
        [&self.means, &self.quats, &self.log_scales, &self.logit_opacities, sh0, sh1, sh2, sh3]
    }
}

fn rows<const N: usize>(values: &[f32]) -> Vec<[f32; N]> {
    values.as_chunks::<N>().0.to_vec()
}
