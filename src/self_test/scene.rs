//! A scene of some thousand splats and its gradients against the render by definition: whatever kernel a driver compiles
//! wrongly shows in one of them.
//!
//! The gradients of all splats are compared at once, along random directions: the change of the definition's render, with the
//! same splats blended at each pixel, is the sum of gradient times direction. If the gradient of one splat in ten thousand is
//! wrong by its own size, that sum is off by a hundredth of the gradient's length.

use super::Check;
use crate::capture::Camera;
use crate::error::Result;
use crate::gpu::{Gpu, Recorder};
use crate::random::hash;
use crate::splat::reference::{Model, Orders, cloud, orders_of, render_ordered, splats};
use crate::splat::{RenderSettings, Rendered, Renderer, Style, TILE, Tensors, plane_len, tiles};
use crate::train::{Backward, GradientOptions};
use glam::{DMat4, DVec3};

/// More than the sort and the scans do in one block.
const SPLATS: usize = 3000;
const SIZE: [u32; 2] = [96, 64];
const SEED: u64 = 20;
/// Largest error of a pixel, and the part of the pixels that may exceed it: those at a threshold of the opacity, which falls
/// to either side.
const PIXEL: f64 = 1e-3;
const EXCEPTIONS: usize = 200;
/// The tensors of a [`Model`].
const NAMES: [&str; 5] = ["means", "quats", "log_scales", "logit_opacities", "sh"];
/// Directions for each tensor, the step along them, and the largest error as a part of the gradient's length.
const DIRECTIONS: usize = 3;
const STEP: f64 = 1e-6;
const GRADIENT: f64 = 5e-3;

/// Renders the scene and its gradients.
///
/// # Errors
/// A device that fails altogether.
pub(super) fn run(gpu: &Gpu) -> Result<Vec<Check>> {
    let model = scatter();
    let viewmat = DMat4::from_translation(DVec3::new(0.1, -0.2, 4.0)) * DMat4::from_rotation_y(0.4);
    let [width, height] = SIZE;
    let camera = Camera { width, height, fx: 90.0, fy: 85.0, cx: 47.2, cy: 33.1, viewmat, reduction: 1.0 };
    let style = Style::default();
    let settings = RenderSettings { background: [0.3, 0.1, 0.6], sh_degree: 3, antialiased: false, style };
    let orders = orders_of(&model, &camera, &settings);
    // Trainings use one kernel or the other.
    let [(rendered, plain), (_, absolute)] =
        [on_device(gpu, &model, &camera, &settings, false)?, on_device(gpu, &model, &camera, &settings, true)?];
    let twin = Twin::new(model, camera, settings, orders);
    Ok(vec![
        twin.check_picture(&rendered),
        twin.check_gradients("scene's gradients", &plain),
        twin.check_gradients("scene's gradients (absgrad)", &absolute),
    ])
}

/// Small splats all over the picture and some large ones.
fn scatter() -> Model {
    let mut model = cloud(SPLATS, SEED);
    let scales = model[2].as_chunks_mut::<3>().0;
    scales.iter_mut().enumerate().filter(|(i, _)| i % 50 != 0).for_each(|(_, axes)| {
        axes.iter_mut().for_each(|scale| *scale = f64::from((*scale - 1.2) as f32));
    });
    model
}

/// ∂L/∂(red, green, blue, alpha) of pixel `at`: smooth and signed.
fn cotangent(at: usize) -> [f64; 4] {
    std::array::from_fn(|c| f64::from(((at * 4 + c) as f32 * 0.37).sin() * 0.5 + 0.1))
}

fn on_device(
    gpu: &Gpu,
    model: &Model,
    camera: &Camera,
    settings: &RenderSettings,
    absgrad: bool,
) -> Result<(Rendered, Model)> {
    let [width, height] = SIZE;
    let (plane, pitch) = (plane_len(width, height), (tiles(width, height)[0] * TILE) as usize);
    let mut v_image = vec![0.0_f32; 4 * plane];
    for at in 0..(width * height) as usize {
        for (c, value) in cotangent(at).into_iter().enumerate() {
            v_image[c * plane + at / width as usize * pitch + at % width as usize] = value as f32;
        }
    }
    let options = GradientOptions { absgrad, ..GradientOptions::default() };
    let (renderer, backward) = (Renderer::new(gpu)?, Backward::with(gpu, options)?);
    let (tensors, mut work) = (Tensors::from_splats(gpu, &splats(model), 0)?, None);
    let rendered = renderer.render_image(gpu, &tensors, camera, settings, &mut work)?;
    let gradients = backward.gradients(gpu, tensors.count, 3)?;
    if let Some(work) = &work {
        let v_image = gpu.upload("image gradient", &v_image)?;
        let mut recorder = Recorder::new(gpu);
        backward.record(&mut recorder, &tensors, SIZE, work, &v_image, &gradients);
        recorder.submit();
    }
    let found = gradients.parameters.to_splats(gpu)?;
    let double = |values: &[f32]| values.iter().map(|value| f64::from(*value)).collect();
    let [means, quats, scales] =
        [found.means.as_flattened(), found.quats.as_flattened(), found.log_scales.as_flattened()];
    Ok((rendered, [double(means), double(quats), double(scales), double(&found.logit_opacities), double(&found.sh)]))
}

/// A value's part in a direction.
fn sign(direction: usize, at: usize) -> f64 {
    if hash(SEED, direction as u64, at as u64) & 1 == 0 { 1.0 } else { -1.0 }
}

