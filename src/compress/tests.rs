//! Compression of small clouds: counts, sizes and qualities that are asked for are met.

use super::views::{Goals, ViewRenderer};
use super::{Budget, Compressor, Config, Likeness, Outcome, Trial, to_budget};
use crate::Error;
use crate::capture::{Camera, SceneFrame, View};
use crate::gpu::{Choice, Gpu, Mask};
use crate::progress::Silent;
use crate::splat::reference::{cloud, splats};
use crate::splat::{Splats, Tensors, read, select};
use glam::{DMat4, DVec3};
use std::path::Path;

/// Cameras in an arc before the cloud.
pub(super) fn cameras() -> Vec<Camera> {
    let camera = |i: i32| {
        let viewmat = DMat4::from_rotation_translation(
            glam::DQuat::from_rotation_y(0.2 * f64::from(i)),
            DVec3::new(0.0, 0.0, 4.0),
        );
        Camera { width: 48, height: 40, fx: 50.0, fy: 50.0, cx: 24.0, cy: 20.0, viewmat, reduction: 1.0 }
    };
    (-2..=2).map(camera).collect()
}

pub(super) fn gpu() -> Gpu {
    Gpu::open(&Choice::Best, Mask::default()).unwrap()
}

fn compressor<'g>(gpu: &'g Gpu, splats: Splats, steps: u32) -> Compressor<'g> {
    let config = Config { steps, ..Config::default() };
    Compressor::new(gpu, splats, false, Likeness::Original(&cameras()), &config, &Silent::default()).unwrap()
}

fn trial(path: &Path) -> Trial<'_> {
    Trial { path, frame: SceneFrame::IDENTITY, antialiased: false }
}

fn run(compressor: &mut Compressor<'_>, budget: Budget, path: &Path) -> crate::Result<Outcome> {
    to_budget(compressor, budget, &trial(path), &Silent::default())
}

#[test]
fn a_number_is_met_exactly_and_the_fit_pays() {
    let gpu = gpu();
    let original = splats(&cloud(120, 4));
    let path = Path::new("/nonexistent/none.ply");
    let quality = |steps: u32| {
        let mut compressor = compressor(&gpu, original.clone(), steps);
        let part = compressor.to_count(40, 3, steps, &Silent::default()).unwrap();
        assert_eq!((part.len(), part.sh_degree), (40, 3));
        compressor.psnr(&part).unwrap()
    };
    let (removed, fitted) = (quality(0), quality(100));
    assert!(fitted > removed + 2.0, "{removed} dB, {fitted} dB after the fit");
    // Nothing is written for a budget of nothing.
    let nothing = run(&mut compressor(&gpu, original, 0), Budget::Splats(0), path).unwrap_err();
    assert!(matches!(&nothing, Error::Setting { setting, .. } if setting == "splats"), "{nothing}");
}

#[test]
fn a_removal_that_shows_counts_more_than_one_that_does_not() {
    let gpu = gpu();
    let mut original = splats(&cloud(30, 6));
    // One behind all cameras, one that is not opaque enough to be drawn.
    original.means[3] = [0.0, 0.0, -90.0];
    original.logit_opacities[11] = -12.0;
    let compressor = compressor(&gpu, original.clone(), 0);
    let seen = compressor.ranked(28, 3);
    let rest: Vec<usize> = (0..30).filter(|i| ![3, 11].contains(i)).collect();
    assert_eq!(seen, select(&original, &rest));
    assert_eq!(compressor.unseen(), 2);
}

