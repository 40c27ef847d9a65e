use super::super::mcmc::MAX_COPIES;
use super::super::{Config, Counts, Strategy};
use super::twin::{Model, pcg4d, sigmoid};
use super::{open, open_with_parts_of, random_model, run_on_device};

const SAMPLE_STREAM: u32 = 0x9e37_79b9;
const SCHEDULE: (u32, u64, f32) = (700, 0x0bad_cafe_1234_5678, 1.0);

fn config() -> Config {
    Config { strategy: Strategy::Mcmc, ..Config::default() }
}

/// New opacity and the factor on the scales, from the paper's double sum in f64.
fn relocation(opacity: f64, splats: u32) -> (f64, f64) {
    let splats = splats.min(MAX_COPIES);
    let share = 1.0 - (1.0 - opacity).powf(1.0 / f64::from(splats));
    let mut sum = 0.0;
    for i in 1..=splats {
        let mut binomial = 1.0;
        for k in 0..i {
            let sign = if k % 2 == 0 { 1.0 } else { -1.0 };
            sum += binomial * sign * share.powi(k as i32 + 1) / f64::from(k + 1).sqrt();
            binomial *= f64::from(i - 1 - k) / f64::from(k + 1);
        }
    }
    (share, opacity / sum)
}

/// How often each splat is drawn; the sampling of the device, with 64-bit products.
fn draws(model: &Model, count: usize, threshold: f32, (step, seed, _): (u32, u64, f32)) -> Vec<u32> {
    let one = u32::MAX / model.params.len() as u32;
    let weight = |logit: f32| {
        let opacity = sigmoid(logit);
        if opacity > threshold { ((opacity * one as f32) as u32).clamp(1, one) } else { 0 }
    };
    let mut sums = vec![0u32];
    sums.extend(model.params.logit_opacities.iter().scan(0, |sum, &logit| {
        *sum += weight(logit);
        Some(*sum)
    }));
    let total = u64::from(sums[sums.len() - 1]);
    let mut copies = vec![0; model.params.len()];
    for draw in 0..count {
        let bits = pcg4d([draw as u32, step, seed as u32, (seed >> 32) as u32 ^ SAMPLE_STREAM]);
        let at = ((u64::from(bits[0]) * total) >> 32) as u32;
        copies[sums.partition_point(|&sum| sum <= at) - 1] += 1;
    }
    copies
}

/// Groups the new splats by the splat they come from, which their unchanged means tell.
fn copies_of(old: &Model, new: &Model) -> Vec<Vec<usize>> {
    let mut copies = vec![Vec::new(); old.params.len()];
    let mut source = 0;
    for (i, mean) in new.params.means.iter().enumerate() {
        while old.params.means[source] != *mean {
            source += 1;
        }
        copies[source].push(i);
    }
    copies
}

/// Every new splat against its source: parameters, formula, moments.
fn check_rows(old: &Model, new: &Model, copies: &[Vec<usize>]) {
    for (source, rows) in copies.iter().enumerate() {
        let opacity = f64::from(sigmoid(old.params.logit_opacities[source]));
        let (share, factor) = relocation(opacity.min(0.999_999), rows.len() as u32);
        for &i in rows {
            let mut expected = Model::empty(old.params.sh_degree);
            expected.push(old, source, rows.len() == 1);
            let mut found = Model::empty(old.params.sh_degree);
            found.push(new, i, true);
            if rows.len() > 1 {
                let found_share = f64::from(sigmoid(found.params.logit_opacities[0]));
                let held = share.max(f64::from(config().prune_opacity));
                assert!((found_share / held - 1.0).abs() < 1e-4, "{found_share} of {opacity} in {}", rows.len());
                for axis in 0..3 {
                    let grown = found.params.log_scales[0][axis] - old.params.log_scales[source][axis];
                    let error = f64::from(grown) - factor.ln();
                    assert!(error.abs() < 2e-4, "scale × {} of {opacity} in {}: not {factor}", grown.exp(), rows.len());
                }
                found.params.logit_opacities.clone_from(&expected.params.logit_opacities);
                found.params.log_scales.clone_from(&expected.params.log_scales);
            }
            assert!(found == expected, "splat {i} of {source}");
        }
    }
}

#[test]
fn dead_splats_move_and_the_model_grows() {
    for (gpu, count, sh_degree) in [(open(), 40, 0), (open(), 1500, 3), (open_with_parts_of(800), 1500, 3)] {
        let (model, statistics) = random_model(count, sh_degree);
        let (new, counts, capacity) = run_on_device(&gpu, &model, &statistics, &config(), SCHEDULE);
        let dead = model.params.logit_opacities.iter().filter(|&&logit| sigmoid(logit) <= 0.005).count();
        let added = count / 20;
        let expected = Counts { before: count, after: count + added, relocated: dead, added, ..Counts::default() };
        assert_eq!(counts, expected);
        assert!(dead > 0 && capacity >= count + added);
        let copies = copies_of(&model, &new);
        check_rows(&model, &new, &copies);
        // A weight may round differently on the device and shift a draw to the neighbor.
        let expected = draws(&model, dead + added, 0.005, SCHEDULE);
        let off = |(rows, drawn): (&Vec<usize>, &u32)| (rows.len() as i64 - 1 - i64::from(*drawn)).unsigned_abs();
        let alive = copies.iter().zip(&expected).filter(|(rows, _)| !rows.is_empty());
        assert!(alive.map(off).sum::<u64>() <= 2 + count as u64 / 500);
    }
}

