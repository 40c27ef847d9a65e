//! The matching kernels against a direct computation, and depth maps of scenes whose depths are known.

use super::matcher::{MAX_OTHERS, Matcher, Plane, Range, Relation};
use super::picture::{Level, Picture};
use super::*;
use crate::capture::{Camera, Image, View};
use crate::gpu::{Choice, Mask};
use crate::progress::{Silent, Stop};
use crate::random::uniform;
use glam::{DMat3, DMat4, DVec2, DVec3};
use std::sync::Arc;
use std::time::Duration;

fn gpu() -> Gpu {
    Gpu::open(&Choice::Best, Mask::ALL).unwrap()
}

/// A camera at `center`, turned by `angle` about the vertical.
fn camera(center: DVec3, angle: f64, size: (u32, u32)) -> Camera {
    let (width, height) = size;
    let viewmat = DMat4::from_mat3(DMat3::from_rotation_y(-angle)) * DMat4::from_translation(-center);
    let focal = 0.8 * f64::from(width);
    Camera {
        width,
        height,
        fx: focal,
        fy: 1.02 * focal,
        cx: 0.49 * f64::from(width),
        cy: 0.52 * f64::from(height),
        viewmat,
        reduction: 1.0,
    }
}

/// Detail at several scales, 0 to 1.
fn texture(x: f64, y: f64) -> f64 {
    let wave = |a: f64, b: f64, c: f64| (a * x + b * y + c * (x * y).sin()).sin();
    0.5 + 0.16 * (wave(9.0, 4.0, 2.0) + wave(-6.0, 13.0, 3.0) + wave(21.0, -17.0, 1.0))
}

/// A scene as the depth along a ray (origin and direction) and the texture there.
type Scene<'a> = &'a (dyn Fn(DVec3, DVec3) -> (f64, f64) + Sync);

/// The plane through `(0, 0, depth)` with slopes dz/dx and dz/dy.
fn plane(depth: f64, slopes: (f64, f64)) -> impl Fn(DVec3, DVec3) -> (f64, f64) + Sync {
    move |o, d| {
        let t = (depth + slopes.0 * o.x + slopes.1 * o.y - o.z) / (d.z - slopes.0 * d.x - slopes.1 * d.y);
        let p = o + t * d;
        (t, texture(p.x, p.y))
    }
}

fn ray(camera: &Camera, at: usize) -> (DVec3, DVec3) {
    let (x, y) = (at % camera.width as usize, at / camera.width as usize);
    let origin = camera.center();
    // Its component along the camera's axis is 1: a parameter on it is a depth.
    (origin, camera.unproject(x as f64 + 0.5, y as f64 + 0.5, 1.0) - origin)
}

/// A picture of a scene with an exposure (gain and offset) and noise of a standard deviation.
fn photograph(camera: &Camera, scene: Scene, exposure: (f64, f64), noise: f64, seed: u64) -> Image {
    let mut image = Image::new(camera.width, camera.height);
    for (at, pixel) in image.pixels.iter_mut().enumerate() {
        let (origin, direction) = ray(camera, at);
        let random = (0..4).map(|k| uniform(seed, k, at as u64) - 0.5).sum::<f64>() * 3f64.sqrt();
        *pixel = [(exposure.0 * scene(origin, direction).1 + exposure.1 + noise * random) as f32; 3];
    }
    image
}

fn picture(camera: &Camera, scene: Scene) -> Picture {
    Picture::new(camera, Arc::new(photograph(camera, scene, (1.0, 0.0), 0.0, 0)))
}

/// Cameras on an arc that look at the middle of a scene 4 away.
fn arc(count: usize, size: (u32, u32)) -> Vec<Camera> {
    let place = |i: usize| (i as f64 - (count - 1) as f64 / 2.0) * 0.35;
    (0..count).map(|i| camera(DVec3::new(place(i), 0.15 * (i % 2) as f64, 0.0), -place(i) / 4.0, size)).collect()
}