#[test]
fn choices_know_of_splats_that_cover_for_each_other() {
    let gpu = gpu();
    let single = splats(&cloud(24, 9));
    // Every splat twice: of a pair the second hides the loss of the first.
    let mut original = single.clone();
    original.means.extend(&single.means);
    original.quats.extend(&single.quats);
    original.log_scales.extend(&single.log_scales);
    original.logit_opacities.extend(&single.logit_opacities);
    original.sh.extend(&single.sh);
    let config = Config { steps: 0, rounds: 1, ..Config::default() };
    let cameras = cameras();
    let likeness = Likeness::Original(&cameras);
    let mut compressor = Compressor::new(&gpu, original, false, likeness, &config, &Silent::default()).unwrap();
    let ranked = compressor.ranked(24, 3);
    let ranked = compressor.psnr(&ranked).unwrap();
    let chosen = compressor.to_count(24, 3, 0, &Silent::default()).unwrap();
    let chosen = compressor.psnr(&chosen).unwrap();
    assert!(chosen > ranked + 0.4, "{chosen} dB, {ranked} dB by rank");
}

#[test]
fn sizes_are_met_to_the_byte_in_each_format() {
    let (gpu, folder) = (gpu(), tempfile::tempdir().unwrap());
    let mut compressor = compressor(&gpu, splats(&cloud(150, 5)), 8);
    for (name, most) in [("a.spz", 4000), ("b.ply", 12_000), ("c.splat", 1000)] {
        let path = folder.path().join(name);
        let found = run(&mut compressor, Budget::Bytes(most), &path).unwrap();
        let bytes = trial(&path).bytes(&found.splats).unwrap();
        assert!(bytes <= most && bytes * 100 > most * 85, "{name}: {bytes} of {most}");
        assert!(!found.whole && found.splats.len() < 150);
        let whole = run(&mut compressor, Budget::Bytes(1 << 20), &path).unwrap();
        assert!(whole.whole && whole.splats.len() == 150, "{name}");
        let nothing = run(&mut compressor, Budget::Bytes(20), &path).unwrap_err().to_string();
        assert!(nothing.starts_with("size") && nothing.contains("give at least"), "{nothing}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "files on trial are gone");
}

/// A fit with harmonics would leave to them what the file then lacks.
#[test]
fn a_format_without_harmonics_is_fitted_without() {
    let (gpu, folder) = (gpu(), tempfile::tempdir().unwrap());
    let mut compressor = compressor(&gpu, splats(&cloud(90, 8)), 60);
    let path = folder.path().join("a.splat");
    for budget in [Budget::Splats(60), Budget::Bytes(32 * 60), Budget::Psnr(12.0)] {
        let found = run(&mut compressor, budget, &path).unwrap();
        assert_eq!((found.whole, found.splats.sh_degree), (false, 0), "{budget:?}");
    }
    let without = run(&mut compressor, Budget::Splats(60), &path).unwrap().psnr;
    let with = compressor.to_count(60, 3, 60, &Silent::default()).unwrap();
    let with = trial(&path).decoded(&with).unwrap();
    let with = compressor.psnr(&with).unwrap();
    assert!(without > with + 0.3, "{without} dB, {with} dB with harmonics that are then lost");
}

#[test]
fn a_psnr_is_met_with_few_splats_or_refused_with_what_can_be() {
    let (gpu, folder) = (gpu(), tempfile::tempdir().unwrap());
    let mut compressor = compressor(&gpu, splats(&cloud(100, 7)), 40);
    let path = folder.path().join("a.ply");
    let found = run(&mut compressor, Budget::Psnr(26.0), &path).unwrap();
    assert!(found.psnr >= 26.0 && found.splats.len() < 90, "{} dB, {}", found.psnr, found.splats.len());
    let all = run(&mut compressor, Budget::Psnr(99.0), &path).unwrap();
    assert!(all.psnr >= 99.0, "{} dB", all.psnr);
    let coarse = folder.path().join("a.splat");
    let refused = run(&mut compressor, Budget::Psnr(95.0), &coarse).unwrap_err().to_string();
    assert!(refused.starts_with("psnr: 95 dB cannot be met: all splats have"), "{refused}");
    // What is read back is what was measured.
    let export = crate::splat::write::Export { splats: &found.splats, frame: SceneFrame::IDENTITY, antialiased: false };
    crate::splat::write::write(&path, &export).unwrap();
    let again = compressor.psnr(&read(&path).unwrap()).unwrap();
    assert!((again - found.psnr).abs() < 1e-9, "{again} dB");
}

/// Photographs of `splats` in PNG files, as a run leaves them; of the first the left half is hidden.
fn photographs(gpu: &Gpu, splats: &Splats, folder: &Path) -> Vec<View> {
    let model = Tensors::from_splats(gpu, splats, 0).unwrap();
    let mut renderer = ViewRenderer::new(gpu, false).unwrap();
    let view = |(at, camera): (usize, Camera)| {
        let path = folder.join(format!("{at}.png"));
        renderer.picture(&model, &camera).unwrap().to_rgb8().save(&path).unwrap();
        let name = path.display().to_string();
        let mask = (at == 0).then(|| {
            let path = folder.join("mask.png");
            let half = image::GrayImage::from_fn(48, 40, |x, _| image::Luma([if x < 24 { 0 } else { 255 }]));
            half.save(&path).unwrap();
            crate::capture::Mask { file: Some(path), ..Default::default() }
        });
        View { name, image: Some(path), camera, lens: None, mask, gain: None, shots: Vec::new() }
    };
    cameras().into_iter().enumerate().map(view).collect()
}

#[test]
fn photographs_correct_what_the_original_shows_where_they_are_not_hidden() {
    let (gpu, folder) = (gpu(), tempfile::tempdir().unwrap());
    let truth = splats(&cloud(60, 4));
    let views = photographs(&gpu, &truth, folder.path());
    // The original is the truth with colors that are off.
    let mut original = truth.clone();
    original.sh.chunks_exact_mut(48).for_each(|sh| sh[0] += 0.4);
    let config = Config { steps: 200, ..Config::default() };
    let likeness = Likeness::Photographs(&views);
    let mut compressor = Compressor::new(&gpu, original.clone(), false, likeness, &config, &Silent::default()).unwrap();
    assert!(compressor.withholds() && compressor.views() == 1);
    let before = compressor.psnr(&original).unwrap();
    let part = compressor.to_count(50, 3, 200, &Silent::default()).unwrap();
    let after = compressor.psnr(&part).unwrap();
    assert!(part.len() == 50 && after > before + 3.0, "{before} dB, {after} dB with the photographs");

    let mut renderer = ViewRenderer::new(&gpu, false).unwrap();
    let model = Tensors::from_splats(&gpu, &original, 0).unwrap();
    let goals = Goals::photographs(&mut renderer, &model, &views, &Silent::default()).unwrap();
    let [goal, shown] =
        [&goals.planes[0], &Goals::render(&mut renderer, &model, cameras(), &Silent::default()).unwrap().planes[0]]
            .map(|planes| gpu.read(planes).unwrap());
    let photo = crate::capture::read_image(views[0].image.as_ref().unwrap()).unwrap();
    for (x, y) in [(3, 20), (23, 0), (24, 20), (47, 39)] {
        let expected = if x < 24 { shown[y * 48 + x] } else { photo.at(x as u32, y as u32)[0] };
        assert_eq!(goal[y * 48 + x], expected, "({x}, {y})");
    }
    // Transmittance is the original's.
    let plane = crate::splat::plane_len(48, 40);
    assert_eq!(goal[3 * plane..], shown[3 * plane..]);
}

#[test]
fn the_more_splats_the_fewer_steps_and_rounds() {
    let of = |count| Config::for_splats(count);
    assert_eq!(of(0), Config::default());
    assert_eq!(of(400_000), Config::default());
    let effort = |count| (of(count).steps, of(count).rounds);
    assert_eq!([600_000, 1_000_000, 20_000_000].map(effort), [(200, 3), (120, 2), (100, 2)]);
}
