//! Changes of pairs against renders by definition, from which two splats are taken.

use super::overlap::{Grid, NEIGHBORS, Pairs};
use super::score_tests::{error, planes, settings, without};
use super::views::{Goals, ViewRenderer};
use crate::gpu::{Choice, Gpu, Mask};
use crate::progress::Silent;
use crate::splat::Tensors;
use crate::splat::reference::{camera, cloud, render, splats};

#[test]
fn what_two_removals_change_together_is_exact() {
    let gpu = Gpu::open(&Choice::Best, Mask::default()).unwrap();
    for (seed, of_itself) in [(1, true), (3, false)] {
        let (model, settings) = (cloud(NEIGHBORS + 1, seed), settings(false));
        let shown = if of_itself { model.clone() } else { cloud(9, 8) };
        let goal = render(&shown, &camera(), &settings);
        let tensors = Tensors::from_splats(&gpu, &splats(&model), 0).unwrap();
        let planes = gpu.upload("goal", &planes(&goal)).unwrap();
        let goals = Goals { cameras: vec![camera()], planes: vec![planes], extent: 1.0 };
        let all = Grid { step: 1, views: 1 };
        assert_eq!(Grid::of(&goals.cameras), all, "all pixels of a small view are looked at");
        let mut renderer = ViewRenderer::new(&gpu, false).unwrap();
        let scorer = super::score::Scorer::new(&gpu, 1.0).unwrap();
        let pairs = Pairs::of(&splats(&model));
        let (scores, pairs) = scorer.score(&mut renderer, &tensors, &goals, pairs, &Silent::default()).unwrap();
        let before = error(&render(&model, &camera(), &settings), &goal);
        let found: Vec<_> = pairs.changes().collect();
        // So few are all neighbors of each other.
        assert_eq!(found.len(), NEIGHBORS * (NEIGHBORS + 1) / 2);
        let expected: Vec<f64> = found
            .iter()
            .map(|(i, j, _)| {
                let rest = without(&without(&model, *j), *i);
                let single = f64::from(scores[*i].change) + f64::from(scores[*j].change);
                error(&render(&rest, &camera(), &settings), &goal) - before - single
            })
            .collect();
        let scale = expected.iter().fold(0.0f64, |most, value| most.max(value.abs()));
        assert!(scale > 1.0, "{expected:?}");
        for ((i, j, found), expected) in found.iter().zip(&expected) {
            assert!((f64::from(*found) - expected).abs() < 1e-3 * scale, "{i} and {j}: {found} instead of {expected}");
        }
    }
}

/// Of many pixels those of a grid are looked at, and of very many those of some views.
#[test]
fn how_many_pixels_are_looked_at_is_bounded() {
    let of = |width: u32, count: usize| {
        let camera = camera().resized(width, width);
        Grid::of(&vec![camera; count])
    };
    assert_eq!(of(64, 30), Grid { step: 1, views: 1 });
    assert_eq!(of(512, 2), Grid { step: 2, views: 1 });
    assert_eq!(of(512, 8), Grid { step: 4, views: 1 });
    assert_eq!(of(512, 32), Grid { step: 4, views: 4 });
    assert_eq!(of(4096, 2), Grid { step: 4, views: 2 });
}
