//! The model's parameters in device memory, one buffer a tensor, or several where it is longer than a binding.

use super::Splats;
use crate::error::Result;
use crate::gpu::{Binding, Buffer, Gpu, Recorder};

/// Names of the tensors, in the order of [`Tensors::all`].
pub const TENSOR_NAMES: [&str; 8] = ["means", "quats", "log_scales", "logit_opacities", "sh0", "sh1", "sh2", "sh3"];

/// Floats per Gaussian of each tensor, in the order of [`Tensors::all`].
pub const TENSOR_WIDTHS: [usize; 8] = [3, 4, 3, 1, 3, 9, 15, 21];

/// Tensors before the SH bands.
const GEOMETRY: usize = 4;

/// Tensors of models of an SH degree: geometry, and the bands from 0 on.
pub fn tensor_count(sh_degree: u32) -> usize {
    GEOMETRY + 1 + sh_degree.min(3) as usize
}

/// Parts begin at whole quads of four values, whatever their width.
const PART_STEP: usize = 4;

/// Twin of `Part` in `shaders/common/part.wgsl`, 256 bytes from the next: what a binding may begin at.
type PartRow = [u32; 64];

/// One value for every parameter of `count` Gaussians: the parameters themselves, their gradients, or the moments of an
/// optimizer. Buffers are flat and row-major: `means[3 * i + axis]`, `sh1[9 * i + 3 * coefficient + channel]`. Bands above
/// `sh_degree` are empty. Bands are the widest tensors (up to 84 bytes a Gaussian), and so they are held in parts, all of which
/// but the last have [`Tensors::part_rows`] rows: 128 MiB, as much as Mesa's software adapter binds, hold 1.6 million Gaussians
/// of SH degree 3, and 4.2 million as `projected` has them ([`super::Workspace`]).
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
    /// SH bands 0–3: `[capacity, 2·band + 1, 3]`, in parts.
    pub sh: [Vec<Buffer<f32>>; 4],
    /// Rows of a part of an SH band.
    pub part_rows: usize,
    /// First row of each part and its rows, as kernels read them.
    parts: Buffer<PartRow>,
}

impl Tensors {
    /// Zeros for `count` Gaussians with room for `capacity`.
    pub fn zeros(gpu: &Gpu, what: &str, count: usize, capacity: usize, sh_degree: u32) -> Result<Self> {
        let part_rows = rows_of_part(gpu, sh_degree);
        let name = |index: usize| format!("{what} {}", TENSOR_NAMES[index]);
        let tensor = |index: usize| gpu.buffer(&name(index), capacity * TENSOR_WIDTHS[index]);
        let firsts = || (0..capacity.max(1)).step_by(part_rows);
        let band = |band: usize| -> Result<Vec<Buffer<f32>>> {
            let index = GEOMETRY + band;
            let rows = if band > sh_degree as usize { 0 } else { capacity };
            let part = |first: usize| {
                gpu.buffer(&name(index), rows.saturating_sub(first).min(part_rows) * TENSOR_WIDTHS[index])
            };
            firsts().map(part).collect()
        };
        let row = |first: usize| {
            let mut row = [0; size_of::<PartRow>() / 4];
            row[..2].copy_from_slice(&[first, part_rows].map(|value| value as u32));
            row
        };
        let parts: Vec<PartRow> = firsts().map(row).collect();
        Ok(Self {
            count,
            capacity,
            sh_degree,
            means: tensor(0)?,
            quats: tensor(1)?,
            log_scales: tensor(2)?,
            logit_opacities: tensor(3)?,
            sh: [band(0)?, band(1)?, band(2)?, band(3)?],
            part_rows,
            parts: gpu.upload("parts", &parts)?,
        })
    }

    /// The parameters of `splats`, with room for `capacity` (at least as many as there are).
    ///
    /// # Errors
    /// As [`Splats::check_shapes`]; the device.
    pub fn from_splats(gpu: &Gpu, splats: &Splats, capacity: usize) -> Result<Self> {
        splats.check_shapes("the model")?;
        let tensors = Self::zeros(gpu, "splat", splats.len(), capacity.max(splats.len()), splats.sh_degree)?;
        tensors.means.write(gpu, 0, splats.means.as_flattened());
        tensors.quats.write(gpu, 0, splats.quats.as_flattened());
        tensors.log_scales.write(gpu, 0, splats.log_scales.as_flattened());
        tensors.logit_opacities.write(gpu, 0, &splats.logit_opacities);
        let row = 3 * Splats::coefficients(splats.sh_degree);
        for band in 0..=splats.sh_degree as usize {
            let (from, to) = (3 * band * band, 3 * (band + 1) * (band + 1));
            let values: Vec<f32> = splats.sh.chunks_exact(row).flat_map(|sh| &sh[from..to]).copied().collect();
            tensors.write(gpu, GEOMETRY + band, &values);
        }
        Ok(tensors)
    }

