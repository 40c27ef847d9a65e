//! Checks that no parameter or optimizer moment is NaN, infinite or absurdly large.
//!
//! Splats with such values are not drawn, so a training that diverged would end with a plausible picture and a finite loss. The
//! count runs on the device every [`CHECK_EVERY`] steps and is read back with the step's figures, and once more before anything
//! is written.

use crate::error::{Error, Result};
use crate::gpu::{Buffer, Gpu, Kernel, Recorder, WORKGROUP};
use crate::splat::{TENSOR_NAMES, TENSOR_WIDTHS, Tensors};

/// Steps between two counts. A count reads what one step of Adam reads and writes less, so that it costs less than a
/// hundredth of a step on average.
pub const CHECK_EVERY: u32 = 50;
/// Counts: one for each tensor of the parameters, the first and the second moments.
pub const COUNTS: usize = 3 * TENSOR_NAMES.len();
/// Largest meaningful parameter and first moment: Adam takes no gradient beyond it.
const LIMIT: f32 = 1e18;

/// Tensors that one dispatch looks at.
const TENSORS: usize = 4;
/// Names of the groups in messages, before the tensor's name.
const GROUPS: [&str; 3] = ["", "the first moment of ", "the second moment of "];

/// The kernel and its counts.
pub struct Soundness {
    kernel: Kernel,
    /// Place of the first count and limit, of each dispatch.
    settings: Vec<Buffer<[u32; 4]>>,
    counts: Buffer<u32>,
    /// Where a tensor has fewer parts than others.
    nothing: Buffer<f32>,
}

impl Soundness {
    /// Compiles the kernel.
    pub fn new(gpu: &Gpu) -> Result<Self> {
        let limit = |first: usize| if first < 2 * TENSOR_NAMES.len() { LIMIT } else { f32::INFINITY };
        let setting = |first: usize| gpu.upload("soundness", &[[first as u32, limit(first).to_bits(), 0, 0]]);
        Ok(Self {
            kernel: gpu.kernel("train/count_unusable", &[])?,
            settings: (0..COUNTS).step_by(TENSORS).map(setting).collect::<Result<_>>()?,
            counts: gpu.buffer("unusable values", COUNTS)?,
            nothing: gpu.buffer("no tensor", 0)?,
        })
    }

    /// The counts of the last check, [`COUNTS`] words.
    pub fn counts(&self) -> &Buffer<u32> {
        &self.counts
    }

    /// Records a count over parameters, first and second moments.
    pub fn record(&self, recorder: &mut Recorder<'_>, groups: [&Tensors; 3]) {
        recorder.clear(&self.counts);
        let tensors: Vec<&[Buffer<f32>]> = groups.iter().flat_map(|group| group.all()).collect();
        for (tensors, settings) in tensors.chunks_exact(TENSORS).zip(&self.settings) {
            let parts = tensors.iter().map(|parts| parts.len()).max().unwrap_or_default();
            for part in 0..parts {
                let parts = [0, 1, 2, 3].map(|i| tensors[i].get(part).unwrap_or(&self.nothing));
                let quads = parts.iter().map(|part| part.len().div_ceil(4)).max().unwrap_or_default();
                let [a, b, c, d] = parts.map(Buffer::binding);
                let bindings = [settings.binding(), a, b, c, d, self.counts.binding()];
                recorder.dispatch(&self.kernel, &bindings, (quads as u32).div_ceil(WORKGROUP));
            }
        }
    }
}

/// The error of a model of `splats` splats whose counts, taken after `step` steps, are not all zero.
pub fn verdict(counts: &[u32], splats: usize, step: u32) -> Result<()> {
    let Some(worst) = counts.iter().position(|count| *count > 0) else { return Ok(()) };
    let names = GROUPS.iter().flat_map(|group| TENSOR_NAMES.iter().map(move |name| format!("{group}{name}")));
    let sizes = TENSOR_WIDTHS.iter().cycle().map(|width| width * splats);
    let found: Vec<String> = names
        .zip(sizes)
        .zip(counts)
        .filter(|(_, count)| **count > 0)
        // The rest of the last quad counts, too.
        .map(|((name, size), count)| format!("{name} has {} of {size} values", (*count as usize).min(size)))
        .collect();
    Err(diverged(
        step,
        format!("{} that are not finite or beyond {LIMIT:e}", found.join(", ")),
        format!("lower train.{}", rate_of(worst % TENSOR_NAMES.len())),
    ))
}

