//! The forward kernels against the render by definition.

use super::reference::{self, Model, camera, cloud, splats};
use super::{RenderSettings, Rendered, Renderer, Tensors};
use crate::capture::Camera;
use crate::gpu::{Choice, Gpu, Mask};

fn settings(sh_degree: u32, antialiased: bool) -> RenderSettings {
    RenderSettings { background: [0.1, 0.7, 0.4], sh_degree, antialiased }
}

fn device_render(gpu: &Gpu, model: &Model, camera: &Camera, settings: &RenderSettings) -> Rendered {
    let tensors = Tensors::from_splats(gpu, &splats(model), 0).unwrap();
    let renderer = Renderer::new(gpu).unwrap();
    let rendered = renderer.render_image(gpu, &tensors, camera, settings, &mut None).unwrap();
    gpu.check().unwrap();
    rendered
}

fn check(gpu: &Gpu, model: &Model, settings: &RenderSettings) {
    let found = device_render(gpu, model, &camera(), settings);
    let expected = reference::render(model, &camera(), settings);
    let image = expected.image.as_flattened().iter().zip(found.image.pixels.as_flattened());
    let alpha = expected.alpha.iter().zip(&found.alpha);
    let depth = expected.depth.iter().zip(&found.depth);
    let mut errors: Vec<f64> = image.chain(alpha).chain(depth).map(|(a, b)| (a - f64::from(*b)).abs()).collect();
    assert!(errors.iter().all(|e| e.is_finite()));
    errors.sort_by(f64::total_cmp);
    // A pixel at a threshold may fall on the other side of it in 32 bits.
    let nearly_all = errors[errors.len() - 1 - errors.len() / 200];
    let largest = errors[errors.len() - 1];
    assert!(nearly_all < 5e-5 && largest < 0.05, "{settings:?}: errors {nearly_all}, {largest}");
}

#[test]
fn images_follow_the_definition() {
    for mask in [Mask::default(), Mask::ALL] {
        let gpu = Gpu::open(&Choice::Best, mask).unwrap();
        for degree in 0..=3 {
            check(&gpu, &cloud(60, u64::from(degree)), &settings(degree, degree % 2 == 1));
        }
        check(&gpu, &cloud(3000, 7), &settings(3, false));
    }
}

#[test]
fn splats_that_cannot_be_drawn_change_nothing() {
    let gpu = Gpu::open(&Choice::Best, Mask::default()).unwrap();
    let clean = cloud(40, 11);
    let mut model = clean.clone();
    let poison = [
        (0, f64::NAN),
        (0, f64::INFINITY),
        (1, f64::NAN),
        (2, f64::NAN),
        (2, 300.0),
        (3, f64::NAN),
        (3, -20.0),
        (3, f64::NEG_INFINITY),
    ];
    for (tensor, value) in poison {
        let extra = cloud(1, 100);
        for (all, one) in model.iter_mut().zip(&extra) {
            all.extend(one);
        }
        if let Some(last) = model[tensor].last_mut() {
            *last = value;
        }
    }
    // Behind the camera, and just in front of it but before the near plane.
    for depth in [-1.0, 0.0, 0.005] {
        let place = camera().unproject(17.0, 12.0, 1.0) - camera().forward() * (1.0 - depth);
        let extra = cloud(1, 101);
        for (all, one) in model.iter_mut().zip(&extra) {
            all.extend(one);
        }
        let at = model[0].len() - 3;
        model[0][at..].copy_from_slice(&place.to_array());
    }
    let settings = settings(3, false);
    let [with, without] = [&model, &clean].map(|m| device_render(&gpu, m, &camera(), &settings));
    assert_eq!(with.image.pixels, without.image.pixels);
    assert_eq!(with.alpha, without.alpha);
    assert_eq!(with.visible, without.visible);
}

#[test]
fn without_splats_there_is_the_background() {
    for mask in [Mask::default(), Mask::ALL] {
        let gpu = Gpu::open(&Choice::Best, mask).unwrap();
        let mut behind = cloud(5, 3);
        for mean in behind[0].chunks_exact_mut(3) {
            mean.copy_from_slice(&(camera().center() - camera().forward() * 5.0).to_array());
        }
        for model in [cloud(0, 1), behind] {
            let found = device_render(&gpu, &model, &camera(), &settings(3, true));
            assert_eq!((found.visible, found.pairs), (0, 0));
            assert!(found.image.pixels.iter().all(|p| *p == [0.1, 0.7, 0.4]));
            assert!(found.alpha.iter().chain(&found.depth).all(|v| *v == 0.0));
        }
    }
}
