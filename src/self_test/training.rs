//! Checks of the loss and the optimizer, the parts of a training step besides the render and its gradients.

use super::Check;
use crate::error::Result;
use crate::gpu::{Gpu, Recorder};
use crate::random::uniform;
use crate::splat::{TENSOR_WIDTHS, TILE, Tensors, plane_len, tiles};
use crate::train::loss_reference::{Rgb, twin, unpack};
use crate::train::{Adam, Loss, Moments, Update};

/// Pixels of more than one line and strip of the kernels, and not of whole ones.
const SIZE: [u32; 2] = [70, 50];
const SSIM_WEIGHT: f32 = 0.2;
/// Largest error of L1 and SSIM, and of a gradient as a part of the largest one.
const LOSS: f64 = 1e-4;
const GRADIENT: f64 = 1e-3;
/// Splats of more than one workgroup, a step with the corrections of some, and the largest error of a value as a part of its
/// size or of the step's.
const SPLATS: usize = 67;
const STEP: u32 = 7;
const VALUE: f64 = 1e-4;
const SEED: u64 = 21;

/// A loss with its gradient, and an update.
///
/// # Errors
/// A device that fails altogether.
pub(super) fn run(gpu: &Gpu) -> Result<Vec<Check>> {
    let (targets, rendered) = pictures();
    let (totals, gradient) = loss(gpu, &targets, &rendered)?;
    let mut checks = compare_loss(&targets, &rendered, &totals, &gradient);
    checks.push(adam(gpu)?);
    Ok(checks)
}

/// A smooth picture with noise in 8 bits, a word a pixel, and another one of it.
fn pictures() -> (Vec<u32>, Vec<[f32; 3]>) {
    let pixel = |at: u32| {
        let (x, y) = ((at % SIZE[0]) as f32, (at / SIZE[0]) as f32);
        let base = 0.5 + 0.3 * (x * 0.7).sin() * (y * 0.4).cos();
        let noise = |stream: usize| uniform(SEED, stream as u64, u64::from(at)) as f32;
        let levels = [0, 1, 2].map(|c| (255.0 * (base + 0.1 * noise(c)) / (1.0 + c as f32)) as u32);
        let rendered = [0, 1, 2].map(|c| levels[c] as f32 / 255.0 + 0.3 * (noise(3 + c) - 0.4));
        (0xff00_0000 | levels[2] << 16 | levels[1] << 8 | levels[0], rendered)
    };
    (0..SIZE[0] * SIZE[1]).map(pixel).unzip()
}

/// L1 and SSIM, and the gradient of each pixel.
fn loss(gpu: &Gpu, targets: &[u32], rendered: &[[f32; 3]]) -> Result<(Vec<f32>, Vec<[f32; 3]>)> {
    let [width, height] = SIZE;
    let (plane, pitch) = (plane_len(width, height), (tiles(width, height)[0] * TILE) as usize);
    let place = |i: usize| i / width as usize * pitch + i % width as usize;
    let (mut packed, mut planes) = (vec![0; plane], vec![0.0; 3 * plane]);
    for (i, (target, pixel)) in targets.iter().zip(rendered).enumerate() {
        packed[place(i)] = *target;
        (0..3).for_each(|c| planes[c * plane + place(i)] = pixel[c]);
    }
    let (packed, planes) = (gpu.upload("targets", &packed)?, gpu.upload("rendered", &planes)?);
    let v_image = gpu.buffer("image gradient", 4 * plane)?;
    let kernels = Loss::new(gpu, false)?;
    let scratch = kernels.scratch(gpu, width, height, SSIM_WEIGHT)?;
    let mut recorder = Recorder::new(gpu);
    kernels.record(&mut recorder, &scratch, &planes, &packed, &v_image);
    recorder.submit();
    let totals = gpu.read(scratch.totals())?.into_iter().map(f32::from_bits).collect();
    let found = gpu.read(&v_image)?;
    Ok((totals, (0..targets.len()).map(|i| [0, 1, 2].map(|c| found[c * plane + place(i)])).collect()))
}