/// A capture of `count` views of a scene; exposures and noise as given.
fn capture(
    folder: &std::path::Path,
    cameras: &[Camera],
    scene: Scene,
    exposures: &[(f64, f64)],
    noise: f64,
) -> Capture {
    let view = |(i, camera): (usize, &Camera)| {
        let name = format!("{i}.png");
        let exposure = exposures.get(i).copied().unwrap_or((1.0, 0.0));
        photograph(camera, scene, exposure, noise, i as u64).to_rgb8().save(folder.join(&name)).unwrap();
        View {
            image: Some(folder.join(&name)),
            name,
            camera: camera.clone(),
            lens: None,
            mask: None,
            gain: None,
            shots: Vec::new(),
        }
    };
    Capture { root: folder.into(), train: cameras.iter().enumerate().map(view).collect(), ..Capture::default() }
}

/// The part of all pixels that get a depth, and the part of these within `tolerance` of the true one.
fn found(maps: &[DepthMap], scene: Scene, tolerance: f64) -> (f64, f64) {
    let (mut all, mut with_depth, mut right) = (0, 0, 0);
    for map in maps {
        for at in 0..map.planes.len() {
            all += 1;
            assert!(map.planes[at].iter().all(|v| v.is_finite()));
            if map.agreeing[at] == 0 {
                continue;
            }
            with_depth += 1;
            let (origin, direction) = ray(&map.camera, at);
            let truth = scene(origin, direction).0;
            right += usize::from((1.0 / f64::from(map.planes[at][0]) - truth).abs() <= tolerance * truth);
        }
    }
    (f64::from(with_depth) / all as f64, right as f64 / f64::from(with_depth))
}

/// Cost of a plane by the definition, in 64-bit floats and through the cameras; NaN where a sample falls outside. As in
/// the kernel the homography is affine within a patch: here by differences of projections.
fn twin(reference: &Level, others: &[&Level], at: usize, plane: Plane, stride: u32, noise: f64) -> f64 {
    let gray =
        |level: &Level, x: usize, y: usize| f64::from(level.quads[y * level.camera.width as usize + x] & 255) / 255.0;
    let bilinear = |level: &Level, p: DVec2| {
        let (x, y) = (p.x - 0.5, p.y - 0.5);
        let (w, h) = (level.camera.width as usize, level.camera.height as usize);
        if !(x >= 0.0 && y >= 0.0 && x < (w - 1) as f64 && y < (h - 1) as f64) {
            return f64::NAN;
        }
        let (i, j, u, v) = (x as usize, y as usize, x.fract(), y.fract());
        let row = |j: usize| gray(level, i, j) * (1.0 - u) + gray(level, i + 1, j) * u;
        row(j) * (1.0 - v) + row(j + 1) * v
    };
    let width = reference.camera.width as usize;
    let reach = 2 * stride as i64;
    let inside = |v: usize, extent: u32| (v as i64).clamp(reach, i64::from(extent) - 1 - reach);
    let (x, y) = (inside(at % width, reference.camera.width), inside(at / width, reference.camera.height));
    let offsets: Vec<(i64, i64)> =
        (-2..=2).flat_map(|j| (-2..=2).map(move |i| (i * i64::from(stride), j * i64::from(stride)))).collect();
    let own: Vec<f64> = offsets.iter().map(|(i, j)| gray(reference, (x + i) as usize, (y + j) as usize)).collect();
    let mut values: Vec<f64> = Vec::new();
    for other in others {
        let project = |dx: f64, dy: f64| {
            let (px, py) = (x as f64 + dx, y as f64 + dy);
            let w = f64::from(plane[0])
                + f64::from(plane[1]) * (px - (at % width) as f64)
                + f64::from(plane[2]) * (py - (at / width) as f64);
            other.camera.project(reference.camera.unproject(px + 0.5, py + 0.5, 1.0 / w)).truncate()
        };
        let h = 1e-3;
        let (center, right) = (project(0.0, 0.0), (project(h, 0.0) - project(-h, 0.0)) / (2.0 * h));
        let down = (project(0.0, h) - project(0.0, -h)) / (2.0 * h);
        let seen: Vec<f64> =
            offsets.iter().map(|(i, j)| bilinear(other, center + right * *i as f64 + down * *j as f64)).collect();
        values.push(correlation(&own, &seen, noise));
    }
    if values.iter().any(|v| v.is_nan()) {
        return f64::NAN;
    }
    values.sort_by(|a, b| b.total_cmp(a));
    let used = values.len().min(2);
    1.0 - values[..used].iter().sum::<f64>() / used as f64
}

