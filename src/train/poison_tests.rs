//! Splats with values that nothing can be drawn of, or hardly anything: in each slot, forward and backward.

use super::Backward;
use crate::gpu::{Choice, Gpu, Mask, Recorder};
use crate::splat::reference::{Model, WIDTHS, camera, cloud, splats};
use crate::splat::{RenderSettings, Renderer, Splats, Style, Tensors, Workspace, plane_len};

const POISON: [f32; 22] = [
    f32::NAN,
    -f32::NAN,
    f32::INFINITY,
    f32::NEG_INFINITY,
    f32::MAX,
    f32::MIN,
    f32::MIN_POSITIVE,
    -f32::MIN_POSITIVE,
    1e-45,
    -1e-45,
    0.0,
    -0.0,
    f32::EPSILON,
    1e10,
    -1e10,
    1e19,
    -1e19,
    1e30,
    -1e30,
    44.0,
    -88.0,
    89.0,
];
/// Splats of the model, and the one that is poisoned.
const SPLATS: usize = 12;
const VICTIM: usize = 5;

/// Whether a splat with this value there must not be drawn.
fn is_undrawable(tensor: usize, value: f32) -> bool {
    match tensor {
        // A size of zero and an opacity of one are limits that can be drawn.
        2 => value.is_nan() || value == f32::INFINITY,
        3 => value.is_nan() || value == f32::NEG_INFINITY,
        _ => !value.is_finite(),
    }
}

struct Device {
    gpu: Gpu,
    renderer: Renderer,
    backward: Backward,
    work: Option<Workspace>,
}

impl Device {
    fn new(mask: Mask, deterministic: bool) -> Self {
        let gpu = Gpu::open(&Choice::Best, mask).unwrap();
        let (renderer, backward) = match deterministic {
            true => (Renderer::deterministic(&gpu).unwrap(), Backward::deterministic(&gpu).unwrap()),
            false => (Renderer::new(&gpu).unwrap(), Backward::new(&gpu).unwrap()),
        };
        Self { renderer, backward, work: None, gpu }
    }

    /// The picture, which is finite or this fails, and the gradients for a smooth gradient of the picture.
    fn run(&mut self, model: &Splats, antialiased: bool) -> (Vec<[f32; 3]>, Splats) {
        let Self { gpu, renderer, backward, work } = self;
        let camera = camera();
        let settings =
            RenderSettings { background: [0.3, 0.1, 0.6], sh_degree: 3, antialiased, style: Style::default() };
        let tensors = Tensors::from_splats(gpu, model, 0).unwrap();
        let picture = renderer.render_image(gpu, &tensors, &camera, &settings, work).unwrap().image.pixels;
        let (Some(work), size) = (work, [camera.width, camera.height]) else { panic!("no workspace") };
        let v_image: Vec<f32> = (0..4 * plane_len(size[0], size[1])).map(|i| (i as f32 * 0.37).sin()).collect();
        let v_image = gpu.upload("v_image", &v_image).unwrap();
        let gradients = backward.gradients(gpu, tensors.count, 3).unwrap();
        let mut recorder = Recorder::new(gpu);
        backward.record(&mut recorder, &tensors, size, work, &v_image, &gradients);
        recorder.submit();
        gpu.check().unwrap();
        let statistics = gpu.read(&gradients.densify_statistics).unwrap();
        assert!(statistics.as_flattened().iter().all(|v| v.is_finite()), "statistics");
        (picture, gradients.parameters.to_splats(gpu).unwrap())
    }
}

/// The gradients of all splats but the victim, and of the victim.
fn parts(v: &Splats) -> (Vec<f32>, Vec<f32>) {
    let (mut others, mut victim) = (Vec::new(), Vec::new());
    for i in 0..v.len() {
        let to = if i == VICTIM { &mut victim } else { &mut others };
        to.extend(v.means[i].iter().chain(&v.quats[i]).chain(&v.log_scales[i]).chain(&v.logit_opacities[i..=i]));
        to.extend(&v.sh[48 * i..48 * (i + 1)]);
    }
    (others, victim)
}

fn check(mask: Mask, deterministic: bool, antialiased: &[bool]) {
    let mut device = Device::new(mask, deterministic);
    let sound: Model = cloud(SPLATS, 4);
    let mut without = sound.clone();
    without[3][VICTIM] = -50.0;
    for antialiased in antialiased.iter().copied() {
        let (bare, v_bare) = device.run(&splats(&without), antialiased);
        let (others_bare, _) = parts(&v_bare);
        let scale = others_bare.iter().fold(0.0f32, |m, v| m.max(v.abs()));
        for (tensor, width) in WIDTHS.into_iter().enumerate() {
            // The last value of the row, and all of it: of quaternions, zeros then have no direction.
            let last = VICTIM * width + width - 1;
            for (places, value) in POISON.iter().flat_map(|v| [(last..last + 1, *v), (VICTIM * width..last + 1, *v)]) {
                let mut model = sound.clone();
                model[tensor][places.clone()].fill(f64::from(value));
                let (picture, v) = device.run(&splats(&model), antialiased);
                let what = format!("{value:e} in {places:?} of tensor {tensor}, {mask:?}, antialiased {antialiased}");
                let (others, victim) = parts(&v);
                assert!(others.iter().chain(&victim).all(|v| v.is_finite()), "a gradient is not finite: {what}");
                if is_undrawable(tensor, value) {
                    assert!(picture == bare, "it shows: {what}");
                    assert!(victim.iter().all(|v| *v == 0.0), "it has a gradient: {what}");
                    let error = others.iter().zip(&others_bare).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                    assert!(error <= 1e-5 * scale, "gradients of others differ by {error} of {scale}: {what}");
                }
            }
        }
    }
}

#[test]
fn poisoned_splats_are_left_out_and_all_gradients_are_finite() {
    check(Mask::default(), false, &[false, true]);
}

#[test]
fn poisoned_splats_without_optional_features() {
    check(Mask::ALL, false, &[true]);
    check(Mask { float_atomics: true, ..Mask::default() }, false, &[false]);
}

#[test]
fn poisoned_splats_in_a_deterministic_training() {
    check(Mask::default(), true, &[false]);
}