#[test]
fn relocation_formula_over_opacities_and_numbers() {
    let gpu = open();
    // One live splat and n − 1 dead ones: it becomes n.
    for splats in [2, 3, 10, 51, 80] {
        for opacity in [0.02f32, 0.3, 0.9, 0.999] {
            let (mut model, statistics) = random_model(splats, 0);
            model.params.logit_opacities.fill(-20.0);
            model.params.logit_opacities[splats / 2] = (opacity / (1.0 - opacity)).ln();
            let config = Config { grow: 0.0, ..config() };
            let (new, counts, _) = run_on_device(&gpu, &model, &statistics, &config, SCHEDULE);
            assert_eq!((counts.after, counts.relocated), (splats, splats - 1));
            let copies = copies_of(&model, &new);
            assert_eq!(copies[splats / 2].len(), splats);
            check_rows(&model, &new, &copies);
        }
    }
}

#[test]
fn sources_are_drawn_in_proportion_to_opacity() {
    let gpu = open();
    let (mut model, statistics) = random_model(12_000, 0);
    let opacities = [0.1f32, 0.2, 0.3, 0.6];
    for (i, logit) in model.params.logit_opacities.iter_mut().enumerate() {
        let opacity = opacities[i % 4];
        *logit = if i < 4000 { (opacity / (1.0 - opacity)).ln() } else { -20.0 };
    }
    let (new, counts, _) = run_on_device(&gpu, &model, &statistics, &config(), SCHEDULE);
    let copies = copies_of(&model, &new);
    let drawn = (counts.relocated + counts.added) as f64;
    for (class, opacity) in opacities.into_iter().enumerate() {
        let found: usize = copies[..4000].iter().skip(class).step_by(4).map(|rows| rows.len() - 1).sum();
        let p = f64::from(opacity) / 1.2;
        let deviation = (drawn * p * (1.0 - p)).sqrt();
        assert!((found as f64 - drawn * p).abs() < 4.0 * deviation, "{found} of {drawn} at {opacity}");
    }
    let (again, ..) = run_on_device(&gpu, &model, &statistics, &config(), SCHEDULE);
    let (other, ..) = run_on_device(&gpu, &model, &statistics, &config(), (700, 1, 1.0));
    assert!(again == new && other != new);
}

#[test]
fn growth_ends_at_the_maximum() {
    assert_eq!(config().mcmc_target(1000), 1050);
    assert_eq!(config().mcmc_target(19), 19);
    assert_eq!(Config { max_splats: 1020, ..config() }.mcmc_target(1000), 1020);
    assert_eq!(Config { max_splats: 10, ..config() }.mcmc_target(1000), 1000);
    let gpu = open();
    let (model, statistics) = random_model(1000, 1);
    for (max_splats, after) in [(1020, 1020), (1000, 1000), (1, 1000)] {
        let config = Config { max_splats, ..config() };
        let (new, counts, _) = run_on_device(&gpu, &model, &statistics, &config, SCHEDULE);
        assert_eq!((counts.after, new.params.len()), (after, after));
    }
}

#[test]
fn splats_that_are_not_finite_are_replaced() {
    let gpu = open();
    let (mut model, statistics) = random_model(100, 1);
    model.params.logit_opacities[5] = f32::NAN;
    model.params.means[6] = [f32::INFINITY; 3];
    let (new, counts, _) = run_on_device(&gpu, &model, &statistics, &config(), SCHEDULE);
    assert_eq!((counts.non_finite, counts.after), (2, 105));
    assert!((0..105).all(|i| super::twin::finite(&new.params, i)));
}

#[test]
fn without_a_live_splat_all_stay() {
    let gpu = open();
    let (mut model, statistics) = random_model(70, 1);
    model.params.logit_opacities.fill(-9.0);
    let (same, counts, _) = run_on_device(&gpu, &model, &statistics, &config(), SCHEDULE);
    assert!(same == model);
    assert_eq!((counts.after, counts.relocated, counts.added), (70, 0, 0));
    model.params.sh[12 * 3] = f32::NAN;
    let (new, counts, _) = run_on_device(&gpu, &model, &statistics, &config(), SCHEDULE);
    assert_eq!((counts.after, counts.non_finite, new.params.len()), (69, 1, 69));
    assert_eq!(new.params.means[3], model.params.means[4]);
}
