use super::super::{Config, Densifier, Strategy};
use super::twin::{normal, rotation, sigmoid};
use super::{open, random_splats};
use crate::gpu::Recorder;
use crate::splat::Tensors;
use glam::{Mat3, Vec3};
use rand::{SeedableRng, rngs::StdRng};

#[test]
fn reset_cuts_opacities_and_their_moments() {
    let gpu = open();
    let mut rng = StdRng::seed_from_u64(1);
    let before = [(); 3].map(|()| random_splats(&mut rng, 77, 1));
    let [params, m, v] = before.each_ref().map(|splats| Tensors::from_splats(&gpu, splats, 90).unwrap());
    let densifier = Densifier::new(&gpu, &Config::default()).unwrap();
    let mut recorder = Recorder::new(&gpu);
    densifier.record_reset(&mut recorder, &params, &m, &v);
    recorder.submit();
    let after = [&params, &m, &v].map(|tensors| tensors.to_splats(&gpu).unwrap());
    for (was, is) in before[0].logit_opacities.iter().zip(&after[0].logit_opacities) {
        assert!(is == was || (*was > *is && (sigmoid(*is) - 0.01).abs() < 1e-6), "{was} became {is}");
        assert!(sigmoid(*is) < 0.010_001);
    }
    for moments in &after[1..] {
        assert!(moments.logit_opacities.iter().all(|x| *x == 0.0));
    }
    assert_eq!(after[0].means, before[0].means);
    assert_eq!(after[1].means, before[1].means);
}

#[test]
fn regularizers_add_the_gradient_of_the_means() {
    let gpu = open();
    let mut rng = StdRng::seed_from_u64(2);
    let [splats, had] = [(); 2].map(|()| random_splats(&mut rng, 131, 0));
    let params = Tensors::from_splats(&gpu, &splats, 140).unwrap();
    let gradients = Tensors::from_splats(&gpu, &had, 140).unwrap();
    let densifier = Densifier::new(&gpu, &Config::default()).unwrap();
    let (opacity_weight, scale_weight) = (0.7, 1.3);
    let mut recorder = Recorder::new(&gpu);
    densifier.record_regularizers(&gpu, &mut recorder, &params, &gradients, opacity_weight, scale_weight);
    recorder.submit();
    let found = gradients.to_splats(&gpu).unwrap();
    assert_eq!(found.means, had.means);
    // Central differences of the weighted means, in f64.
    let h = 1e-4f64;
    let slope = |f: &dyn Fn(f64) -> f64, x: f32| (f(f64::from(x) + h) - f(f64::from(x) - h)) / (2.0 * h);
    for i in 0..131 {
        let opacity = |x: f64| f64::from(opacity_weight) / 131.0 / (1.0 + (-x).exp());
        let expected = f64::from(had.logit_opacities[i]) + slope(&opacity, splats.logit_opacities[i]);
        assert!((f64::from(found.logit_opacities[i]) - expected).abs() < 1e-6);
        for axis in 0..3 {
            let scale = |x: f64| f64::from(scale_weight) / 393.0 * x.exp();
            let expected = f64::from(had.log_scales[i][axis]) + slope(&scale, splats.log_scales[i][axis]);
            assert!((f64::from(found.log_scales[i][axis]) - expected).abs() < 2e-6);
        }
    }
}

#[test]
fn noise_follows_covariance_opacity_and_seed() {
    const STREAM: u32 = 0x2545_f491;
    let gpu = open();
    let mut splats = random_splats(&mut StdRng::seed_from_u64(3), 150, 0);
    // Of absurd size: stays where it is.
    splats.log_scales[7] = [80.0; 3];
    let (lr, step, seed) = (1e-4, 17, 0xfeed_0000_0001);
    let run = |strategy, seed| {
        let params = Tensors::from_splats(&gpu, &splats, 160).unwrap();
        let densifier = Densifier::new(&gpu, &Config { strategy, ..Config::default() }).unwrap();
        let mut recorder = Recorder::new(&gpu);
        densifier.record_noise(&gpu, &mut recorder, &params, lr, step, seed);
        recorder.submit();
        params.to_splats(&gpu).unwrap()
    };
    let found = run(Strategy::Mcmc, seed);
    assert!(found == run(Strategy::Mcmc, seed) && found != run(Strategy::Mcmc, seed + 1));
    assert!(run(Strategy::Default, seed) == splats);
    for i in 0..150 {
        let scaled = rotation(splats.quats[i]) * Mat3::from_diagonal(Vec3::from(splats.log_scales[i].map(f32::exp)));
        let gate = sigmoid(-100.0 * (sigmoid(splats.logit_opacities[i]) - 0.005));
        let offset = scaled * scaled.transpose() * normal(i, step, seed, STREAM) * (5e5 * lr * gate);
        let offset = if i == 7 { Vec3::ZERO } else { offset };
        let error = Vec3::from(found.means[i]) - (Vec3::from(splats.means[i]) + offset);
        assert!(error.length() <= 1e-5 * (1.0 + offset.length()), "splat {i}: {error} of {offset}");
    }
}
