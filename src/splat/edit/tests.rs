//! Filters on scenes of a few splats, where one sees what must go.

use super::*;
use crate::gpu::{Choice, Mask};
use crate::progress::Silent;
use glam::{DMat4, DVec3};
use std::sync::LazyLock;

/// Gray balls at `means`, of standard deviation `sigma`.
fn splats(means: Vec<[f32; 3]>, sigma: f32) -> Splats {
    let count = means.len();
    Splats {
        means,
        quats: vec![[1.0, 0.0, 0.0, 0.0]; count],
        log_scales: vec![[sigma.ln(); 3]; count],
        logit_opacities: vec![4.0; count],
        sh: vec![0.5; 3 * count],
        sh_degree: 0,
    }
}

/// A wall of 20 × 20 splats at depth `z`.
fn wall(z: f32) -> Vec<[f32; 3]> {
    (0..400).map(|i| [(i % 20) as f32 * 0.1 - 0.95, (i / 20) as f32 * 0.1 - 0.95, z]).collect()
}

fn camera(center: DVec3) -> Camera {
    let viewmat = DMat4::from_translation(-center);
    Camera { width: 64, height: 64, fx: 64.0, fy: 64.0, cx: 32.0, cy: 32.0, viewmat, reduction: 1.0 }
}

fn nothing() -> FilterContext<'static> {
    static SILENT: LazyLock<Silent> = LazyLock::new(Silent::default);
    FilterContext { frame: SceneFrame::IDENTITY, antialiased: false, cameras: &[], gpu: None, progress: &*SILENT }
}

/// How many splats the filter takes.
fn taken(filter: Filter, splats: &Splats, around: &FilterContext<'_>) -> usize {
    let mut left = splats.clone();
    let taken = apply(&[filter], &mut left, around).unwrap();
    assert_eq!(left.len(), splats.len() - taken[0]);
    taken[0]
}

#[test]
fn regions_are_in_the_capture_s_coordinates() {
    let line = splats((0..10).map(|i| [i as f32, 0.0, 0.0]).collect(), 0.1);
    let corner = |x: f64| DVec3::new(x, x.signum(), -x.signum());
    let all_signs = Filter::Within(Region::Box([corner(3.5), corner(-0.5)]));
    assert_eq!(taken(all_signs.clone(), &line, &nothing()), 6);
    let ball = Filter::Within(Region::Sphere { center: DVec3::new(9.0, 0.0, 0.5), radius: 1.2 });
    assert_eq!(taken(ball, &line, &nothing()), 8);
    // In a frame of its own, the splat at 1 is at 12 of the capture.
    let frame = SceneFrame { origin: DVec3::new(10.0, 0.0, 0.0), unit: 2.0 };
    let beyond = Filter::Within(Region::Box([DVec3::new(11.0, -1.0, -1.0), DVec3::new(17.0, 1.0, 1.0)]));
    assert_eq!(taken(beyond, &line, &FilterContext { frame, ..nothing() }), 7);
    // Everything else of a splat goes with it.
    let mut numbered = line;
    numbered.sh.iter_mut().enumerate().for_each(|(i, v)| *v = (i / 3) as f32);
    apply(&[all_signs], &mut numbered, &nothing()).unwrap();
    assert_eq!(numbered.sh, [0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 2.0, 2.0, 2.0, 3.0, 3.0, 3.0]);
    assert_eq!([numbered.quats.len(), numbered.log_scales.len(), numbered.logit_opacities.len()], [4; 3]);
}

#[test]
fn the_hull_holds_what_cameras_enclose() {
    let corners = [[-1.0, -1.0, -1.0], [1.0, -1.0, -1.0], [0.0, 1.0, -1.0], [0.0, 0.0, 1.0]];
    let cameras: Vec<Camera> = corners.map(|center| camera(center.into())).to_vec();
    let around = FilterContext { cameras: &cameras, ..nothing() };
    // The middle, near the tip, beside the tip, below, far off.
    let points = vec![[0.0, 0.0, 0.0], [0.0, 0.0, 0.9], [0.6, 0.0, 0.9], [0.0, 0.0, -1.4], [9.0, 0.0, 0.0]];
    let scene = splats(points, 0.1);
    let hull = |margin| Filter::Within(Region::Hull(margin));
    assert_eq!(taken(hull(0.0), &scene, &around), 3);
    assert_eq!(taken(hull(0.5), &scene, &around), 1);
    // Cameras on a line enclose what is on it.
    let line = [camera(DVec3::ZERO), camera(DVec3::Z)];
    let on_it = splats(vec![[0.0, 0.0, 0.5], [0.0, 0.3, 0.5], [0.0, 0.0, 1.5]], 0.1);
    assert_eq!(taken(hull(0.0), &on_it, &FilterContext { cameras: &line, ..nothing() }), 2);
    let error = apply(&[hull(1.0)], &mut scene.clone(), &nothing()).unwrap_err().to_string();
    assert!(error.contains("hull") && error.contains("no cameras"), "{error}");
}