/// The scene by definition.
struct Twin {
    model: Model,
    camera: Camera,
    settings: RenderSettings,
    orders: Orders,
    /// The derivatives of each tensor along each direction.
    derivatives: [[f64; DIRECTIONS]; 5],
}

impl Twin {
    fn new(model: Model, camera: Camera, settings: RenderSettings, orders: Orders) -> Self {
        let mut twin = Self { model, camera, settings, orders, derivatives: Default::default() };
        twin.derivatives =
            std::array::from_fn(|tensor| std::array::from_fn(|direction| twin.derivative(tensor, direction)));
        twin
    }

    fn derivative(&self, tensor: usize, direction: usize) -> f64 {
        let moved = |step: f64| {
            let mut model = self.model.clone();
            model[tensor].iter_mut().enumerate().for_each(|(at, value)| *value += step * sign(direction, at));
            self.objective(&model)
        };
        (moved(STEP) - moved(-STEP)) / (2.0 * STEP)
    }

    fn check_picture(&self, found: &Rendered) -> Check {
        let expected = render_ordered(&self.model, &self.orders, &self.camera, &self.settings);
        let error = |at: usize| {
            let colors = found.image.pixels[at].iter().zip(expected.image[at]);
            let color = colors.map(|(found, expected)| (f64::from(*found) - expected).abs()).fold(0.0, f64::max);
            let alpha = (f64::from(found.alpha[at]) - expected.alpha[at]).abs();
            // Depths are of the order of the camera's distance.
            let depth = (f64::from(found.depth[at]) - expected.depth[at]).abs() / 4.0;
            color.max(alpha).max(depth)
        };
        // Not (error > …), so that NaN is wrong.
        let count = expected.image.len();
        let right = (0..count).filter(|at| error(*at) <= PIXEL).count();
        Check {
            name: "scene",
            pass: count - right <= count / EXCEPTIONS,
            detail: format!("{} of {count} pixels of {SPLATS} splats differ", count - right),
        }
    }

    fn check_gradients(&self, name: &'static str, found: &Model) -> Check {
        let worst = (0..found.len())
            .flat_map(|tensor| (0..DIRECTIONS).map(move |direction| (tensor, direction)))
            .map(|(tensor, direction)| (self.error(tensor, direction, &found[tensor]), tensor))
            .max_by(|a, b| a.0.total_cmp(&b.0));
        let (error, tensor) = worst.unwrap_or_default();
        Check {
            name,
            pass: error <= GRADIENT,
            detail: format!("relative error at most {error:.1e} ({})", NAMES[tensor]),
        }
    }

    /// How much the gradient of a tensor is off along a direction, as a part of its length; infinite where it is not finite.
    fn error(&self, tensor: usize, direction: usize, found: &[f64]) -> f64 {
        let along: f64 = found.iter().enumerate().map(|(at, value)| value * sign(direction, at)).sum();
        let length = found.iter().map(|value| value * value).sum::<f64>().sqrt();
        let error = (along - self.derivatives[tensor][direction]).abs() / length;
        if error.is_finite() { error } else { f64::INFINITY }
    }

    fn objective(&self, model: &Model) -> f64 {
        let view = render_ordered(model, &self.orders, &self.camera, &self.settings);
        let pixel = |(at, (color, alpha)): (usize, (&[f64; 3], &f64))| {
            let v = cotangent(at);
            color[0] * v[0] + color[1] * v[1] + color[2] * v[2] + alpha * v[3]
        };
        view.image.iter().zip(&view.alpha).enumerate().map(pixel).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::{Choice, Mask};

    /// What the checks are for: results that are wrong in a few places.
    #[test]
    fn a_few_wrong_gradients_and_pixels_are_found() {
        let gpu = Gpu::open(&Choice::Best, Mask::default()).unwrap();
        let model = scatter();
        let viewmat = DMat4::from_translation(DVec3::new(0.0, 0.0, 4.0));
        let camera = Camera { width: 96, height: 64, fx: 90.0, fy: 90.0, cx: 48.0, cy: 32.0, viewmat, reduction: 1.0 };
        let style = Style::default();
        let settings = RenderSettings { background: [0.0; 3], sh_degree: 3, antialiased: false, style };
        let orders = orders_of(&model, &camera, &settings);
        let (mut rendered, gradients) = on_device(&gpu, &model, &camera, &settings, true).unwrap();
        let twin = Twin::new(model, camera, settings, orders);
        let fine = [twin.check_picture(&rendered), twin.check_gradients("gradients", &gradients)];
        assert!(fine.iter().all(|check| check.pass), "{fine:?}");
        for tensor in 0..gradients.len() {
            let mut wrong = gradients.clone();
            // One splat in a hundred.
            let width = wrong[tensor].len() / SPLATS;
            wrong[tensor]
                .iter_mut()
                .enumerate()
                .filter(|(at, _)| at / width % 100 == 7)
                .for_each(|(_, value)| *value = 0.0);
            let check = twin.check_gradients("gradients", &wrong);
            assert!(!check.pass && check.detail.contains(NAMES[tensor]), "tensor {tensor}: {check:?}");
        }
        // One tile.
        rendered.image.pixels.iter_mut().enumerate().filter(|(at, _)| at % 96 < 16 && at / 96 < 16).for_each(
            |(_, p)| {
                *p = [0.0; 3];
            },
        );
        assert!(!twin.check_picture(&rendered).pass);
    }
}
