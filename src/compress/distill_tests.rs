//! One model for the pictures of several.

use super::between;
use super::distill::{Cameras, Distillation, distill};
use super::tests::{cameras, gpu};
use super::views::ViewRenderer;
use crate::error::Error;
use crate::progress::{Silent, Stop};
use crate::splat::reference::{cloud, splats};
use crate::splat::{Splats, Tensors};

const HOW: Distillation = Distillation { antialiased: false, deterministic: false, steps: 1 };

/// One cloud, three times with other errors.
fn models() -> Vec<Splats> {
    let truth = splats(&cloud(60, 4));
    let off = |seed: u64| {
        let mut model = truth.clone();
        let noise = |at: usize| crate::random::uniform(seed, 1, at as u64) as f32 - 0.5;
        model.means.as_flattened_mut().iter_mut().enumerate().for_each(|(at, mean)| *mean += 0.12 * noise(at));
        model.sh.iter_mut().enumerate().for_each(|(at, value)| *value += 0.4 * noise(7 * at + 3));
        model
    };
    (1..=3).map(off).collect()
}

#[test]
fn one_model_comes_closer_to_the_mean_than_any_of_those_it_is_the_mean_of() {
    let (gpu, models, quiet) = (gpu(), models(), Silent::default());
    let views = Cameras { needed: cameras(), between: between(&cameras()) };
    let made = |steps: u32, deterministic: bool| {
        distill(&gpu, &models, views.clone(), Distillation { steps, deterministic, ..HOW }, &quiet).unwrap()
    };
    let distilled = made(150, false);
    assert_eq!((distilled.splats.len(), distilled.views), (60, views.needed.len() + views.between.len()));
    assert!(distilled.psnr > distilled.psnr_before + 3.0, "{} dB of {}", distilled.psnr, distilled.psnr_before);
    // In views that it was not fitted to, against pictures made in another way.
    let mut renderer = ViewRenderer::new(&gpu, false).unwrap();
    let (mut single, mut one) = ([0.0; 3], 0.0);
    for camera in between(&between(&cameras())) {
        let mut picture = |splats: &Splats| {
            let model = Tensors::from_splats(&gpu, splats, 0).unwrap();
            renderer.picture(&model, &camera).unwrap()
        };
        let pictures: Vec<_> = models.iter().map(&mut picture).collect();
        let shown = picture(&distilled.splats);
        let error = |picture: &crate::capture::Image| -> f64 {
            let mean = |at: usize, channel: usize| {
                pictures.iter().map(|picture| picture.pixels[at][channel].clamp(0.0, 1.0)).sum::<f32>() / 3.0
            };
            let of = |at: usize, channel: usize| f64::from(picture.pixels[at][channel] - mean(at, channel)).powi(2);
            (0..picture.pixels.len())
                .flat_map(|at| (0..3).map(move |channel| (at, channel)))
                .map(|(a, c)| of(a, c))
                .sum()
        };
        one += error(&shown);
        single.iter_mut().zip(&pictures).for_each(|(sum, picture)| *sum += error(picture));
    }
    assert!(single.iter().all(|single| one < 0.7 * single), "{one} of {single:?}");
    assert_eq!(made(9, true).splats, made(9, true).splats, "the same bytes every time");
    assert_eq!(made(0, false).splats, models[0]);
}

#[test]
fn nothing_is_distilled_of_nothing_and_a_stop_is_a_stop() {
    let (gpu, models, quiet) = (gpu(), models(), Silent::default());
    let views = Cameras { needed: cameras(), between: Vec::new() };
    let none = distill(&gpu, &[], views.clone(), HOW, &quiet).err().unwrap();
    assert!(matches!(none, Error::Setting { .. }), "{none}");
    let dark = distill(&gpu, &models, Cameras::default(), HOW, &quiet).err().unwrap();
    assert!(matches!(&dark, Error::Setting { setting, .. } if setting == "cameras"), "{dark}");
    let stop = Stop::default();
    stop.request();
    let stopped = distill(&gpu, &models, views, HOW, &Silent(stop)).err().unwrap();
    assert!(matches!(stopped, Error::Interrupted(_)), "{stopped}");
}
