//! The backward kernels against finite differences of the render by definition.

use super::Backward;
use crate::capture::Camera;
use crate::gpu::{Choice, Gpu, Mask, Recorder};
use crate::splat::reference::{Model, WIDTHS, camera, cloud, render, splats};
use crate::splat::{RenderSettings, Renderer, Splats, Style, TILE, Tensors, plane_len, tiles};

/// ∂L/∂(red, green, blue, alpha) of pixel `i`: smooth, signed, the same everywhere it is needed.
fn cotangent(i: usize) -> [f64; 4] {
    std::array::from_fn(|c| f64::from(((i * 4 + c) as f32 * 0.37).sin() * 0.5 + 0.1))
}

fn objective(model: &Model, camera: &Camera, settings: &RenderSettings) -> f64 {
    let view = render(model, camera, settings);
    let pixel = |(i, (color, alpha)): (usize, (&[f64; 3], &f64))| {
        let v = cotangent(i);
        color[0] * v[0] + color[1] * v[1] + color[2] * v[2] + alpha * v[3]
    };
    view.image.iter().zip(&view.alpha).enumerate().map(pixel).sum()
}

fn differences(model: &Model, camera: &Camera, settings: &RenderSettings) -> Model {
    // So small that no pixel is likely to lie at a threshold in between.
    const STEP: f64 = 2e-7;
    let mut moved = model.clone();
    std::array::from_fn(|tensor| {
        (0..model[tensor].len())
            .map(|at| {
                let value = model[tensor][at];
                let mut at_offset = |offset: f64| {
                    moved[tensor][at] = value + offset;
                    objective(&moved, camera, settings)
                };
                let difference = at_offset(STEP) - at_offset(-STEP);
                moved[tensor][at] = value;
                difference / (2.0 * STEP)
            })
            .collect()
    })
}

fn device_gradients(
    gpu: &Gpu,
    model: &Model,
    camera: &Camera,
    settings: &RenderSettings,
    deterministic: bool,
) -> Splats {
    let size = [camera.width, camera.height];
    let (plane, pitch) = (plane_len(size[0], size[1]), (tiles(size[0], size[1])[0] * TILE) as usize);
    let mut v_image = vec![0.0f32; 4 * plane];
    for i in 0..(size[0] * size[1]) as usize {
        for (c, value) in cotangent(i).into_iter().enumerate() {
            v_image[c * plane + i / size[0] as usize * pitch + i % size[0] as usize] = value as f32;
        }
    }
    let tensors = Tensors::from_splats(gpu, &splats(model), 0).unwrap();
    let mut work = None;
    let (renderer, backward) = match deterministic {
        true => (Renderer::deterministic(gpu).unwrap(), Backward::deterministic(gpu).unwrap()),
        false => (Renderer::new(gpu).unwrap(), Backward::new(gpu).unwrap()),
    };
    let gradients = backward.gradients(gpu, tensors.count, 3).unwrap();
    renderer.render_image(gpu, &tensors, camera, settings, &mut work).unwrap();
    let v_image = gpu.upload("v_image", &v_image).unwrap();
    let mut recorder = Recorder::new(gpu);
    backward.record(&mut recorder, &tensors, size, &work.unwrap(), &v_image, &gradients);
    recorder.submit();
    gpu.check().unwrap();
    gradients.parameters.to_splats(gpu).unwrap()
}

fn check(gpu: &Gpu, model: &Model, camera: &Camera, settings: &RenderSettings, deterministic: bool, expected: &Model) {
    let v = device_gradients(gpu, model, camera, settings, deterministic);
    let found: [&[f32]; 5] =
        [v.means.as_flattened(), v.quats.as_flattened(), v.log_scales.as_flattened(), &v.logit_opacities, &v.sh];
    for (tensor, (found, expected)) in found.into_iter().zip(expected).enumerate() {
        let scale = expected.iter().fold(0.0f64, |m, v| m.max(v.abs()));
        assert_eq!(found.len(), expected.len());
        for (at, (found, expected)) in found.iter().zip(expected).enumerate() {
            let error = (f64::from(*found) - expected).abs() / scale;
            let splat = at / WIDTHS[tensor];
            assert!(error < 1e-3, "tensor {tensor}, splat {splat} [{at}]: {found} instead of {expected}, {settings:?}");
        }
    }
}

/// Twelve splats, one of them far outside the image (where the linearization is held) and one that is not finite.
fn model(seed: u64) -> Model {
    let mut model = cloud(12, seed);
    let outside = camera().unproject(60.0, 30.0, 2.5);
    model[0][..3].copy_from_slice(&outside.to_array().map(|v| f64::from(v as f32)));
    model[2][..3].copy_from_slice(&[-0.5, -0.25, -0.5]);
    model[3][0] = 1.5;
    model[0][4] = f64::NAN;
    model
}

#[test]
fn gradients_are_those_of_the_definition() {
    let cases = [(1, 3, false, 1.0), (2, 2, true, 1.0), (3, 1, false, 3.0), (4, 0, true, 2.0)];
    for (seed, sh_degree, antialiased, reduction) in cases {
        let camera = Camera { reduction, ..camera() };
        let settings = RenderSettings { background: [0.3, 0.1, 0.6], sh_degree, antialiased, style: Style::default() };
        let model = model(seed);
        let expected = differences(&model, &camera, &settings);
        for gpu in Gpu::every_layout() {
            for deterministic in [false, true] {
                check(&gpu, &model, &camera, &settings, deterministic, &expected);
            }
        }
    }
}

#[test]
fn nothing_in_view_has_no_gradient() {
    let gpu = Gpu::open(&Choice::Best, Mask::default()).unwrap();
    let settings = RenderSettings { background: [0.3; 3], sh_degree: 3, antialiased: false, style: Style::default() };
    let mut model = cloud(3, 1);
    model[3].fill(-30.0);
    for model in [cloud(0, 1), model] {
        let zero = model.clone().map(|tensor| vec![0.0; tensor.len()]);
        for deterministic in [false, true] {
            assert_eq!(device_gradients(&gpu, &model, &camera(), &settings, deterministic), splats(&zero));
        }
    }
}