fn correlation(a: &[f64], b: &[f64], noise: f64) -> f64 {
    let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
    let (ma, mb) = (mean(a), mean(b));
    let product = |f: &dyn Fn(usize) -> f64| (0..a.len()).map(f).sum::<f64>() / a.len() as f64;
    let (va, vb) = (product(&|i| (a[i] - ma).powi(2)), product(&|i| (b[i] - mb).powi(2)));
    product(&|i| (a[i] - ma) * (b[i] - mb)) / ((va + noise * noise) * (vb + noise * noise)).sqrt()
}

#[test]
fn costs_are_those_of_the_definition() {
    let (gpu, scene) = (gpu(), plane(4.0, (0.3, -0.1)));
    let matcher = Matcher::new(&gpu).unwrap();
    for (count, size) in [(2, (61, 47)), (4, (80, 33)), (MAX_OTHERS + 1, (37, 64))] {
        let cameras = arc(count, size);
        let pictures: Vec<Picture> = cameras.iter().map(|c| picture(c, &scene)).collect();
        let (reference, others) = (&pictures[0].levels[0], &pictures[1..]);
        let others: Vec<&Level> = others.iter().map(|p| &p.levels[0]).collect();
        let range = Range { depths: (1.0, 20.0), baseline: 0.4, seed: 1 };
        for level in [0, 1] {
            let (search, images) = matcher.search(reference, &others, &range, level).unwrap();
            let planes: Vec<Plane> = (0..size.0 as usize * size.1 as usize)
                .map(|at| {
                    let number = |k: u64| uniform(7, k, at as u64) as f32;
                    let w = 0.2 + 0.1 * number(0);
                    [w, 0.02 * w * (number(1) - 0.5), 0.02 * w * (number(2) - 0.5), 0.0]
                })
                .collect();
            let scored = matcher.score(&search, &images, &planes).unwrap();
            let mut compared = 0;
            for (at, (got, plane)) in scored.iter().zip(&planes).enumerate() {
                assert_eq!(got[..3], plane[..3]);
                let want = twin(reference, &others, at, *plane, search.stride, f64::from(search.noise).sqrt());
                if !want.is_nan() && got[3] < 2.5 {
                    assert!((f64::from(got[3]) - want).abs() < 5e-3, "{size:?} pixel {at}: {} not {want}", got[3]);
                    compared += 1;
                }
            }
            assert!(compared > 100, "{count} views, {size:?}: {compared} of {}", scored.len());
        }
    }
}

#[test]
fn turns_only_improve_and_costs_are_those_of_the_planes() {
    let (gpu, scene) = (gpu(), plane(4.0, (0.2, 0.1)));
    let matcher = Matcher::new(&gpu).unwrap();
    let pictures: Vec<Picture> = arc(3, (71, 49)).iter().map(|c| picture(c, &scene)).collect();
    let range = Range { depths: (1.0, 20.0), baseline: 0.4, seed: 1 };
    let planes = matcher.planes(&pictures[1], &[&pictures[0], &pictures[2]], &range).unwrap();
    assert_eq!(planes.len(), 71 * 49);
    let levels = [&pictures[0].levels[0], &pictures[2].levels[0]];
    let (search, images) = matcher.search(&pictures[1].levels[0], &levels, &range, 0).unwrap();
    let again = matcher.score(&search, &images, &planes).unwrap();
    for (a, b) in again.iter().zip(&planes) {
        assert!(a[..3] == b[..3] && (a[3] - b[3]).abs() < 1e-5, "{a:?} {b:?}");
    }
    // At the sides one of the two others sees nothing. A plane taken at random costs about 1.
    let seen: Vec<f32> = planes.iter().map(|p| p[3]).filter(|cost| *cost < 2.5).collect();
    let mean = seen.iter().sum::<f32>() / seen.len() as f32;
    assert!(mean < 0.1 && seen.len() * 10 > planes.len() * 8, "{mean} of {}", seen.len());
    assert_eq!(planes, matcher.planes(&pictures[1], &[&pictures[0], &pictures[2]], &range).unwrap());
}

