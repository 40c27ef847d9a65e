//! Photographs whose poses are wrong: found against ray-traced pictures with their depths, and while training.

use super::poses::{Place, Poses};
use super::register::{Pair, Registered, register};
use super::run_tests::At;
use super::watch::Command;
use super::watch_tests::Bed;
use super::*;
use crate::capture::{Camera, Image, SceneFrame, from_rotation_translation};
use crate::color::linear_to_srgb;
use crate::progress::Silent;
use crate::scenes::{self, Random, Scene, World};
use crate::splat::Rendered;
use glam::{DMat3, DMat4, DQuat, DVec2, DVec3};

/// What a camera sees of the tiny scene, as a render has it.
fn seen(world: &World<'_>, camera: &Camera) -> Rendered {
    let depth = scenes::depths(world, camera);
    let alpha = depth.iter().map(|depth| f32::from(u8::from(*depth > 0.0))).collect();
    Rendered { image: lit(world, camera), alpha, depth, visible: 0, pairs: 0 }
}

fn lit(world: &World<'_>, camera: &Camera) -> Image {
    let mut image = scenes::photograph(world, camera, 2);
    image.pixels.iter_mut().flatten().for_each(|value| *value = linear_to_srgb(*value));
    image
}

/// `camera` turned by so many degrees about its axes and moved.
fn turned(camera: &Camera, degrees: [f64; 3], shift: [f64; 3]) -> Camera {
    let rotation = DMat3::from_quat(DQuat::from_scaled_axis(DVec3::from(degrees.map(f64::to_radians))));
    let motion = from_rotation_translation(rotation, DVec3::from(shift));
    Camera { viewmat: motion * camera.viewmat, ..camera.clone() }
}

/// Mean distance in pixels between where two cameras see what `render`, which is of `from`, shows.
fn distance(render: &Rendered, from: &Camera, to: &DMat4) -> f64 {
    let to = Camera { viewmat: *to, ..from.clone() };
    let all: Vec<f64> = (0..render.depth.len())
        .filter(|&at| render.alpha[at] > 0.0)
        .map(|at| {
            let [x, y] = [at % from.width as usize, at / from.width as usize].map(|v| v as f64 + 0.5);
            let there = to.project(from.unproject(x, y, f64::from(render.depth[at])));
            (there.truncate() - DVec2::new(x, y)).length()
        })
        .collect();
    all.iter().sum::<f64>() / all.len() as f64
}

fn add_noise(image: &mut Image, deviation: f32) {
    let mut random = Random::new(&[3]);
    image.pixels.iter_mut().flatten().for_each(|value| *value += deviation * random.normal() as f32);
}