#[test]
fn faint_and_large_splats_go() {
    let mut scene = splats(wall(0.0), 0.05);
    scene.logit_opacities[7] = -4.0;
    scene.log_scales[9][2] = 2f32.ln();
    scene.log_scales[10][0] = 0.4f32.ln();
    assert_eq!(taken(Filter::MinOpacity(0.1), &scene, &nothing()), 1);
    assert_eq!(taken(Filter::MaxSize(0.5), &scene, &nothing()), 1);
    assert_eq!(taken(Filter::MaxSize(0.3), &scene, &nothing()), 2);
    let doubled = FilterContext { frame: SceneFrame { origin: DVec3::ZERO, unit: 2.0 }, ..nothing() };
    assert_eq!(taken(Filter::MaxSize(0.5), &scene, &doubled), 2);
    // Nine tenths of the wall are within 1.09 of its middle.
    assert_eq!(taken(Filter::MaxRelativeSize(1.0), &scene, &nothing()), 1);
    assert_eq!(taken(Filter::MaxRelativeSize(0.3), &scene, &nothing()), 2);
}

#[test]
fn clusters_that_touch_nothing_large_go() {
    // A wall, a second one behind it, and five floaters in front of it, one of which reaches the wall.
    let mut means = [wall(0.0), wall(3.0)].concat();
    means.extend([[0.0, 0.0, -1.0], [0.03, 0.0, -1.0], [0.0, 0.03, -1.0], [0.5, 0.5, -0.8], [0.2, 0.2, -0.08]]);
    let scene = splats(means, 0.05);
    let clusters = |least| taken(Filter::MinCluster(least), &scene, &nothing());
    assert_eq!([clusters(1), clusters(2), clusters(4), clusters(300)], [0, 1, 4, 4]);
    assert_eq!(clusters(401), 404);
    // A background that reaches over all of it connects nothing.
    let mut with_background = scene.clone();
    with_background.log_scales[0] = [3.0; 3];
    assert_eq!(taken(Filter::MinCluster(300), &with_background, &nothing()), 4);
    // Dots, far smaller than the distances between them, are connected by these.
    let dots = Splats { log_scales: vec![[-12.0; 3]; scene.len()], ..scene.clone() };
    assert_eq!(taken(Filter::MinCluster(300), &dots, &nothing()), 4);
    // Where many are at one place.
    let heap = splats(vec![[1.0; 3]; 50], 0.05);
    assert_eq!(taken(Filter::MinCluster(50), &heap, &nothing()), 0);
}

#[test]
fn views_count_where_nothing_is_in_front() {
    let gpu = Gpu::open(&Choice::Best, Mask::default()).unwrap();
    // A wall, a splat behind its middle, and one that only the third camera has in its picture.
    let mut means = wall(2.0);
    means.extend([[0.0, 0.0, 4.0], [4.0, 0.0, 2.0]]);
    let scene = splats(means, 0.05);
    let cameras = [camera(DVec3::ZERO), camera(DVec3::new(0.1, 0.0, 0.0)), camera(DVec3::new(4.0, 0.0, 0.0))];
    let around = FilterContext { cameras: &cameras, gpu: Some(&gpu), ..nothing() };
    let views = seen::views(&scene, &around).unwrap();
    assert_eq!([views[190], views[400], views[401]], [2, 0, 1], "{views:?}");
    // Where pictures are drawn in strips.
    let small = Gpu::open(&Choice::Best, Mask { buffer_bytes: 64 << 10, ..Mask::default() }).unwrap();
    assert_eq!(seen::views(&scene, &FilterContext { gpu: Some(&small), ..around }).unwrap(), views);
    assert_eq!(taken(Filter::MinViews(2), &scene, &around), 2);
    let error = apply(&[Filter::MinViews(2)], &mut scene.clone(), &nothing()).unwrap_err().to_string();
    assert!(error.contains("min_views"), "{error}");
}

#[test]
fn filters_follow_each_other_and_never_take_everything() {
    let mut scene = splats(wall(0.0), 0.05);
    scene.logit_opacities[3] = -4.0;
    scene.means[5] = [9.0, 9.0, 9.0];
    let filters = [Filter::MinOpacity(0.1), Filter::MinCluster(10), Filter::MinOpacity(0.1)];
    let mut left = scene.clone();
    assert_eq!(apply(&filters, &mut left, &nothing()).unwrap(), [1, 1, 0]);
    assert_eq!(left.len(), 398);
    let error = apply(&[Filter::MinOpacity(0.999)], &mut left, &nothing()).unwrap_err().to_string();
    assert!(error.contains("min_opacity") && error.contains("all of the 398 splats"), "{error}");
}

#[test]
fn filters_stop_when_they_are_asked_to() {
    let gpu = Gpu::open(&Choice::Best, Mask::default()).unwrap();
    let (scene, cameras, stopped) = (splats(wall(2.0), 0.05), [camera(DVec3::ZERO)], Silent::default());
    stopped.0.request();
    let around = FilterContext { cameras: &cameras, gpu: Some(&gpu), progress: &stopped, ..nothing() };
    for filter in [Filter::MinViews(1), Filter::MinCluster(1)] {
        assert!(matches!(filter.keep(&scene, &around), Err(Error::Interrupted(_))), "{filter:?}");
    }
    let mut left = scene.clone();
    assert!(matches!(apply(&[Filter::MinOpacity(0.1)], &mut left, &around), Err(Error::Interrupted(_))));
    assert_eq!(left, scene);
}