#[test]
fn what_cannot_be_matched_has_no_planes() {
    let (gpu, scene) = (gpu(), plane(4.0, (0.0, 0.0)));
    let matcher = Matcher::new(&gpu).unwrap();
    let cameras = arc(2, (40, 30));
    let (a, b) = (picture(&cameras[0], &scene), picture(&cameras[1], &scene));
    let range = Range { depths: (1.0, 20.0), baseline: 0.4, seed: 1 };
    assert!(matcher.planes(&a, &[], &range).unwrap().is_empty());
    assert!(matcher.planes(&a, &[&b], &Range { baseline: 0.0, ..range }).unwrap().is_empty());
    let tiny = picture(&camera(DVec3::ZERO, 0.0, (8, 30)), &scene);
    assert!(matcher.planes(&tiny, &[&a], &range).unwrap().is_empty());
    assert!(matcher.planes(&a, &[&tiny], &range).unwrap().is_empty());
    assert_eq!(matcher.planes(&a, &[&b], &range).unwrap().len(), 1200);
}

#[test]
fn slanted_planes_are_found_whatever_the_exposure_and_with_noise() {
    let (gpu, folder, scene) = (gpu(), tempfile::tempdir().unwrap(), plane(4.0, (0.7, 0.2)));
    let cameras = arc(5, (120, 90));
    let maps = |exposures: &[(f64, f64)], noise: f64| {
        let capture = capture(folder.path(), &cameras, &scene, exposures, noise);
        depth_maps(&gpu, &capture, &Config::default(), &Silent::default()).unwrap().0
    };
    let clean = maps(&[], 0.0);
    let (all, right) = found(&clean, &scene, 0.01);
    assert!(all > 0.8 && right > 0.95, "{all} {right}");
    let map = &clean[2];
    let (at, truth) = (45 * 120 + 60, DVec3::new(0.7, 0.2, -1.0).normalize());
    assert!(map.surface(at).normal.dot(truth) > 0.98, "{:?} instead of {truth}", map.surface(at).normal);
    let (all, right) = found(&maps(&[(0.7, 0.1), (1.0, 0.0), (0.6, 0.05), (0.8, 0.15), (1.0, 0.0)], 0.0), &scene, 0.01);
    assert!(all > 0.8 && right > 0.95, "{all} {right}");
    let (all, right) = found(&maps(&[], 0.04), &scene, 0.02);
    assert!(all > 0.5 && right > 0.9, "{all} {right}");
}

/// A square in front of a wall hides different parts of it in different views.
#[test]
fn a_hidden_wall_gets_its_own_depth_and_points_lie_on_surfaces() {
    let (gpu, folder) = (gpu(), tempfile::tempdir().unwrap());
    let (wall, square) = (plane(5.0, (0.0, 0.0)), plane(3.2, (0.0, 0.0)));
    let scene = move |o: DVec3, d: DVec3| {
        let (t, gray) = square(o, d);
        let p = o + t * d;
        if p.x.abs() < 0.7 && p.y.abs() < 0.6 { (t, 1.0 - gray) } else { wall(o, d) }
    };
    let capture = capture(folder.path(), &arc(6, (160, 120)), &scene, &[], 0.0);
    let (maps, checks) = depth_maps(&gpu, &capture, &Config::default(), &Silent::default()).unwrap();
    let (all, right) = found(&maps, &scene, 0.02);
    assert!(all > 0.75 && right > 0.93, "{all} {right}");
    let points = fuse(&maps, &checks).points;
    let depths: usize = maps.iter().flat_map(|m| &m.agreeing).filter(|a| **a > 0).count();
    assert!(points.len() * 5 < depths * 2, "{} points of {depths} pixels", points.len());
    let on_surface = points.iter().filter(|p| (p.position.z - 5.0).abs() < 0.1 || (p.position.z - 3.2).abs() < 0.07);
    assert!(on_surface.count() * 100 > points.len() * 93);
    assert!(points.iter().all(|p| p.views >= 3 && p.normal.is_normalized() && p.position.is_finite()));
}