/// The error of a loss that is no number.
pub fn check_loss(loss: f32, step: u32) -> Result<()> {
    if loss.is_finite() {
        return Ok(());
    }
    Err(diverged(step, format!("the loss is {loss}"), "lower the learning rates (train.lr_sh first)".into()))
}

fn diverged(step: u32, found: String, remedy: String) -> Error {
    Error::NotFinite { what: format!("training diverged at step {step}"), found, remedy }
}

/// The setting that moves a tensor.
fn rate_of(tensor: usize) -> &'static str {
    ["lr_means", "lr_quats", "lr_scales", "lr_opacities"].get(tensor).unwrap_or(&"lr_sh")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::{Choice, Mask};

    fn counts(gpu: &Gpu, groups: [&Tensors; 3]) -> Vec<u32> {
        let soundness = Soundness::new(gpu).unwrap();
        let mut recorder = Recorder::new(gpu);
        soundness.record(&mut recorder, groups);
        recorder.submit();
        gpu.read(soundness.counts()).unwrap()
    }

    #[test]
    fn every_unusable_value_is_counted_where_it_is_and_nothing_else() {
        let bad = [f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e18, -2e30, f32::from_bits(0x7f80_0001)];
        let good = [0.0, -0.0, 1e-45, f32::MIN_POSITIVE, 9.9e17, -9.9e17, 1.0];
        // The last has bands in several buffers.
        for mask in [Mask::default(), Mask::ALL, Mask { buffer_bytes: 4 << 10, ..Mask::ALL }] {
            let gpu = Gpu::open(&Choice::Best, mask).unwrap();
            for (count, capacity, sh_degree) in [(7, 7, 3), (130, 200, 1), (130, 200, 3), (1, 1, 0)] {
                let tensors = || Tensors::zeros(&gpu, "test", count, capacity, sh_degree).unwrap();
                let groups = [tensors(), tensors(), tensors()];
                let mut expected = vec![0; COUNTS];
                for (group, tensors) in groups.iter().enumerate() {
                    for (index, parts) in
                        tensors.all().into_iter().enumerate().filter(|(_, parts)| !parts[0].is_empty())
                    {
                        let len = parts.iter().map(Buffer::len).sum();
                        let mut values: Vec<f32> = (0..len).map(|i| good[i % good.len()]).collect();
                        let last = values.len() - 1;
                        values[(group + index) % (last + 1)] = bad[(group * 8 + index) % bad.len()];
                        values[last] = bad[index % bad.len()];
                        let is_bad =
                            |v: &&f32| if group == 2 { !v.is_finite() } else { !v.is_finite() || v.abs() >= 1e18 };
                        expected[group * 8 + index] = values.iter().filter(is_bad).count() as u32;
                        tensors.write(&gpu, index, &values);
                    }
                }
                let [p, m, v] = &groups;
                assert_eq!(counts(&gpu, [p, m, v]), expected, "{count} splats, degree {sh_degree}");
                assert!(expected.iter().sum::<u32>() > 8);
            }
        }
    }

    #[test]
    fn messages_name_step_tensors_and_the_rate_to_lower() {
        assert!(verdict(&[0; COUNTS], 10, 7).is_ok());
        for (tensor, rate) in [(0, "lr_means"), (1, "lr_quats"), (2, "lr_scales"), (3, "lr_opacities"), (7, "lr_sh")] {
            let mut counts = [0; COUNTS];
            (counts[tensor], counts[16 + tensor]) = (412, 1);
            let message = verdict(&counts, 1500, 103).unwrap_err().to_string();
            let size = 1500 * TENSOR_WIDTHS[tensor];
            for part in
                ["step 103", &format!("{} has 412 of {size} values", TENSOR_NAMES[tensor]), "second moment of", rate]
            {
                assert!(message.contains(part), "'{part}' is not in {message}");
            }
        }
        assert!(check_loss(0.3, 1).is_ok());
        assert!(check_loss(f32::NAN, 9).unwrap_err().to_string().contains("step 9: the loss is NaN"));
    }
}
