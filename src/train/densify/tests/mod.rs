mod adjust;
mod default;
mod mcmc;
mod twin;

use super::{Config, Counts, Densifier, State};
use crate::gpu::{Choice, Gpu, Mask};
use crate::splat::{Splats, Tensors};
use rand::{Rng, RngExt, SeedableRng, rngs::StdRng};
use twin::Model;

fn open() -> Gpu {
    Gpu::open(&Choice::Best, Mask::default()).unwrap()
}

/// With bands of SH degree 3 in parts of so many rows.
fn open_with_parts_of(rows: u64) -> Gpu {
    Gpu::open(&Choice::Best, Mask { buffer_bytes: 84 * rows, ..Mask::default() }).unwrap()
}

/// Random splats: log scales −7…−1, logit opacities −8…4.
fn random_splats(rng: &mut impl Rng, count: usize, sh_degree: u32) -> Splats {
    let mut splats = Splats { sh_degree, ..Splats::default() };
    for _ in 0..count {
        splats.means.push(std::array::from_fn(|_| rng.random_range(-2.0..2.0)));
        splats.quats.push(std::array::from_fn(|_| rng.random_range(0.1..1.0)));
        splats.log_scales.push(std::array::from_fn(|_| rng.random_range(-7.0..-1.0)));
        splats.logit_opacities.push(rng.random_range(-8.0..4.0));
        splats.sh.extend((0..3 * Splats::coefficients(sh_degree)).map(|_| rng.random_range(-1.0f32..1.0)));
    }
    splats
}

/// A model with statistics around the gradient threshold; every tenth splat was never seen.
fn random_model(count: usize, sh_degree: u32) -> (Model, Vec<[f32; 2]>) {
    let mut rng = StdRng::seed_from_u64(count as u64);
    let mut splats = || random_splats(&mut rng, count, sh_degree);
    let model = Model { params: splats(), m: splats(), v: splats() };
    let mut statistic = |i: usize| match i % 10 {
        0 => [0.0, 0.0],
        _ => [rng.random_range(0.0..6e-4) * (i % 10) as f32, (i % 10) as f32],
    };
    let statistics = (0..count).map(&mut statistic).collect();
    (model, statistics)
}

/// Runs on the device: schedule is (step, seed, scene scale).
fn run_on_device(
    gpu: &Gpu,
    model: &Model,
    statistics: &[[f32; 2]],
    config: &Config,
    (step, seed, scene_scale): (u32, u64, f32),
) -> (Model, Counts, usize) {
    let upload = |splats: &Splats| Tensors::from_splats(gpu, splats, splats.len() + 3).unwrap();
    let (mut params, mut m, mut v) = (upload(&model.params), upload(&model.m), upload(&model.v));
    let statistics = gpu.upload("statistics", statistics).unwrap();
    let mut densifier = Densifier::new(gpu, config).unwrap();
    let state = State { params: &mut params, m: &mut m, v: &mut v };
    let counts = densifier.run(gpu, state, &statistics, step, seed, scene_scale).unwrap();
    assert_eq!(
        [m.count, v.count, m.capacity, v.capacity],
        [params.count, params.count, params.capacity, params.capacity]
    );
    let [params_back, m, v] = [&params, &m, &v].map(|tensors| tensors.to_splats(gpu).unwrap());
    gpu.check().unwrap();
    (Model { params: params_back, m, v }, counts, params.capacity)
}

fn assert_close(found: &[[f32; 3]], expected: &[[f32; 3]], tolerance: f32) {
    assert_eq!(found.len(), expected.len());
    for (i, (a, b)) in found.iter().zip(expected).enumerate() {
        for (a, b) in a.iter().zip(b) {
            assert!((a - b).abs() <= tolerance * b.abs().max(1.0), "row {i}: {a} instead of {b}");
        }
    }
}
