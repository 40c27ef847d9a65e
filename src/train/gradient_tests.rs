//! The backward kernels against finite differences of the render by definition.

use super::{Backward, GradientOptions};
use crate::capture::Camera;
use crate::gpu::{Choice, Gpu, Mask, Recorder};
use crate::splat::reference::{Dense, Model, WIDTHS, camera, cloud, render, render_moved, splats};
use crate::splat::{RenderSettings, Renderer, Splats, Style, TILE, Tensors, plane_len, tiles, with_bands};
use glam::DVec2;

/// ∂L/∂(red, green, blue, alpha) of pixel `i`: smooth, signed, the same everywhere it is needed.
fn cotangent(i: usize) -> [f64; 4] {
    std::array::from_fn(|c| f64::from(((i * 4 + c) as f32 * 0.37).sin() * 0.5 + 0.1))
}

fn objective(model: &Model, camera: &Camera, settings: &RenderSettings) -> f64 {
    by_pixel(&render(model, camera, settings)).iter().sum()
}

fn by_pixel(view: &Dense) -> Vec<f64> {
    let pixel = |(i, (color, alpha)): (usize, (&[f64; 3], &f64))| {
        let v = cotangent(i);
        color[0] * v[0] + color[1] * v[1] + color[2] * v[2] + alpha * v[3]
    };
    view.image.iter().zip(&view.alpha).enumerate().map(pixel).collect()
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

/// The gradients of all parameters, and the statistics for densification.
fn device_gradients(
    gpu: &Gpu,
    splats: &Splats,
    camera: &Camera,
    settings: &RenderSettings,
    options: GradientOptions,
) -> (Splats, Vec<[f32; 2]>) {
    let size = [camera.width, camera.height];
    let (plane, pitch) = (plane_len(size[0], size[1]), (tiles(size[0], size[1])[0] * TILE) as usize);
    let mut v_image = vec![0.0f32; 4 * plane];
    for i in 0..(size[0] * size[1]) as usize {
        for (c, value) in cotangent(i).into_iter().enumerate() {
            v_image[c * plane + i / size[0] as usize * pitch + i % size[0] as usize] = value as f32;
        }
    }
    let tensors = Tensors::from_splats(gpu, splats, 0).unwrap();
    let mut work = None;
    let renderer = if options.deterministic { Renderer::deterministic(gpu) } else { Renderer::new(gpu) }.unwrap();
    let backward = Backward::with(gpu, options).unwrap();
    let gradients = backward.gradients(gpu, tensors.count, tensors.sh_degree).unwrap();
    renderer.render_image(gpu, &tensors, camera, settings, &mut work).unwrap();
    let v_image = gpu.upload("v_image", &v_image).unwrap();
    let mut recorder = Recorder::new(gpu);
    backward.record(&mut recorder, &tensors, size, &work.unwrap(), &v_image, &gradients);
    recorder.submit();
    gpu.check().unwrap();
    (gradients.parameters.to_splats(gpu).unwrap(), gpu.read(&gradients.densify_statistics).unwrap())
}

fn check(
    gpu: &Gpu,
    splats: &Splats,
    camera: &Camera,
    settings: &RenderSettings,
    deterministic: bool,
    expected: &Model,
) {
    let options = GradientOptions { deterministic, ..GradientOptions::default() };
    let (v, _) = device_gradients(gpu, splats, camera, settings, options);
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
        let all = splats(&model);
        // A model that has no other bands, too.
        let few = with_bands(&all, sh_degree);
        let mut of_few = expected.clone();
        let (row, kept) = (WIDTHS[4], few.sh.len() / few.len());
        of_few[4] = expected[4].chunks_exact(row).flat_map(|sh| &sh[..kept]).copied().collect();
        for gpu in Gpu::every_layout() {
            for deterministic in [false, true] {
                check(&gpu, &all, &camera, &settings, deterministic, &expected);
                check(&gpu, &few, &camera, &settings, deterministic, &of_few);
            }
        }
    }
}