fn with_tiny_world(check: impl Fn(&World<'_>, Camera)) {
    let scene = Scene::load(Path::new("scenes/tiny.toml")).unwrap();
    let world = World::new(&scene, &Silent::default()).unwrap();
    // An odd size.
    check(&world, scenes::train_cameras(&scene.camera)[2].resized(187, 141));
}

#[test]
fn a_photograph_is_found_from_several_pixels_away_in_noise_and_half_covered() {
    with_tiny_world(|world, given| {
        let render = seen(world, &given);
        for (degrees, shift) in
            [([0.4, -0.9, 0.6], [0.0; 3]), ([0.0; 3], [0.04, -0.03, 0.06]), ([-0.5, 0.8, -0.7], [-0.02, 0.03, 0.02])]
        {
            let taken = turned(&given, degrees, shift);
            let before = distance(&render, &given, &taken.viewmat);
            let mut photograph = lit(world, &taken);
            add_noise(&mut photograph, 0.03);
            // Brighter, and a stranger in a corner.
            photograph.pixels.iter_mut().flatten().for_each(|value| *value += 0.02);
            for y in 0..60 {
                photograph.pixels[y * 187..y * 187 + 50].fill([0.9; 3]);
            }
            let pair = Pair { camera: &given, render: &render, photograph: &photograph, weights: None };
            let Registered { viewmat, moved } = register(&pair, &[given.viewmat]).unwrap();
            // From where the photograph was taken to where it was found, as the given camera sees it.
            let left = distance(&render, &given, &(viewmat * taken.viewmat.inverse() * given.viewmat));
            assert!(before > 1.5 && left < 0.06, "{before} pixels away, {left} left");
            assert!((moved[0] - before).abs() < 0.1, "{moved:?} of {before}");
        }
    });
}

#[test]
fn a_photograph_at_its_pose_stays_there_and_one_that_says_nothing_has_no_pose() {
    with_tiny_world(|world, given| {
        let render = seen(world, &given);
        let mut photograph = render.image.clone();
        add_noise(&mut photograph, 0.05);
        let found = |render: &Rendered, weights: Option<&[f32]>| {
            let pair = Pair { camera: &given, render, photograph: &photograph, weights };
            register(&pair, &[given.viewmat])
        };
        let at = found(&render, None);
        assert!(at.as_ref().is_none_or(|at| at.moved[0] < 0.05), "{at:?}");
        let hidden = vec![0.0; render.alpha.len()];
        assert!(found(&render, Some(&hidden)).is_none(), "all of it is masked");
        let nothing = Rendered { alpha: hidden, ..seen(world, &given) };
        assert!(found(&nothing, None).is_none(), "the model shows nothing");
        let flat = Rendered {
            image: Image { pixels: vec![[0.5; 3]; 187 * 141], ..render.image.clone() },
            ..seen(world, &given)
        };
        assert!(found(&flat, None).is_none(), "a picture without edges");
    });
}

#[test]
fn poses_that_were_moved_go_through_a_checkpoint_and_are_reported_in_the_captures_unit() {
    let bed = Bed::new();
    let views = &bed.capture.train;
    let mut poses = Poses::new(views.clone());
    let found = turned(&views[4].camera, [0.1, 0.2, 0.3], [0.1, 0.0, 0.0]).viewmat;
    let place = |trusted: bool| -> Place {
        let viewmat = found.as_mat4().to_cols_array();
        serde_json::from_value(serde_json::json!({"viewmat": viewmat, "pixels": 2.5, "trusted": trusted})).unwrap()
    };
    // One that was seen once stays, and one that the capture does not have is left out.
    poses.place_at([(1, place(false)), (4, place(true)), (99, place(true))].into());
    assert_eq!(poses.found(), &[(1, place(false)), (4, place(true))].into());
    assert_eq!(poses.cameras()[1], views[1].camera);
    let frame = SceneFrame { origin: DVec3::new(10.0, 0.0, 0.0), unit: 4.0 };
    let report = poses.moved(&frame);
    assert_eq!((report.len(), &report[0].view, report[0].pixels), (1, &views[4].name, 2.5));
    let center = (found.inverse().w_axis.truncate() * 4.0 + frame.origin).to_array();
    (0..3).for_each(|axis| assert!((report[0].transform_matrix[axis][3] - center[axis]).abs() < 1e-5));
    let config = Config { steps: 100, refine_poses: true, ..Config::default() };
    let due = |poses: &Poses| -> Vec<(u32, usize)> {
        (0..100).map(|step| (step, poses.due(&config, step).len())).filter(|(_, views)| *views > 0).collect()
    };
    let all = views.len();
    assert_eq!(due(&poses), [(30, all), (50, all), (80, all)], "not before all views are known");
    let off = Config { refine_poses: false, ..config.clone() };
    assert!((0..100).all(|step| poses.due(&off, step).is_empty()));
    let mut few = Poses::new(views[..2].to_vec());
    assert_eq!(due(&few), [(10, 2), (15, 2), (20, 2)], "nobody was off");
    few.place_at([(1, place(false))].into());
    assert_eq!(due(&few), [(10, 2), (15, 2), (20, 2), (30, 1), (50, 1), (80, 1)]);
    assert_eq!(few.due(&config, 50), [1]);
}

/// Points where every fourth pixel of the views sees one, in its color.
fn surface(scene: &Scene, capture: &Capture) -> PointCloud {
    let world = World::unlit(scene);
    let mut points = PointCloud::default();
    for view in &capture.train {
        let (depths, photograph, width) =
            (scenes::depths(&world, &view.camera), view.read().unwrap(), view.camera.width as usize);
        for at in (0..depths.len()).filter(|at| depths[*at] > 0.0 && at % width % 4 == 0 && at / width % 4 == 0) {
            let [x, y] = [at % width, at / width].map(|v| v as f64 + 0.5);
            points.positions.push(view.camera.unproject(x, y, f64::from(depths[at])).as_vec3().to_array());
            points.colors.push(photograph.pixels[at].map(|value| (value * 255.0) as u8));
        }
    }
    points
}

#[test]
fn training_moves_the_one_photograph_whose_pose_is_wrong_also_when_it_is_interrupted() {
    let mut scene = Scene::load(Path::new("scenes/tiny.toml")).unwrap();
    (scene.camera.width, scene.camera.height, scene.camera.train) = (160, 120, 9);
    let mut bed = Bed::of(&scene);
    bed.points = surface(&scene, &bed.capture);
    let right = bed.capture.train[3].camera.clone();
    bed.capture.train[3].camera = turned(&right, [0.0, 1.0, 0.0], [0.0; 3]);
    let densify = densify::Config { strategy: densify::Strategy::None, ..densify::Config::default() };
    // As the presets have them: moves are found where a model is near its photographs.
    let rates =
        Config { lr_scales: 0.02, lr_quats: 4e-3, lr_opacities: 0.1, lr_sh: 0.02, lr_decay: 0.3, ..Config::default() };
    let start = Config { init_scale: 0.6, ssim_weight: 0.4, ramp: 2, ramp_until: 0.3, ..rates };
    let steady = Config { steps: 700, sh_degree: 0, refine_poses: true, deterministic: true, densify, ..start };
    // The second training begins anew, however long the first one takes.
    let config = Config { checkpoint_seconds: 0.0, ..steady };
    let (splats, report) = bed.train(&config, &Silent::default(), &At::new(u32::MAX, Command::Step)).unwrap();
    let names: Vec<&str> = report.moved.iter().map(|moved| moved.view.as_str()).collect();
    assert_eq!(names, [bed.capture.train[3].name.as_str()]);
    let c2w = DMat4::from_cols_array_2d(&report.moved[0].transform_matrix).transpose();
    let found = Camera { viewmat: Camera::viewmat_from_opengl(c2w), ..right.clone() };
    let angle = |other: &Camera| found.forward().dot(other.forward()).clamp(-1.0, 1.0).acos().to_degrees();
    assert!(angle(&right) < 0.15, "{} of 1 degree are left", angle(&right));
    // Another time, with an interruption after poses were moved.
    let stopped = bed.train(&config, &Silent::default(), &At::new(250, Command::Stop));
    assert!(stopped.is_err());
    let (again, resumed) = bed.train(&config, &Silent::default(), &At::new(u32::MAX, Command::Step)).unwrap();
    assert_eq!((resumed.resumed_at, resumed.moved == report.moved, again == splats), (250, true, true));
}
