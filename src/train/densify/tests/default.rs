use super::super::{Config, Densifier, Strategy};
use super::twin::{Model, default_strategy};
use super::{assert_close, open, open_with_parts_of, random_model, run_on_device};
use crate::gpu::Gpu;

const SCHEDULE: (u32, u64, f32) = (3100, 0x1234_5678_9abc_def0, 3.0);

/// Holds the device to the twin: all but the samples' positions and scales bit for bit.
fn check(gpu: &Gpu, model: &Model, statistics: &[[f32; 2]], config: &Config, schedule: (u32, u64, f32)) {
    let (mut found, counts, capacity) = run_on_device(gpu, model, statistics, config, schedule);
    let (expected, expected_counts) = default_strategy(model, statistics, config, schedule);
    assert_eq!(counts, expected_counts);
    assert!(capacity >= counts.after);
    assert_close(&found.params.means, &expected.params.means, 1e-5);
    assert_close(&found.params.log_scales, &expected.params.log_scales, 1e-6);
    found.params.means.clone_from(&expected.params.means);
    found.params.log_scales.clone_from(&expected.params.log_scales);
    assert!(found == expected, "other rows");
}

#[test]
fn equals_the_twin() {
    let gpu = open();
    for (count, sh_degree) in [(1, 0), (65, 1), (700, 2), (2500, 3)] {
        let (model, statistics) = random_model(count, sh_degree);
        for step in [600, 3100] {
            let schedule = (step, SCHEDULE.1, SCHEDULE.2);
            check(&gpu, &model, &statistics, &Config::default(), schedule);
        }
    }
}

#[test]
fn every_action_occurs_in_the_random_model() {
    let (model, statistics) = random_model(2500, 3);
    let (_, counts) = default_strategy(&model, &statistics, &Config::default(), SCHEDULE);
    assert!(counts.duplicated > 50 && counts.split > 50 && counts.pruned > 50, "{counts:?}");
}

#[test]
fn growth_ends_at_the_maximum_and_the_largest_gradients_win() {
    let gpu = open();
    let (model, statistics) = random_model(2500, 1);
    let (_, free) = default_strategy(&model, &statistics, &Config::default(), SCHEDULE);
    let left = free.after - free.duplicated - free.split;
    for max_splats in [free.after - 1, free.after, left + 70, left + 1, left, left - 100, 1] {
        let config = Config { max_splats: max_splats as u32, ..Config::default() };
        check(&gpu, &model, &statistics, &config, SCHEDULE);
    }
}

#[test]
fn gradual_growth_takes_the_largest_gradients_each_time() {
    let gpu = open();
    let (model, statistics) = random_model(2500, 1);
    let gradual = |growth_factor, max_splats| {
        let times = Config { start: 550, stop: 1500, every: 100, ..Config::default() };
        Config { strategy: Strategy::Gradual, growth_factor, max_splats, ..times }
    };
    for (factor, max_splats) in [(2.5, 1_000_000), (2.5, 2450), (1.0, 1_000_000), (1e12, 1_000_000)] {
        for step in [600, 1000, 1500] {
            check(&gpu, &model, &statistics, &gradual(factor, max_splats), (step, SCHEDULE.1, SCHEDULE.2));
        }
    }
    // Ten rounds, the first of which brings 1 − 0.9² of the growth.
    let config = gradual(2.0, 1_000_000);
    let (_, counts) = default_strategy(&model, &statistics, &config, (600, SCHEDULE.1, SCHEDULE.2));
    let left = counts.after - counts.duplicated - counts.split;
    assert!(left > 1000 && counts.after == (left as f64 * 1.19).round() as usize, "{counts:?}");
    let end = (600..=1500).step_by(100).fold(1000, |size, step| config.gradual_limit(size, step));
    assert!(usize::abs_diff(end, 2000) < 10, "{end}");
    assert!(!Densifier::new(&gpu, &config).unwrap().reset_due(config.reset_every));
}

#[test]
fn room_grows_with_the_model_up_to_the_maximum() {
    let gpu = open();
    let (model, mut statistics) = random_model(300, 0);
    statistics.fill([1.0, 1.0]);
    let run = |max_splats| {
        let config = Config { max_splats, prune_opacity: 0.0, prune_scale: 1e9, ..Config::default() };
        let (_, counts, capacity) = run_on_device(&gpu, &model, &statistics, &config, SCHEDULE);
        (counts.after, capacity)
    };
    assert_eq!(run(1_000_000), (600, 780));
    assert_eq!(run(650), (600, 650));
    assert_eq!(run(301), (301, 303));
}