    /// Writes the first rows of the tensor `index` of [`TENSOR_NAMES`], before the next submission.
    pub fn write(&self, gpu: &Gpu, index: usize, values: &[f32]) {
        let mut rest = values;
        for part in self.all()[index] {
            let (now, later) = rest.split_at(rest.len().min(part.len()));
            part.write(gpu, 0, now);
            rest = later;
        }
    }

    /// Reads the tensor `index` of [`TENSOR_NAMES`] back: its `count` rows, none of a band that the model does not have. Waits
    /// for the device.
    ///
    /// # Errors
    /// Those of the device.
    pub fn read(&self, gpu: &Gpu, index: usize) -> Result<Vec<f32>> {
        let mut values = Vec::new();
        for (part, [_, rows]) in self.used(index) {
            let found = gpu.read_part(part, 0, rows * TENSOR_WIDTHS[index])?;
            // Most models have one part, which need not be copied.
            if values.is_empty() { values = found } else { values.extend(found) }
        }
        Ok(values)
    }

    /// A copy within the device, of the Gaussians in use, as of all that was submitted before.
    ///
    /// # Errors
    /// [`crate::Error::OutOfMemory`] where it does not fit.
    pub fn duplicate(&self, gpu: &Gpu, what: &str) -> Result<Self> {
        let copy = Self::zeros(gpu, what, self.count, self.count, self.sh_degree)?;
        let mut recorder = Recorder::new(gpu);
        let pairs = self.all().into_iter().zip(copy.all()).flat_map(|(from, to)| from.iter().zip(to));
        for (from, to) in pairs.filter(|(_, to)| !to.is_empty()) {
            recorder.copy(from, 0, to, 0, to.len());
        }
        recorder.submit();
        Ok(copy)
    }

    /// Reads the `count` Gaussians back.
    pub fn to_splats(&self, gpu: &Gpu) -> Result<Splats> {
        let read = |index: usize| self.read(gpu, index);
        let bands = (0..=self.sh_degree as usize).map(|band| read(GEOMETRY + band)).collect::<Result<Vec<_>>>()?;
        let mut sh = Vec::with_capacity(self.count * 3 * Splats::coefficients(self.sh_degree));
        for i in 0..self.count {
            for (values, width) in bands.iter().zip(&TENSOR_WIDTHS[GEOMETRY..]) {
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

    /// SH bands 0 to `sh_degree`, in parts.
    pub fn bands(&self) -> &[Vec<Buffer<f32>>] {
        &self.sh[..=self.sh_degree.min(3) as usize]
    }

    /// The parts of SH bands that the Gaussians in use are in: what kernels need to know of each.
    pub(crate) fn parts(&self) -> impl Iterator<Item = Binding<'_>> {
        (0..self.count.div_ceil(self.part_rows)).map(|part| self.parts.element(part))
    }

    /// The parts of the tensor `index` of [`TENSOR_NAMES`] that Gaussians in use are in: the first of these in each, and how
    /// many.
    pub(crate) fn used(&self, index: usize) -> impl Iterator<Item = (&Buffer<f32>, [usize; 2])> {
        let (mut first, count, width) = (0, self.count, TENSOR_WIDTHS[index]);
        let rows = self.all()[index].iter().map(move |part| {
            let rows = (part.len() / width).min(count - first);
            first += rows;
            (part, [first - rows, rows])
        });
        rows.filter(|(_, [_, rows])| *rows > 0)
    }

    /// All tensors in the order of [`TENSOR_NAMES`], each in parts.
    pub fn all(&self) -> [&[Buffer<f32>]; 8] {
        let whole = std::slice::from_ref::<Buffer<f32>>;
        let [sh0, sh1, sh2, sh3] = &self.sh;
        let Self { means, quats, log_scales, logit_opacities, .. } = self;
        [whole(means), whole(quats), whole(log_scales), whole(logit_opacities), sh0, sh1, sh2, sh3]
    }
}

/// Rows of the widest SH band of `sh_degree` that a binding takes, in whole steps.
fn rows_of_part(gpu: &Gpu, sh_degree: u32) -> usize {
    let row = TENSOR_WIDTHS[GEOMETRY + sh_degree.min(3) as usize] * size_of::<f32>();
    (gpu.most_elements(row) / PART_STEP * PART_STEP).max(PART_STEP)
}

fn rows<const N: usize>(values: &[f32]) -> Vec<[f32; N]> {
    values.as_chunks::<N>().0.to_vec()
}