fn compare_loss(targets: &[u32], rendered: &[[f32; 3]], totals: &[f32], gradient: &[[f32; 3]]) -> Vec<Check> {
    let double: Rgb = rendered.iter().map(|pixel| pixel.map(f64::from)).collect();
    let [width, height] = SIZE.map(|side| side as usize);
    let ([_, l1, ssim], expected) = twin(&double, &unpack(targets), width, height, f64::from(SSIM_WEIGHT));
    let largest = expected.as_flattened().iter().fold(0.0f64, |most, value| most.max(value.abs()));
    // Not (error > …), so that NaN is wrong.
    let totals_pass =
        totals.iter().zip([l1, ssim]).all(|(found, expected)| (f64::from(*found) - expected).abs() <= LOSS);
    let pairs = gradient.as_flattened().iter().zip(expected.as_flattened());
    let right = pairs.filter(|(found, expected)| (f64::from(**found) - **expected).abs() <= GRADIENT * largest).count();
    let values = expected.as_flattened().len();
    vec![
        Check { name: "loss", pass: totals_pass, detail: format!("{totals:.5?}, expected {:.5?}", [l1, ssim]) },
        Check {
            name: "loss's gradient",
            pass: right == values,
            detail: format!("{} of {values} values differ", values - right),
        },
    ]
}

/// One update of a model that has moments.
fn adam(gpu: &Gpu) -> Result<Check> {
    let learning_rates: [f32; 8] = std::array::from_fn(|tensor| 0.01 * (tensor + 1) as f32);
    let tensors = |what: &str| Tensors::zeros(gpu, what, SPLATS, SPLATS, 3);
    let (parameters, gradients) = (tensors("parameter")?, tensors("gradient of")?);
    let (first, second) = (tensors("first moment of")?, tensors("second moment of")?);
    // Parameter, gradient and both moments of each value.
    let value = |tensor: usize, at: usize| {
        let [p, g, m, v] = [0, 1, 2, 3].map(|part| uniform(SEED, 10 + 4 * tensor as u64 + part, at as u64) as f32);
        [p - 0.5, g - 0.5, 0.3 * (m - 0.5), 0.1 * v]
    };
    let all: Vec<Vec<[f32; 4]>> =
        (0..8).map(|tensor| (0..SPLATS * TENSOR_WIDTHS[tensor]).map(|at| value(tensor, at)).collect()).collect();
    for (part, to) in [&parameters, &gradients, &first, &second].into_iter().enumerate() {
        for (tensor, values) in all.iter().enumerate() {
            to.write(gpu, tensor, &values.iter().map(|value| value[part]).collect::<Vec<_>>());
        }
    }
    let mut recorder = Recorder::new(gpu);
    let moments = Moments { first: &first, second: &second };
    let update = Update { learning_rates, step: STEP, sh_degree: 3 };
    Adam::new(gpu)?.record(&mut recorder, &parameters, &gradients, moments, update);
    recorder.submit();
    let (mut right, mut count) = (0, 0);
    for (tensor, values) in all.iter().enumerate() {
        let rate = f64::from(learning_rates[tensor]);
        let found = [&parameters, &first, &second].map(|part| part.read(gpu, tensor));
        let [p, m, v] = found;
        for (((value, p), m), v) in values.iter().zip(p?).zip(m?).zip(v?) {
            let expected = updated(value.map(f64::from), rate);
            let close =
                |found: f32, expected: f64| (f64::from(found) - expected).abs() <= VALUE * expected.abs().max(rate);
            right += usize::from([p, m, v].into_iter().zip(expected).all(|(found, expected)| close(found, expected)));
            count += 1;
        }
    }
    Ok(Check { name: "Adam", pass: right == count, detail: format!("{} of {count} values differ", count - right) })
}

/// Adam (Kingma & Ba 2015, algorithm 1): the parameter and its moments after the step.
fn updated([p, g, m, v]: [f64; 4], rate: f64) -> [f64; 3] {
    let (m, v) = (0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g);
    let [first, second] = [0.9, 0.999].map(|beta: f64| 1.0 - beta.powi(STEP as i32));
    [p - rate * (m / first) / ((v / second).sqrt() + 1e-15), m, v]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::{Choice, Mask};

    /// What the checks are for.
    #[test]
    fn a_wrong_loss_and_a_few_wrong_gradients_are_found() {
        let gpu = Gpu::open(&Choice::Best, Mask::default()).unwrap();
        let (targets, rendered) = pictures();
        let (totals, gradient) = loss(&gpu, &targets, &rendered).unwrap();
        let passes = |totals: &[f32], gradient: &[[f32; 3]]| {
            compare_loss(&targets, &rendered, totals, gradient).iter().map(|check| check.pass).collect::<Vec<_>>()
        };
        assert_eq!(passes(&totals, &gradient), [true, true]);
        for wrong in [[totals[0] * 1.01, totals[1]], [totals[0], totals[1] - 0.001], [f32::NAN, totals[1]]] {
            assert_eq!(passes(&wrong, &gradient), [false, true]);
        }
        // One line of pixels without what comes from its windows.
        let mut wrong = gradient.clone();
        wrong.iter_mut().skip(20 * 70).take(54).for_each(|pixel| *pixel = [0.0; 3]);
        assert_eq!(passes(&totals, &wrong), [true, false]);
    }
}