/// SH bands that are longer than a binding lie in several buffers, which shows in no picture and no gradient.
#[test]
fn bands_in_parts_are_as_in_one() {
    let splats = splats(&cloud(6400, 7));
    let settings = RenderSettings { background: [0.2; 3], sh_degree: 3, antialiased: false, style: Style::default() };
    let of = |buffer_bytes: u64| {
        let gpu = Gpu::open(&Choice::Best, Mask { buffer_bytes, ..Mask::ALL }).unwrap();
        let tensors = Tensors::from_splats(&gpu, &splats, 0).unwrap();
        assert!(tensors.to_splats(&gpu).unwrap() == splats);
        assert!(tensors.duplicate(&gpu, "copy of").unwrap().to_splats(&gpu).unwrap() == splats);
        let renderer = Renderer::deterministic(&gpu).unwrap();
        let picture = renderer.render_image(&gpu, &tensors, &camera(), &settings, &mut None).unwrap();
        let options = GradientOptions { deterministic: true, ..GradientOptions::default() };
        let (gradients, statistics) = device_gradients(&gpu, &splats, &camera(), &settings, options);
        (tensors.part_rows, [picture.image.pixels.concat(), picture.depth].concat(), gradients, statistics)
    };
    let (_, picture, gradients, statistics) = of(0);
    let (rows, picture_of_parts, gradients_of_parts, statistics_of_parts) = of(512 << 10);
    assert_eq!(rows, 6240);
    assert!(picture == picture_of_parts && statistics == statistics_of_parts);
    assert!(gradients == gradients_of_parts);
    assert!(gradients.sh[48 * rows..].iter().any(|v| *v != 0.0), "the second part shows nothing");
}

/// The gradients of the pixels with respect to the projected mean of splat `i`.
fn of_center(model: &Model, i: usize, camera: &Camera, settings: &RenderSettings) -> Vec<DVec2> {
    const STEP: f64 = 1e-6;
    let at = |offset: DVec2| by_pixel(&render_moved(model, i, offset, camera, settings));
    let [x, y] = [DVec2::X, DVec2::Y].map(|axis| [at(STEP * axis), at(-STEP * axis)]);
    let difference = |[after, before]: &[Vec<f64>; 2], p: usize| (after[p] - before[p]) / (2.0 * STEP);
    (0..x[0].len()).map(|p| DVec2::new(difference(&x, p), difference(&y, p))).collect()
}

#[test]
fn statistics_of_growth_are_those_of_the_definition() {
    let (camera, model) = (camera(), model(5));
    let settings =
        RenderSettings { background: [0.3, 0.1, 0.6], sh_degree: 1, antialiased: false, style: Style::default() };
    let half = 0.5 * DVec2::new(f64::from(camera.width), f64::from(camera.height));
    let by_pixel: Vec<_> = (0..model[3].len()).map(|i| of_center(&model, i, &camera, &settings)).collect();
    let together = by_pixel.iter().map(|v| (v.iter().sum::<DVec2>() * half).length());
    let apart = by_pixel.iter().map(|v| v.iter().map(|v| v.length()).sum::<f64>() * half.max_element());
    let cases = [(false, together.collect::<Vec<_>>()), (true, apart.collect())];
    assert!(cases[1].1.iter().zip(&cases[0].1).any(|(apart, together)| *apart > 3.0 * together), "nothing cancels");
    for gpu in Gpu::every_layout() {
        for (absgrad, expected) in &cases {
            for deterministic in [false, true] {
                let options = GradientOptions { deterministic, absgrad: *absgrad };
                let (_, found) = device_gradients(&gpu, &splats(&model), &camera, &settings, options);
                let scale = expected.iter().fold(0.0f64, |m, v| m.max(*v));
                for (i, ([found, views], expected)) in found.iter().zip(expected).enumerate() {
                    let error = (f64::from(*found) - expected).abs() / scale;
                    assert!(error < 1e-3, "splat {i}: {found} instead of {expected}, {options:?}");
                    assert!(*views == 1.0 || *expected == 0.0, "splat {i} is seen in {views} views");
                }
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
            let options = GradientOptions { deterministic, absgrad: true };
            let (v, statistics) = device_gradients(&gpu, &splats(&model), &camera(), &settings, options);
            assert_eq!(v, splats(&zero));
            assert!(statistics.iter().all(|statistic| *statistic == [0.0; 2]));
        }
    }
}