#[test]
fn two_cameras_are_enough_and_one_place_is_not() {
    let (gpu, folder, scene) = (gpu(), tempfile::tempdir().unwrap(), plane(4.0, (0.1, 0.0)));
    let cameras = arc(2, (97, 61));
    let both = capture(folder.path(), &cameras, &scene, &[], 0.0);
    let (maps, _) = depth_maps(&gpu, &both, &Config::default(), &Silent::default()).unwrap();
    let (all, right) = found(&maps, &scene, 0.02);
    assert!(all > 0.6 && right > 0.95, "{all} {right}");
    let same = capture(folder.path(), &[cameras[0].clone(), cameras[0].clone()], &scene, &[], 0.0);
    let (maps, checks) = depth_maps(&gpu, &same, &Config::default(), &Silent::default()).unwrap();
    assert!(maps.iter().all(|map| map.agreeing.iter().all(|a| *a == 0)));
    assert!(fuse(&maps, &checks).points.is_empty());
}

#[test]
fn a_relation_projects_as_the_cameras_do() {
    let (from, to) =
        (camera(DVec3::new(0.1, 0.2, 0.3), 0.2, (50, 40)), camera(DVec3::new(-0.4, 0.0, 0.1), -0.1, (64, 48)));
    let relation = Relation::new(&from, &to);
    for (x, y, depth) in [(3.0, 7.0, 2.0), (25.0, 20.0, 5.0), (49.0, 1.0, 100.0)] {
        let p = relation.rays * DVec3::new(x, y, 1.0) + relation.offset / depth;
        let want = to.project(from.unproject(x, y, depth));
        assert!((p.truncate() / p.z - want.truncate()).length() < 1e-9 && (p.z * depth - want.z).abs() < 1e-9);
    }
}

/// A search that was stopped goes on after the views it has, and comes out the same; damaged and foreign files count for
/// nothing, and what somebody else put there stays.
#[test]
fn a_stopped_search_continues_after_the_views_it_has() {
    let (gpu, folder, scene) = (gpu(), tempfile::tempdir().unwrap(), plane(4.0, (0.1, 0.0)));
    let capture = capture(folder.path(), &arc(3, (97, 61)), &scene, &[], 0.0);
    let (config, planes) = (Config::default(), folder.path().join("stereo"));
    let kept = |identity: &str| Kept::new(&planes, identity.into(), Duration::ZERO);
    let search = |kept: Option<&Kept>, progress: &dyn Progress| {
        maps_of(&gpu, &capture, &references(&capture, &config), &config, kept, progress).map(|(maps, _)| maps)
    };
    let planes_of = |maps: Vec<DepthMap>| maps.into_iter().map(|map| map.planes).collect::<Vec<_>>();
    let uninterrupted = planes_of(search(None, &Silent::default()).unwrap());
    /// Stops after two views.
    #[derive(Default)]
    struct Stopping(Stop);
    impl Progress for Stopping {
        fn set(&self, done: u64, _: &str) {
            if done == 2 {
                self.0.request();
            }
        }
        fn stop(&self) -> &Stop {
            &self.0
        }
    }
    assert!(search(Some(&kept("a")), &Stopping::default()).is_err());
    let made = ["0000.planes", "0001.planes"].map(|name| planes.join(name));
    assert!(made.iter().all(|path| path.exists()) && !planes.join("0002.planes").exists());
    assert_eq!(kept("a").read(0).unwrap().len(), 97 * 61);
    assert!(kept("b").read(0).is_none() && kept("a").read(2).is_none());
    std::fs::copy(&made[0], planes.join("0002.planes")).unwrap();
    assert!(kept("a").read(2).is_none(), "planes of another view pass");
    let mut bytes = std::fs::read(&made[0]).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&made[0], &bytes).unwrap();
    assert!(kept("a").read(0).is_none(), "damage passes");
    // View 1 is not searched again: what it has is taken as it is.
    let marked = vec![[2.5, 0.0, 0.0, 0.1]; 97 * 61];
    let here = kept("a");
    kept::Pending::new(Some(&here)).finished(1, &marked);
    let resumed = planes_of(search(Some(&here), &Silent::default()).unwrap());
    assert_eq!(resumed, [uninterrupted[0].clone(), marked, uninterrupted[2].clone()]);
    std::fs::write(planes.join("mine.planes"), "mine").unwrap();
    discard(&planes).unwrap();
    let left: Vec<_> = std::fs::read_dir(&planes).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["mine.planes"]);
}
