//! Scores against renders by definition, from which one splat after the other is taken.

use super::overlap::Pairs;
use super::score::{Score, Scorer, most_important};
use super::views::{Goals, ViewRenderer};
use crate::gpu::Gpu;
use crate::progress::Silent;
use crate::splat::reference::{Dense, Model, WIDTHS, camera, cloud, render, splats};
use crate::splat::{RenderSettings, Style, TILE, Tensors, plane_len, tiles};
use glam::{DMat4, DVec3};

pub(super) fn settings(antialiased: bool) -> RenderSettings {
    RenderSettings { background: [0.0; 3], sh_degree: 3, antialiased, style: Style::default() }
}

pub(super) fn without(model: &Model, splat: usize) -> Model {
    let mut rest = model.clone();
    for (values, width) in rest.iter_mut().zip(WIDTHS) {
        values.drain(splat * width..(splat + 1) * width);
    }
    rest
}

/// Squared error of four channels, the fourth of them how much of the background shows.
pub(super) fn error(found: &Dense, goal: &Dense) -> f64 {
    let color = found.image.as_flattened().iter().zip(goal.image.as_flattened());
    color.chain(found.alpha.iter().zip(&goal.alpha)).map(|(a, b)| (a - b).powi(2)).sum()
}

pub(super) fn planes(view: &Dense) -> Vec<f32> {
    let camera = camera();
    let (plane, pitch) =
        (plane_len(camera.width, camera.height), (tiles(camera.width, camera.height)[0] * TILE) as usize);
    let mut planes = vec![0.25f32; 4 * plane];
    for (i, (color, alpha)) in view.image.iter().zip(&view.alpha).enumerate() {
        let at = i / camera.width as usize * pitch + i % camera.width as usize;
        (0..3).for_each(|c| planes[c * plane + at] = color[c] as f32);
        planes[3 * plane + at] = 1.0 - *alpha as f32;
    }
    planes
}

fn scores(gpu: &Gpu, model: &Model, goal: &Dense, antialiased: bool) -> Vec<Score> {
    let tensors = Tensors::from_splats(gpu, &splats(model), 0).unwrap();
    let planes = gpu.upload("goal", &planes(goal)).unwrap();
    let goals = Goals { cameras: vec![camera()], planes: vec![planes], extent: 1.0 };
    let mut renderer = ViewRenderer::new(gpu, antialiased).unwrap();
    let pairs = Pairs::of(&splats(model));
    Scorer::new(gpu, 0.0).unwrap().score(&mut renderer, &tensors, &goals, pairs, &Silent::default()).unwrap().0
}

#[test]
fn what_a_removal_changes_is_exact() {
    for (seed, antialiased, of_itself) in [(1, false, true), (2, true, false), (3, false, false)] {
        let (model, settings) = (cloud(12, seed), settings(antialiased));
        let whole = render(&model, &camera(), &settings);
        let goal =
            if of_itself { render(&model, &camera(), &settings) } else { render(&cloud(9, 8), &camera(), &settings) };
        let before = error(&whole, &goal);
        let expected: Vec<f64> =
            (0..12).map(|i| error(&render(&without(&model, i), &camera(), &settings), &goal) - before).collect();
        let scale = expected.iter().fold(0.0f64, |most, value| most.max(value.abs()));
        assert!(scale > 1.0, "{expected:?}");
        for gpu in Gpu::every_layout() {
            for (i, (score, expected)) in scores(&gpu, &model, &goal, antialiased).iter().zip(&expected).enumerate() {
                let error = (f64::from(score.change) - expected).abs() / scale;
                assert!(error < 2e-4, "splat {i} of {seed}: {} instead of {expected}", score.change);
                assert_eq!((score.position, score.size), (0.0, 0.0), "what does not count is not summed");
            }
        }
    }
}

/// A round splat before the camera, whose footprint is known: standard deviation² = (s f / z)² + 0.3.
#[test]
fn second_order_sums_are_those_of_its_footprint() {
    let mut model = cloud(1, 1);
    let (depth, log_scale, logit) = (4.0, -1.5, 0.4);
    let center = DVec3::new(0.3, -0.2, depth);
    let mut camera = camera();
    camera.viewmat = DMat4::IDENTITY;
    (camera.fx, camera.fy) = (30.0, 30.0);
    model[0] = center.to_array().to_vec();
    // On the axis the footprint of a round splat is round.
    model[0][..2].fill(0.0);
    model[2].fill(log_scale);
    model[3].fill(logit);
    model[4].fill(0.0);
    let variance = (f64::exp(log_scale) * 30.0 / depth).powi(2) + 0.3;
    let opacity = 1.0 / (1.0 + f64::exp(-logit));
    let mut expected = [0.0; 4];
    for y in 0..camera.height {
        for x in 0..camera.width {
            let d = DVec3::new(f64::from(x) + 0.5 - camera.cx, f64::from(y) + 0.5 - camera.cy, 0.0);
            let q = d.length_squared() / variance;
            let alpha = opacity * (-0.5 * q).exp();
            if alpha >= 1.0 / 255.0 {
                // Gray of 0.5 goes, and as much of a background that was not seen comes.
                let square = 3.0 * (0.5 * alpha).powi(2) + alpha * alpha;
                [square, square * q, square * q * q, alpha].iter().zip(&mut expected).for_each(|(v, sum)| *sum += v);
            }
        }
    }
    for gpu in Gpu::every_layout() {
        let tensors = Tensors::from_splats(&gpu, &splats(&model), 0).unwrap();
        let mut renderer = ViewRenderer::new(&gpu, false).unwrap();
        let goals = Goals::render(&mut renderer, &tensors, vec![camera.clone()], &Silent::default()).unwrap();
        let pairs = Pairs::of(&splats(&model));
        let found = Scorer::new(&gpu, 1.0).unwrap().score(&mut renderer, &tensors, &goals, pairs, &Silent::default());
        let found = found.unwrap().0[0];
        let found = [found.change, found.position, found.size, found.weight].map(f64::from);
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-3 * expected, "{found} instead of {expected}");
        }
    }
}

#[test]
fn ranks_are_by_importance_then_by_index() {
    let score = |change: f32, size: f32| Score { change, size, ..Score::default() };
    let scores = [score(1.0, 0.0), score(-2.0, 0.0), score(1.0, 0.0), score(0.5, 4.0)];
    assert_eq!(most_important(&scores, 0.0, 2), [0, 2]);
    assert_eq!(most_important(&scores, 0.0, 1), [0]);
    assert_eq!(most_important(&scores, 1.0, 1), [3]);
    assert_eq!(most_important(&scores, 0.0, 9), [0, 1, 2, 3]);
}