#[test]
fn splats_that_are_not_finite_go() {
    let (mut model, statistics) = random_model(200, 3);
    model.params.means[3][1] = f32::NAN;
    model.params.quats[50][3] = f32::INFINITY;
    model.params.log_scales[64][0] = f32::NEG_INFINITY;
    model.params.logit_opacities[199] = f32::NAN;
    model.params.sh[48 * 120 + 47] = f32::NAN;
    for gpu in [open(), open_with_parts_of(96)] {
        check(&gpu, &model, &statistics, &Config::default(), SCHEDULE);
        let (found, counts, _) = run_on_device(&gpu, &model, &statistics, &Config::default(), SCHEDULE);
        assert_eq!(counts.non_finite, 5);
        assert!((0..found.params.len()).all(|i| super::twin::finite(&found.params, i)));
    }
}

#[test]
fn nan_statistics_grow_nothing() {
    let gpu = open();
    let (model, _) = random_model(100, 0);
    let (_, counts, _) = run_on_device(&gpu, &model, &[[f32::NAN, 1.0]; 100], &Config::default(), SCHEDULE);
    assert_eq!((counts.duplicated, counts.split), (0, 0));
}

#[test]
fn a_model_may_become_and_stay_empty() {
    let gpu = open();
    let (mut model, statistics) = random_model(130, 2);
    model.params.logit_opacities.fill(-20.0);
    let (empty, counts, capacity) = run_on_device(&gpu, &model, &statistics, &Config::default(), SCHEDULE);
    assert_eq!((counts.pruned, counts.after, empty.params.len(), capacity), (130, 0, 0, 133));
    let (still, counts, _) = run_on_device(&gpu, &empty, &[], &Config::default(), SCHEDULE);
    assert_eq!((counts.before, counts.after), (0, 0));
    assert!(still.params.is_empty());
}

#[test]
fn samples_follow_the_seed_and_the_gaussian() {
    let gpu = open();
    let (mut model, mut statistics) = random_model(1, 0);
    model.params.log_scales[0] = [-1.0, -2.0, -4.0];
    model.params.quats[0] = [0.5, 0.0, 0.0, 0.0];
    model.params.logit_opacities[0] = 0.0;
    let mut many = Model::empty(0);
    (0..2000).for_each(|_| many.push(&model, 0, true));
    statistics = vec![[1.0, 1.0]; 2000.max(statistics.len())];
    let run = |seed| run_on_device(&gpu, &many, &statistics, &Config::default(), (600, seed, 1.0)).0;
    let (a, again, b) = (run(7), run(7), run(8));
    assert!(a == again && a != b);
    assert_eq!(a.params.len(), 4000);
    for axis in 0..3 {
        let scale = model.params.log_scales[0][axis].exp();
        let offsets = a.params.means.iter().map(|mean| f64::from((mean[axis] - model.params.means[0][axis]) / scale));
        let (sum, squares) = offsets.fold((0.0, 0.0), |(s, q), x| (s + x, q + x * x));
        assert!((sum / 4000.0).abs() < 0.06, "axis {axis}: mean {}", sum / 4000.0);
        assert!((squares / 4000.0 - 1.0).abs() < 0.09, "axis {axis}: variance {}", squares / 4000.0);
    }
}

#[test]
fn nothing_happens_without_a_strategy() {
    let gpu = open();
    let (model, statistics) = random_model(50, 1);
    let config = Config { strategy: Strategy::None, ..Config::default() };
    let (same, counts, _) = run_on_device(&gpu, &model, &statistics, &config, SCHEDULE);
    assert!(same == model);
    assert_eq!((counts.before, counts.after), (50, 50));
}

#[test]
fn schedule() {
    let gpu = open();
    let new = |strategy| Densifier::new(&gpu, &Config { strategy, ..Config::default() }).unwrap();
    let default = new(Strategy::Default);
    let due: Vec<u32> = (0..20_000).filter(|&step| default.due(step)).collect();
    assert_eq!((due[0], due[1], due[due.len() - 1], due.len()), (600, 700, 15_000, 145));
    let resets: Vec<u32> = (0..20_000).filter(|&step| default.reset_due(step)).collect();
    assert_eq!(resets, [3000, 6000, 9000, 12_000]);
    let none = new(Strategy::None);
    assert!((0..20_000).all(|step| !none.due(step) && !none.reset_due(step)));
}

#[test]
fn bad_settings_are_refused() {
    let wrong = [
        Config { every: 0, ..Config::default() },
        Config { max_splats: 0, ..Config::default() },
        Config { prune_opacity: 1.0, ..Config::default() },
        Config { grad_threshold: f32::NAN, ..Config::default() },
        Config { growth_factor: 0.9, ..Config::default() },
    ];
    for config in wrong {
        let error = config.validate().unwrap_err().to_string();
        assert!(error.starts_with("train.densify."), "{error}");
    }
}
